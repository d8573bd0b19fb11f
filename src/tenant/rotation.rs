//! Rotation of generated secrets: a new version, a pod that uses it, and only then the label that readers go by.
//!
//! PURE. Section 6 of the design. Until AWSCURRENT moves, everything can go back to what it was; once it has moved, the
//! running pod uses the new version already. After a leak there is no way back: what does not start stays down.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    action::{Action, AwsAction, PartState, Parts},
    blueprint::Blueprint,
    child::Part,
    ledger::{generated_version, secret_name},
    observed::{Look, Observed, RotateOrder},
    reason::Reason,
    rollout::is_overdue,
    workload::is_rolled,
};
use crate::{
    api::{
        class::{SecretsMode, TenantClassSpec, TokenSource},
        labels::{GATEWAY_TOKEN, NEXT_STAGE},
        names::{Nonce, SecretItemName, VersionId, sha256_hex},
        record::{RecordedRotation, RecordedSecret, RotationCause, SecretOrigin, TenantRecordSpec},
    },
    aws::types::Secret,
};

/// A scheduled rotation that failed is not tried again before this.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_hours(24);

/// Whether a rotation is under way after a leak: it waits for nobody.
pub fn is_urgent(record: &TenantRecordSpec) -> bool {
    rotations(record).any(|rotation| rotation.cause == RotationCause::Compromise)
}

/// Whether any rotation is under way.
pub fn is_under_way(record: &TenantRecordSpec) -> bool {
    rotations(record).next().is_some()
}

fn rotations(record: &TenantRecordSpec) -> impl Iterator<Item = &RecordedRotation> {
    record.secrets.items.iter().filter_map(|item| item.rotation.as_ref())
}

/// Whether the workspace must stay down: its token has leaked, and it did not start with another one in time.
pub fn is_stopped(observed: &Observed, record: &TenantRecordSpec) -> bool {
    is_urgent(record) && is_overdue(observed, record.template.as_ref()) && !is_rolled(observed)
}

/// The version that a rotation makes.
pub fn next_version(record: &TenantRecordSpec, item: &RecordedSecret) -> Option<VersionId> {
    let rotation = item.rotation.as_ref()?;
    Some(version_of(record, item, &rotation.nonce))
}

fn version_of(record: &TenantRecordSpec, item: &RecordedSecret, nonce: &Nonce) -> VersionId {
    VersionId::of(&secret_name(record, item.name.as_str()), &record.incarnation, nonce)
}

fn has_next_label(secret: &Secret, version: &VersionId) -> bool {
    secret.has_label(version, NEXT_STAGE)
}

/// What the record says of a generated secret after this look at it.
pub fn follow(
    observed: &Observed,
    record: &TenantRecordSpec,
    item: &RecordedSecret,
    secret: &Secret,
) -> RecordedSecret {
    match &item.rotation {
        None => at_rest(observed, record, item, secret),
        Some(rotation) => under_way(observed, record, item, rotation, secret),
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
    item.version_id = current.or(pinned).or_else(|| secret.has_version(&first).then_some(first));
    item
}

fn under_way(
    observed: &Observed,
    record: &TenantRecordSpec,
    item: &RecordedSecret,
    rotation: &RecordedRotation,
    secret: &Secret,
) -> RecordedSecret {
    let next = version_of(record, item, &rotation.nonce);
    let current = secret.current_version();
    let mut item = item.clone();
    if current.as_ref() == Some(&next) {
        item.version_id = Some(next.clone());
        if !has_next_label(secret, &next) {
            finish(&mut item, rotation, observed.time());
        }
    } else if current.as_ref().is_some_and(|current| *current != rotation.from) {
        // A person has put a value meanwhile: that one is used, and this rotation has lost its ground.
        item.version_id = current;
        item.rotation = None;
    } else if rotation.abandoned {
        item.version_id = Some(rotation.from.clone());
        item.rotation = item.rotation.filter(|_| has_next_label(secret, &next));
    } else if observed.aws.spent.contains(&next) {
        item.rotation = Some(RecordedRotation { nonce: fresh(observed, &item.name), ..rotation.clone() });
        item.version_id = Some(rotation.from.clone());
    } else if secret.has_version(&next) {
        let was_pinned = item.version_id.as_ref() == Some(&next);
        if was_pinned && is_lost(observed, record, rotation) {
            item.version_id = Some(rotation.from.clone());
            item.rotation = Some(RecordedRotation { abandoned: true, ..rotation.clone() });
            item.failed_at = Some(observed.time());
        } else {
            item.version_id = Some(next);
        }
    }
    item
}

/// A rotation whose pod does not become ready in time is given up, unless the old value has leaked.
fn is_lost(observed: &Observed, record: &TenantRecordSpec, rotation: &RecordedRotation) -> bool {
    rotation.cause != RotationCause::Compromise
        && is_overdue(observed, record.template.as_ref())
        && !is_rolled(observed)
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

/// Begins the rotations that are due. `parts` says how the tenant stands.
pub fn begin(observed: &Observed, class: &TenantClassSpec, record: &mut TenantRecordSpec, parts: &mut Parts) {
    let before = record.secrets.clone();
    take_up(observed, class, record, parts);
    if record.secrets != before {
        let message = "a rotation is being recorded".to_owned();
        parts.insert(Part::Secrets, PartState::Working(Reason::Rotating, message));
    }
}

fn take_up(observed: &Observed, class: &TenantClassSpec, record: &mut TenantRecordSpec, parts: &Parts) {
    let is_paused = observed.tenant.as_ref().is_none_or(|tenant| tenant.paused) || observed.settings.dry_run;
    if record.secrets.mode == SecretsMode::None || is_paused {
        return;
    }
    let order = pending_order(observed, record).filter(|order| refusal(class, record, order).is_none());
    if let Some(order) = order.cloned()
        && is_looked_at(observed, record)
        && (order.compromised || parts.get(&Part::Secrets).is_some_and(PartState::is_done))
    {
        let cause = if order.compromised { RotationCause::Compromise } else { RotationCause::Order };
        begin_all(observed, record, cause);
        record.secrets.order = Some(order.hash);
    } else if parts.values().all(PartState::is_done) {
        begin_due(observed, class, record);
    }
}

/// Without a look nobody knows which version to rotate from.
fn is_looked_at(observed: &Observed, record: &TenantRecordSpec) -> bool {
    record.secrets.items.iter().filter(|item| item.origin == SecretOrigin::Generated).all(|item| {
        let look = observed.aws.secrets.get(&item.name).and_then(Look::seen);
        look.and_then(Option::as_ref).is_some_and(|secret| secret.current_version().is_some())
    })
}

fn begin_all(observed: &Observed, record: &mut TenantRecordSpec, cause: RotationCause) {
    for item in record.secrets.items.iter_mut().filter(|item| item.origin == SecretOrigin::Generated) {
        let is_new = item.rotation.as_ref().is_none_or(|rotation| rotation.abandoned);
        // After a leak not even a version that is on its way is trusted.
        if is_new || cause == RotationCause::Compromise {
            begin_one(observed, item, cause);
        }
    }
}

fn begin_one(observed: &Observed, item: &mut RecordedSecret, cause: RotationCause) {
    let look = observed.aws.secrets.get(&item.name).and_then(Look::seen).and_then(Option::as_ref);
    let Some(from) = look.and_then(Secret::current_version) else { return };
    item.rotation = Some(RecordedRotation { nonce: fresh(observed, &item.name), from, cause, abandoned: false });
}

fn begin_due(observed: &Observed, class: &TenantClassSpec, record: &mut TenantRecordSpec) {
    let incarnation = record.incarnation.clone();
    for item in record.secrets.items.iter_mut().filter(|item| item.rotation.is_none()) {
        let Some(due) = due_at(class, incarnation.as_str(), item) else { continue };
        if observed.now >= due {
            begin_one(observed, item, RotationCause::Schedule);
        }
    }
}

/// When a generated secret is to be rotated by the class's schedule.
fn due_at(class: &TenantClassSpec, incarnation: &str, item: &RecordedSecret) -> Option<Timestamp> {
    let generated = class.secrets.generated.iter().find(|one| one.name == item.name)?;
    let days = generated.rotate_every_days?;
    if is_copied(class, item) {
        return None;
    }
    let last = item.rotated_at.as_ref()?.0;
    let seconds = i64::from(days) * 24 * 3600;
    // From nine to eleven tenths of the period, another part of it for each tenant, secret and time.
    let chance = sha256_hex(&[incarnation, item.name.as_str(), &last.as_second().to_string()]);
    let chance = i64::from_str_radix(chance.get(..4)?, 16).ok()?;
    let jittered = seconds / 10 * 9 + seconds / 5 * chance / 0xffff;
    let due = last.checked_add(SignedDuration::from_secs(jittered)).ok()?;
    let after_failure = item.failed_at.as_ref().and_then(|failed| failed.0.checked_add(AFTER_FAILURE).ok());
    Some(due.max(after_failure.unwrap_or(due)))
}

/// How long until the next rotation by schedule is due; `None` where none is.
pub fn until_due(observed: &Observed, class: &TenantClassSpec) -> Option<std::time::Duration> {
    let record = observed.record_spec()?;
    let items = record.secrets.items.iter().filter(|item| item.rotation.is_none());
    let due = items.filter_map(|item| due_at(class, record.incarnation.as_str(), item)).min()?;
    let left = due.duration_since(observed.now);
    (left > SignedDuration::ZERO).then(|| left.unsigned_abs())
}

/// The order to rotate that was not taken up yet.
fn pending_order<'a>(observed: &'a Observed, record: &TenantRecordSpec) -> Option<&'a RotateOrder> {
    let order = observed.tenant.as_ref()?.rotate.as_ref()?;
    (record.secrets.order.as_ref() != Some(&order.hash)).then_some(order)
}

fn is_copied(class: &TenantClassSpec, item: &RecordedSecret) -> bool {
    class.login.token_source == TokenSource::UserDirectory && item.name.as_str() == GATEWAY_TOKEN
}

/// Why an order cannot be carried out.
fn refusal(class: &TenantClassSpec, record: &TenantRecordSpec, order: &RotateOrder) -> Option<PartState> {
    record.secrets.items.iter().find(|item| is_copied(class, item))?;
    let message = format!(
        "openclaw.io/rotate-secrets is not carried out: the sign-in hands out a copy of {GATEWAY_TOKEN} from the user \
         directory, which would be worthless afterwards. Let it read AWSCURRENT in Secrets Manager and set \
         login.tokenSource of the class to SecretsManager"
    );
    Some(if order.compromised {
        let message = format!("{message}. Until then set suspend: true: it ends access with the leaked token");
        PartState::Blocked(Reason::RotationBlocked, message)
    } else {
        PartState::Done(Reason::RotationBlocked, message)
    })
}

/// What is told of rotations, where nothing worse is to be told of the secrets.
pub fn told(observed: &Observed, blueprint: &Blueprint<'_>, secrets: PartState) -> PartState {
    if !secrets.is_done() || blueprint.record.secrets.mode == SecretsMode::None {
        return secrets;
    }
    let record = blueprint.record;
    let refused = pending_order(observed, record).and_then(|order| refusal(blueprint.class, record, order));
    let failed = record.secrets.items.iter().find_map(|item| Some((item, item.failed_at.as_ref()?)));
    match (refused, failed) {
        (Some(refused), _) => refused,
        (None, Some((item, at))) => PartState::Done(
            Reason::RotationFailed,
            format!(
                "the rotation of {} was given up at {}: no pod became ready with the new value in time, and the former \
                 value is used again. Set openclaw.io/rotate-secrets to another value to try again",
                item.name, at.0
            ),
        ),
        (None, None) => secrets,
    }
}

/// What is told while AWSCURRENT moves.
pub fn moving() -> PartState {
    PartState::Working(Reason::Rotating, "the running pod uses the new value: AWSCURRENT is moved onto it".to_owned())
}

/// Moves AWSCURRENT onto versions that the running pod uses already, or that no pod has to use. `stands` says that the
/// applied template is the present one, and that the workload stands with it or has ended.
pub fn moves(observed: &Observed, record: &TenantRecordSpec, stands: bool) -> Vec<Action> {
    let ready = |item: &RecordedSecret| {
        let rotation = item.rotation.as_ref().filter(|rotation| !rotation.abandoned)?;
        let next = next_version(record, item).filter(|next| item.version_id.as_ref() == Some(next))?;
        let secret = observed.aws.secrets.get(&item.name)?.seen()?.as_ref()?;
        let from = secret.current_version();
        let expected = from.as_ref().is_none_or(|from| *from == rotation.from);
        (expected && secret.has_version(&next)).then(|| AwsAction::MoveCurrent {
            item: item.name.clone(),
            arn: secret.arn.clone(),
            from,
            to: next,
        })
    };
    let all = record.secrets.items.iter().filter(|_| stands).filter_map(ready);
    all.map(Action::Aws).collect()
}
