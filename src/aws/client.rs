//! Connecting to AWS: credentials, region, endpoints and time limits, once for all services.

use std::{sync::Arc, time::Duration};

use aws_config::{
    AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use futures::FutureExt as _;

use super::{
    AwsError, PodIdentity, Roles, Secrets,
    caller::Caller,
    limits::{Bucket, Limits, Rates},
    pod_identity::SdkPodIdentity,
    roles::SdkRoles,
    sdk_error::Call,
    secrets::SdkSecrets,
};
use crate::{
    api::names::ClusterArn,
    fence::{Fence, REQUEST_TIMEOUT},
    telemetry::metrics::Metrics,
};

/// The longest that a connection may take to open, so that a request to a host that does not answer says so and not
/// only that time ran out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the SDK looks for endpoints other than AWS's own.
const ENDPOINT_VARIABLES: [&str; 5] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_EKS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_STS",
];

/// What a person may set about AWS. Everything else comes from the environment, as for every AWS SDK: credentials from
/// the default chain, `AWS_REGION`, and the endpoints `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` (`EKS`,
/// `SECRETS_MANAGER`, `IAM`, `STS`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSettings {
    /// The name of the EKS cluster whose associations are made.
    pub cluster_name: String,
    /// The region, where it shall not be discovered.
    pub region: Option<String>,
    /// How fast to ask.
    pub rates: Rates,
}

/// AWS as the operator uses it, for one EKS cluster.
#[derive(Clone)]
pub struct AwsClients {
    /// Pod Identity associations of the cluster.
    pub pod_identity: Arc<dyn PodIdentity>,
    /// Secrets of the account and region.
    pub secrets: Arc<dyn Secrets>,
    /// IAM roles of the account.
    pub roles: Arc<dyn Roles>,
    /// The region in which all of this is.
    pub region: String,
    cluster_name: String,
    eks: aws_sdk_eks::Client,
    caller: Arc<Caller>,
}

/// Why the operator cannot begin to talk to AWS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsStartError {
    /// No region is set and none was found.
    #[error(
        "no AWS region: set AWS_REGION or give the region as a flag (it was found neither in the environment, nor in \
         an AWS profile, nor in instance metadata)"
    )]
    NoRegion,
    /// No EKS cluster is named.
    #[error("no EKS cluster: give the name of the cluster whose Pod Identity associations this operator makes")]
    NoClusterName,
    /// An endpoint variable holds something that is no URL.
    #[error("{variable} is {value:?}: give a URL such as https://host, or unset it for AWS's own endpoint")]
    BadEndpoint {
        /// The environment variable.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
}

/// The EKS cluster as AWS knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// Its ARN.
    pub arn: ClusterArn,
    /// The partition, such as `aws` or `aws-cn`.
    pub partition: String,
    /// The region that it is in.
    pub region: String,
    /// The account that it belongs to.
    pub account: String,
    /// Its name.
    pub name: String,
}

impl From<ClusterArn> for Discovered {
    /// What the ARN itself says; also for an ARN that a person gave.
    fn from(arn: ClusterArn) -> Self {
        // arn:<partition>:eks:<region>:<account>:cluster/<name>, as ClusterArn has checked.
        let part = |index| arn.as_str().split(':').nth(index).unwrap_or_default().to_owned();
        let name = part(5).trim_start_matches("cluster/").to_owned();
        Self { partition: part(1), region: part(3), account: part(4), name, arn }
    }
}

/// Makes clients for AWS, whose requests are counted in `metrics`, where there are any. Sends nothing to AWS itself;
/// credentials are fetched with the first request.
///
/// # Errors
/// Where the region or the cluster's name is missing, or an endpoint variable holds no URL.
pub async fn connect(
    settings: AwsSettings,
    fence: Fence,
    metrics: Option<Metrics>,
) -> Result<AwsClients, AwsStartError> {
    if settings.cluster_name.is_empty() {
        return Err(AwsStartError::NoClusterName);
    }
    check_endpoints(|variable| std::env::var(variable).ok())?;
    let config = loader(settings.region).load().await;
    from_config(&config, settings.cluster_name, settings.rates, fence, metrics)
}

/// The SDK takes endpoints unread, even an empty one, and then fails each request in words that quote all of it.
fn check_endpoints(get: impl Fn(&'static str) -> Option<String>) -> Result<(), AwsStartError> {
    for variable in ENDPOINT_VARIABLES {
        let Some(value) = get(variable) else { continue };
        let url = value.parse::<http::Uri>().ok();
        let good = url.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some());
        if !good {
            return Err(AwsStartError::BadEndpoint { variable, value });
        }
    }
    Ok(())
}

/// The configuration that all services share.
///
/// - One attempt: each retry must pass the fence anew (rule S8), and there is one queue that backs off.
/// - The operation's timeout bounds everything from credentials to the last byte of the answer, so that a request that
///   began with a permit ends before the lease can.
/// - Stalled-stream protection would watch single bodies with a grace period of its own (20 s by default); bodies here
///   are a few kilobytes and lie within the operation's timeout.
pub(super) fn loader(region: Option<String>) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(REQUEST_TIMEOUT)
        .operation_timeout(REQUEST_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = region.filter(|region| !region.is_empty()) {
        loader = loader.region(Region::new(region));
    }
    if let Ok(name) = AppName::new(env!("CARGO_PKG_NAME")) {
        loader = loader.app_name(name);
    }
    loader
}

pub(super) fn from_config(
    config: &SdkConfig,
    cluster_name: String,
    rates: Rates,
    fence: Fence,
    metrics: Option<Metrics>,
) -> Result<AwsClients, AwsStartError> {
    let region = config.region().ok_or(AwsStartError::NoRegion)?.to_string();
    let caller = Arc::new(Caller::new(Limits::new(rates), fence, metrics));
    let eks = aws_sdk_eks::Client::new(config);
    Ok(AwsClients {
        pod_identity: Arc::new(SdkPodIdentity::new(eks.clone(), cluster_name.clone(), Arc::clone(&caller))),
        secrets: Arc::new(SdkSecrets::new(aws_sdk_secretsmanager::Client::new(config), Arc::clone(&caller))),
        roles: Arc::new(SdkRoles::new(aws_sdk_iam::Client::new(config), Arc::clone(&caller))),
        region,
        cluster_name,
        eks,
        caller,
    })
}

impl AwsClients {
    /// Asks EKS for the cluster: its ARN, and with it account and region. Needs `eks:DescribeCluster`.
    ///
    /// # Errors
    /// As of any read; `NotFound` where the account has no cluster of this name in this region.
    pub async fn discover_cluster(&self) -> Result<Discovered, AwsError> {
        let call = Call::new("DescribeCluster", &self.cluster_name);
        let request = self.eks.describe_cluster().name(&self.cluster_name).send().boxed();
        let answer = self.caller.read(&call, Bucket::EksRead, request).await?;
        let arn = answer.cluster.and_then(|cluster| cluster.arn).ok_or_else(|| call.odd_answer("no ARN"))?;
        let arn: ClusterArn = arn.parse().map_err(|_| call.odd_answer(&format!("the ARN {arn:?}")))?;
        Ok(Discovered::from(arn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fake::{Answer, FakeAws};

    #[test]
    fn an_arn_says_account_region_and_name() {
        let arn: ClusterArn = "arn:aws-cn:eks:cn-north-1:123456789012:cluster/prod".parse().expect("arn");
        let discovered = Discovered::from(arn.clone());
        let expected = Discovered {
            arn,
            partition: "aws-cn".to_owned(),
            region: "cn-north-1".to_owned(),
            account: "123456789012".to_owned(),
            name: "prod".to_owned(),
        };
        assert_eq!(discovered, expected);
    }

    #[tokio::test]
    async fn without_a_region_the_error_says_what_to_set() {
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        let refused = from_config(&config, "prod".to_owned(), Rates::default(), Fence::closed(), None).err();
        assert_eq!(refused, Some(AwsStartError::NoRegion));
        let settings = AwsSettings { cluster_name: String::new(), region: None, rates: Rates::default() };
        assert_eq!(connect(settings, Fence::closed(), None).await.err(), Some(AwsStartError::NoClusterName));
    }

    #[test]
    fn endpoint_variables_hold_urls_or_are_not_set() {
        let check = |value: &'static str| check_endpoints(|name| name.ends_with("_EKS").then(|| value.to_owned()));
        for good in ["http://127.0.0.1:4566", "https://eks.example.com", "https://example.com/eks"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "nonsense", "127.0.0.1:4566", "ftp://example.com", "https://"] {
            let error = AwsStartError::BadEndpoint { variable: "AWS_ENDPOINT_URL_EKS", value: bad.to_owned() };
            assert_eq!(check(bad), Err(error), "{bad}");
        }
        assert_eq!(check_endpoints(|_| None), Ok(()));
    }

    #[tokio::test]
    async fn the_cluster_is_discovered_by_name_and_reads_pass_a_closed_fence() {
        let aws = FakeAws::start(vec![Answer::json(
            200,
            r#"{"cluster":{"name":"prod","arn":"arn:aws:eks:eu-west-1:123456789012:cluster/prod"}}"#,
        )])
        .await;
        let found = aws.clients(Fence::closed()).discover_cluster().await.expect("cluster");
        assert_eq!((found.account.as_str(), found.region.as_str()), ("123456789012", "eu-west-1"));
        let seen = aws.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].method.as_str(), seen[0].uri.as_str()), ("GET", "/clusters/prod"));
    }

    #[tokio::test]
    async fn a_request_has_one_attempt_and_ends_within_the_timeout() {
        let aws = FakeAws::start(vec![Answer::never(), Answer::json(500, "{}")]).await;
        let clients = aws.clients(Fence::closed());
        let start = std::time::Instant::now();
        let error = clients.discover_cluster().await.expect_err("no answer");
        assert_eq!(error.kind, super::super::AwsErrorKind::Unavailable);
        assert_eq!(error.message, "no answer within 5 s");
        assert!(start.elapsed() < REQUEST_TIMEOUT + Duration::from_millis(500), "{:?}", start.elapsed());
        let error = clients.discover_cluster().await.expect_err("500");
        assert_eq!(error.kind, super::super::AwsErrorKind::Unavailable);
        assert_eq!(aws.seen().len(), 2, "no retry of either");
    }
}
