//! The pure core, tested as a whole: objects, decisions, and the world that they lead to.

mod api_server;
mod cloud;
mod controllers;
mod drift;
mod fixtures;
mod objects;
mod promises;
mod world;

mod holds;
mod mishaps;
mod purity;
mod random;
mod scenarios;
mod schemas;
mod sights;
mod situations;
