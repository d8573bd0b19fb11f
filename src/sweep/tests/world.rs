//! A cluster of a few tenants at rest, and the listing that agrees with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use litemap::LiteMap;
use serde_json::json;

use crate::{
    api::{
        labels::tags,
        names::{SecretItemName, TenantName},
        record::TenantRecordSpec,
    },
    aws::types::{Association, ListedAssociation, ListedSecret, Secret, Tags},
    sweep::findings::Listing,
    tenant::{
        census::Census,
        ledger::secret_name,
        observed::{AwsView, Definitions, FoundAssociation, Look, RecordView},
    },
};

pub(super) const CLUSTER_UID: &str = "0c9d7e11-2222-4333-8444-555566667777";
pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/openclaw-tenant";
pub(super) const ITEMS: [&str; 2] = ["gateway-token", "slack-bot-token"];

/// When the tenants were looked at.
pub(super) fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().expect("time")
}

pub(super) fn after_minutes(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

pub(super) fn name(text: &str) -> TenantName {
    text.parse().expect("name")
}

pub(super) fn item(text: &str) -> SecretItemName {
    text.parse().expect("item")
}

/// Ten hex digits that differ by tenant.
pub(super) fn incarnation(tenant: &str) -> String {
    crate::api::names::sha256_hex(&[tenant])[..10].to_owned()
}

pub(super) fn identity_tags(tenant: &str, incarnation: &str) -> Tags {
    let tag = |key: &str, value: &str| (key.into(), value.into());
    Tags::from_iter([
        tag(tags::MANAGED_BY, tags::MANAGED_BY_US),
        tag(tags::CLUSTER_UID, CLUSTER_UID),
        tag(tags::TENANT, tenant),
        tag(tags::INCARNATION, incarnation),
        tag(tags::OWNER_HASH, &"0".repeat(64)),
    ])
}

fn arn_of(secret: &str) -> String {
    format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{secret}-AbCdEf")
}

pub(super) fn record(tenant: &str) -> TenantRecordSpec {
    let incarnation = incarnation(tenant);
    let items = ITEMS.map(|item| {
        let origin = if item == ITEMS[0] { "Generated" } else { "Person" };
        let arn = arn_of(&format!("openclaw/{tenant}/{item}"));
        json!({ "name": item, "origin": origin, "nonce": "0".repeat(32), "arn": arn, "versionId": "1".repeat(32) })
    });
    let record = json!({
        "phase": "Active",
        "incarnation": incarnation,
        "owner": { "hash": "0".repeat(64) },
        "className": "default",
        "namespace": { "name": format!("openclaw-{tenant}"), "prefix": "openclaw-" },
        "serviceAccount": format!("workspace-{incarnation}"),
        "identity": {
            "mode": "SharedRole", "roleArn": ROLE, "givenRoleArn": ROLE, "associationId": format!("a-{tenant}"), "nonce": "0".repeat(32),
        },
        "secrets": { "mode": "SecretsManager", "prefix": "openclaw", "items": items },
        "storage": { "className": "efs", "size": "10Gi" },
        "routing": { "mode": "Host" },
        "retirement": { "deletionPolicy": "Retain", "recoveryWindowDays": 30 },
    });
    serde_json::from_value(record).expect("a record")
}

fn association(tenant: &str) -> Association {
    let record = record(tenant);
    Association {
        id: format!("a-{tenant}").parse().expect("id"),
        arn: format!("arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/a-{tenant}"),
        namespace: record.namespace.name.to_string(),
        service_account: record.service_account.to_string(),
        role_arn: record.identity.role_arn,
        owner_arn: None,
        tags: identity_tags(tenant, &incarnation(tenant)),
        created_at: None,
    }
}

pub(super) fn secret(name: &str, tags: Tags) -> Secret {
    Secret {
        arn: arn_of(name).parse().expect("arn"),
        name: name.to_owned(),
        kms_key: None,
        deleted_at: None,
        tags,
        versions: LiteMap::from_iter([("1".repeat(32).into(), vec!["AWSCURRENT".into()])]),
    }
}

/// As a tenant at rest knows it, looked at itself.
fn view(tenant: &str) -> AwsView {
    let record = record(tenant);
    let secrets = record.secrets.items.iter().map(|item| {
        let full = secret_name(&record, item.name.as_str());
        let secret = secret(&full, identity_tags(tenant, &incarnation(tenant)));
        (item.name.clone(), Look::At(start(), Some(Arc::new(secret))))
    });
    AwsView {
        association: Look::At(start(), FoundAssociation::One(association(tenant))),
        secrets: secrets.collect(),
        ..AwsView::default()
    }
}

pub(super) fn record_view(record: TenantRecordSpec) -> Arc<RecordView> {
    let uid = "11111111-2222-4333-8444-555566667777".parse().expect("uid");
    Arc::new(RecordView { uid, resource_version: "1".to_owned(), orders: BTreeMap::new(), spec: Ok(record) })
}

/// What is known of a tenant, to be changed.
pub(super) fn known<'a>(census: &'a mut Census, tenant: &str) -> &'a mut AwsView {
    Arc::make_mut(census.aws.get_mut(&name(tenant)).expect("known"))
}

/// These tenants, at rest.
pub(super) fn census(tenants: &[&str]) -> Census {
    let of = |tenant: &&str| name(tenant);
    Census {
        definitions: Definitions::Stand,
        cluster_uid: CLUSTER_UID.parse().expect("uid"),
        tenants: tenants.iter().map(of).collect(),
        records: tenants.iter().map(|tenant| (name(tenant), record_view(record(tenant)))).collect(),
        marks: tenants.iter().map(|tenant| (name(tenant), incarnation(tenant).parse().expect("hex"))).collect(),
        aws: tenants.iter().map(|tenant| (name(tenant), Arc::new(view(tenant)))).collect(),
    }
}

/// The listing, ten minutes later, that agrees with all that is known.
pub(super) fn agreeing(census: &Census) -> Listing {
    let mut listing = Listing { began: after_minutes(10), associations: Vec::new(), secrets: Vec::new() };
    for view in census.aws.values() {
        if let Some(FoundAssociation::One(one)) = view.association.seen() {
            listing.associations.push(listed(one.id.as_str(), &one.namespace, &one.service_account));
        }
        let secrets = view.secrets.values().filter_map(|look| look.seen().cloned().flatten());
        listing
            .secrets
            .extend(secrets.map(|secret| ListedSecret { secret: Arc::unwrap_or_clone(secret), created_at: None }));
    }
    listing
}

pub(super) fn listed(id: &str, namespace: &str, service_account: &str) -> ListedAssociation {
    ListedAssociation {
        id: id.parse().expect("id"),
        arn: format!("arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/{id}"),
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        is_addons: false,
    }
}

/// A secret that carries the marks of this tenant and incarnation, at nobody's place.
pub(super) fn stray(number: usize, tenant: &str, incarnation: &str) -> ListedSecret {
    let secret = secret(&format!("openclaw/{tenant}/stray-{number}"), identity_tags(tenant, incarnation));
    ListedSecret { secret, created_at: None }
}

/// Nobody.
pub(super) fn nobody() -> BTreeSet<TenantName> {
    BTreeSet::new()
}
