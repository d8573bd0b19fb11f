use aws_sdk_eks::error::{ConnectorError, ErrorMetadata};

use super::*;

/// An error of any service, as the SDK hands it over.
#[derive(Debug)]
struct Modelled(ErrorMetadata);

impl std::fmt::Display for Modelled {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

impl Error for Modelled {}

impl ProvideErrorMetadata for Modelled {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

type AnyError = SdkError<Modelled, HttpResponse>;

fn response(status: u16, retry_after: Option<&str>) -> HttpResponse {
    let mut builder = http::Response::builder().status(status);
    if let Some(seconds) = retry_after {
        builder = builder.header("retry-after", seconds);
    }
    HttpResponse::try_from(builder.body("".into()).expect("response")).expect("response")
}

fn answered(status: u16, code: &str, message: &str) -> AnyError {
    let meta = ErrorMetadata::builder().code(code).message(message).build();
    SdkError::service_error(Modelled(meta), response(status, None))
}

fn ours(error: &AnyError) -> AwsError {
    Call::new("Operation", "target").failed(error)
}

#[test]
fn every_code_has_its_kind() {
    use AwsErrorKind::{
        AccessDenied, AlreadyExists, Conflict, Invalid, KmsRefused, NoCredentials, NotFound, QuotaExceeded,
        RoleRefused, ScheduledForDeletion, Throttled, Unavailable,
    };
    let table: &[(u16, &str, &str, AwsErrorKind)] = &[
        // EKS
        (409, "ResourceInUseException", "Association already exists: a-1", AlreadyExists),
        (404, "ResourceNotFoundException", "No cluster found for name: prod.", Invalid),
        (404, "NoSuchEntity", "Scope ARN: arn:aws:iam::1:policy/b does not exist or is not attachable.", Invalid),
        (404, "NotFoundException", "words", NotFound),
        (400, "ResourceLimitExceededException", "Association limit exceeded", QuotaExceeded),
        (400, "InvalidParameterException", "Role provided in the request does not exist.", RoleRefused),
        (400, "InvalidParameterException", "Trust policy of the role provided is invalid. Follow …", RoleRefused),
        (400, "InvalidParameterException", "The service account name is not valid", Invalid),
        (400, "InvalidRequestException", "The request is invalid given the state of the cluster", Conflict),
        (428, "ResourcePropagationDelayException", "words", Unavailable),
        (500, "ServerException", "words", Unavailable),
        (503, "ServiceUnavailableException", "words", Unavailable),
        (400, "ClientException", "words", Invalid),
        (429, "ThrottlingException", "Rate exceeded", Throttled(None)),
        (429, "TooManyRequestsException", "words", Throttled(None)),
        // Secrets Manager
        (400, "ResourceExistsException", "already exists", AlreadyExists),
        (400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", NotFound),
        (400, "InvalidRequestException", "… is already scheduled for deletion.", ScheduledForDeletion),
        (400, "InvalidRequestException", "… because it was marked for deletion.", ScheduledForDeletion),
        (400, "InvalidRequestException", "… on a secret that's currently marked deleted.", ScheduledForDeletion),
        (400, "InvalidRequestException", "words", Invalid),
        (400, "LimitExceededException", "words", QuotaExceeded),
        (400, "PreconditionNotMetException", "words", Conflict),
        (400, "InvalidParameterException", "The staging label AWSCURRENT is not attached to version x.", Conflict),
        (400, "DecryptionFailure", "words", KmsRefused),
        (400, "EncryptionFailure", "words", KmsRefused),
        (400, "KMSAccessDeniedException", "words", KmsRefused),
        (400, "AccessDeniedException", "Access to KMS is not allowed", KmsRefused),
        (400, "AccessDeniedException", "User: … is not authorized to perform: kms:GenerateDataKey on …", KmsRefused),
        (400, "ThrottlingException", "Rate exceeded", Throttled(None)),
        (500, "InternalServiceError", "words", Unavailable),
        // IAM
        (404, "NoSuchEntity", "words", NotFound),
        (409, "LimitExceeded", "words", QuotaExceeded),
        (400, "Throttling", "Rate exceeded", Throttled(None)),
        // all services
        (400, "AccessDeniedException", "words", AccessDenied),
        (403, "AccessDenied", "words", AccessDenied),
        (403, "OptInRequired", "words", AccessDenied),
        (400, "UnrecognizedClientException", "The security token included in the request is invalid.", NoCredentials),
        (400, "ExpiredTokenException", "words", NoCredentials),
        (403, "ExpiredToken", "words", NoCredentials),
        (403, "InvalidSignatureException", "words", NoCredentials),
        (403, "InvalidSignatureException", "Signature expired: … is now earlier than …", Unavailable),
        (403, "RequestTimeTooSkewed", "words", Unavailable),
        (400, "RequestLimitExceeded", "words", Throttled(None)),
        (400, "ValidationException", "words", Invalid),
        // codes nobody has heard of go by their status
        (404, "Novel", "words", Invalid),
        (403, "Novel", "words", AccessDenied),
        (429, "Novel", "words", Throttled(None)),
        (502, "Novel", "words", Unavailable),
    ];
    for (status, code, message, kind) in table {
        let error = ours(&answered(*status, code, message));
        assert_eq!(&error.kind, kind, "{status} {code}: {message}");
        assert_eq!(error.message, format!("{code}: {message}"));
    }
}

#[test]
fn a_denial_names_action_and_resource_as_aws_words_it_and_says_what_to_do() {
    let words = "User: arn:aws:sts::123456789012:assumed-role/operator/i-1 is not authorized to perform: iam:PassRole \
                 on resource: arn:aws:iam::123456789012:role/tenant because no identity-based policy allows the \
                 iam:PassRole action";
    let said = ours(&answered(403, "AccessDeniedException", words)).to_string();
    assert!(said.contains(words), "{said}");
    assert!(said.ends_with("(give the operator's role this action on this resource: see deploy/aws)"), "{said}");
}

#[test]
fn retry_after_is_honoured_within_reason() {
    let throttled = |header| {
        let meta = ErrorMetadata::builder().code("ThrottlingException").build();
        ours(&SdkError::service_error(Modelled(meta), response(429, Some(header)))).kind
    };
    assert_eq!(throttled("7"), AwsErrorKind::Throttled(Some(Duration::from_secs(7))));
    assert_eq!(throttled("18446744073709551615"), AwsErrorKind::Throttled(Some(LONGEST_RETRY_AFTER)));
    assert_eq!(throttled("Wed, 21 Oct 2026 07:28:00 GMT"), AwsErrorKind::Throttled(None));
}

#[test]
fn an_answer_without_a_code_goes_by_its_status() {
    let without_code =
        |status| ours(&SdkError::service_error(Modelled(ErrorMetadata::builder().build()), response(status, None)));
    assert_eq!(without_code(404).kind, AwsErrorKind::Invalid, "a wrong endpoint is not a missing resource");
    assert_eq!(without_code(503).kind, AwsErrorKind::Unavailable);
    assert_eq!(without_code(503).message, "HTTP 503: no message");
}

#[test]
fn what_never_was_answered_is_unavailable() {
    let timeout = ours(&AnyError::timeout_error("elapsed"));
    assert_eq!((timeout.kind, timeout.message.as_str()), (AwsErrorKind::Unavailable, "no answer within 5 s"));
    let refused = ours(&AnyError::dispatch_failure(ConnectorError::io("connection refused".into())));
    assert_eq!(refused.kind, AwsErrorKind::Unavailable);
    assert_eq!(refused.message, "the request could not be sent: io error: connection refused");
    let garbled = ours(&AnyError::response_error("a body that may hold anything", response(200, None)));
    assert_eq!(garbled.kind, AwsErrorKind::Unavailable);
    assert_eq!(garbled.message, "the answer (HTTP 200) could not be read");
    assert_eq!(ours(&AnyError::construction_failure("no name")).kind, AwsErrorKind::Invalid);
}

#[test]
fn credentials_that_are_missing_are_told_from_those_that_are_late() {
    let of = |problem: CredentialsError| ours(&AnyError::dispatch_failure(ConnectorError::other(problem.into(), None)));
    let missing = of(CredentialsError::not_loaded("no providers in chain provided credentials"));
    assert_eq!(missing.kind, AwsErrorKind::NoCredentials);
    assert_eq!(
        missing.message,
        "AWS credentials: the credential provider was not enabled: no providers in chain provided credentials"
    );
    let refused = of(CredentialsError::provider_error("AccessDenied: not authorized to assume the role"));
    assert_eq!(refused.kind, AwsErrorKind::NoCredentials);
    let late = of(CredentialsError::provider_timed_out(Duration::from_secs(5)));
    assert_eq!(late.kind, AwsErrorKind::Unavailable);
    assert_eq!(of(CredentialsError::provider_error("HTTP 500")).kind, AwsErrorKind::Unavailable);
}

#[test]
fn messages_are_one_line_of_bounded_length() {
    let long = ours(&answered(400, "ValidationException", &"x\ny".repeat(1_000)));
    assert_eq!(long.message.chars().count(), LONGEST_MESSAGE + 1);
    assert!(!long.message.contains('\n'));
}

#[test]
fn a_request_that_an_error_shows_is_cut_off() {
    let shown = "failed to apply endpoint `x` to request `Request { body: SdkBody { inner: Once(Some(b\"value\")) } }`";
    let error = ours(&AnyError::dispatch_failure(ConnectorError::other(shown.into(), None)));
    assert_eq!(error.message, "the request could not be sent: failed to apply endpoint `x` to request `…");
}
