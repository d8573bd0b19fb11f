//! What the record should say now, from what it says and what is seen.
//!
//! PURE. One function: whatever is learned about a tenant enters the record here, and nowhere else.

use super::{
    beginning::retirement,
    blueprint::{Blueprint, WantedSecret},
    child::Child,
    cloud::{is_own_association, is_own_secret, wanted_role},
    desired,
    digest::Facts,
    observed::{FoundAssociation, Look, Observed, VolumeView},
};
use crate::{
    api::{
        names::{Nonce, VersionId},
        quantity::Quantity,
        record::{Placement, RecordedSecret, RecordedVolume, SecretOrigin, TenantRecordSpec},
        tenant::TenantSpec,
    },
    gateway,
};

/// What the record of a living tenant should say now.
pub fn wanted_record(observed: &Observed, spec: &TenantSpec, blueprint: &Blueprint<'_>) -> TenantRecordSpec {
    let mut record = blueprint.record.clone();
    record.class_name = spec.class_name.clone();
    record.retirement = retirement(spec.deletion_policy, blueprint.class);
    record.identity.role_arn = wanted_role(blueprint.tenant, &record, blueprint.class, blueprint.settings);
    if let Some(namespace) = &observed.namespace {
        record.namespace.uid = Some(namespace.uid.clone());
    }
    learn_association(observed, blueprint, &mut record);
    for wanted in &blueprint.secrets {
        learn_secret(observed, blueprint, wanted, &mut record);
    }
    forget_secrets(observed, blueprint, &mut record);
    if let Some(size) = claimed_size(observed) {
        record.storage.size = size;
    }
    if record.storage.volume.is_none() {
        record.storage.volume = bound_volume(observed, blueprint)
            .map(|volume| RecordedVolume { name: volume.name.clone(), handle: volume.handle.clone() });
    }
    if record.routing.placement.is_none() && blueprint.open {
        record.routing.placement = place_of_route(observed, blueprint).or_else(|| observed.place.clone());
    }
    record
}

/// What the claim asks for: the size below which a Tenant may not go.
pub fn claimed_size(observed: &Observed) -> Option<Quantity> {
    match &observed.child(Child::Claim)?.facts {
        Facts::Claim(facts) => facts.requested.as_deref()?.parse().ok(),
        Facts::None | Facts::Namespace(_) | Facts::Quota { .. } | Facts::StatefulSet(_) | Facts::Route(_) => None,
    }
}

/// The place that a standing route names: a tenant whose record was lost stays where its owner finds it.
fn place_of_route(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Placement> {
    let live = observed.child(Child::Route)?;
    let Facts::Route(facts) = &live.facts else { return None };
    let (namespace, name) = facts.gateway.as_ref()?;
    let places = blueprint.class.routing.gateways.iter().map(gateway::placement);
    let named = places.filter(|place| place.namespace.as_str() == namespace && place.name == *name);
    let hostname = facts.hostname.as_deref()?;
    named
        .into_iter()
        .find(|place| desired::hostname(blueprint.tenant, blueprint.record.routing.mode, place) == hostname)
}

/// The association's id follows what is seen. When one is gone, the token of the next is a new one: EKS would answer
/// the old token with the old answer.
fn learn_association(observed: &Observed, blueprint: &Blueprint<'_>, record: &mut TenantRecordSpec) {
    match &observed.aws.association {
        Look::At(_, FoundAssociation::One(association))
            if is_own_association(observed, blueprint.tenant, blueprint.record, association) =>
        {
            record.identity.association_id = Some(association.id.clone());
        }
        Look::At(_, FoundAssociation::None) => {
            if record.identity.association_id.take().is_some() {
                record.identity.nonce = observed.draw.derive("association");
            }
        }
        Look::At(_, FoundAssociation::One(_) | FoundAssociation::Several(_)) | Look::Never => {}
    }
}

/// One that nobody wants any more and that is not in AWS either is nothing to remember: a record has room for 64.
fn forget_secrets(observed: &Observed, blueprint: &Blueprint<'_>, record: &mut TenantRecordSpec) {
    record.secrets.items.retain(|item| {
        let is_wanted = blueprint.secrets.iter().any(|wanted| wanted.name == item.name);
        is_wanted || !matches!(observed.aws.secrets.get(&item.name), Some(Look::At(_, None)))
    });
}

fn learn_secret(observed: &Observed, blueprint: &Blueprint<'_>, wanted: &WantedSecret, record: &mut TenantRecordSpec) {
    let index = record.secrets.items.iter().position(|item| item.name == wanted.name);
    let index = index.unwrap_or_else(|| {
        record.secrets.items.push(RecordedSecret {
            name: wanted.name.clone(),
            origin: wanted.origin,
            nonce: observed.draw.derive(wanted.name.as_str()),
            arn: None,
            version_id: None,
        });
        record.secrets.items.len() - 1
    });
    let name = secret_name(record, wanted.name.as_str());
    let incarnation = record.incarnation.clone();
    let item = &mut record.secrets.items[index];
    item.origin = wanted.origin;
    let Some(Some(secret)) = observed.aws.secrets.get(&wanted.name).and_then(Look::seen) else { return };
    if !is_own_secret(observed, blueprint.tenant, blueprint.record, secret) {
        return;
    }
    item.arn = Some(secret.arn.clone());
    let present = item.version_id.clone().filter(|version| secret.has_version(version));
    item.version_id = match item.origin {
        // The version in use stays until a rotation moves it.
        SecretOrigin::Generated => present
            .or_else(|| Some(first_version(&name, &incarnation, &item.nonce)).filter(|own| secret.has_version(own)))
            .or_else(|| secret.current_version()),
        // What a person put last is what the person wants used.
        SecretOrigin::Person => secret.current_version(),
    };
}

fn first_version(name: &str, incarnation: &crate::api::names::Incarnation, nonce: &Nonce) -> VersionId {
    VersionId::of(name, incarnation, nonce)
}

/// The version that an item's nonce stands for.
pub fn generated_version(record: &TenantRecordSpec, item: &RecordedSecret) -> VersionId {
    first_version(&secret_name(record, item.name.as_str()), &record.incarnation, &item.nonce)
}

/// The full name of a secret: `<prefix>/<tenant>/<item>`. The tenant is the namespace's name without its prefix.
pub fn secret_name(record: &TenantRecordSpec, item: &str) -> String {
    let namespace = record.namespace.name.as_str();
    let tenant = namespace.strip_prefix(record.namespace.prefix.as_str()).unwrap_or(namespace);
    format!("{}/{tenant}/{item}", record.secrets.prefix)
}

/// The volume that the tenant's claim is bound to, once its data is safe from the claim's end.
pub fn bound_volume<'a>(observed: &'a Observed, blueprint: &Blueprint<'_>) -> Option<&'a VolumeView> {
    let volume = observed.volume.as_ref()?;
    (is_claimed(observed, blueprint, volume) && volume.retained).then_some(volume)
}

/// Whether the tenant's claim and a volume name each other.
pub fn is_claimed(observed: &Observed, blueprint: &Blueprint<'_>, volume: &VolumeView) -> bool {
    let Some(claim) = observed.child(Child::Claim) else { return false };
    let Facts::Claim(facts) = &claim.facts else { return false };
    let is_bound = facts.phase == "Bound" && facts.volume.as_ref() == Some(&volume.name);
    is_bound
        && volume.claim.as_ref().is_some_and(|of| {
            of.namespace == blueprint.record.namespace.name.as_str()
                && of.name == blueprint.tenant.as_str()
                && of.uid.as_deref() == Some(claim.uid.as_str())
        })
}
