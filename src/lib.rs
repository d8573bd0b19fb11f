//! An operator that turns one `Tenant` object into one person's isolated OpenClaw workspace on Amazon EKS.

pub mod administer;
pub mod api;
pub mod aws;
pub mod chance;
pub mod check;
pub mod class;
pub mod clock;
pub mod fence;
pub mod gateway;
pub mod iam;
pub mod inspect;
pub mod kubernetes;
pub mod lease;
pub mod migrate;
pub mod orphans;
pub mod rotate;
pub mod run;
pub mod sweep;
pub mod telemetry;
pub mod tenant;
#[cfg(test)]
mod testdata;
