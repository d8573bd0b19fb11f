//! What was read in AWS for one class serves the others that ask the same: many classes share few roles.

use std::{collections::HashMap, time::Instant};

use crate::{
    api::{labels::tags, names::RoleArn},
    aws::{AwsClients, AwsError, types::Secret},
    iam::judge::Found,
};

/// What was read last, and when the reading began.
#[derive(Default)]
pub(super) struct Sights {
    roles: HashMap<RoleArn, (Instant, Read)>,
    untagged: Option<(Instant, Vec<String>)>,
}

/// A role that a class names, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The account has no such role.
    Missing,
    /// The account has a role of this name under this other ARN.
    OtherArn(RoleArn),
    /// It is there.
    Found(Found),
}

impl Sights {
    /// The role, read at this time or later.
    ///
    /// # Errors
    /// Where AWS refuses or does not answer. What was read before is then forgotten.
    pub(super) async fn role(
        &mut self,
        aws: &AwsClients,
        role: &RoleArn,
        not_before: Instant,
    ) -> Result<Read, AwsError> {
        if let Some((at, read)) = self.roles.remove(role).filter(|(at, _)| *at >= not_before) {
            self.roles.insert(role.clone(), (at, read.clone()));
            return Ok(read);
        }
        let at = Instant::now();
        let read = read(aws, role).await?;
        self.roles.insert(role.clone(), (at, read.clone()));
        Ok(read)
    }

    /// Names of secrets that lack a tag which the stricter conditions compare, read at this time or later.
    ///
    /// # Errors
    /// Where AWS refuses or does not answer. What was read before is then forgotten.
    pub(super) async fn untagged(
        &mut self,
        aws: &AwsClients,
        prefix: &str,
        not_before: Instant,
    ) -> Result<Vec<String>, AwsError> {
        if let Some((at, names)) = self.untagged.take().filter(|(at, _)| *at >= not_before) {
            return Ok(self.untagged.insert((at, names)).1.clone());
        }
        let at = Instant::now();
        let secrets = aws.secrets.list(&format!("{prefix}/")).await?.into_iter().map(|listed| listed.secret);
        let names = secrets.filter(lacks_tags).map(|secret| secret.name).collect();
        Ok(self.untagged.insert((at, names)).1.clone())
    }
}

async fn read(aws: &AwsClients, role: &RoleArn) -> Result<Read, AwsError> {
    let Some(live) = aws.roles.look(role.name()).await? else { return Ok(Read::Missing) };
    if live.arn != *role {
        return Ok(Read::OtherArn(live.arn));
    }
    let mut policies = live.inline;
    policies.extend(aws.roles.managed(&live.attached).await?);
    Ok(Read::Found(Found { trust: live.trust, policies, boundary: live.boundary }))
}

fn lacks_tags(secret: &Secret) -> bool {
    let compared = [tags::NAMESPACE, tags::SERVICE_ACCOUNT, tags::CLUSTER_ARN];
    secret.deleted_at.is_none() && compared.iter().any(|key| !secret.tags.contains_key(*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::fake::{Answer, FakeAws},
        fence::Fence,
    };

    fn no_role() -> Answer {
        let error = "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>";
        Answer::xml(404, error)
    }

    fn role() -> RoleArn {
        "arn:aws:iam::111122223333:role/openclaw-workspace".parse().expect("arn")
    }

    #[tokio::test]
    async fn a_role_is_read_once_for_all_who_do_not_need_it_newer() {
        let aws = FakeAws::start(vec![no_role(), no_role()]).await;
        let clients = aws.clients(Fence::closed());
        let (mut sights, begin) = (Sights::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(sights.role(&clients, &role(), begin).await, Ok(Read::Missing));
        }
        assert_eq!(aws.seen().len(), 1);
        assert_eq!(sights.role(&clients, &role(), Instant::now()).await, Ok(Read::Missing));
        assert_eq!(aws.seen().len(), 2);
    }

    #[tokio::test]
    async fn what_could_not_be_read_is_not_remembered() {
        let aws = FakeAws::start(vec![no_role(), Answer::xml(500, ""), no_role()]).await;
        let clients = aws.clients(Fence::closed());
        let (mut sights, begin) = (Sights::default(), Instant::now());
        sights.role(&clients, &role(), begin).await.expect("read");
        sights.role(&clients, &role(), Instant::now()).await.expect_err("not read");
        assert_eq!(sights.role(&clients, &role(), begin).await, Ok(Read::Missing));
        assert_eq!(aws.seen().len(), 3, "the earlier sight is gone with the failure");
    }

    #[tokio::test]
    async fn secrets_are_listed_once_and_those_without_tags_named() {
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:openclaw/alice/gateway-token-AbCdEf";
        let listed = format!(r#"{{"SecretList":[{{"ARN":"{arn}","Name":"openclaw/alice/gateway-token"}}]}}"#);
        let aws = FakeAws::start(vec![Answer::json(200, &listed)]).await;
        let clients = aws.clients(Fence::closed());
        let (mut sights, begin) = (Sights::default(), Instant::now());
        for _ in 0..2 {
            let names = sights.untagged(&clients, "openclaw", begin).await;
            assert_eq!(names, Ok(vec!["openclaw/alice/gateway-token".to_owned()]));
        }
        assert_eq!(aws.seen().len(), 1);
    }
}
