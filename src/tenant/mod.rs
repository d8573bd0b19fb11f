//! One tenant, from its object to reality.

pub mod desired;
