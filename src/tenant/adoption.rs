//! Adoption: what an earlier system made becomes a tenant's, by consent on the thing itself, in two phases.
//!
//! PURE. *Attached*: recorded and marked; the former workload runs on, and nothing that it lives by is changed. *Cut over*: once
//! no pod of others mounts the claim, the tenant is built as any other, on the same volume and secrets. Until it is finished,
//! taking the order off the Tenant goes back. At no time does the operator let a pod start on a volume that it has just seen a
//! pod of others mount.

mod attached;
mod back_out;
pub mod belongings;
mod cut_over;
mod leaving;
pub mod marks;
mod offer;

use std::time::Duration;

use smol_str::SmolStr;

use back_out::is_taken_away;
pub use belongings::Belongings;
pub use cut_over::{is_free, is_watching};
pub use leaving::{end_former, let_go, unattended};
pub use offer::{Offer, offered};

use super::{
    blueprint::Refusal,
    cloud,
    digest::NamespaceFacts,
    keep::Kept,
    observed::{Look, Observed},
    ownership::namespace_facts,
    reason::Reason,
};
use crate::api::{
    class::TenantClassSpec,
    labels,
    names::TenantName,
    record::{AdoptionStage, RecordedAdoption, TenantRecordSpec},
    tenant::TenantSpec,
};

/// How long it is believed what lies in a namespace: nothing tells when a person has annotated a claim there.
const BELIEVED: Duration = Duration::from_secs(10);

/// What a Tenant orders of the adoption of its name, by the annotation [`labels::CUT_OVER`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The operator's workload shall take the former one's place.
    Start,
    /// What the former workload lived by shall be removed.
    Finish,
    /// Something that is no order: nothing is done before it is corrected, for taking it for none would go back.
    Unknown(String),
}

impl Order {
    /// What the annotation says.
    pub fn read(text: &str) -> Self {
        match text {
            labels::CUT_OVER_START => Self::Start,
            labels::CUT_OVER_FINISH => Self::Finish,
            other => Self::Unknown(other.chars().take(40).collect()),
        }
    }
}

/// Whether a record's things were attached and nothing more: none of them is the operator's to end, close or remove.
pub fn is_only_attached(record: &TenantRecordSpec) -> bool {
    stage(record) == Some(AdoptionStage::Attached)
}

/// How far an adoption is; `None` where there is none.
pub fn stage(record: &TenantRecordSpec) -> Option<AdoptionStage> {
    record.adoption.as_ref().map(|adoption| adoption.stage)
}

fn order(observed: &Observed) -> Option<&Order> {
    observed.tenant.as_deref()?.cut_over.as_ref()
}

/// What a living tenant whose adoption is under way comes to. `ordinary` is what it would be as any other.
///
/// # Errors
/// Where the Tenant asks for what it cannot have.
pub(super) fn kept(
    observed: &Observed,
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
    ordinary: impl FnOnce() -> Result<Kept, Refusal>,
) -> Result<Kept, Refusal> {
    match (stage(record), order(observed)) {
        (None, _) => ordinary(),
        (Some(_), Some(Order::Unknown(text))) => Err(unknown_order(observed, text)),
        (Some(AdoptionStage::Attached), order) => attached::kept(observed, spec, class, record, order),
        (Some(AdoptionStage::CutOver), None) => Ok(back_out::kept(observed, record)),
        (Some(AdoptionStage::CutOver), Some(order)) => {
            Ok(cut_over::followed(observed, spec, record, order, ordinary()?))
        }
    }
}

fn unknown_order(observed: &Observed, text: &str) -> Refusal {
    let message = format!(
        "annotation {} says {text:?}, which is no order; nothing is done until it is one: set it to {:?} or {:?}, or take it \
         off to go back ({})",
        labels::CUT_OVER,
        labels::CUT_OVER_START,
        labels::CUT_OVER_FINISH,
        command(&observed.name, None)
    );
    Refusal::new(Reason::InvalidSpec, message)
}

/// The command by which a person gives an order, or takes it back.
fn command(tenant: &TenantName, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("kubectl annotate tenant {tenant} {}={value} --overwrite", labels::CUT_OVER),
        None => format!("kubectl annotate tenant {tenant} {}-", labels::CUT_OVER),
    }
}

/// What is seen of an adoption enters the record: which associations the former workload lives by, and, while nothing was
/// changed, the labels that the operator will replace.
pub fn learn(observed: &Observed, record: &mut TenantRecordSpec) {
    let Some(mut adoption) = record.adoption.clone() else { return };
    if let Some(found) = observed.aws.former.seen() {
        adoption.former_associations = cloud::former(observed, record, found);
    }
    if adoption.stage == AdoptionStage::Attached
        && let Some(live) = observed.namespace.as_deref().filter(|live| !live.deleting)
    {
        adoption.namespace_labels = marks::replaced(&namespace_facts(live));
    }
    record.adoption = Some(adoption);
}

/// How far an adoption is by the marks on the namespace: a lost record is rebuilt in the same stage. `None` where they cannot be
/// read.
#[allow(clippy::option_option, reason = "no adoption, and none that can be read, are two things")]
pub(super) fn rebuilt(facts: &NamespaceFacts) -> Option<Option<RecordedAdoption>> {
    let Some(stage) = facts.annotations.get(labels::ADOPTION) else { return Some(None) };
    let stage = AdoptionStage::from_mirror(stage)?;
    let former = facts.annotations.get(labels::FORMER_LABELS).map_or("{}", SmolStr::as_str);
    let namespace_labels = serde_json::from_str(former).ok()?;
    // Associations are known again by their tags.
    Some(Some(RecordedAdoption { stage, former_associations: Vec::new(), namespace_labels }))
}

/// What was seen in the namespace, if it was seen lately enough.
fn seen_within(observed: &Observed, age: Duration) -> Option<&Belongings> {
    match &observed.belongings {
        Look::At(at, belongings) if observed.now.duration_since(*at).unsigned_abs() < age => Some(belongings),
        Look::At(..) | Look::Never => None,
    }
}
