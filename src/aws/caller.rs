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
use crate::fence::{Fence, Permit};

/// Shared by the clients of all services.
pub(super) struct Caller {
    limits: Limits,
    fence: Fence,
}

impl Caller {
    pub(super) const fn new(limits: Limits, fence: Fence) -> Self {
        Self { limits, fence }
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
        request.await.map_err(|error| call.failed(&error))
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
        let permit = self.fence.permit().map_err(|closed| call.error(AwsErrorKind::FenceClosed, closed.to_string()))?;
        send(permit, request).await.map_err(|error| call.failed(&error))
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
