//! How reconciles and requests end, in few words: for metrics and logs.

use crate::aws::AwsErrorKind;

/// How one reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing differed, nothing was written.
    Unchanged,
    /// Something was written.
    Changed,
    /// It waits for something that takes its time.
    Waiting,
    /// Only a person can help.
    Stalled,
    /// It failed and is tried again.
    Failed,
    /// It was dropped in the middle.
    Cancelled,
}

/// What came of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestResult {
    /// It was carried out.
    Ok,
    /// What it was about does not exist.
    NotFound,
    /// Something of that name exists, or has moved.
    Conflict,
    /// A right is lacking.
    Forbidden,
    /// The request itself was refused.
    Invalid,
    /// Too many requests.
    Throttled,
    /// A failure on the other side.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// It was not sent: this process may not write.
    Fenced,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Waiting => "waiting",
            Self::Stalled => "stalled",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl RequestResult {
    pub(super) const ALL: [Self; 9] = [
        Self::Ok,
        Self::NotFound,
        Self::Conflict,
        Self::Forbidden,
        Self::Invalid,
        Self::Throttled,
        Self::Unavailable,
        Self::Timeout,
        Self::Fenced,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Fenced => "fenced",
        }
    }
}

impl From<&kube::Error> for RequestResult {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                401 | 403 => Self::Forbidden,
                404 | 410 => Self::NotFound,
                409 => Self::Conflict,
                429 => Self::Throttled,
                400..=499 => Self::Invalid,
                _ => Self::Unavailable,
            },
            _ => Self::Unavailable,
        }
    }
}

impl From<&AwsErrorKind> for RequestResult {
    fn from(kind: &AwsErrorKind) -> Self {
        match kind {
            AwsErrorKind::NotFound => Self::NotFound,
            AwsErrorKind::AlreadyExists | AwsErrorKind::ScheduledForDeletion | AwsErrorKind::Conflict => Self::Conflict,
            AwsErrorKind::AccessDenied
            | AwsErrorKind::RoleRefused
            | AwsErrorKind::KmsRefused
            | AwsErrorKind::NoCredentials => Self::Forbidden,
            AwsErrorKind::QuotaExceeded | AwsErrorKind::Invalid => Self::Invalid,
            AwsErrorKind::Throttled(_) => Self::Throttled,
            AwsErrorKind::Unavailable => Self::Unavailable,
            AwsErrorKind::FenceClosed => Self::Fenced,
        }
    }
}

/// What went wrong with a request to the API server, in one line. kube's own words say an answer twice and leave out why
/// a connection failed.
pub fn describe(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("{} (status {})", status.message, status.code);
    }
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        if said.contains(&cause) { said } else { format!("{said}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::{
        RequestResult::{Conflict, Forbidden, Invalid, NotFound, Throttled, Unavailable},
        *,
    };

    #[test]
    fn errors_become_few_results() {
        let api =
            |code| RequestResult::from(&kube::Error::Api(kube::core::Status::failure("", "").with_code(code).boxed()));
        let results = [401, 403, 404, 409, 422, 429, 500, 503].map(api);
        assert_eq!(results, [Forbidden, Forbidden, NotFound, Conflict, Invalid, Throttled, Unavailable, Unavailable]);
        assert_eq!(RequestResult::from(&AwsErrorKind::FenceClosed), RequestResult::Fenced);
    }

    #[test]
    fn an_answer_is_said_once_and_a_broken_connection_with_its_cause() {
        let status = kube::core::Status::failure("leases is forbidden", "Forbidden").with_code(403);
        assert_eq!(describe(&kube::Error::Api(status.boxed())), "leases is forbidden (status 403)");
        let broken = std::io::Error::other("connection refused");
        assert_eq!(describe(&kube::Error::ReadEvents(broken)), "Error reading events stream: connection refused");
    }
}
