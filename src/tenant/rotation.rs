//! Rotation of generated secrets: a new version, a pod that uses it, and only then the label that readers go by.
//!
//! PURE. Section 6 of the design. Until AWSCURRENT moves, everything can go back to what it was; once it has moved, the
//! running pod uses the new version already. After a leak there is no way back: what does not start stays down.

mod calls;
mod schedule;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use calls::{Call, hand_over, is_known, is_replaced, open_call, pending_call, refusal};

use super::{
    action::{Action, AwsAction, PartState, Parts},
    blueprint::Blueprint,
    child::Part,
    cloud::is_own_secret,
    ledger::{generated_version, secret_name, version_made_of},
    observed::{Look, Observed},
    reason::Reason,
    rollout::{is_overdue, is_rolled_onto, stands},
    workload::has_ended,
};
use crate::{
    api::{
        class::{SecretsMode, TenantClassSpec, TokenSource},
        labels::{GATEWAY_TOKEN, NEXT_STAGE},
        names::{Incarnation, Nonce, SecretItemName, VersionId},
        record::{RecordedRotation, RecordedSecret, RecordedTemplate, RotationCause, SecretOrigin, TenantRecordSpec},
    },
    aws::types::Secret,
};

/// Whether a rotation is under way after a leak, or somebody has put a value in place of one that a former owner knows: that waits
/// for nobody.
pub fn is_urgent(record: &TenantRecordSpec) -> bool {
    let has_leaked = |rotation: &RecordedRotation| rotation.cause == RotationCause::Compromise;
    rotations(record).any(has_leaked) || record.secrets.items.iter().any(is_replaced)
}

/// Whether any rotation is under way.
pub fn is_under_way(record: &TenantRecordSpec) -> bool {
    rotations(record).next().is_some()
}

fn rotations(record: &TenantRecordSpec) -> impl Iterator<Item = &RecordedRotation> {
    record.secrets.items.iter().filter_map(|item| item.rotation.as_ref())
}

/// Whether the next version of a secret that has leaked is not named yet: until then no pod starts.
pub fn is_waited_for(record: &TenantRecordSpec) -> bool {
    urgent(record).any(|item| item.version_id.is_none() || item.version_id != next_version(record, item))
}

fn urgent(record: &TenantRecordSpec) -> impl Iterator<Item = &RecordedSecret> {
    let is_urgent = |rotation: &RecordedRotation| rotation.cause == RotationCause::Compromise;
    record.secrets.items.iter().filter(move |item| item.rotation.as_ref().is_some_and(is_urgent))
}

/// Whether the workspace must stay down: a secret of it has leaked, and in the time that it had no pod became ready with
/// another value. Where the applied template names that value, the time is its pod's.
pub fn is_stopped(observed: &Observed, class: &TenantClassSpec, record: &TenantRecordSpec) -> bool {
    let applied = record.template.as_ref();
    urgent(record).any(|item| {
        let next = next_version(record, item);
        if let Some(applied) = applied.filter(|applied| applied.version_of(&item.name) == next.as_ref()) {
            return !is_rolled_onto(observed, applied) && is_overdue(observed, class, applied);
        }
        item.rotation.as_ref().is_some_and(|rotation| observed.now >= given_up_at(class, rotation))
    })
}

/// When a rotation that has not reached the pod is given up after a leak.
fn given_up_at(class: &TenantClassSpec, rotation: &RecordedRotation) -> Timestamp {
    let patience = SignedDuration::from_secs(i64::from(class.rollout.deadline_seconds));
    rotation.since.0.checked_add(patience).unwrap_or(rotation.since.0)
}

/// The version that a rotation makes.
pub fn next_version(record: &TenantRecordSpec, item: &RecordedSecret) -> Option<VersionId> {
    let rotation = item.rotation.as_ref()?;
    Some(version_made_of(record, item, &rotation.nonce))
}

fn has_next_label(secret: &Secret, version: &VersionId) -> bool {
    secret.has_label(version, NEXT_STAGE)
}

/// What the record says of a generated secret after this look at it.
pub fn follow(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    item: &RecordedSecret,
    secret: &Secret,
) -> RecordedSecret {
    match &item.rotation {
        None => at_rest(observed, blueprint.record, item, secret),
        Some(rotation) => under_way(observed, blueprint, item, rotation, secret),
    }
}

/// The version in use is the one that readers get: what a person puts by hand is what the person wants used. Nothing goes
/// back to the version that the last rotation replaced, which a stale answer may show, or which has leaked.
fn at_rest(observed: &Observed, record: &TenantRecordSpec, item: &RecordedSecret, secret: &Secret) -> RecordedSecret {
    let mut item = item.clone();
    let pinned = item.version_id.clone().filter(|version| secret.has_version(version));
    let first = generated_version(record, &item);
    let current = secret.current_version().filter(|current| Some(current) != item.replaced.as_ref());
    if observed.aws.spent.contains(&first) && current.is_none() {
        item.nonce = fresh(observed, &item.name);
    }
    let first = secret.has_version(&first).then_some(first);
    item.version_id = current.or(pinned).or(first).or(item.version_id);
    hand_over(observed, record, &mut item);
    item.rotated_at = item.rotated_at.or_else(|| Some(observed.time()));
    item
}

fn under_way(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    item: &RecordedSecret,
    rotation: &RecordedRotation,
    secret: &Secret,
) -> RecordedSecret {
    let next = version_made_of(blueprint.record, item, &rotation.nonce);
    let has_leaked = rotation.cause == RotationCause::Compromise;
    let mut item = item.clone();
    match secret.current_version() {
        Some(current) if current == next => {
            item.version_id = Some(next.clone());
            if !has_next_label(secret, &next) {
                finish(&mut item, rotation, observed.time());
            }
            return item;
        }
        Some(current) if is_put_by_hand(&item, rotation, &current) => {
            if !has_leaked {
                // A person has put a value meanwhile: that one is used, and this rotation has lost its ground.
                return RecordedSecret { version_id: Some(current), rotation: None, failed_at: None, ..item };
            }
            // Or it was there before, out of sight: what has leaked is whatever readers got.
            item.rotation = Some(RecordedRotation { from: current, ..rotation.clone() });
        }
        Some(_) | None => {}
    }
    if rotation.abandoned {
        item.version_id = Some(rotation.from.clone());
        item.rotation = item.rotation.filter(|_| has_next_label(secret, &next));
    } else if observed.aws.spent.contains(&next) {
        item.rotation = item.rotation.map(|going| RecordedRotation { nonce: fresh(observed, &item.name), ..going });
        item.version_id = if has_leaked { item.version_id } else { Some(rotation.from.clone()) };
    } else if secret.has_version(&next) {
        follow_pod(observed, blueprint, &mut item, rotation, next);
    }
    item
}

/// Whether readers get a version that neither this rotation nor the one before has anything to do with.
fn is_put_by_hand(item: &RecordedSecret, rotation: &RecordedRotation, current: &VersionId) -> bool {
    *current != rotation.from && item.replaced.as_ref() != Some(current)
}

/// The next version is there: it is used, unless its pod does not become ready and the former one has not leaked.
fn follow_pod(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    item: &mut RecordedSecret,
    rotation: &RecordedRotation,
    next: VersionId,
) {
    let names_it = |applied: &&RecordedTemplate| applied.version_of(&item.name) == Some(&next);
    let applied = blueprint.record.template.as_ref().filter(names_it);
    let is_lost = applied.is_some_and(|applied| {
        // One that is not written yet has not been tried.
        let is_tried = stands(observed, applied) && !is_rolled_onto(observed, applied);
        is_tried && is_overdue(observed, blueprint.class, applied)
    });
    if is_lost && rotation.cause != RotationCause::Compromise {
        item.version_id = Some(rotation.from.clone());
        item.rotation = Some(RecordedRotation { abandoned: true, ..rotation.clone() });
        item.failed_at = Some(observed.time());
    } else {
        item.version_id = Some(next);
    }
}

fn finish(item: &mut RecordedSecret, rotation: &RecordedRotation, now: Time) {
    item.nonce = rotation.nonce.clone();
    item.replaced = Some(rotation.from.clone());
    item.rotated_at = Some(now);
    item.failed_at = None;
    item.rotation = None;
}

/// A nonce that no version of this secret was made from.
pub fn fresh(observed: &Observed, item: &SecretItemName) -> Nonce {
    observed.draw.derive(&format!("rotate-{item}"))
}

/// Begins the rotations that are due, and says whether there are any. `parts` says how the tenant stands.
pub fn begin(observed: &Observed, blueprint: &Blueprint<'_>, record: &mut TenantRecordSpec, parts: &mut Parts) -> bool {
    let before = record.secrets.clone();
    take_up(observed, blueprint, record, parts);
    let begins = record.secrets != before;
    if begins {
        let message = "a rotation is being recorded".to_owned();
        parts.insert(Part::Secrets, PartState::Working(Reason::Rotating, message));
    }
    begins
}

fn take_up(observed: &Observed, blueprint: &Blueprint<'_>, record: &mut TenantRecordSpec, parts: &Parts) {
    if record.secrets.mode == SecretsMode::None || is_paused(observed) {
        return;
    }
    if let Some(call) = open_call(observed, blueprint)
        && generated(blueprint).all(|item| is_fresh(observed, item))
        && (call.is_urgent() || parts.get(&Part::Secrets).is_some_and(PartState::is_done))
    {
        let cause = if call.is_urgent() { RotationCause::Compromise } else { RotationCause::Order };
        let is_meant = |item: &RecordedSecret| match call {
            Call::Order | Call::Leak => true,
            Call::HandedOver => is_known(item) && !is_copied(blueprint.class, item),
        };
        begin_all(observed, blueprint, record, cause, is_meant);
        // Whatever was ordered beside it is done with it.
        let is_whole = generated(blueprint).all(is_meant);
        if let Some(order) = observed.tenant.as_deref().and_then(|tenant| tenant.rotate.as_ref()).filter(|_| is_whole) {
            record.secrets.order = Some(order.hash.clone());
        }
    } else if parts.values().all(PartState::is_done) {
        begin_due(observed, blueprint.class, record);
    }
}

/// Whether somebody calls for a rotation, by an order or a transfer.
pub fn is_called(observed: &Observed, blueprint: &Blueprint<'_>) -> bool {
    open_call(observed, blueprint).is_some()
}

fn is_paused(observed: &Observed) -> bool {
    observed.tenant.as_deref().is_none_or(|tenant| tenant.paused) || observed.settings.dry_run
}

/// The recorded secrets that the operator generates for this tenant now.
fn generated<'a>(blueprint: &'a Blueprint<'_>) -> impl Iterator<Item = &'a RecordedSecret> {
    blueprint.record.secrets.items.iter().filter(|item| is_generated(blueprint, item))
}

/// Whether the operator generates this secret for this tenant now: a class may have ceased to, and a person may put it.
pub fn is_generated(blueprint: &Blueprint<'_>, item: &RecordedSecret) -> bool {
    item.origin == SecretOrigin::Generated && blueprint.secrets.iter().any(|wanted| wanted.name == item.name)
}

/// How old a look may be from which a rotation starts: a value that somebody has put since would be taken for another.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

fn is_fresh(observed: &Observed, item: &RecordedSecret) -> bool {
    match observed.aws.secrets.get(&item.name) {
        Some(Look::At(at, Some(secret))) => {
            secret.current_version().is_some() && observed.now.duration_since(*at).abs() <= FRESH
        }
        Some(Look::At(_, None) | Look::Never) | None => false,
    }
}

/// Looks that an order waits for.
pub fn looks(observed: &Observed, blueprint: &Blueprint<'_>) -> Vec<Action> {
    if !is_called(observed, blueprint) || is_paused(observed) {
        return Vec::new();
    }
    let stale = generated(blueprint).filter(|item| !is_fresh(observed, item));
    let look = |item: &RecordedSecret| {
        let name = secret_name(blueprint.record, item.name.as_str());
        Action::Aws(AwsAction::LookUpSecret { item: item.name.clone(), name })
    };
    stale.map(look).collect()
}

fn begin_all(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    record: &mut TenantRecordSpec,
    cause: RotationCause,
    is_meant: impl Fn(&RecordedSecret) -> bool,
) {
    for item in record.secrets.items.iter_mut().filter(|item| is_generated(blueprint, item) && is_meant(item)) {
        let is_new = item.rotation.as_ref().is_none_or(|rotation| rotation.abandoned);
        // After a leak not even a version that is on its way is trusted.
        if is_new || cause == RotationCause::Compromise {
            begin_one(observed, item, cause);
        }
    }
}

fn begin_one(observed: &Observed, item: &mut RecordedSecret, cause: RotationCause) {
    let look = observed.aws.secrets.get(&item.name).and_then(Look::seen).and_then(Option::as_deref);
    let Some(from) = look.and_then(Secret::current_version) else { return };
    let nonce = fresh(observed, &item.name);
    item.rotation = Some(RecordedRotation { nonce, from, cause, since: observed.time(), abandoned: false });
    // A version that was on its way at the time of the transfer may be known too: only one that begins now is not.
    if cause == RotationCause::Compromise {
        (item.handed_over, item.handed_over_version) = (false, None);
    }
}

/// When the schedule has a secret rotated. What a person put it leaves alone: only an order replaces that (S2).
fn due_at(class: &TenantClassSpec, incarnation: &Incarnation, item: &RecordedSecret) -> Option<Timestamp> {
    let due = schedule::due_at(class, incarnation, item)?;
    (!is_copied(class, item) && !is_somebodys(item)).then_some(due)
}

/// Whether the value in use is not one of those that the operator makes.
fn is_somebodys(item: &RecordedSecret) -> bool {
    item.version_id.as_ref().is_some_and(|version| !version.is_of_our_making())
}

fn begin_due(observed: &Observed, class: &TenantClassSpec, record: &mut TenantRecordSpec) {
    let incarnation = record.incarnation.clone();
    for item in record.secrets.items.iter_mut().filter(|item| item.rotation.is_none()) {
        let due = due_at(class, &incarnation, item);
        if due.is_some_and(|due| observed.now >= due) && schedule::is_its_hour(observed.now, &incarnation) {
            begin_one(observed, item, RotationCause::Schedule);
        }
    }
}

/// How long until a rotation may be due or given up; `None` where none is to be expected.
pub fn until_due(observed: &Observed, class: &TenantClassSpec) -> Option<Duration> {
    let record = observed.record_spec()?;
    let due = record.secrets.items.iter().filter_map(|item| match &item.rotation {
        None => due_at(class, &record.incarnation, item),
        Some(rotation) => Some(given_up_at(class, rotation)),
    });
    let left = due.min()?.duration_since(observed.now);
    Some(if left > SignedDuration::ZERO { left.unsigned_abs().min(schedule::NAP) } else { schedule::NAP })
}

fn is_copied(class: &TenantClassSpec, item: &RecordedSecret) -> bool {
    class.login.token_source == TokenSource::UserDirectory && item.name.as_str() == GATEWAY_TOKEN
}

/// What is told of rotations, where nothing worse is to be told of the secrets.
pub fn told(observed: &Observed, blueprint: &Blueprint<'_>, secrets: PartState) -> PartState {
    if !secrets.is_done() {
        return secrets;
    }
    let record = blueprint.record;
    let refused = pending_call(observed, blueprint).and_then(|call| refusal(blueprint.class, record, call));
    let failed = record.secrets.items.iter().find_map(|item| Some((item, item.failed_at.as_ref()?)));
    let is_left = |item: &&RecordedSecret| {
        is_somebodys(item) && schedule::due_at(blueprint.class, &record.incarnation, item).is_some()
    };
    let left = record.secrets.items.iter().find(is_left);
    let replaced = generated(blueprint).find(|item| is_replaced(item)).map(|item| {
        let message =
            format!("the running pod gets the value of {} that was put in place of the former owner's", item.name);
        PartState::Working(Reason::Rotating, message)
    });
    match (refused.or(replaced), failed) {
        (Some(told), _) => told,
        (None, Some((item, at))) => PartState::Done(
            Reason::RotationFailed,
            format!(
                "the rotation of {} was given up at {}: no pod became ready with the new value in time, and the former \
                 value is used again. Set openclaw.io/rotate-secrets to another value to try again",
                item.name, at.0
            ),
        ),
        (None, None) => match (left, secrets) {
            (Some(item), PartState::Done(reason, message)) => PartState::Done(
                reason,
                format!(
                    "{message}. The value of {} was put by somebody, so the class's schedule leaves it alone; \
                     openclaw.io/rotate-secrets replaces it",
                    item.name
                ),
            ),
            (_, secrets) => secrets,
        },
    }
}

/// What is told while AWSCURRENT moves.
pub fn moving() -> PartState {
    PartState::Working(Reason::Rotating, "the running pod uses the new value: AWSCURRENT is moved onto it".to_owned())
}

/// Moves AWSCURRENT onto versions that the running pod uses already, or that no pod has to use. `settled` says that
/// StatefulSet and configuration are as they shall be for now.
pub fn moves(observed: &Observed, blueprint: &Blueprint<'_>, settled: bool) -> Vec<Action> {
    let Some(applied) = blueprint.record.template.as_ref().filter(|_| settled) else { return Vec::new() };
    let stands = if blueprint.open { is_rolled_onto(observed, applied) } else { has_ended(observed) };
    let items = blueprint.record.secrets.items.iter().filter(|_| stands);
    items.filter_map(|item| move_of(observed, blueprint, applied, item)).map(Action::Aws).collect()
}

fn move_of(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    applied: &RecordedTemplate,
    item: &RecordedSecret,
) -> Option<AwsAction> {
    let rotation = item.rotation.as_ref().filter(|rotation| !rotation.abandoned)?;
    let to = next_version(blueprint.record, item).filter(|next| applied.version_of(&item.name) == Some(next))?;
    let secret = observed.aws.secrets.get(&item.name)?.seen()?.as_ref()?;
    let is_own = is_own_secret(observed, blueprint.tenant, blueprint.record, secret) && secret.deleted_at.is_none();
    let from = secret.current_version();
    let is_expected = from.as_ref().is_none_or(|from| *from != to && !is_put_by_hand(item, rotation, from));
    let (item, arn) = (item.name.clone(), secret.arn.clone());
    (is_own && is_expected && secret.has_version(&to)).then_some(AwsAction::MoveCurrent { item, arn, from, to })
}
