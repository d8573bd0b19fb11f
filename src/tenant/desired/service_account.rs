//! Who the workspace is. Its name holds the incarnation, because it is a session tag.

use serde_json::{Value, json};

use super::object;
use crate::tenant::{blueprint::Blueprint, child::Child};

pub(super) fn service_account(blueprint: &Blueprint<'_>) -> Value {
    // The workspace has no business with the Kubernetes API.
    let body = [("automountServiceAccountToken", json!(false))];
    object(Child::ServiceAccount, blueprint.tenant, blueprint.record, body)
}
