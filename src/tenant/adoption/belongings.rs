//! What lies in a namespace that is being adopted: claims, and pods that mount them.
//!
//! PURE. The watches see only what carries our label, so all of it comes from a look at the API server itself.

use serde_json::{Value, json};

use super::super::{
    blueprint::Refusal,
    child::{Child, claim_name},
    observed::Observed,
    reason::Reason,
    views,
};
use crate::api::{
    labels,
    names::{NamespaceName, TenantName, Uid},
    quantity::Quantity,
    record::TenantRecordSpec,
};

/// What lies in a namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Belongings {
    /// Which namespace.
    pub namespace: NamespaceName,
    /// Its claims.
    pub claims: Vec<FoundClaim>,
    /// Its pods that mount a claim, each as often as it mounts one.
    pub mounts: Vec<Mount>,
    /// Objects at the places of the tenant's own that are not the operator's: the cut-over replaces them. Not known before
    /// there is a record, which says where those places are.
    pub replaces: Option<Vec<Child>>,
}

/// A claim.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundClaim {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uid,
    /// Its resource version.
    pub resource_version: String,
    /// The tenant that it consents to being adopted by.
    pub adopt_by: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The size that it asks for.
    pub requested: Option<Quantity>,
    /// Its spec without that size and without the volume.
    pub rest: Value,
}

/// A pod that mounts a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The pod.
    pub pod: String,
    /// The claim.
    pub claim: String,
    /// What keeps the pod there, as kind and name; the pod itself where nothing does.
    pub keeper: String,
    /// The UID of what keeps it there.
    pub keeper_uid: Option<Uid>,
}

impl Belongings {
    /// From the lists of a namespace's claims and pods, and what stands at the places of the tenant's own.
    pub fn of(
        namespace: &NamespaceName,
        claims: &[Value],
        pods: &[Value],
        at_place: Option<&[(Child, Value)]>,
    ) -> Self {
        let is_ours = |object: &Value| object["metadata"]["labels"][labels::MANAGED] == "true";
        let replaced =
            |all: &[(Child, Value)]| all.iter().filter(|(_, one)| !is_ours(one)).map(|(child, _)| *child).collect();
        Self {
            namespace: namespace.clone(),
            claims: claims.iter().filter_map(claim).collect(),
            mounts: pods.iter().filter(|pod| !has_ended(pod)).flat_map(mounts).collect(),
            replaces: at_place.map(replaced),
        }
    }

    /// Pods that mount this tenant's claim and are not of its own StatefulSet.
    pub fn strangers(&self, observed: &Observed, record: &TenantRecordSpec) -> Vec<&Mount> {
        let claim = claim_name(&observed.name, record);
        let own = observed.child(Child::StatefulSet).map(|set| &set.uid);
        let is_own = |mount: &Mount| mount.keeper_uid.as_ref().is_some_and(|keeper| Some(keeper) == own);
        self.mounts.iter().filter(|mount| mount.claim == claim && !is_own(mount)).collect()
    }
}

/// What a former system may have made under a name that the operator needs.
pub fn places() -> impl Iterator<Item = Child> {
    Child::ALL.iter().copied().filter(|child| super::is_taken_away(*child))
}

fn claim(object: &Value) -> Option<FoundClaim> {
    let metadata = &object["metadata"];
    let mut rest = object["spec"].clone();
    if let Some(spec) = rest.as_object_mut() {
        spec.remove("volumeName");
    }
    let requested = rest.pointer_mut("/resources/requests").and_then(Value::as_object_mut);
    let requested = requested.and_then(|requests| requests.remove("storage"));
    Some(FoundClaim {
        name: views::name(object).to_owned(),
        uid: metadata["uid"].as_str()?.parse().ok()?,
        resource_version: views::resource_version(object),
        adopt_by: metadata["annotations"][labels::ADOPT_BY].as_str().map(str::to_owned),
        deleting: metadata["deletionTimestamp"].is_string(),
        requested: requested.as_ref().and_then(Value::as_str).and_then(|size| size.parse().ok()),
        rest,
    })
}

/// A pod that has ended for good mounts nothing any more.
fn has_ended(pod: &Value) -> bool {
    ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase)
}

fn mounts(pod: &Value) -> Vec<Mount> {
    let name = views::name(pod);
    let owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let keeper = owners.into_iter().find(|owner| owner["controller"] == true);
    let kept_by = |owner: &Value| {
        format!("{} {}", owner["kind"].as_str().unwrap_or_default(), owner["name"].as_str().unwrap_or_default())
    };
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let claims = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    claims
        .map(|claim| Mount {
            pod: name.to_owned(),
            claim: claim.to_owned(),
            keeper: keeper.map_or_else(|| "nobody but itself".to_owned(), kept_by),
            keeper_uid: keeper.and_then(|owner| owner["uid"].as_str()?.parse().ok()),
        })
        .collect()
}

/// Which claim holds a tenant's data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Choice<'a> {
    /// There is none at all: the tenant gets a new one at cut-over.
    Nothing,
    /// This one.
    Claim(&'a FoundClaim),
}

/// Finds the claim that holds the tenant's data. To start on an empty volume beside it would look like lost data, so what is not
/// clear is a person's to say.
pub(super) fn choose<'a>(
    tenant: &TenantName,
    belongings: &'a Belongings,
    storage_class: &str,
) -> Result<Choice<'a>, Refusal> {
    let (claims, namespace) = (&belongings.claims, &belongings.namespace);
    let is_named = |claim: &&FoundClaim| claim.name == tenant.as_str();
    let consents = |claim: &&FoundClaim| claim.adopt_by.as_deref() == Some(tenant.as_str());
    let named = claims.iter().find(is_named);
    let others: Vec<&FoundClaim> = claims.iter().filter(|claim| consents(claim) && !is_named(claim)).collect();
    let chosen = match (named, others.as_slice()) {
        (Some(one), []) => one,
        (None, [one]) => *one,
        (None, []) if claims.is_empty() => return Ok(Choice::Nothing),
        (None, []) => {
            let message = format!(
                "namespace {namespace} has claims, and none of them is named {tenant} or chosen: {}. Choose the one that \
                 holds the workspace's data: kubectl annotate pvc -n {namespace} NAME {}={tenant}",
                names(claims.iter()),
                labels::ADOPT_BY
            );
            return Err(Refusal::new(Reason::AdoptionUnclear, message));
        }
        (named, others) => {
            let message = format!(
                "more than one claim of namespace {namespace} may hold the workspace's data: {}. Leave the annotation {} on \
                 one of them{}",
                names(named.into_iter().chain(others.iter().copied())),
                labels::ADOPT_BY,
                if named.is_some() { ", and none on others beside the one that has the tenant's name" } else { "" }
            );
            return Err(Refusal::new(Reason::AdoptionUnclear, message));
        }
    };
    fits(chosen, storage_class)?;
    Ok(Choice::Claim(chosen))
}

fn names<'a>(claims: impl Iterator<Item = &'a FoundClaim>) -> String {
    claims.map(|claim| claim.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whether the operator can keep this claim as it is: all of a claim's spec but its size is immutable.
fn fits(claim: &FoundClaim, storage_class: &str) -> Result<(), Refusal> {
    if claim.deleting {
        let message = format!("claim {} is being deleted: what is adopted has to stay", claim.name);
        return Err(Refusal::new(Reason::AdoptionUnclear, message));
    }
    let wanted = json!({
        "accessModes": ["ReadWriteMany"],
        "storageClassName": storage_class,
        "volumeMode": "Filesystem",
        "resources": { "requests": {} },
    });
    let empty = serde_json::Map::new();
    let (actual, wanted) = (claim.rest.as_object().unwrap_or(&empty), wanted.as_object().unwrap_or(&empty));
    let differs = |field: &&String| actual.get(*field) != wanted.get(*field);
    let told = |field: &String| {
        let value = |of: &serde_json::Map<String, Value>| of.get(field).map_or("nothing".to_owned(), Value::to_string);
        format!("{field} is {} in the claim, {} in what a class can have", value(actual), value(wanted))
    };
    let mut fields: Vec<&String> = actual.keys().chain(wanted.keys()).filter(differs).collect();
    fields.sort_unstable();
    fields.dedup();
    if fields.is_empty() {
        return Ok(());
    }
    let message = format!(
        "claim {} cannot be adopted by this class: {}. None of it can be changed in a claim: name a class that fits, or copy \
         the data to a claim that does",
        claim.name,
        fields.into_iter().map(told).collect::<Vec<_>>().join("; ")
    );
    Err(Refusal::new(Reason::ClassMismatch, message))
}
