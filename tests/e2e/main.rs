//! The whole truth on a real node: real pods with the real OpenClaw, packets that are really dropped, credentials that are really judged.
//!
//! `make e2e` starts the local platform with a real node (Linux, root) and runs these; `cargo test` alone leaves them out.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[allow(dead_code, unused_imports, reason = "what the integration tests stand on; this needs a part")]
#[path = "../it/support/mod.rs"]
mod support;

mod attacks;
mod credentials;
mod data;
mod inside;
mod leftovers;
mod login;
mod packets;
mod purge;
mod route;
mod table;
mod turns;
mod volume;
mod workspace;
