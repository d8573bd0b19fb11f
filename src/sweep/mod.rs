//! Sweeps: everything that the cluster has in AWS, listed as a whole, again and again, by the process that leads.
//!
//! Two listings tell what exists; an audit describes each thing in its turn. Nothing is changed here: what differs is
//! looked at, and put right, by the tenant that it belongs to.

pub mod audit;
mod describe;
pub mod findings;
pub mod orphans;
pub mod report;
pub mod seed;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    api::names::SecretsPrefix,
    aws::{AwsClients, AwsError},
    chance::chance,
    telemetry::{events::Events, health::Heartbeat, metrics::Metrics, result::RequestResult},
    tenant::{cache::Cache, observed::RecordView, queue::Entrance, settings::Settings},
};
use audit::{Round, Target};
use findings::{Findings, Listing, Suspicion, judge};
use orphans::{Memory, Orphans};
use report::Told;
use seed::seeds;

/// How long tenants wait for the first sweep. Without it each looks for itself, which is only slower.
const FIRST: Duration = Duration::from_secs(20);

/// How soon a failed sweep is tried again, where sweeps are further apart.
const AFTER_FAILURE: Duration = Duration::from_mins(1);

/// What a sweep reaches.
pub struct Reach {
    /// AWS. Nothing is written to it.
    pub aws: AwsClients,
    /// What is known.
    pub cache: Arc<Cache>,
    /// Who is to look for itself.
    pub entrance: Entrance,
    /// For what has turned.
    pub events: Events,
    /// The operator's surroundings.
    pub settings: Arc<Settings>,
    /// Figures.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: fn() -> Timestamp,
}

/// Sweeps over AWS while this process leads.
pub struct Sweeper {
    reach: Reach,
    heartbeat: Heartbeat,
    memory: Memory,
    told: Told,
    suspected: BTreeSet<Suspicion>,
    is_failing: bool,
    round: Vec<Target>,
}

/// Both listings. One that fails makes the whole sweep fail: half of what exists would look like the end of the rest.
///
/// # Errors
/// Where AWS refuses or does not answer for any page of either.
pub async fn list(aws: &AwsClients, prefixes: &BTreeSet<SecretsPrefix>, began: Timestamp) -> Result<Listing, AwsError> {
    let secrets = async {
        let mut all = Vec::new();
        for prefix in prefixes {
            all.extend(aws.secrets.list(&format!("{prefix}/")).await?);
        }
        Ok(all)
    };
    let (associations, secrets) = tokio::try_join!(aws.pod_identity.list(), secrets)?;
    Ok(Listing { began, associations, secrets })
}

/// What names of secrets begin with: what new ones get, and what older records were made with.
pub fn prefixes<'a>(own: &SecretsPrefix, records: impl Iterator<Item = &'a RecordView>) -> BTreeSet<SecretsPrefix> {
    let recorded = records.filter_map(|view| Some(view.spec.as_ref().ok()?.secrets.prefix.clone()));
    recorded.chain([own.clone()]).collect()
}

impl Sweeper {
    /// A sweeper that has seen nothing yet.
    pub fn new(reach: Reach, heartbeat: Heartbeat) -> Self {
        Self {
            reach,
            heartbeat,
            memory: Memory::default(),
            told: Told::default(),
            suspected: BTreeSet::new(),
            is_failing: false,
            round: Vec::new(),
        }
    }

    /// The first sweep, before any tenant is decided about: what is listed as it is recorded need not be looked at
    /// tenant by tenant. It is waited for a little and no more.
    pub async fn first(&mut self) {
        let heartbeat = self.heartbeat.clone();
        match heartbeat.during(tokio::time::timeout(FIRST, self.listed())).await {
            Ok(Some(listing)) => {
                for (tenant, seed) in seeds(&listing, &self.reach.cache.census()) {
                    self.reach.cache.with_aws(&tenant, |view| {
                        if let Some(found) = seed.association {
                            view.saw_association_listed(listing.began, found);
                        }
                        for (item, secret) in seed.secrets {
                            view.saw_secret_listed(&item, listing.began, secret);
                        }
                    });
                }
                self.take_up(&listing).await;
            }
            Ok(None) => {}
            Err(_) => tracing::info!("the first sweep over AWS takes long: every tenant looks for itself"),
        }
    }

    /// Audits and sweeps until `stop`. Nothing that is under way then needs an end: all of it is reads.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(&mut self) {
        let heartbeat = self.heartbeat.clone();
        loop {
            let interval = jittered(self.reach.settings.sweeps.interval, chance());
            let pause = if self.is_failing { interval.min(AFTER_FAILURE) } else { interval };
            heartbeat.during(self.audit_until(Instant::now() + pause)).await;
            heartbeat.during(self.sweep()).await;
        }
    }

    /// One sweep.
    async fn sweep(&mut self) {
        if let Some(listing) = self.listed().await {
            self.take_up(&listing).await;
        }
    }

    /// Both listings; `None` where either failed, which is said once.
    async fn listed(&mut self) -> Option<Listing> {
        let (began, started) = ((self.reach.clock)(), Instant::now());
        let prefixes = self.reach.cache.secrets_prefixes();
        let listed = list(&self.reach.aws, &prefixes, began).await;
        let ended = listed.as_ref().map(|_| (self.reach.clock)()).map_err(|error| RequestResult::from(&error.kind));
        self.reach.metrics.sweep(started.elapsed(), ended);
        match listed {
            Ok(listing) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("AWS can be listed as a whole again");
                }
                Some(listing)
            }
            Err(error) if std::mem::replace(&mut self.is_failing, true) => {
                tracing::debug!(%error, "AWS still cannot be listed as a whole");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "AWS cannot be listed as a whole: what is changed there by hand is seen later");
                None
            }
        }
    }

    /// Judges what was listed, and lets whom it concerns look.
    async fn take_up(&mut self, listing: &Listing) {
        let census = self.reach.cache.census();
        let now = (self.reach.clock)();
        let (findings, memory) = judge(listing, &census, std::mem::take(&mut self.memory), now);
        self.memory = memory;
        let Findings { suspicions, unrecorded, unknown, orphans } = findings;
        let Round { targets, never, oldest } = audit::round(&census, unknown, now, &self.reach.settings.sweeps);
        self.round = targets;
        self.reach.metrics.set_audit(never, oldest);
        self.suspect(suspicions);
        for tenant in unrecorded {
            tracing::info!(%tenant, "AWS holds what is this tenant's, and it has no record: it is rebuilt");
            self.reach.entrance.now(tenant);
        }
        self.tell(&orphans).await;
    }

    fn suspect(&mut self, suspicions: Vec<Suspicion>) {
        let Reach { cache, entrance, metrics, .. } = &self.reach;
        for Suspicion { tenant, subject, finding } in &suspicions {
            metrics.sweep_found(subject, *finding);
            cache.with_aws(tenant, |view| view.doubt(subject.clone()));
            entrance.now(tenant.clone());
        }
        let suspicions: BTreeSet<Suspicion> = suspicions.into_iter().collect();
        for Suspicion { tenant, subject, finding } in suspicions.difference(&self.suspected) {
            let (what, finding) = (subject.to_string(), finding.as_str());
            tracing::info!(%tenant, what, finding, "a sweep contradicts what is known; the tenant looks itself");
        }
        self.suspected = suspicions;
    }

    async fn tell(&mut self, orphans: &Orphans) {
        let Reach { events, metrics, settings, cache, .. } = &self.reach;
        metrics.set_orphans(orphans);
        let (notice, told) = report::notice(&self.told, orphans);
        self.told = told;
        let Some(notice) = notice else { return };
        tracing::warn!(reason = notice.reason, note = notice.note, "orphans");
        if settings.dry_run {
            return;
        }
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Namespace".to_owned()),
            name: Some(settings.operator_namespace.to_string()),
            uid: cache.namespace_uid(&settings.operator_namespace).map(|uid| uid.to_string()),
            ..ObjectReference::default()
        };
        events.publish(&regarding, &notice).await;
    }
}

/// Ten per cent more or less, so that the operators of several clusters do not sweep one account at the same time.
fn jittered(interval: Duration, chance: f64) -> Duration {
    interval.mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0))
}
