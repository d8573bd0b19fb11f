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
                message: status.message.clone(),
            },
            Self::Failed(source) => RequestError::Unreachable { verb, what, source: Box::new(source) },
        }
    }
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

    /// A right is missing, which only a person can give. A namespace on its way out refuses with 403 as well.
    pub fn is_missing_right(&self) -> bool {
        matches!(self, Self::Refused { code: 403, reason, message, .. }
            if reason == "Forbidden" && !message.contains("quota") && !message.contains("being terminated"))
    }

    /// The object itself is refused: no repetition helps.
    pub fn is_invalid(&self) -> bool {
        matches!(self.code(), Some(400 | 422))
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
