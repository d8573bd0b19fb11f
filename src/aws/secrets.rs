//! Secrets Manager through the SDK. Values are generated here and go out; none ever comes in.

use std::{collections::HashMap, future::Future, sync::Arc};

use aws_sdk_secretsmanager::{
    Client,
    operation::describe_secret::DescribeSecretOutput,
    primitives::DateTime,
    types::{Filter, FilterNameStringType, SecretListEntry, Tag},
};
use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use litemap::LiteMap;
use smol_str::SmolStr;
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use super::{
    Secrets,
    caller::Caller,
    error::{AwsError, AwsErrorKind},
    limits::Bucket,
    sdk_error::Call,
    types::{ListedSecret, NewSecret, Secret, Tags},
    value::GeneratedValue,
};
use crate::api::names::{SecretArn, VersionId};

/// The label of Secrets Manager's own rotation, which nobody else may move.
const PENDING: &str = "AWSPENDING";

/// The most that a page of a listing holds (service model of ListSecrets).
const PAGE: i32 = 100;
/// A region has at most 500,000 secrets ("AWS Secrets Manager quotas"), so a listing that goes on after this many pages
/// goes round in a circle.
const MOST_PAGES: usize = 5_001;

/// Secrets of one account and region.
pub(super) struct SdkSecrets {
    client: Client,
    caller: Arc<Caller>,
}

impl SdkSecrets {
    pub(super) const fn new(client: Client, caller: Arc<Caller>) -> Self {
        Self { client, caller }
    }

    async fn by_name(&self, name: &str) -> Result<Option<Secret>, AwsError> {
        match self.describe(name).await? {
            // What looks like the beginning of an ARN can find another secret (service model of DescribeSecret).
            Some(secret) if secret.name != name => {
                Err(Call::new("DescribeSecret", name).odd_answer(&format!("it is about {}", secret.name)))
            }
            found => Ok(found),
        }
    }

    /// `id` is a name or an ARN.
    async fn describe(&self, id: &str) -> Result<Option<Secret>, AwsError> {
        let call = Call::new("DescribeSecret", id);
        let request = self.client.describe_secret().secret_id(id).send().boxed();
        match self.caller.read(&call, Bucket::SecretsRead, request).await {
            Ok(answer) => secret(&call, answer).map(Some),
            Err(error) if error.kind == AwsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ListedSecret>, AwsError> {
        let call = Call::new("ListSecrets", prefix);
        let by_name = Filter::builder().key(FilterNameStringType::Name).values(prefix).build();
        let list = self.client.list_secrets().include_planned_deletion(true).max_results(PAGE).filters(by_name);
        let mut found = Vec::new();
        let mut next = None;
        for _ in 0..MOST_PAGES {
            let request = list.clone().set_next_token(next).send().boxed();
            let page = self.caller.read(&call, Bucket::SecretsList, request).await?;
            for entry in page.secret_list.unwrap_or_default() {
                found.push(listed(&call, entry)?);
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                // The filter matches words, not only beginnings of names, and counts letters of any case as equal.
                found.retain(|listed: &ListedSecret| listed.secret.name.starts_with(prefix));
                return Ok(found);
            }
        }
        Err(call.odd_answer("the listing does not end"))
    }

    async fn create(&self, new: &NewSecret) -> Result<SecretArn, AwsError> {
        let call = Call::new("CreateSecret", &new.name);
        let value = new.generate.as_ref().map(|_| generate(&call)).transpose()?;
        let request = self
            .client
            .create_secret()
            .name(&new.name)
            .set_description(Some(new.description.clone()).filter(|text| !text.is_empty()))
            .set_kms_key_id(new.kms_key.as_ref().map(ToString::to_string))
            .set_tags(Some(sdk_tags(&new.tags)))
            // Without a value there is no version to name; the SDK then draws a token of its own.
            .set_client_request_token(new.generate.as_ref().map(ToString::to_string))
            .set_secret_string(value.as_ref().map(GeneratedValue::copy_for_request))
            .send();
        let answer = self
            .caller
            .write(&call, Bucket::SecretsWrite, unseen(request).boxed())
            .await
            .map_err(|error| without(value.as_ref(), error))?;
        arn_of(&call, answer.arn.as_deref())
    }

    async fn put_generated(&self, arn: &SecretArn, version: &VersionId, stages: &[&str]) -> Result<(), AwsError> {
        let call = Call::new("PutSecretValue", arn);
        if stages.is_empty() || stages.contains(&PENDING) {
            // Without labels Secrets Manager would move AWSCURRENT, under the readers' feet.
            return Err(call.error(AwsErrorKind::Invalid, format!("not sent: staging labels {stages:?}")));
        }
        let value = generate(&call)?;
        let request = self
            .client
            .put_secret_value()
            .secret_id(arn.as_str())
            .client_request_token(version.as_str())
            .set_version_stages(Some(stages.iter().map(ToString::to_string).collect()))
            .secret_string(value.copy_for_request())
            .send();
        match self.caller.write(&call, Bucket::SecretsWrite, unseen(request).boxed()).await {
            Ok(_) => Ok(()),
            // The token has a value already. Values are random, so it is another one: ours of an earlier attempt whose
            // answer was lost.
            Err(error) if error.kind == AwsErrorKind::AlreadyExists => self.confirm(&call, arn, version).await,
            Err(error) => Err(without(Some(&value), error)),
        }
    }

    /// Confirms that the version is there and retrievable.
    async fn confirm(&self, call: &Call, arn: &SecretArn, version: &VersionId) -> Result<(), AwsError> {
        match self.describe(arn.as_str()).await? {
            Some(secret) if secret.has_version(version) => Ok(()),
            Some(_) => Err(call.error(
                AwsErrorKind::Conflict,
                format!("version {version} was written before but has lost its staging labels since"),
            )),
            None => Err(call.error(AwsErrorKind::NotFound, "the secret went away meanwhile")),
        }
    }

    async fn move_label(
        &self,
        arn: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), AwsError> {
        let call = Call::new("UpdateSecretVersionStage", arn);
        if label == PENDING {
            return Err(call.error(AwsErrorKind::Invalid, format!("not sent: staging label {label}")));
        }
        let request = self
            .client
            .update_secret_version_stage()
            .secret_id(arn.as_str())
            .version_stage(label)
            .set_remove_from_version_id(from.map(ToString::to_string))
            .set_move_to_version_id(to.map(ToString::to_string))
            .send()
            .boxed();
        self.caller.write(&call, Bucket::SecretsWrite, request).await.map(drop)
    }

    async fn restore(&self, arn: &SecretArn) -> Result<(), AwsError> {
        let call = Call::new("RestoreSecret", arn);
        let request = self.client.restore_secret().secret_id(arn.as_str()).send().boxed();
        self.caller.write(&call, Bucket::SecretsWrite, request).await.map(drop)
    }

    async fn tag(&self, arn: &SecretArn, tags: &Tags) -> Result<(), AwsError> {
        if tags.is_empty() {
            return Ok(());
        }
        let call = Call::new("TagResource", arn);
        let request = self.client.tag_resource().secret_id(arn.as_str()).set_tags(Some(sdk_tags(tags))).send().boxed();
        self.caller.write(&call, Bucket::SecretsTag, request).await.map(drop)
    }

    async fn untag(&self, arn: &SecretArn, keys: &[&str]) -> Result<(), AwsError> {
        if keys.is_empty() {
            return Ok(());
        }
        let call = Call::new("UntagResource", arn);
        let keys = keys.iter().map(ToString::to_string).collect();
        let request = self.client.untag_resource().secret_id(arn.as_str()).set_tag_keys(Some(keys)).send().boxed();
        self.caller.write(&call, Bucket::SecretsTag, request).await.map(drop)
    }

    async fn delete(&self, arn: &SecretArn, window_days: u8) -> Result<(), AwsError> {
        let call = Call::new("DeleteSecret", arn);
        let request = self.client.delete_secret().secret_id(arn.as_str());
        let request = request.recovery_window_in_days(i64::from(window_days)).send().boxed();
        match self.caller.write(&call, Bucket::SecretsWrite, request).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind, AwsErrorKind::ScheduledForDeletion | AwsErrorKind::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Sends a request that carries a value where no log can see it (rule S9). At the level `trace` the SDK logs whole
/// requests; whether that shows the body is a detail of its version, and a log filter is anybody's to set.
fn unseen<F: Future>(request: F) -> impl Future<Output = F::Output> {
    request.with_subscriber(NoSubscriber::default())
}

/// AWS does not repeat a value in an error, but validation messages quote what they refuse: so this is made sure of.
fn without(value: Option<&GeneratedValue>, error: AwsError) -> AwsError {
    match value {
        Some(value) if value.is_in(&error.message) => {
            AwsError { message: "(AWS's message is withheld: it quotes the value)".to_owned(), ..error }
        }
        _ => error,
    }
}

fn generate(call: &Call) -> Result<GeneratedValue, AwsError> {
    GeneratedValue::generate().map_err(|error| {
        call.error(AwsErrorKind::Unavailable, format!("not sent: the system's random source failed: {error}"))
    })
}

fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key.as_str()).value(value.as_str()).build()).collect()
}

fn arn_of(call: &Call, arn: Option<&str>) -> Result<SecretArn, AwsError> {
    arn.unwrap_or_default().parse().map_err(|_| call.odd_answer(&format!("the ARN {arn:?}")))
}

fn secret(call: &Call, answer: DescribeSecretOutput) -> Result<Secret, AwsError> {
    let tags = answer.tags.unwrap_or_default().into_iter();
    Ok(Secret {
        arn: arn_of(call, answer.arn.as_deref())?,
        name: answer.name.ok_or_else(|| call.odd_answer("a secret without name"))?,
        kms_key: answer.kms_key_id,
        deleted_at: answer.deleted_date.map(|date| timestamp(call, date)).transpose()?,
        tags: tags.filter_map(|tag| Some((tag.key?.into(), tag.value.unwrap_or_default().into()))).collect(),
        versions: sorted(answer.version_ids_to_stages.unwrap_or_default()),
    })
}

fn listed(call: &Call, entry: SecretListEntry) -> Result<ListedSecret, AwsError> {
    let tags = entry.tags.unwrap_or_default().into_iter();
    // Only told to people: one that cannot be read is as good as none.
    let created_at = entry.created_date.and_then(|date| timestamp(call, date).ok());
    let secret = Secret {
        arn: arn_of(call, entry.arn.as_deref())?,
        name: entry.name.ok_or_else(|| call.odd_answer("a secret without name"))?,
        kms_key: entry.kms_key_id,
        deleted_at: entry.deleted_date.map(|date| timestamp(call, date)).transpose()?,
        tags: tags.filter_map(|tag| Some((tag.key?.into(), tag.value.unwrap_or_default().into()))).collect(),
        versions: sorted(entry.secret_versions_to_stages.unwrap_or_default()),
    };
    Ok(ListedSecret { secret, created_at })
}

/// Labels in one order, so that equal answers are equal values.
fn sorted(versions: HashMap<String, Vec<String>>) -> LiteMap<SmolStr, Vec<SmolStr>> {
    let one = |(id, labels): (String, Vec<String>)| {
        let mut labels: Vec<SmolStr> = labels.into_iter().map(SmolStr::from).collect();
        labels.sort();
        (SmolStr::from(id), labels)
    };
    versions.into_iter().map(one).collect()
}

/// A date that cannot be read must not look like none: the secret would seem not to be scheduled for deletion.
fn timestamp(call: &Call, date: DateTime) -> Result<Timestamp, AwsError> {
    let nanos = i32::try_from(date.subsec_nanos()).unwrap_or(0);
    Timestamp::new(date.secs(), nanos).map_err(|_| call.odd_answer("a date out of range"))
}

impl Secrets for SdkSecrets {
    fn describe<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, AwsError>> {
        Box::pin(self.by_name(name))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<ListedSecret>, AwsError>> {
        Box::pin(self.list(prefix))
    }

    fn create<'a>(&'a self, new: &'a NewSecret) -> BoxFuture<'a, Result<SecretArn, AwsError>> {
        Box::pin(self.create(new))
    }

    fn put_generated<'a>(
        &'a self,
        arn: &'a SecretArn,
        version: &'a VersionId,
        stages: &'a [&'a str],
    ) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.put_generated(arn, version, stages))
    }

    fn move_label<'a>(
        &'a self,
        arn: &'a SecretArn,
        label: &'a str,
        from: Option<&'a VersionId>,
        to: Option<&'a VersionId>,
    ) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.move_label(arn, label, from, to))
    }

    fn restore<'a>(&'a self, arn: &'a SecretArn) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.restore(arn))
    }

    fn tag<'a>(&'a self, arn: &'a SecretArn, tags: &'a Tags) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.tag(arn, tags))
    }

    fn untag<'a>(&'a self, arn: &'a SecretArn, keys: &'a [&'a str]) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.untag(arn, keys))
    }

    fn delete<'a>(&'a self, arn: &'a SecretArn, window_days: u8) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.delete(arn, window_days))
    }
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
