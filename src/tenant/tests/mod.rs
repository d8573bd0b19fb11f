//! The pure core, tested as a whole: objects, decisions, and the world that they lead to.

mod adopting;
mod api_server;
mod cloud;
mod controllers;
mod drift;
mod fixtures;
mod objects;
mod own_roles;
mod promises;
mod world;

mod holds;
mod injection;
mod mishaps;
mod purity;
mod random;
mod rolling;
mod rotating;
mod scenarios;
mod schemas;
mod sights;
mod situations;
