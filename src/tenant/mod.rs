//! One tenant, from its object to reality.

pub mod action;
pub mod adoption;
pub mod apply;
pub mod beginning;
pub mod blueprint;
pub mod breaker;
pub mod cache;
pub mod census;
pub mod child;
pub mod cloud;
pub mod comparison;
pub mod controller;
pub mod desired;
pub mod digest;
pub mod egress;
pub mod failure;
pub mod fit;
pub mod gate;
pub mod hold;
pub mod keep;
pub mod ledger;
pub mod looks;
pub mod observed;
pub mod orders;
pub mod ownership;
pub mod parts;
pub mod place;
pub mod plan;
pub mod purge;
pub mod queue;
pub mod quota;
pub mod reason;
pub mod receipt;
pub mod reconcile;
pub mod replacement;
pub mod reserved;
pub mod retire;
pub mod rollout;
pub mod rotation;
pub mod settings;
pub mod status;
pub mod storage;
pub mod views;
pub mod workload;

#[cfg(test)]
mod tests;
