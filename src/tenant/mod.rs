//! One tenant, from its object to reality.

pub mod action;
pub mod blueprint;
pub mod cache;
pub mod child;
pub mod cloud;
pub mod comparison;
pub mod desired;
pub mod digest;
pub mod keep;
pub mod ledger;
pub mod observed;
pub mod ownership;
pub mod plan;
pub mod reason;
pub mod retire;
pub mod settings;
pub mod status;
pub mod storage;
pub mod views;
pub mod workload;
