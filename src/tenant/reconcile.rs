//! The story of one tenant, from what is seen to what is told.

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::json;
use std::time::Duration;

use super::{
    action::{Action, Plan, Story, Target},
    apply::{ActionError, Hands},
    cache::Watched,
    failure::failure,
    observed::{ClassView, Observed},
    pacing,
    plan::plan,
    reason::Reason,
    status::{Announcement, Failure, Telling, announcements, status, untold},
};
use crate::{
    api::{
        labels::GROUP,
        names::{Nonce, TenantName},
        tenant::TenantStatus,
    },
    kubernetes::{RequestError, Resource},
    telemetry::{
        events::{Events, Notice, Severity},
        result::Outcome,
    },
};

/// A tenant is decided about at most so often in one pass; then others have their turn.
const MAX_ROUNDS: usize = 16;

/// Carries decisions out and tells about them.
#[derive(Clone)]
pub struct Reconciler {
    hands: Hands,
    events: Events,
}

/// When to come back to a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When something happens.
    OnEvent,
    /// When something happens, or after so long.
    After(Duration),
    /// At once, and less soon each time: somebody else was quicker, and what they wrote is on its way here.
    Overtaken,
    /// Soon, and less soon each time.
    Retry,
    /// The same, but not before so long: somebody asked for it.
    RetryAfter(Duration),
}

/// Why a tenant is to be looked at again though nothing may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Again {
    /// What was written was of an older state.
    Overtaken,
    /// Something failed, or is not done yet.
    Failed,
}

/// What one pass has done so far.
#[derive(Default)]
struct Pass {
    tried: Vec<Action>,
    failed: Vec<Target>,
    failures: Vec<Failure>,
    again: Option<Again>,
    wrote: bool,
    /// How long AWS asks to be left alone.
    rest: Option<Duration>,
    /// How long what has changed since is not told yet.
    held_back: Option<Duration>,
    looked_at_definitions: bool,
}

impl Pass {
    /// A Tenant that goes because its definition goes is not being deleted (S3), and the two are told by different
    /// watches: before anything is done to a Tenant that goes, the definitions are looked at themselves.
    fn must_look_at_definitions(&mut self, observed: &Observed) -> bool {
        let goes = observed.tenant.as_deref().is_some_and(|tenant| tenant.deleted_at.is_some());
        goes && !std::mem::replace(&mut self.looked_at_definitions, true)
    }

    /// The gravest reason counts.
    fn must_look_again(&mut self, is_overtaken: bool) {
        let why = if is_overtaken { Again::Overtaken } else { Again::Failed };
        self.again = self.again.max(Some(why));
    }

    fn is_fresh(&self, action: &Action) -> bool {
        !self.tried.contains(action) && !self.failed.contains(&action.target())
    }
}

/// Randomness for one pass.
fn draw() -> Nonce {
    let mut bytes = [0; 16];
    // The system's random source does not fail once the system is up; a token made of zeros would only be less unique,
    // never secret.
    let _ = getrandom::fill(&mut bytes);
    Nonce::from_bytes(bytes)
}

impl Reconciler {
    /// A reconciler with these hands.
    pub const fn new(hands: Hands, events: Events) -> Self {
        Self { hands, events }
    }

    /// Brings one tenant as far as it can be brought now, and tells how it stands.
    pub async fn reconcile(&self, name: &TenantName) -> (Next, Outcome) {
        let mut pass = Pass::default();
        let (observed, plan) = self.carry_out(name, &mut pass).await;
        self.hands.cache.stand_at_gate(&observed, &plan);
        let told = self.tell(&observed, &plan, &mut pass).await;
        if let Err(error) = told {
            tracing::info!(%error, "status not written, tried again");
            pass.must_look_again(error.is_conflict());
        }
        (next(&plan, &pass), outcome(&plan, &pass))
    }

    /// Observe, decide, act, until there is nothing left that was not tried.
    async fn carry_out(&self, name: &TenantName, pass: &mut Pass) -> (Observed, Plan) {
        let draw = draw();
        for _ in 0..MAX_ROUNDS {
            let observed = self.observe(name, &draw);
            if pass.must_look_at_definitions(&observed) {
                if let Err(error) = self.hands.look_at_definitions().await {
                    tracing::info!(%error, "whether this Tenant is being deleted, or its definition is, is not known yet");
                    pass.must_look_again(false);
                    return (observed, Plan::silent());
                }
                continue;
            }
            let plan = plan(&observed);
            let fresh: Vec<Action> = plan.actions.iter().filter(|action| pass.is_fresh(action)).cloned().collect();
            if fresh.is_empty() || Self::is_rehearsal(&observed, &fresh) {
                return (observed, plan);
            }
            let results = join_all(fresh.iter().map(|action| self.hands.perform(&observed, action))).await;
            let all_well = results.iter().all(Result::is_ok);
            for (action, result) in fresh.into_iter().zip(results) {
                self.take_up(&observed, pass, action, result).await;
            }
            if all_well {
                self.announce_story(&observed, &plan.story).await;
            }
        }
        pass.must_look_again(false);
        let observed = self.observe(name, &draw);
        let plan = plan(&observed);
        (observed, plan)
    }

    /// A dry run writes nothing for anybody, and says what it would write.
    fn is_rehearsal(observed: &Observed, fresh: &[Action]) -> bool {
        if observed.settings.dry_run {
            for action in fresh {
                tracing::info!(part = action.part().condition(), "dry run: would be changed");
            }
        }
        observed.settings.dry_run
    }

    fn observe(&self, name: &TenantName, draw: &Nonce) -> Observed {
        self.hands.cache.observe(name, Timestamp::now(), draw.clone())
    }

    async fn take_up(
        &self,
        observed: &Observed,
        pass: &mut Pass,
        action: Action,
        result: Result<Option<Announcement>, ActionError>,
    ) {
        match result {
            Ok(announcement) => {
                pass.wrote |= !action.is_look();
                if let Some(announcement) = announcement {
                    self.announce(observed, &announcement).await;
                }
            }
            Err(error) => {
                let since = self.hands.cache.with_aws(&observed.name, |view| view.role_refused_since);
                tracing::info!(%error, "an action failed");
                pass.must_look_again(error.is_conflict());
                pass.rest = pass.rest.max(error.retry_after());
                pass.failed.push(action.target());
                pass.failures.extend(failure(&action, &error, since, observed.now));
            }
        }
        pass.tried.push(action);
    }

    /// What happens once and leaves no condition behind is told in an event.
    async fn announce_story(&self, observed: &Observed, story: &Story) {
        let (warning, reason, note) = match story {
            Story::Beginning(reason @ Reason::RecordRebuilt, note) => (true, *reason, note),
            Story::Gone(reason, note) | Story::Beginning(reason @ Reason::Attached, note) => (false, *reason, note),
            Story::Beginning(..)
            | Story::Silent
            | Story::Refused(_)
            | Story::Kept { .. }
            | Story::Paused { .. }
            | Story::Leaving { .. }
            | Story::Held { .. } => return,
        };
        tracing::info!(%reason, %note, "tenant");
        self.announce(observed, &Announcement { warning, reason: reason.to_string(), note: note.clone() }).await;
    }

    async fn announce(&self, observed: &Observed, announcement: &Announcement) {
        let Announcement { warning, reason, note } = announcement.clone();
        let severity = if warning { Severity::Warning } else { Severity::Normal };
        let notice = Notice { severity, reason, action: "Reconcile".into(), note };
        self.events.publish(&reference(observed), &notice).await;
    }

    /// Writes the status where it differs, also when something failed, and announces what has turned.
    async fn tell(&self, observed: &Observed, plan: &Plan, pass: &mut Pass) -> Result<(), RequestError> {
        if observed.settings.dry_run {
            return Ok(());
        }
        let Some(tenant) = &observed.tenant else {
            self.tell_of_record(observed, plan, pass).await;
            return Ok(());
        };
        let previous = self.hands.cache.status(&observed.name).unwrap_or_default();
        match tenant.created_at {
            Some(made) if previous.observed_generation < 0 => {
                self.hands.metrics.tenant_began(&tenant.uid, made);
            }
            _ if tenant.deleted_at.is_some() => self.hands.metrics.tenant_went(&tenant.uid),
            _ => {}
        }
        let telling = Telling {
            name: &observed.name,
            generation: tenant.generation,
            now: observed.now,
            story: &plan.story,
            failures: &pass.failures,
            record: observed.record_spec(),
            class: match &observed.class {
                ClassView::Found(class) => Some(class),
                ClassView::Missing | ClassView::Invalid(_) => None,
            },
            previous: &previous,
        };
        let Some(next) = status(&telling).filter(|next| *next != previous) else { return Ok(()) };
        // Who comes back later for another reason may come back much later.
        if pass.again.is_none() {
            let told_at = self.hands.cache.told_at(&observed.name);
            pass.held_back = pacing::rest(&previous, &next, told_at, observed.now);
            if pass.held_back.is_some() {
                return Ok(());
            }
        }
        match self.write_status(observed, &next).await {
            Err(error) if error.names_unknown_field() => {
                let told = untold(&telling, error.to_string());
                if told != previous {
                    self.write_status(observed, &told).await?;
                    self.announce_turns(observed, &previous, &told, pass).await;
                }
                Err(error)
            }
            Err(error) => Err(error),
            Ok(()) => {
                if next.is_true("Ready") {
                    self.hands.metrics.tenant_is_ready(&tenant.uid, jiff::Timestamp::now());
                }
                self.announce_turns(observed, &previous, &next, pass).await;
                Ok(())
            }
        }
    }

    async fn announce_turns(&self, observed: &Observed, previous: &TenantStatus, next: &TenantStatus, pass: &mut Pass) {
        pass.wrote = true;
        for announcement in announcements(previous, next) {
            tracing::info!(reason = announcement.reason, note = announcement.note, "tenant");
            self.announce(observed, &announcement).await;
        }
    }

    /// What is to be known of a record that no Tenant tells of: said in the log and in an event, once.
    async fn tell_of_record(&self, observed: &Observed, plan: &Plan, pass: &Pass) {
        let failure = pass.failures.first().map(|failure| (failure.reason, failure.message.clone()));
        let (warning, (reason, note)) = match (&plan.story, failure) {
            (_, Some(failure)) => (true, failure),
            (Story::Held { message }, None) => (true, (Reason::DeletionHeld, message.clone())),
            (Story::Refused(refusal), None) => (true, (refusal.reason, refusal.message.clone())),
            (Story::Leaving { message }, None) => (false, (Reason::Deleting, message.clone())),
            (
                Story::Silent | Story::Beginning(..) | Story::Kept { .. } | Story::Paused { .. } | Story::Gone(..),
                None,
            ) => return self.hands.cache.is_quiet_again(&observed.name),
        };
        if self.hands.cache.is_news(&observed.name, &note) {
            tracing::info!(%reason, note, "a record that no Tenant holds");
            self.announce(observed, &Announcement { warning, reason: reason.to_string(), note }).await;
        }
    }

    async fn write_status(&self, observed: &Observed, status: &TenantStatus) -> Result<(), RequestError> {
        let Some(tenant) = &observed.tenant else { return Ok(()) };
        let object = json!({
            "apiVersion": format!("{GROUP}/v1alpha1"),
            "kind": "Tenant",
            "metadata": {
                "name": observed.name,
                "uid": tenant.uid,
                "resourceVersion": tenant.resource_version,
            },
            "status": status,
        });
        let cache = &self.hands.cache;
        let sent = cache.sends(Watched::Tenant);
        match self.hands.kubernetes.replace(&Resource::tenant_status(&observed.name), &object).await {
            // Where the watch began anew it tells by itself what the Tenant has become.
            Ok(answer) => {
                if let Err(overtaken) = cache.take_up(sent, &answer) {
                    tracing::debug!(%overtaken, "status written");
                }
                cache.told(&observed.name, status.phase, observed.now);
                Ok(())
            }
            // It went meanwhile: nobody is left to be told.
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The Tenant; where there is none, the record.
fn reference(observed: &Observed) -> ObjectReference {
    let of_record = || Some(("TenantRecord", observed.record.as_deref()?.uid.to_string()));
    let of_tenant = observed.tenant.as_deref().map(|tenant| ("Tenant", tenant.uid.to_string()));
    let (kind, uid) = of_tenant.or_else(of_record).unzip();
    ObjectReference {
        api_version: Some(format!("{GROUP}/v1alpha1")),
        kind: Some(kind.unwrap_or("Tenant").into()),
        name: Some(observed.name.to_string()),
        uid,
        ..ObjectReference::default()
    }
}

fn next(plan: &Plan, pass: &Pass) -> Next {
    match (pass.again, pass.rest, plan.look_again) {
        (Some(Again::Overtaken), None, _) => Next::Overtaken,
        (Some(Again::Failed), None, _) => Next::Retry,
        (Some(_), Some(rest), _) => Next::RetryAfter(rest),
        (None, _, after) => {
            // A pause may be a quarter shorter than it says.
            let held_back = pass.held_back.map(|rest| rest + rest / 3);
            after.into_iter().chain(held_back).min().map_or(Next::OnEvent, Next::After)
        }
    }
}

fn outcome(plan: &Plan, pass: &Pass) -> Outcome {
    let is_stalled =
        matches!(&plan.story, Story::Refused(_)) || pass.failures.iter().any(|failure| failure.needs_person);
    if is_stalled {
        Outcome::Stalled
    } else if pass.again.is_some() {
        Outcome::Failed
    } else if pass.wrote {
        Outcome::Changed
    } else if plan.is_waiting() {
        Outcome::Waiting
    } else {
        Outcome::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_overtaken_looks_again_sooner_than_who_failed() {
        let plan = Plan::silent();
        let mut pass = Pass::default();
        assert_eq!(next(&plan, &pass), Next::OnEvent);
        pass.held_back = Some(Duration::from_secs(3));
        assert_eq!(next(&plan, &pass), Next::After(Duration::from_secs(4)), "what is held back is told");
        let soon = Plan { look_again: Some(Duration::from_secs(2)), ..Plan::silent() };
        assert_eq!(next(&soon, &pass), Next::After(Duration::from_secs(2)), "the sooner counts");
        pass.held_back = None;
        pass.must_look_again(true);
        assert_eq!(next(&plan, &pass), Next::Overtaken);
        pass.must_look_again(false);
        pass.must_look_again(true);
        assert_eq!(next(&plan, &pass), Next::Retry, "the gravest reason counts");
        pass.rest = Some(Duration::from_secs(7));
        assert_eq!(next(&plan, &pass), Next::RetryAfter(Duration::from_secs(7)), "and what AWS asks for counts most");
    }
}
