//! What is described next: everything once in each period, the oldest description first, no faster than the rate.
//!
//! PURE.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    api::names::{AssociationId, SecretItemName, TenantName},
    tenant::{
        census::Census,
        looks::Subject,
        observed::{AwsView, FoundAssociation, Look},
        settings::Sweeps,
    },
};

/// Something to describe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An association at no record's place.
    Stranger(AssociationId),
    /// The association of a tenant.
    Association(TenantName, AssociationId),
    /// A secret of a tenant, by its full name.
    Secret(TenantName, SecretItemName, String),
}

/// What is to be described until the next sweep, in this order, and how the audit stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// In this order.
    pub targets: Vec<Target>,
    /// How many known associations and secrets have never been described by this process.
    pub never: usize,
    /// When the one was described that was described longest ago.
    pub oldest: Option<Timestamp>,
}

/// Plans the audit until the next sweep.
pub fn round(census: &Census, unknown: Vec<AssociationId>, now: Timestamp, sweeps: &Sweeps) -> Round {
    let mut known: Vec<(Option<Timestamp>, Target)> =
        census.aws.iter().flat_map(|(tenant, view)| described(tenant, view)).collect();
    known.sort_unstable();
    let never = known.iter().filter(|(at, _)| at.is_none()).count();
    let oldest = known.iter().find_map(|(at, _)| *at);
    let rate = u64::from(sweeps.audit_rate.get());
    // Were all of them due at once, the last would wait for so long; and there is no other turn before the next sweep.
    let line = Duration::from_secs(u64::try_from(known.len()).unwrap_or(u64::MAX).div_ceil(rate));
    let patience = sweeps.audit_period.saturating_sub(line).saturating_sub(sweeps.interval);
    let is_due = |at: &Option<Timestamp>| at.is_none_or(|at| now.duration_since(at).unsigned_abs() >= patience);
    let due = known.into_iter().filter(|(at, _)| is_due(at)).map(|(_, target)| target);
    let most = sweeps.interval.as_secs().max(1).saturating_mul(rate);
    let targets = unknown.into_iter().map(Target::Stranger).chain(due);
    Round { targets: targets.take(usize::try_from(most).unwrap_or(usize::MAX)).collect(), never, oldest }
}

fn described<'a>(tenant: &'a TenantName, view: &'a AwsView) -> impl Iterator<Item = (Option<Timestamp>, Target)> + 'a {
    let association = match view.association.seen() {
        Some(FoundAssociation::One(one)) => Some(one.id.clone()),
        // That none is there, or several, is what listings tell.
        Some(FoundAssociation::None | FoundAssociation::Several(_)) | None => None,
    };
    let association = association.map(|id| {
        let target = Target::Association(tenant.clone(), id);
        (view.described_at(&Subject::Association), target)
    });
    let secrets = view.secrets.iter().filter_map(|(item, look)| {
        let Look::At(_, Some(secret)) = look else { return None };
        let target = Target::Secret(tenant.clone(), item.clone(), secret.name.clone());
        Some((view.described_at(&Subject::Secret(item.clone())), target))
    });
    association.into_iter().chain(secrets)
}
