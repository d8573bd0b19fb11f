//! PURE: whole objects from a tenant and its class, one file for each kind.

pub mod workload;
