//! The audit: one thing after the other is described, no faster than the rate, until the next sweep.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::{Sweeper, audit::Target, findings::is_same, orphans::Kind};
use crate::{
    api::names::{AssociationId, SecretItemName, TenantName},
    aws::{
        AwsError,
        types::{Association, Secret},
    },
    telemetry::metrics::Audited,
    tenant::{
        looks::Subject,
        observed::{FoundAssociation, Look},
    },
};

impl Target {
    const fn kind(&self) -> Kind {
        match self {
            Self::Stranger(_) | Self::Association(..) => Kind::Association,
            Self::Secret(..) => Kind::Secret,
        }
    }
}

impl Sweeper {
    /// Describes what is due, and waits for the rest of the time.
    pub(super) async fn audit_until(&mut self, end: Instant) {
        let pace = Duration::from_secs(1) / self.reach.settings.sweeps.audit_rate.get();
        let mut ticks = tokio::time::interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_told = false;
        for target in std::mem::take(&mut self.round) {
            if ticks.tick().await > end {
                break;
            }
            let kind = target.kind();
            match self.describe(target).await {
                Ok(Some(audited)) => self.reach.metrics.audited(kind, audited),
                Ok(None) => {}
                Err(error) => {
                    self.reach.metrics.audited(kind, Audited::Failed);
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "the audit could not describe something; it comes again");
                    }
                    // What fails by itself and for ever, such as an answer that cannot be read, holds up no other.
                    if error.kind.is_transient() {
                        break;
                    }
                }
            }
        }
        tokio::time::sleep_until(end).await;
    }

    /// Describes one thing; `None` where that said nothing new, because its tenant is about to look or has looked.
    async fn describe(&mut self, target: Target) -> Result<Option<Audited>, AwsError> {
        match target {
            Target::Stranger(id) => {
                let found = self.reach.aws.pod_identity.describe(&id).await?;
                self.memory.described(id, found);
                Ok(None)
            }
            Target::Association(tenant, id) => self.describe_association(&tenant, &id).await,
            Target::Secret(tenant, item, name) => self.describe_secret(&tenant, &item, &name).await,
        }
    }

    async fn describe_association(&self, tenant: &TenantName, id: &AssociationId) -> Result<Option<Audited>, AwsError> {
        let subject = Subject::Association;
        let seen =
            self.reach.cache.with_known_aws(tenant, |view| Some((view.association.clone(), view.is_doubted(&subject))));
        let Some((before, is_doubted)) = seen else { return Ok(None) };
        let Look::At(_, FoundAssociation::One(association)) = &before else { return Ok(None) };
        if is_doubted || association.id != *id {
            return Ok(None);
        }
        let found = self.reach.aws.pod_identity.describe(id).await?;
        let now = (self.reach.clock)();
        let audited = self.reach.cache.with_known_aws(tenant, |view| {
            // What the tenant has seen or done meanwhile is later than this answer.
            if view.association != before || view.is_doubted(&subject) {
                return None;
            }
            let Some(found) = found else {
                view.doubt(subject.clone());
                return Some(Audited::Gone);
            };
            let same = is_same_association(association, &found);
            view.saw_association(now, FoundAssociation::One(found));
            Some(if same { Audited::Same } else { Audited::Different })
        });
        self.wake(tenant, audited);
        Ok(audited)
    }

    async fn describe_secret(
        &self,
        tenant: &TenantName,
        item: &SecretItemName,
        name: &str,
    ) -> Result<Option<Audited>, AwsError> {
        let subject = Subject::Secret(item.clone());
        let seen = self
            .reach
            .cache
            .with_known_aws(tenant, |view| Some((view.secrets.get(item).cloned(), view.is_doubted(&subject))));
        let Some((before, is_doubted)) = seen else { return Ok(None) };
        let Some(Look::At(_, Some(known))) = &before else { return Ok(None) };
        if is_doubted {
            return Ok(None);
        }
        let found = self.reach.aws.secrets.describe(name).await?;
        let now = (self.reach.clock)();
        let audited = self.reach.cache.with_known_aws(tenant, |view| {
            if view.secrets.get(item) != before.as_ref() || view.is_doubted(&subject) {
                return None;
            }
            let Some(found) = found else {
                view.doubt(subject.clone());
                return Some(Audited::Gone);
            };
            let same = is_same_secret(known, &found);
            view.saw_secret(item, now, Some(found));
            Some(if same { Audited::Same } else { Audited::Different })
        });
        self.wake(tenant, audited);
        Ok(audited)
    }

    fn wake(&self, tenant: &TenantName, audited: Option<Audited>) {
        if matches!(audited, Some(Audited::Different | Audited::Gone)) {
            tracing::info!(%tenant, ?audited, "the audit contradicts what is known");
            self.reach.entrance.now(tenant.clone());
        }
    }
}

/// A listing does not say when an association was made.
fn is_same_association(known: &Association, found: &Association) -> bool {
    *known == Association { created_at: known.created_at, ..found.clone() }
}

fn is_same_secret(known: &Secret, found: &Secret) -> bool {
    known.arn == found.arn && is_same(known, found)
}
