//! How fast this process asks AWS, by token buckets on its own side, below AWS's quotas.

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// The longest that a request waits for its bucket before it goes back to the queue.
///
/// Without a bound a long line before one service would hold every worker, and tenants that need nothing of that
/// service would wait as well (rule L6).
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Requests per second to each service, by kind. A bucket holds one second's worth.
///
/// AWS's quotas are for the whole account and region, so the defaults leave room for everybody else in it. Each service
/// and kind has a bucket of its own: one that is throttled delays no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// EKS: list and describe. EKS publishes quotas of resources ("Amazon Elastic Kubernetes Service endpoints and
    /// quotas", AWS General Reference: 5,000 associations per cluster) but none of request rates, so this is low.
    pub eks_read: NonZeroU32,
    /// EKS: create, update, delete and tag. No published quota either; lower still.
    pub eks_write: NonZeroU32,
    /// Secrets Manager: DescribeSecret, of which AWS allows 40,000 per second ("AWS Secrets Manager increases API
    /// requests per second", 4 March 2025; 10,000 before).
    pub secrets_read: NonZeroU32,
    /// Secrets Manager: ListSecrets, of which AWS allows 100 per second ("AWS Secrets Manager quotas", Secrets Manager
    /// User Guide). One sweep of 5,000 tenants is some hundred pages.
    pub secrets_list: NonZeroU32,
    /// Secrets Manager: CreateSecret, PutSecretValue and their like, of which AWS allows 50 per second ("AWS Secrets
    /// Manager quotas", Secrets Manager User Guide), not adjustable.
    pub secrets_write: NonZeroU32,
    /// Secrets Manager: TagResource and UntagResource, of which AWS allows 50 per second together (same page).
    pub secrets_tag: NonZeroU32,
    /// IAM: get and list. IAM publishes no request rates, and the bucket is shared with everything else in the account.
    pub iam_read: NonZeroU32,
    /// IAM: create, tag, put and delete. Lower still.
    pub iam_write: NonZeroU32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            eks_read: per_second(10),
            eks_write: per_second(5),
            secrets_read: per_second(100),
            secrets_list: per_second(10),
            secrets_write: per_second(20),
            secrets_tag: per_second(20),
            iam_read: per_second(10),
            iam_write: per_second(3),
        }
    }
}

const fn per_second(requests: u32) -> NonZeroU32 {
    match NonZeroU32::new(requests) {
        Some(rate) => rate,
        None => NonZeroU32::MIN,
    }
}

/// Which bucket a request is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bucket {
    /// EKS list and describe.
    EksRead,
    /// EKS create, update, delete, tag.
    EksWrite,
    /// Secrets Manager describe.
    SecretsRead,
    /// Secrets Manager list.
    SecretsList,
    /// Secrets Manager create and put.
    SecretsWrite,
    /// Secrets Manager tag.
    SecretsTag,
    /// IAM get and list.
    IamRead,
    /// IAM create, tag, put, delete.
    IamWrite,
}

impl Bucket {
    /// The service that it is a bucket of.
    pub(super) const fn service(self) -> &'static str {
        match self {
            Self::EksRead | Self::EksWrite => "eks",
            Self::SecretsRead | Self::SecretsList | Self::SecretsWrite | Self::SecretsTag => "secretsmanager",
            Self::IamRead | Self::IamWrite => "iam",
        }
    }
}

/// The line before a bucket is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineTooLong;

/// The buckets of one process.
pub(super) struct Limits {
    eks_read: DefaultDirectRateLimiter,
    eks_write: DefaultDirectRateLimiter,
    secrets_read: DefaultDirectRateLimiter,
    secrets_list: DefaultDirectRateLimiter,
    secrets_write: DefaultDirectRateLimiter,
    secrets_tag: DefaultDirectRateLimiter,
    iam_read: DefaultDirectRateLimiter,
    iam_write: DefaultDirectRateLimiter,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Self {
        let bucket = |rate| RateLimiter::direct(Quota::per_second(rate));
        Self {
            eks_read: bucket(rates.eks_read),
            eks_write: bucket(rates.eks_write),
            secrets_read: bucket(rates.secrets_read),
            secrets_list: bucket(rates.secrets_list),
            secrets_write: bucket(rates.secrets_write),
            secrets_tag: bucket(rates.secrets_tag),
            iam_read: bucket(rates.iam_read),
            iam_write: bucket(rates.iam_write),
        }
    }

    /// Waits for a token. Giving up takes none.
    pub(super) async fn wait(&self, bucket: Bucket) -> Result<(), LineTooLong> {
        self.wait_at_most(LONGEST_WAIT, bucket).await
    }

    async fn wait_at_most(&self, longest: Duration, bucket: Bucket) -> Result<(), LineTooLong> {
        tokio::time::timeout(longest, self.of(bucket).until_ready()).await.map_err(|_| LineTooLong)
    }

    const fn of(&self, bucket: Bucket) -> &DefaultDirectRateLimiter {
        match bucket {
            Bucket::EksRead => &self.eks_read,
            Bucket::EksWrite => &self.eks_write,
            Bucket::SecretsRead => &self.secrets_read,
            Bucket::SecretsList => &self.secrets_list,
            Bucket::SecretsWrite => &self.secrets_write,
            Bucket::SecretsTag => &self.secrets_tag,
            Bucket::IamRead => &self.iam_read,
            Bucket::IamWrite => &self.iam_write,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn slow() -> Limits {
        Limits::new(Rates { eks_write: per_second(4), ..Rates::default() })
    }

    #[tokio::test]
    async fn a_second_of_requests_passes_at_once_and_the_next_waits_its_turn() {
        let limits = slow();
        let start = Instant::now();
        for _ in 0..4 {
            limits.wait(Bucket::EksWrite).await.expect("within the burst");
        }
        assert!(start.elapsed() < Duration::from_millis(150), "{:?}", start.elapsed());
        limits.wait(Bucket::EksWrite).await.expect("after a quarter of a second");
        assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn an_empty_bucket_delays_no_other() {
        let limits = slow();
        for _ in 0..4 {
            limits.wait(Bucket::EksWrite).await.expect("within the burst");
        }
        for other in [
            Bucket::EksRead,
            Bucket::SecretsRead,
            Bucket::SecretsList,
            Bucket::SecretsWrite,
            Bucket::SecretsTag,
            Bucket::IamRead,
            Bucket::IamWrite,
        ] {
            assert_eq!(limits.wait_at_most(Duration::from_millis(10), other).await, Ok(()), "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_left_and_takes_no_token() {
        let limits = slow();
        for _ in 0..4 {
            limits.wait(Bucket::EksWrite).await.expect("within the burst");
        }
        for _ in 0..20 {
            assert_eq!(limits.wait_at_most(Duration::from_millis(5), Bucket::EksWrite).await, Err(LineTooLong));
        }
        assert_eq!(limits.wait_at_most(Duration::from_secs(1), Bucket::EksWrite).await, Ok(()));
    }

    #[test]
    fn defaults_stay_below_half_of_the_published_quotas() {
        let rates = Rates::default();
        assert!(rates.secrets_write.get() <= 25 && rates.secrets_tag.get() <= 25);
        assert!(rates.secrets_read.get() <= 5_000 && rates.secrets_list.get() <= 50);
    }
}
