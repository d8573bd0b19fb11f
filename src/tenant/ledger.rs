//! What the record should say now, from what it says and what is seen.
//!
//! PURE. One function: whatever is learned about a tenant enters the record here, and nowhere else.

use super::{
    adoption,
    beginning::retirement,
    blueprint::{Blueprint, WantedSecret},
    child::{Child, claim_name},
    cloud::{is_own_association, is_own_secret, wanted_role},
    desired,
    looks::Subject,
    observed::{FoundAssociation, Look, Observed, VolumeView},
    retire::own_grant,
    rotation,
    workload::restarted_pod,
};
use crate::api::{
    class::{RoutingMode, SecretsMode},
    names::{NamespaceName, Nonce, SecretItemName, VersionId},
    quantity::Quantity,
    record::{MOST_SECRETS, Placement, RecordedSecret, RecordedVolume, SecretOrigin, TenantRecordSpec},
    tenant::TenantSpec,
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
    record.identity.restarted_pod = restarted_pod(observed, blueprint);
    for wanted in &blueprint.secrets {
        learn_secret(observed, blueprint, wanted, &mut record);
    }
    forget_secrets(observed, blueprint, &mut record);
    forget_rotations(blueprint, &mut record);
    let unrecorded = unrecorded_secrets(observed, &record);
    record.secrets.items.extend(unrecorded);
    if let Some(size) = claimed_size(observed) {
        record.storage.size = size;
    }
    if record.storage.volume.is_none() {
        record.storage.volume = bound_volume(observed, blueprint).or_else(|| found_volume(observed)).map(recorded);
    }
    adoption::learn(observed, &mut record);
    record.routing.interceptor = wanted_interceptor(observed, blueprint);
    if record.routing.placement.is_none() && blueprint.open {
        record.routing.placement = place_of_route(observed, record.routing.mode).or_else(|| observed.place.clone());
    }
    record
}

/// Where the tenant's grant lies: recorded before it is made, and until it was seen to be gone. One that another interceptor has left
/// behind is found by its label, so one that lost it gets it back before the record names another place.
fn wanted_interceptor(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<NamespaceName> {
    let recorded = blueprint.record.routing.interceptor.clone();
    let Some(scaler) = blueprint.scaler else {
        return recorded.filter(|_| observed.child(Child::InterceptorGrant).is_some());
    };
    let nameless = own_grant(observed).filter(|grant| grant.tenant.is_none() && !grant.deleting);
    let stays = recorded.filter(|_| nameless.is_some());
    Some(stays.unwrap_or_else(|| scaler.interceptor.namespace.clone()))
}

/// What the claim asks for: the size below which a Tenant may not go.
pub fn claimed_size(observed: &Observed) -> Option<Quantity> {
    observed.child(Child::Claim)?.facts.as_claim()?.requested.as_deref()?.parse().ok()
}

/// The place that a standing route names: a tenant whose record was lost stays where its owner finds it, also where the class
/// offers that place to nobody any more.
pub fn place_of_route(observed: &Observed, mode: RoutingMode) -> Option<Placement> {
    let facts = observed.child(Child::Route)?.facts.as_route()?;
    let (namespace, name) = facts.gateway.as_ref()?;
    let domain = desired::domain(&observed.name, mode, facts.hostname.as_deref()?)?;
    Some(Placement { namespace: namespace.parse().ok()?, name: name.clone(), domain })
}

/// The association's id follows what is seen. When one is gone, recorded or not, the token of the next is a new one: EKS would
/// answer the old token with the old answer.
fn learn_association(observed: &Observed, blueprint: &Blueprint<'_>, record: &mut TenantRecordSpec) {
    match &observed.aws.association {
        Look::At(_, FoundAssociation::One(association))
            if is_own_association(observed, blueprint.tenant, blueprint.record, association) =>
        {
            record.identity.association_id = Some(association.id.clone());
            record.identity.given_role_arn.clone_from(&association.role_arn);
            record.identity.ended_at = None;
        }
        Look::At(_, FoundAssociation::None) if had_association(observed, record) => {
            forget_association(observed, record);
        }
        Look::At(..) | Look::Never => {}
    }
}

/// Whether there was an association: it is recorded, or EKS has answered with one to the token that is.
fn had_association(observed: &Observed, record: &TenantRecordSpec) -> bool {
    let is_spent = observed.aws.answered_to.as_deref() == Some(record.identity.nonce.as_str());
    record.identity.association_id.is_some() || is_spent
}

/// An association that was seen to be gone: the token of the next is a new one, and what sessions it gave ends later.
pub fn forget_association(observed: &Observed, record: &mut TenantRecordSpec) {
    record.identity.association_id = None;
    record.identity.given_role_arn = None;
    record.identity.nonce = observed.draw.derive("association");
    record.identity.ended_at = Some(observed.time());
}

/// One that nobody wants any more and that is not in AWS either is nothing to remember: a record has room for 64.
fn forget_secrets(observed: &Observed, blueprint: &Blueprint<'_>, record: &mut TenantRecordSpec) {
    record.secrets.items.retain(|item| {
        let is_wanted = blueprint.secrets.iter().any(|wanted| wanted.name == item.name);
        let is_gone = matches!(observed.aws.secrets.get(&item.name), Some(Look::At(_, None)));
        is_wanted || !is_gone || observed.aws.is_doubted(&Subject::Secret(item.name.clone()))
    });
}

/// Secrets of this tenant that a sweep has listed and the record does not name: one that was rebuilt has forgotten what persons
/// put. Whoever's making they are, their values are never overwritten.
pub fn unrecorded_secrets(observed: &Observed, record: &TenantRecordSpec) -> Vec<RecordedSecret> {
    if record.secrets.mode == SecretsMode::None {
        return Vec::new();
    }
    let is_named = |item: &SecretItemName| record.secrets.items.iter().any(|one| one.name == *item);
    let unrecorded = observed.aws.doubted_secrets().filter(|item| !is_named(item));
    let room = MOST_SECRETS.saturating_sub(record.secrets.items.len());
    unrecorded.take(room).map(|item| new_secret(observed, item, SecretOrigin::Person)).collect()
}

/// What nobody follows any more is not under way: a secret that left the list, or that a person fills now.
fn forget_rotations(blueprint: &Blueprint<'_>, record: &mut TenantRecordSpec) {
    for item in &mut record.secrets.items {
        let is_followed = rotation::is_generated(blueprint, item);
        item.rotation = item.rotation.take().filter(|_| is_followed);
    }
}

fn learn_secret(observed: &Observed, blueprint: &Blueprint<'_>, wanted: &WantedSecret, record: &mut TenantRecordSpec) {
    let index = record.secrets.items.iter().position(|item| item.name == wanted.name);
    let index = index.unwrap_or_else(|| {
        record.secrets.items.push(new_secret(observed, &wanted.name, wanted.origin));
        record.secrets.items.len() - 1
    });
    let item = &mut record.secrets.items[index];
    item.origin = wanted.origin;
    let Some(seen) = observed.aws.secrets.get(&wanted.name).and_then(Look::seen) else { return };
    let Some(secret) = seen else {
        // One that is made again has another value, so it gets another version: pods that hold the old one are rolled.
        if item.arn.take().is_some() {
            item.nonce = rotation::fresh(observed, &item.name);
            item.rotation = None;
        }
        return;
    };
    if !is_own_secret(observed, blueprint.tenant, blueprint.record, secret) {
        return;
    }
    let item = RecordedSecret { arn: Some(secret.arn.clone()), ..record.secrets.items[index].clone() };
    let item = match item.origin {
        SecretOrigin::Generated => rotation::follow(observed, blueprint, &item, secret),
        // What a person put last is what the person wants used.
        SecretOrigin::Person => RecordedSecret { version_id: secret.current_version(), ..item },
    };
    record.secrets.items[index] = item;
}

/// A secret that nothing is known of yet.
pub fn new_secret(observed: &Observed, name: &SecretItemName, origin: SecretOrigin) -> RecordedSecret {
    RecordedSecret {
        name: name.clone(),
        origin,
        nonce: observed.draw.derive(name.as_str()),
        arn: None,
        version_id: None,
        rotation: None,
        // Whatever age a value has that was there before: it is taken for new, so that a rebuilt record rotates nothing.
        rotated_at: (origin == SecretOrigin::Generated).then_some(observed.time()),
        failed_at: None,
        replaced: None,
        handed_over: false,
        handed_over_version: None,
    }
}

/// The version that an item's nonce stands for.
pub fn generated_version(record: &TenantRecordSpec, item: &RecordedSecret) -> VersionId {
    version_made_of(record, item, &item.nonce)
}

/// The version of an item that this nonce stands for.
pub fn version_made_of(record: &TenantRecordSpec, item: &RecordedSecret, nonce: &Nonce) -> VersionId {
    VersionId::of(&secret_name(record, item.name.as_str()), &record.incarnation, nonce)
}

/// The full name of a secret: `<prefix>/<tenant>/<item>`. The tenant is the namespace's name without its prefix.
pub fn secret_name(record: &TenantRecordSpec, item: &str) -> String {
    let namespace = record.namespace.name.as_str();
    let tenant = namespace.strip_prefix(record.namespace.prefix.as_str()).unwrap_or(namespace);
    format!("{}/{tenant}/{item}", record.secrets.prefix)
}

/// The volume that the tenant's claim is bound to, once its data is safe from the claim's end.
fn bound_volume<'a>(observed: &'a Observed, blueprint: &Blueprint<'_>) -> Option<&'a VolumeView> {
    let volume = observed.volume.as_ref()?;
    (is_claimed(observed, blueprint, volume) && is_safe(volume, blueprint)).then_some(volume)
}

/// Whether a volume stays when its claim goes, and is found by its marks where claim and record are lost.
pub fn is_safe(volume: &VolumeView, blueprint: &Blueprint<'_>) -> bool {
    let is_marked = volume.tenant.as_ref() == Some(blueprint.tenant)
        && volume.incarnation.as_ref() == Some(&blueprint.record.incarnation);
    volume.retained && is_marked
}

fn recorded(volume: &VolumeView) -> RecordedVolume {
    RecordedVolume { name: volume.name.clone(), handle: volume.handle.clone() }
}

/// The one volume that is marked as this incarnation's, where nothing else says which it is.
fn found_volume(observed: &Observed) -> Option<&VolumeView> {
    match observed.found_volumes.as_slice() {
        [volume] if volume.retained => Some(volume),
        [] | [_] | [_, _, ..] => None,
    }
}

/// The volume of a tenant that is on its way out, where its record does not name it: one that was rebuilt has to learn it
/// before anything goes.
pub fn unrecorded_volume(observed: &Observed, record: &TenantRecordSpec) -> Option<RecordedVolume> {
    let claimed = observed.volume.as_deref().filter(|volume| is_claimed_by(observed, record, volume));
    let volume = claimed.or_else(|| found_volume(observed)).filter(|_| record.storage.volume.is_none());
    volume.map(recorded)
}

/// Whether the tenant's claim and a volume name each other.
pub fn is_claimed(observed: &Observed, blueprint: &Blueprint<'_>, volume: &VolumeView) -> bool {
    is_claimed_by(observed, blueprint.record, volume)
}

fn is_claimed_by(observed: &Observed, record: &TenantRecordSpec, volume: &VolumeView) -> bool {
    let Some(claim) = observed.child(Child::Claim) else { return false };
    let Some(facts) = claim.facts.as_claim() else { return false };
    let is_bound = facts.phase == "Bound" && facts.volume.as_ref() == Some(&volume.name);
    is_bound
        && volume.claim.as_ref().is_some_and(|of| {
            of.namespace == record.namespace.name.as_str()
                && of.name == claim_name(&observed.name, record)
                && of.uid.as_deref().is_some_and(|uid| claim.uid == *uid)
        })
}
