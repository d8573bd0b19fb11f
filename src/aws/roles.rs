//! IAM roles through the SDK.

use std::sync::Arc;

use aws_sdk_iam::Client;
use futures::{FutureExt as _, future::BoxFuture};

use super::{
    Roles,
    caller::Caller,
    error::{AwsError, AwsErrorKind},
    limits::Bucket,
    sdk_error::Call,
    types::RoleState,
};
use crate::api::names::RoleArn;

/// Roles of the account that the process's credentials belong to.
pub(super) struct SdkRoles {
    client: Client,
    caller: Arc<Caller>,
}

impl SdkRoles {
    pub(super) const fn new(client: Client, caller: Arc<Caller>) -> Self {
        Self { client, caller }
    }

    async fn get(&self, role: &RoleArn) -> Result<RoleState, AwsError> {
        let call = Call::new("GetRole", role);
        let request = self.client.get_role().role_name(role_name(role)).send().boxed();
        let answer = match self.caller.read(&call, Bucket::IamRead, request).await {
            Err(error) if error.kind == AwsErrorKind::NotFound => return Ok(RoleState::Missing),
            other => other?,
        };
        let found = answer.role.ok_or_else(|| call.odd_answer("no role"))?.arn;
        Ok(if found == role.as_str() { RoleState::Exists } else { RoleState::OtherArn(found) })
    }
}

/// The name of a role: the last part of its ARN, after any path.
fn role_name(role: &RoleArn) -> &str {
    role.as_str().rsplit('/').next().unwrap_or_default()
}

impl Roles for SdkRoles {
    fn state<'a>(&'a self, role: &'a RoleArn) -> BoxFuture<'a, Result<RoleState, AwsError>> {
        Box::pin(self.get(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::fake::{Answer, FakeAws},
        fence::Fence,
    };

    fn role_answer(arn: &str) -> Answer {
        Answer::xml(
            200,
            &format!(
                "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role>\
                 <Path>/</Path><Arn>{arn}</Arn><RoleName>tenant</RoleName><RoleId>AROAEXAMPLE</RoleId>\
                 <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></GetRoleResult></GetRoleResponse>"
            ),
        )
    }

    fn error_answer(status: u16, code: &str) -> Answer {
        Answer::xml(
            status,
            &format!(
                "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>words</Message></Error></ErrorResponse>"
            ),
        )
    }

    #[tokio::test]
    async fn a_role_that_is_missing_is_told_from_one_that_may_not_be_seen() {
        let arn = "arn:aws:iam::123456789012:role/openclaw/tenant";
        let moved = "arn:aws:iam::123456789012:role/tenant";
        let aws = FakeAws::start(vec![
            role_answer(arn),
            role_answer(moved),
            error_answer(404, "NoSuchEntity"),
            error_answer(403, "AccessDenied"),
        ])
        .await;
        let roles = aws.clients(Fence::closed()).roles;
        let role = arn.parse().expect("arn");
        assert_eq!(roles.state(&role).await, Ok(RoleState::Exists));
        assert_eq!(roles.state(&role).await, Ok(RoleState::OtherArn(moved.to_owned())));
        assert_eq!(roles.state(&role).await, Ok(RoleState::Missing));
        assert_eq!(roles.state(&role).await.map_err(|error| error.kind), Err(AwsErrorKind::AccessDenied));
        assert!(aws.seen()[0].body.contains("RoleName=tenant"), "the name, without the path");
    }
}
