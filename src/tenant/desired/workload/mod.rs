//! The workspace itself: an OpenClaw gateway, its configuration and the two scripts that it runs with.

pub mod config;
pub mod files;
pub mod resolver;
