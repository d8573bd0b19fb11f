//! The one way a request takes to AWS: its bucket, then the fence, then one attempt.

use std::error::Error;

use aws_sdk_eks::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use futures::future::BoxFuture;

use super::{
    error::{AwsError, AwsErrorKind},
    limits::{Bucket, Limits},
    sdk_error::Call,
};
use crate::{
    fence::{Fence, Permit},
    telemetry::{metrics::Metrics, result::RequestResult},
};

/// Shared by the clients of all services.
pub(super) struct Caller {
    limits: Limits,
    fence: Fence,
    metrics: Option<Metrics>,
}

impl Caller {
    /// Requests are counted in `metrics`, where there are any.
    pub(super) const fn new(limits: Limits, fence: Fence, metrics: Option<Metrics>) -> Self {
        Self { limits, fence, metrics }
    }

    /// A request that changes nothing: no fence.
    pub(super) async fn read<T, E>(
        &self,
        call: &Call,
        bucket: Bucket,
        request: BoxFuture<'_, Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.wait(call, bucket).await?;
        self.counted(call, bucket, request.await.map_err(|error| call.failed(&error)))
    }

    /// A request that changes something. The permit is taken after the wait, right before the request is sent (rule
    /// S8): futures of the SDK do nothing until they are polled.
    pub(super) async fn write<T, E>(
        &self,
        call: &Call,
        bucket: Bucket,
        request: BoxFuture<'_, Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.wait(call, bucket).await?;
        let sent = match self.fence.permit() {
            Ok(permit) => send(permit, request).await.map_err(|error| call.failed(&error)),
            Err(closed) => Err(call.error(AwsErrorKind::FenceClosed, closed.to_string())),
        };
        self.counted(call, bucket, sent)
    }

    fn counted<T>(&self, call: &Call, bucket: Bucket, result: Result<T, AwsError>) -> Result<T, AwsError> {
        if let Some(metrics) = &self.metrics {
            let outcome = result.as_ref().map_or_else(|error| (&error.kind).into(), |_| RequestResult::Ok);
            metrics.aws_request(bucket.service(), call.operation(), outcome);
        }
        result
    }

    async fn wait(&self, call: &Call, bucket: Bucket) -> Result<(), AwsError> {
        self.limits.wait(bucket).await.map_err(|_| {
            call.error(
                AwsErrorKind::Throttled(None),
                "not sent: this operator's own rate limit is used up; it tries again by itself",
            )
        })
    }
}

/// One permit, one request.
async fn send<T>(_permit: Permit, request: BoxFuture<'_, T>) -> T {
    request.await
}
