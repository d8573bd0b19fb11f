//! What can go wrong between the operator and the Kubernetes API.

use std::time::Duration;

use super::Resource;
use crate::{
    fence::FenceClosed,
    telemetry::result::{RequestResult, describe},
};

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The server refused it.
    #[error("{verb} {what}: {reason} ({code}): {message}")]
    Refused {
        /// What was tried.
        verb: &'static str,
        /// On what.
        what: String,
        /// HTTP status.
        code: u16,
        /// The API's reason, such as `Conflict`.
        reason: String,
        /// The API's message.
        message: String,
    },
    /// The server did not answer in time; what was asked may have happened.
    #[error("{verb} {what}: no answer within {} s; it is looked at again", timeout.as_secs())]
    TimedOut {
        /// What was tried.
        verb: &'static str,
        /// On what.
        what: String,
        /// How long was waited.
        timeout: Duration,
    },
    /// The server could not be reached, or the answer could not be read.
    #[error("{verb} {what}: {why}", why = describe(source))]
    Unreachable {
        /// What was tried.
        verb: &'static str,
        /// On what.
        what: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The request could not be put together.
    #[error("a request to {uri} cannot be sent: {message}")]
    Unsendable {
        /// Where to.
        uri: String,
        /// Why not.
        message: String,
    },
    /// This process may not write now.
    #[error(transparent)]
    FenceClosed(#[from] FenceClosed),
}

/// A failure that does not know yet what it is about.
pub(super) enum RawError {
    Failed(kube::Error),
    TimedOut(Duration),
}

impl RawError {
    pub(super) fn about(self, verb: &'static str, resource: &Resource) -> RequestError {
        let what = resource.to_string();
        match self {
            Self::TimedOut(timeout) => RequestError::TimedOut { verb, what, timeout },
            Self::Failed(kube::Error::Api(status)) => RequestError::Refused {
                verb,
                what,
                code: status.code,
                reason: status.reason.clone(),
                message: if unknown_field(&status.message) {
                    format!("{}. {}", status.message, resource.what_knows_fields())
                } else {
                    status.message.clone()
                },
            },
            Self::Failed(source) => RequestError::Unreachable { verb, what, source: Box::new(source) },
        }
    }
}

/// Whether the server refuses a field because it does not know it (strict field validation).
fn unknown_field(message: &str) -> bool {
    message.contains("strict decoding error") && message.contains("unknown field")
}

impl RequestError {
    pub(super) fn unsendable(uri: &str, message: String) -> Self {
        Self::Unsendable { uri: uri.to_owned(), message }
    }

    const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::TimedOut { .. } | Self::Unreachable { .. } | Self::Unsendable { .. } | Self::FenceClosed(_) => None,
        }
    }

    fn has_reason(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason == wanted)
    }

    /// There is no such object, or its kind is not served.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The server answered, and said no.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// An object of that name is there already.
    pub fn is_already_there(&self) -> bool {
        self.has_reason("AlreadyExists")
    }

    /// It is another object, or a later state of it: look again.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409) && !self.is_already_there()
    }

    /// The namespace's quota has no figures yet: that is waiting, not a missing right.
    pub fn is_quota_starting(&self) -> bool {
        matches!(self, Self::Refused { code: 403, message, .. } if message.contains("status unknown for quota"))
    }

    /// A quota has no room for it, by what is counted at this moment.
    pub fn is_above_quota(&self) -> bool {
        matches!(self, Self::Refused { code: 403, message, .. } if message.contains("exceeded quota"))
    }

    /// A right is missing, which only a person can give. A namespace on its way out refuses with 403 as well.
    pub fn is_missing_right(&self) -> bool {
        matches!(self, Self::Refused { code: 403, reason, message, .. }
            if reason == "Forbidden" && !message.contains("quota") && !message.contains("being terminated"))
    }

    /// The object itself is refused: no repetition helps.
    pub fn is_invalid(&self) -> bool {
        matches!(self.code(), Some(400 | 422))
    }

    /// The server does not know a field of it, and has said which.
    pub fn names_unknown_field(&self) -> bool {
        matches!(self, Self::Refused { code: 400, message, .. } if unknown_field(message))
    }

    /// What came of it, for metrics.
    pub const fn result(&self) -> RequestResult {
        match self {
            Self::Refused { code, .. } => match code {
                401 | 403 => RequestResult::Forbidden,
                404 | 410 => RequestResult::NotFound,
                409 => RequestResult::Conflict,
                429 => RequestResult::Throttled,
                400..=499 => RequestResult::Invalid,
                _ => RequestResult::Unavailable,
            },
            Self::TimedOut { .. } => RequestResult::Timeout,
            Self::Unreachable { .. } => RequestResult::Unavailable,
            Self::Unsendable { .. } => RequestResult::Invalid,
            Self::FenceClosed(_) => RequestResult::Fenced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kubernetes::definitions, tenant::child::Kind};

    fn refused(resource: &Resource, message: &str) -> RequestError {
        let status = kube::core::Status {
            code: 400,
            reason: "BadRequest".into(),
            message: message.into(),
            ..kube::core::Status::default()
        };
        RawError::Failed(kube::Error::Api(Box::new(status))).about("patch", resource)
    }

    /// What Kubernetes 1.33 answers to a strict patch.
    const UNKNOWN: &str = "TenantRecord in version \"v1alpha1\" cannot be handled as a TenantRecord: strict decoding error: \
                           unknown field \"spec.template\"";

    #[test]
    fn a_field_that_the_server_does_not_know_is_named_with_what_to_do() {
        let error = refused(&Resource::cluster(definitions::RECORD, "alice"), UNKNOWN);
        assert!(error.names_unknown_field() && error.is_invalid());
        assert_eq!(
            error.to_string(),
            format!(
                "patch TenantRecord alice: BadRequest (400): {UNKNOWN}. CustomResourceDefinition tenantrecords.openclaw.io is \
                 older than this operator: apply those of the operator's version over it (kubectl apply --server-side -f crds/). \
                 Until then nothing is written that would be forgotten"
            )
        );
        let namespace = "openclaw-alice".parse().expect("a name");
        let route = Resource::in_namespace(Kind::HttpRoute.info(), &namespace, "alice");
        let error = refused(&route, "strict decoding error: unknown field \"spec.useDefaultGateways\"");
        assert!(
            error.to_string().ends_with(
                "This cluster serves HTTPRoute (gateway.networking.k8s.io/v1) without that field: see which versions of it, or of \
                 Kubernetes, the operator needs, and upgrade it"
            ),
            "{error}"
        );
    }

    #[test]
    fn other_refusals_say_what_the_server_says() {
        let error = refused(&Resource::cluster(definitions::RECORD, "alice"), "the body is not JSON");
        assert!(!error.names_unknown_field());
        assert_eq!(error.to_string(), "patch TenantRecord alice: BadRequest (400): the body is not JSON");
    }
}
