//! The pure core, tested as a whole: objects, decisions, and the world that they lead to.

mod adopting;
mod answers;
mod api_server;
mod cloud;
mod controllers;
mod drift;
mod due;
mod enforcing;
mod fixtures;
mod objects;
mod own_roles;
mod promises;
mod world;

mod holds;
mod injection;
mod keeping;
mod leftovers;
mod lifecycle;
mod mishaps;
mod ordering;
mod placing;
mod purity;
mod random;
mod removal;
mod rolling;
mod rotating;
mod scenarios;
mod schemas;
mod sights;
mod situations;
mod sleeping;
mod transferring;
mod untold;
