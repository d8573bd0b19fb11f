//! A foreign namespace that consents to being adopted, and what is found in it at first.
//!
//! PURE. Rule S4: consent is on the thing itself; on the Tenant it counts for nothing.

use std::collections::BTreeMap;

use super::{
    super::{
        blueprint::Refusal,
        digest::{Digest, NamespaceFacts},
        observed::Observed,
        ownership::namespace_facts,
        reason::Reason,
    },
    BELIEVED,
    belongings::{Choice, FoundClaim, choose},
    marks, seen_within,
};
use crate::api::{
    class::TenantClassSpec,
    labels,
    names::{NamespaceName, TenantName, Uid},
    quantity::Quantity,
    record::{AdoptionStage, RecordedAdoption, TenantRecordSpec},
};

/// What stands at the place of a namespace that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// Nothing, or something that does not consent.
    None,
    /// A namespace that consents, and in which was not looked yet.
    Unseen(NamespaceName),
    /// A namespace that consents, and what a record begins with that takes it.
    Seen(Box<Adoptee>),
}

/// What a record begins with that takes a namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoptee {
    uid: Uid,
    labels: BTreeMap<String, String>,
    claim: Option<FoundClaim>,
}

impl Adoptee {
    /// Enters it into a new record.
    pub fn enter(self, tenant: &TenantName, record: &mut TenantRecordSpec) {
        record.namespace.uid = Some(self.uid);
        if let Some(claim) = self.claim {
            record.storage.size = claim.requested.unwrap_or(Quantity::units(0));
            record.storage.claim = Some(claim.name).filter(|name| name != tenant.as_str());
        }
        record.adoption = Some(RecordedAdoption {
            stage: AdoptionStage::Attached,
            former_associations: Vec::new(),
            namespace_labels: self.labels,
        });
    }
}

/// What is offered to a name that has no record.
///
/// # Errors
/// Where a namespace consents and still cannot be adopted.
pub fn offered(observed: &Observed, class: &TenantClassSpec) -> Result<Offer, Refusal> {
    let Some(live) = observed.namespace.as_deref().filter(|live| consents(live, &observed.name)) else {
        return Ok(Offer::None);
    };
    let facts = namespace_facts(live);
    check_unmarked(live, &facts)?;
    let Some(belongings) = seen_within(observed, BELIEVED) else {
        return Ok(Offer::Unseen(class.namespace_prefix.namespace(&observed.name)));
    };
    let claim = match choose(&observed.name, belongings, &class.storage.class_name)? {
        Choice::Claim(claim) => Some(claim.clone()),
        Choice::Nothing => None,
    };
    Ok(Offer::Seen(Box::new(Adoptee { uid: live.uid.clone(), labels: marks::replaced(&facts), claim })))
}

/// Whether a namespace that is nobody's consents to being adopted by this tenant.
fn consents(live: &Digest, tenant: &TenantName) -> bool {
    let consent = namespace_facts(live).annotations.get(labels::ADOPT_BY).cloned();
    live.tenant.is_none() && consent.as_deref() == Some(tenant.as_str())
}

/// A namespace that bears an incarnation was an operator's before: to begin another in it would part it from what it has in
/// AWS, and could hand it to another owner.
fn check_unmarked(live: &Digest, facts: &NamespaceFacts) -> Result<(), Refusal> {
    let refused = |message: String| Err(Refusal::new(Reason::NamespaceTaken, message));
    if live.deleting {
        return refused(format!("namespace {} consents to being adopted, but is being deleted", facts.name));
    }
    match facts.annotations.get(labels::INCARNATION).or_else(|| facts.annotations.get(labels::OWNER_HASH)) {
        None => Ok(()),
        Some(mark) => refused(format!(
            "namespace {} consents to being adopted, but bears the marks of a tenant of an operator ({mark}): put its labels \
             {} and {} back if it is this tenant's, or take its annotations {} and {} off if nobody stands behind them",
            facts.name,
            labels::MANAGED,
            labels::TENANT,
            labels::INCARNATION,
            labels::OWNER_HASH
        )),
    }
}
