//! What lets an owner look: at what runs in the namespace by a fixed role, and at the own Tenant by a role that names no other.

use serde_json::{Value, json};

use super::object;
use crate::{
    api::labels::{GROUP, TENANT_READER, owner_role},
    tenant::{
        blueprint::Blueprint,
        child::{Child, Kind},
    },
};

/// The owner as the API server knows them; nobody where access has ended, or where the name would be one of Kubernetes' own.
fn subjects(blueprint: &Blueprint<'_>) -> Option<Value> {
    let access = blueprint.class.owner_access.as_ref().filter(|_| blueprint.open)?;
    let subject = blueprint.record.owner.subject.as_ref()?;
    let name = format!("{}{subject}", access.user_name_prefix);
    let is_a_person = !name.starts_with("system:");
    is_a_person.then(|| json!([{ "apiGroup": Kind::ClusterRole.info().group, "kind": "User", "name": name }]))
}

fn binding(child: Child, role: &str, blueprint: &Blueprint<'_>) -> Option<Value> {
    let kind = Kind::ClusterRole.info();
    let role = json!({ "apiGroup": kind.group, "kind": kind.kind, "name": role });
    let body = [("roleRef", role), ("subjects", subjects(blueprint)?)];
    Some(object(child, blueprint.tenant, blueprint.record, body))
}

pub(super) fn owner_binding(blueprint: &Blueprint<'_>) -> Option<Value> {
    binding(Child::OwnerBinding, TENANT_READER, blueprint)
}

pub(super) fn owner_role_binding(blueprint: &Blueprint<'_>) -> Option<Value> {
    binding(Child::OwnerRoleBinding, &owner_role(blueprint.tenant), blueprint)
}

pub(super) fn its_role(blueprint: &Blueprint<'_>) -> Option<Value> {
    subjects(blueprint)?;
    let rules = json!([{
        "apiGroups": [GROUP], "resources": ["tenants"], "resourceNames": [blueprint.tenant], "verbs": ["get", "list", "watch"],
    }]);
    Some(object(Child::OwnerRole, blueprint.tenant, blueprint.record, [("rules", rules)]))
}
