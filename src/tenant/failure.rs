//! From a failed request to what a condition says of it.
//!
//! PURE.

use jiff::{SignedDuration, Timestamp};

use super::{
    action::{Action, AwsAction},
    reason::Reason,
    status::Failure,
};
use crate::{
    aws::{AwsError, AwsErrorKind},
    kubernetes::RequestError,
    tenant::apply::ActionError,
};

/// How long a refused role is waited for: one that was just made is refused for a while.
const ROLE_PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// What a condition says of a failure; `None` where looking again is all there is to do.
pub fn failure(
    action: &Action,
    error: &ActionError,
    role_refused_since: Option<Timestamp>,
    now: Timestamp,
) -> Option<Failure> {
    let (reason, needs_person) = match error {
        ActionError::Kubernetes(error) => of_kubernetes(error)?,
        ActionError::Aws(error) => {
            let is_patient = role_refused_since.is_none_or(|since| now.duration_since(since) < ROLE_PATIENCE);
            of_aws(action, error, is_patient)?
        }
        ActionError::NoAws => (Reason::AwsCredentialsMissing, true),
        // The process ends, or the next look tells.
        ActionError::Restored(_) | ActionError::Overtaken(_) | ActionError::NoRecord(_) => return None,
    };
    Some(Failure { part: action.part(), reason, message: error.to_string(), needs_person })
}

fn of_kubernetes(error: &RequestError) -> Option<(Reason, bool)> {
    if error.is_conflict() || error.is_already_there() || error.is_not_found() {
        return None;
    }
    Some(if error.is_quota_starting() {
        (Reason::QuotaNotEnforced, false)
    } else if error.is_missing_right() {
        (Reason::AccessDenied, true)
    } else if error.is_invalid() {
        (Reason::RequestRefused, true)
    } else if matches!(error, RequestError::FenceClosed(_)) {
        return None;
    } else {
        (Reason::RequestFailed, false)
    })
}

/// Whether the next look finds what stood in the way: what was made already, or a label that somebody else has moved.
const fn is_explained_by_a_look(action: &Action) -> bool {
    matches!(
        action,
        Action::Aws(
            AwsAction::CreateAssociation(_)
                | AwsAction::CreateRole(_)
                | AwsAction::CreateSecret { .. }
                | AwsAction::PutGenerated { .. }
                | AwsAction::MoveCurrent { .. }
                | AwsAction::DropNext { .. }
        )
    )
}

fn of_aws(action: &Action, error: &AwsError, is_patient: bool) -> Option<(Reason, bool)> {
    Some(match error.kind {
        AwsErrorKind::FenceClosed => return None,
        AwsErrorKind::AlreadyExists | AwsErrorKind::Conflict if is_explained_by_a_look(action) => return None,
        // Nobody has to help where it passes; where it does not, what AWS says is all that tells why.
        AwsErrorKind::AlreadyExists | AwsErrorKind::NotFound | AwsErrorKind::Conflict => (Reason::RequestFailed, false),
        AwsErrorKind::ScheduledForDeletion => (Reason::SecretScheduledForDeletion, true),
        AwsErrorKind::Throttled(_) | AwsErrorKind::Unavailable => (Reason::AwsUnavailable, false),
        AwsErrorKind::AccessDenied => (Reason::AccessDenied, true),
        AwsErrorKind::QuotaExceeded => (Reason::AwsQuotaExceeded, true),
        AwsErrorKind::RoleRefused => (Reason::RoleNotReady, !is_patient),
        AwsErrorKind::KmsRefused => (Reason::KmsDenied, true),
        AwsErrorKind::NoCredentials => (Reason::AwsCredentialsMissing, true),
        AwsErrorKind::Invalid => (Reason::AwsRefused, true),
    })
}
