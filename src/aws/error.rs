//! What can go wrong between the operator and AWS, in the words of what to do about it.

use std::time::Duration;

/// A request to AWS that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} of {target}: {message}{hint}", hint = kind.hint(operation))]
pub struct AwsError {
    /// The API operation, such as `CreatePodIdentityAssociation`.
    pub operation: &'static str,
    /// The resource it was about, by name or ARN. Never a value.
    pub target: String,
    /// What kind of failure it was.
    pub kind: AwsErrorKind,
    /// AWS's error code and message, or what happened to the connection.
    pub message: String,
}

/// Kinds of failure, by what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// Something of that name or for that place exists already.
    AlreadyExists,
    /// It does not exist (any more).
    NotFound,
    /// It is scheduled for deletion.
    ScheduledForDeletion,
    /// Too many requests, for as long as AWS says.
    Throttled(Option<Duration>),
    /// The operator's own role lacks a right.
    AccessDenied,
    /// A quota of the account is used up.
    QuotaExceeded,
    /// The role does not exist or does not trust Pod Identity (yet).
    RoleRefused,
    /// The KMS key refused.
    KmsRefused,
    /// The request itself was refused; trying again does not help.
    Invalid,
    /// A precondition did not hold.
    Conflict,
    /// No answer, or a failure on AWS's side.
    Unavailable,
    /// The process has no AWS credentials.
    NoCredentials,
    /// This process may not write now.
    FenceClosed,
}

impl AwsErrorKind {
    /// Whether the same request may succeed later with nobody doing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Unavailable | Self::FenceClosed | Self::RoleRefused | Self::Conflict => true,
            Self::AlreadyExists
            | Self::NotFound
            | Self::ScheduledForDeletion
            | Self::AccessDenied
            | Self::QuotaExceeded
            | Self::KmsRefused
            | Self::Invalid
            | Self::NoCredentials => false,
        }
    }

    fn hint(&self, operation: &str) -> String {
        if *self == Self::QuotaExceeded {
            return format!(" ({})", quota_of(operation));
        }
        self.plain_hint().to_owned()
    }

    const fn plain_hint(&self) -> &'static str {
        match self {
            Self::AccessDenied => " (give the operator's role this action on this resource: see deploy/aws)",
            Self::RoleRefused => " (check that the role exists and trusts pods.eks.amazonaws.com)",
            Self::KmsRefused => {
                " (let the operator's role use the key: kms:GenerateDataKey and kms:Decrypt, in its policy and the key's)"
            }
            Self::NoCredentials => " (give the operator AWS credentials: Pod Identity, IRSA or the environment)",
            Self::AlreadyExists
            | Self::NotFound
            | Self::ScheduledForDeletion
            | Self::Throttled(_)
            | Self::QuotaExceeded
            | Self::Invalid
            | Self::Conflict
            | Self::Unavailable
            | Self::FenceClosed => "",
        }
    }
}

/// What is gone already is deleted.
pub(super) fn gone(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if error.kind == AwsErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The quota that an operation meets and what to do about it, by the names and figures of the AWS General Reference ("Amazon EKS endpoints and
/// quotas", "AWS Secrets Manager quotas", "IAM and AWS STS quotas").
fn quota_of(operation: &str) -> &'static str {
    match operation {
        "CreatePodIdentityAssociation" => {
            "EKS Pod Identity associations per cluster, 5,000 by default: have the quota raised, or use another cluster"
        }
        "CreateSecret" | "RestoreSecret" => {
            "secrets in each Region, 500,000: remove some; retained tenants' and those in their recovery window count"
        }
        "PutSecretValue" | "UpdateSecretVersionStage" => {
            "versions or staging labels of one secret: take labels off versions that nobody needs"
        }
        "CreateRole" => "roles per account, 1,000 by default: have the quota raised, or use a shared role",
        "PutRolePolicy" => "characters in a role's inline policies, 10,240: give the class fewer models",
        _ => "a quota of the account: see Service Quotas",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_used_up_is_named() {
        let error = AwsError {
            operation: "CreatePodIdentityAssociation",
            target: "openclaw-alice/workspace-0123456789".to_owned(),
            kind: AwsErrorKind::QuotaExceeded,
            message: "ResourceLimitExceededException: Limit exceeded".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "CreatePodIdentityAssociation of openclaw-alice/workspace-0123456789: ResourceLimitExceededException: Limit \
             exceeded (EKS Pod Identity associations per cluster, 5,000 by default: have the quota raised, or use another \
             cluster)"
        );
    }
}
