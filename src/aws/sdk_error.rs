//! From the SDK's errors to ours. Apart from `error.rs`, so that whoever reads an [`AwsError`] needs no SDK.

use std::{error::Error, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_eks::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use super::error::{AwsError, AwsErrorKind};
use crate::fence::REQUEST_TIMEOUT;

/// Longest message that is kept; the rest would only fill statuses and logs.
const LONGEST_MESSAGE: usize = 1_000;
/// A wait that AWS asks for is not believed beyond this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// One call as its errors name it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    operation: &'static str,
    target: String,
}

impl Call {
    pub(super) fn new(operation: &'static str, target: &(impl ToString + ?Sized)) -> Self {
        Self { operation, target: target.to_string() }
    }

    /// Its operation, as AWS calls it.
    pub(super) const fn operation(&self) -> &'static str {
        self.operation
    }

    /// An error of this call in words of our own.
    pub(super) fn error(&self, kind: AwsErrorKind, message: impl Into<String>) -> AwsError {
        AwsError { operation: self.operation, target: self.target.clone(), kind, message: message.into() }
    }

    /// An answer that lacks what AWS's service model promises.
    pub(super) fn odd_answer(&self, what: &str) -> AwsError {
        self.error(AwsErrorKind::Invalid, format!("AWS's answer is not as documented: {what}"))
    }

    /// The error that the SDK returned, in our terms.
    ///
    /// Only AWS's code and message and the connector's own words are taken, never the SDK's `Debug` output: that holds
    /// whole responses (rule S9). The request id is left out, because a message that differs with every attempt would
    /// be a new status with every attempt.
    pub(super) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> AwsError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (kind, message) = match error {
            SdkError::ServiceError(context) => service_failure(context.err(), context.raw()),
            SdkError::ResponseError(context) => {
                let status = context.raw().status().as_u16();
                (AwsErrorKind::Unavailable, format!("the answer (HTTP {status}) could not be read"))
            }
            SdkError::TimeoutError(_) => {
                (AwsErrorKind::Unavailable, format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))
            }
            other => local_failure(other),
        };
        self.error(kind, shortened(&message))
    }
}

/// AWS answered, with an error.
fn service_failure<E: ProvideErrorMetadata>(error: &E, response: &HttpResponse) -> (AwsErrorKind, String) {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(retry_after);
    let words = error.message().unwrap_or("no message");
    let Some(code) = error.code() else {
        // No service answers without a code: a proxy or a load balancer on the way did.
        return (kind_of_status(status, retry_after), format!("HTTP {status}: {words}"));
    };
    (kind_of(code, words, status, retry_after), format!("{code}: {words}"))
}

/// The kind of an error by its code; where a code means several things, by its words; else by its HTTP status.
///
/// Codes are those of the service models of EKS, Secrets Manager and IAM, and the errors common to all AWS services
/// ("Common Errors" of each API reference). Words are as AWS writes them today and compared without regard to case.
fn kind_of(code: &str, words: &str, status: u16, retry_after: Option<Duration>) -> AwsErrorKind {
    let words = words.to_lowercase();
    let says = |text: &str| words.contains(text);
    match code {
        "ResourceInUseException"
        | "ResourceExistsException"
        | "EntityAlreadyExists"
        | "EntityAlreadyExistsException" => AwsErrorKind::AlreadyExists,
        // A boundary or a cluster that does not exist is not what was asked about: "Scope ARN: … does not exist or is not
        // attachable." and "No cluster found for name: …".
        "NoSuchEntity" | "NoSuchEntityException" if says("not attachable") => AwsErrorKind::Invalid,
        "ResourceNotFoundException" if says("no cluster found") => AwsErrorKind::Invalid,
        "ResourceNotFoundException" | "NotFoundException" | "NoSuchEntity" | "NoSuchEntityException" => {
            AwsErrorKind::NotFound
        }
        "ResourceLimitExceededException"
        | "LimitExceededException"
        | "LimitExceeded"
        | "ServiceQuotaExceededException" => AwsErrorKind::QuotaExceeded,
        // "Role provided in the request does not exist." and "Trust policy of the role provided is invalid. …"
        "InvalidParameterException" if says("trust policy") || (says("role") && says("does not exist")) => {
            AwsErrorKind::RoleRefused
        }
        // A compare-and-swap of a staging label that did not find what it expected.
        "InvalidParameterException"
            if says("staging label") && (says("attached to version") || says("can't be empty")) =>
        {
            AwsErrorKind::Conflict
        }
        // "You can't create this secret because a secret with this name is already scheduled for deletion." and
        // "You can't perform this operation on the secret because it was marked for deletion."
        "InvalidRequestException"
            if says("scheduled for deletion") || says("marked for deletion") || says("marked deleted") =>
        {
            AwsErrorKind::ScheduledForDeletion
        }
        // EKS: "The request is invalid given the state of the cluster", which passes.
        "InvalidRequestException" if says("cluster") => AwsErrorKind::Conflict,
        "PreconditionNotMetException"
        | "ConcurrentModification"
        | "ConcurrentModificationException"
        | "ConflictException"
        | "DeleteConflict"
        | "EntityTemporarilyUnmodifiable"
        | "InvalidStateException" => AwsErrorKind::Conflict,
        // Secrets Manager passes a refusal by KMS on as its own: "Access to KMS is not allowed", or a user that "is not
        // authorized to perform: kms:GenerateDataKey".
        _ if is_denial(code) && (says("perform: kms:") || says("access to kms")) => AwsErrorKind::KmsRefused,
        "DecryptionFailure" | "EncryptionFailure" => AwsErrorKind::KmsRefused,
        _ if code.starts_with("KMS") => AwsErrorKind::KmsRefused,
        _ if is_denial(code) => AwsErrorKind::AccessDenied,
        // The clocks differ. The SDK learns the difference from the answer, and the next request is right.
        "InvalidSignatureException" if says("signature expired") || says("signature not yet current") => {
            AwsErrorKind::Unavailable
        }
        "RequestTimeTooSkewed" | "RequestExpired" => AwsErrorKind::Unavailable,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => AwsErrorKind::NoCredentials,
        _ if code.starts_with("Throttl") || code.starts_with("TooManyRequests") => AwsErrorKind::Throttled(retry_after),
        "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "BandwidthLimitExceeded" => AwsErrorKind::Throttled(retry_after),
        "ServerException"
        | "InternalServiceError"
        | "InternalFailure"
        | "InternalServerException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "ServiceFailure"
        | "ServiceFailureException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "ResourcePropagationDelayException" => AwsErrorKind::Unavailable,
        "InvalidParameterException"
        | "InvalidRequestException"
        | "ValidationException"
        | "ValidationError"
        | "BadRequestException"
        | "ClientException"
        | "InvalidInput" => AwsErrorKind::Invalid,
        _ => kind_of_status(status, retry_after),
    }
}

fn is_denial(code: &str) -> bool {
    code.starts_with("AccessDenied")
        || matches!(code, "UnauthorizedOperation" | "NotAuthorized" | "AuthorizationError" | "OptInRequired")
}

const fn kind_of_status(status: u16, retry_after: Option<Duration>) -> AwsErrorKind {
    match status {
        429 => AwsErrorKind::Throttled(retry_after),
        401 | 403 => AwsErrorKind::AccessDenied,
        // 404 is not NotFound here: without a code that says so it is a wrong endpoint, not a missing resource, and to
        // take it for one would make the caller create a second.
        400..=499 => AwsErrorKind::Invalid,
        _ => AwsErrorKind::Unavailable,
    }
}

/// `Retry-After` in seconds; AWS does not send the form with a date.
fn retry_after(header: &str) -> Option<Duration> {
    let seconds = header.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// The request did not get as far as an answer: it could not be built, signed, or sent.
fn local_failure<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> (AwsErrorKind, String) {
    if let Some(problem) = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        let words = chain(problem);
        return (kind_of_credentials(problem, &words), format!("AWS credentials: {words}"));
    }
    // The SDK's own outermost words only repeat which variant it is.
    let words = error.source().map(chain).unwrap_or_default();
    match error {
        SdkError::ConstructionFailure(_) => (AwsErrorKind::Invalid, format!("the request could not be made: {words}")),
        _ => (AwsErrorKind::Unavailable, format!("the request could not be sent: {words}")),
    }
}

/// A provider that answered with a refusal stays refused; one that did not answer may answer next time.
fn kind_of_credentials(problem: &CredentialsError, words: &str) -> AwsErrorKind {
    const REFUSALS: [&str; 6] =
        ["AccessDenied", "InvalidIdentityToken", "ExpiredToken", "InvalidClientTokenId", "not authorized", "forbidden"];
    match problem {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            AwsErrorKind::NoCredentials
        }
        _ if REFUSALS.iter().any(|refusal| words.contains(refusal)) => AwsErrorKind::NoCredentials,
        _ => AwsErrorKind::Unavailable,
    }
}

/// What each cause says, outermost first, without repetitions.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error) {
        let says = without_request(&cause.to_string());
        if says != "other" && !words.iter().any(|said| said.contains(&says)) {
            words.push(says);
        }
    }
    words.join(": ")
}

/// Some of the SDK's errors show the request that they are about in their plain words ("failed to apply endpoint … to
/// request `Request { body: …"), and a request may carry a value (rule S9). What follows is cut off.
fn without_request(says: &str) -> String {
    let cut = ["Request {", "SdkBody"].iter().filter_map(|shown| says.find(shown)).min();
    cut.and_then(|at| says.get(..at)).map_or_else(|| says.to_owned(), |kept| format!("{kept}…"))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Error + 'static)| (*cause).source())
}

/// One line of bounded length.
fn shortened(message: &str) -> String {
    let mut line: String =
        message.chars().take(LONGEST_MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if message.chars().nth(LONGEST_MESSAGE).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
#[path = "sdk_error_tests.rs"]
mod tests;
