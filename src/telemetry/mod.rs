//! What the process says about itself: logs, metrics, health and events.

pub mod events;
pub mod health;
pub mod logs;
pub mod metrics;
pub mod result;
