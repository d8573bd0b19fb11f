//! IAM's documents: who may take a role on, what a role may do, and what is wrong with a role that is there.
//!
//! PURE. Documents are built whole from values and compared as values; nothing here speaks to AWS.

mod document;
pub mod judge;
mod models;
mod operator;
mod place;
pub mod templates;
mod trust;
mod workspace;

pub use document::{Document, Effect, Statement};
pub use models::ModelArns;
pub use operator::{OperatorMode, operator_permissions};
pub use place::Place;
pub use trust::{operator_trust, shared_trust, tenant_trust};
pub use workspace::{Reach, boundary, permissions};

/// The service principal of EKS Pod Identity ("Create IAM role with trust policy required by EKS Pod Identity", EKS User
/// Guide).
pub const POD_IDENTITY: &str = "pods.eks.amazonaws.com";
