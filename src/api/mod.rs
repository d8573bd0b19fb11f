//! What users write and read. Types only: no client, no clock, no decision.

mod checked;
pub mod class;
pub mod labels;
pub mod names;
pub mod quantity;
pub mod record;
pub mod tenant;
pub mod uid;

pub use checked::InvalidName;
pub use class::{TenantClass, TenantClassSpec};
pub use quantity::Quantity;
pub use record::{TenantRecord, TenantRecordSpec};
pub use tenant::{Tenant, TenantSpec, TenantStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// The definitions of all three kinds, in the order in which they are installed.
pub fn custom_resource_definitions() -> [CustomResourceDefinition; 3] {
    [TenantClass::crd(), TenantRecord::crd(), Tenant::crd()]
}
