use std::{io::Write, sync::Mutex};

use serde_json::json;

use super::*;
use crate::{
    aws::{
        AwsClients, AwsErrorKind,
        fake::{Answer, FakeAws, open_fence},
    },
    fence::Fence,
};

const NAME: &str = "openclaw/alice/gateway-token";
const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openclaw/alice/gateway-token-AbCdEf";
const VERSION: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn new_secret(generate: bool) -> NewSecret {
    NewSecret {
        name: NAME.to_owned(),
        description: "Gateway token of the tenant alice".to_owned(),
        kms_key: Some("arn:aws:kms:eu-west-1:123456789012:key/1234".parse().expect("arn")),
        tags: Tags::from_iter([("tenant".into(), "alice".into())]),
        generate: generate.then(version),
    }
}

fn version() -> VersionId {
    VERSION.parse().expect("version")
}

fn arn() -> SecretArn {
    ARN.parse().expect("arn")
}

fn made() -> Answer {
    Answer::json(200, &json!({"ARN": ARN, "Name": NAME, "VersionId": VERSION}).to_string())
}

fn described(versions: &serde_json::Value) -> Answer {
    let body = json!({
        "ARN": ARN, "Name": NAME, "KmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/1234",
        "DeletedDate": 1_750_000_000.5,
        "Tags": [{"Key": "tenant", "Value": "alice"}], "VersionIdsToStages": versions,
    });
    Answer::json(200, &body.to_string())
}

fn gone() -> Answer {
    Answer::error(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

async fn kind_of_create(clients: &AwsClients) -> Option<AwsErrorKind> {
    clients.secrets.create(&new_secret(true)).await.err().map(|error| error.kind)
}

#[tokio::test]
async fn describe_tells_everything_but_the_value() {
    let aws = FakeAws::start(vec![described(&json!({VERSION: ["AWSCURRENT", "A"]})), gone()]).await;
    let secrets = aws.clients(Fence::closed()).secrets;
    let expected = Secret {
        arn: arn(),
        name: NAME.to_owned(),
        kms_key: Some("arn:aws:kms:eu-west-1:123456789012:key/1234".to_owned()),
        deleted_at: Some("2025-06-15T15:06:40.5Z".parse().expect("time")),
        tags: Tags::from_iter([("tenant".into(), "alice".into())]),
        versions: LiteMap::from_iter([(VERSION.into(), vec!["A".into(), "AWSCURRENT".into()])]),
    };
    assert_eq!(expected.current_version(), Some(version()));
    assert_eq!(secrets.describe(NAME).await, Ok(Some(expected)));
    assert_eq!(secrets.describe(NAME).await, Ok(None));
    assert_eq!(aws.seen()[0].json(), json!({"SecretId": NAME}));
}

#[tokio::test]
async fn an_answer_about_another_secret_is_not_taken_for_this_one() {
    let aws = FakeAws::start(vec![described(&json!({}))]).await;
    let answer = aws.clients(Fence::closed()).secrets.describe("openclaw/alice/gateway").await;
    assert_eq!(answer.map_err(|error| error.kind), Err(AwsErrorKind::Invalid));
}

#[tokio::test]
async fn list_reads_every_page_by_prefix_with_those_that_are_scheduled_for_deletion() {
    let entry = |name: &str, deleted: Option<f64>| {
        json!({
            "ARN": format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-AbCdEf"), "Name": name,
            "DeletedDate": deleted, "Tags": [{"Key": "tenant-namespace", "Value": "openclaw-alice"}],
            "SecretVersionsToStages": {"0123456789abcdef0123456789abcdef": ["AWSCURRENT"]},
        })
    };
    let first = json!({"SecretList": [entry("openclaw/alice/token", None)], "NextToken": "more"});
    let second = json!({"SecretList": [entry("openclaw/bob/token", Some(1_767_323_045.0)), entry("Openclaw/x", None)]});
    let aws = FakeAws::start(vec![Answer::json(200, &first.to_string()), Answer::json(200, &second.to_string())]).await;
    let listed = aws.clients(Fence::closed()).secrets.list("openclaw/").await.expect("listed");
    let seen: Vec<_> = listed.iter().map(|one| (one.secret.name.as_str(), one.secret.deleted_at.is_some())).collect();
    assert_eq!(seen, [("openclaw/alice/token", false), ("openclaw/bob/token", true)], "and no other prefix");
    assert_eq!(listed[0].secret.tags.get("tenant-namespace").expect("a tag"), "openclaw-alice");
    assert!(listed[0].secret.current_version().is_some());
    let asked = aws.seen()[0].json();
    assert_eq!((&asked["IncludePlannedDeletion"], &asked["MaxResults"]), (&json!(true), &json!(100)));
    assert_eq!(asked["Filters"], json!([{"Key": "name", "Values": ["openclaw/"]}]));
    assert_eq!(aws.seen()[1].json()["NextToken"], "more");
}

#[tokio::test]
async fn create_generates_a_value_under_the_version_that_was_asked_for() {
    let aws = FakeAws::start(vec![made(), made(), made()]).await;
    let secrets = aws.clients(open_fence()).secrets;
    for generate in [true, true, false] {
        assert_eq!(secrets.create(&new_secret(generate)).await, Ok(arn()));
    }
    let sent: Vec<_> = aws.seen().iter().map(super::super::fake::Seen::json).collect();
    assert_eq!(sent[0]["ClientRequestToken"], VERSION);
    assert_eq!(sent[0]["SecretString"].as_str().map(str::len), Some(43));
    assert_ne!(sent[0]["SecretString"], sent[1]["SecretString"], "never the same value twice");
    assert_eq!(sent[2].get("SecretString"), None, "a secret for a person is made empty");
    assert_eq!(sent[2]["Tags"], json!([{"Key": "tenant", "Value": "alice"}]));
    assert_eq!(sent[2]["KmsKeyId"], "arn:aws:kms:eu-west-1:123456789012:key/1234");
    assert_eq!(
        (&sent[2]["Name"], &sent[2]["Description"]),
        (&json!(NAME), &json!("Gateway token of the tenant alice"))
    );
}

#[tokio::test]
async fn create_tells_taken_from_scheduled_for_deletion() {
    let scheduled = "You can't create this secret because a secret with this name is already scheduled for deletion.";
    let aws = FakeAws::start(vec![
        Answer::error(400, "ResourceExistsException", "The operation failed because the secret already exists."),
        Answer::error(400, "InvalidRequestException", scheduled),
    ])
    .await;
    let clients = aws.clients(open_fence());
    assert_eq!(kind_of_create(&clients).await, Some(AwsErrorKind::AlreadyExists));
    assert_eq!(kind_of_create(&clients).await, Some(AwsErrorKind::ScheduledForDeletion));
}

#[tokio::test]
async fn put_after_a_lost_answer_is_confirmed_by_the_version_map() {
    let taken = || Answer::error(400, "ResourceExistsException", "You can't use ClientRequestToken … already in use");
    let aws = FakeAws::start(vec![
        made(),
        taken(),
        described(&json!({VERSION: ["openclaw-next"]})),
        taken(),
        described(&json!({})),
        taken(),
        gone(),
    ])
    .await;
    let secrets = aws.clients(open_fence()).secrets;
    let put = || secrets.put_generated_boxed();
    assert_eq!(put().await, Ok(()));
    assert_eq!(put().await, Ok(()), "the same version again is success");
    assert_eq!(put().await.map_err(|error| error.kind), Err(AwsErrorKind::Conflict), "it lost its label");
    assert_eq!(put().await.map_err(|error| error.kind), Err(AwsErrorKind::NotFound));
    let sent = aws.seen()[0].json();
    assert_eq!(
        (&sent["SecretId"], &sent["ClientRequestToken"], &sent["VersionStages"]),
        (&json!(ARN), &json!(VERSION), &json!(["openclaw-next"]))
    );
}

/// Shortens the tests above.
trait Put {
    fn put_generated_boxed(&self) -> impl Future<Output = Result<(), AwsError>>;
}

impl Put for Arc<dyn Secrets> {
    async fn put_generated_boxed(&self) -> Result<(), AwsError> {
        self.put_generated(&arn(), &version(), &["openclaw-next"]).await
    }
}

#[tokio::test]
async fn labels_that_would_move_what_others_rely_on_are_not_sent() {
    let aws = FakeAws::start(vec![]).await;
    let secrets = aws.clients(open_fence()).secrets;
    for stages in [&[][..], &["AWSPENDING"][..]] {
        let refused = secrets.put_generated(&arn(), &version(), stages).await;
        assert_eq!(refused.map_err(|error| error.kind), Err(AwsErrorKind::Invalid));
    }
    assert!(aws.seen().is_empty());
}

#[tokio::test]
async fn a_closed_fence_stops_every_write() {
    let aws = FakeAws::start(vec![]).await;
    let clients = aws.clients(Fence::closed());
    let closed = Some(AwsErrorKind::FenceClosed);
    assert_eq!(kind_of_create(&clients).await, closed);
    assert_eq!(clients.secrets.put_generated_boxed().await.err().map(|e| e.kind), closed);
    assert_eq!(clients.secrets.tag(&arn(), &new_secret(false).tags).await.err().map(|e| e.kind), closed);
    assert!(aws.seen().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_label_moves_only_from_where_it_was_expected() {
    let not_there = "The staging label AWSCURRENT is not attached to version x.";
    let aws = FakeAws::start(vec![
        made(),
        made(),
        Answer::error(400, "InvalidParameterException", not_there),
        Answer::error(400, "InvalidParameterException", "words"),
    ])
    .await;
    let secrets = aws.clients(open_fence()).secrets;
    let (old, new): (VersionId, VersionId) = ("o".repeat(32).parse().expect("id"), version());
    let arn = arn();
    assert_eq!(secrets.move_label(&arn, "AWSCURRENT", Some(&old), Some(&new)).await, Ok(()));
    let body =
        json!({"SecretId": ARN, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": old, "MoveToVersionId": new});
    assert_eq!(aws.seen()[0].json(), body);
    assert_eq!(secrets.move_label(&arn, "openclaw-next", Some(&new), None).await, Ok(()));
    assert_eq!(aws.seen()[1].json()["MoveToVersionId"], json!(null), "taken off, not moved");
    let lost = secrets.move_label(&arn, "AWSCURRENT", Some(&old), Some(&new)).await;
    assert_eq!(lost.map_err(|error| error.kind), Err(AwsErrorKind::Conflict));
    let refused = secrets.move_label(&arn, "AWSCURRENT", Some(&old), Some(&new)).await;
    assert_eq!(refused.map_err(|error| error.kind), Err(AwsErrorKind::Invalid));
    let native = secrets.move_label(&arn, "AWSPENDING", Some(&old), None).await;
    assert_eq!(native.map_err(|error| error.kind), Err(AwsErrorKind::Invalid), "native rotation's label is not ours");
    assert_eq!(aws.seen().len(), 4);
}

#[tokio::test]
async fn restoring_names_the_secret_and_nothing_else() {
    let aws = FakeAws::start(vec![made()]).await;
    assert_eq!(aws.clients(open_fence()).secrets.restore(&arn()).await, Ok(()));
    assert_eq!(aws.seen()[0].json(), json!({"SecretId": ARN}));
}

#[tokio::test]
async fn tagging_sends_the_tags_and_nothing_else() {
    let aws = FakeAws::start(vec![Answer::json(200, "{}")]).await;
    let secrets = aws.clients(open_fence()).secrets;
    assert_eq!(secrets.tag(&arn(), &new_secret(false).tags).await, Ok(()));
    assert_eq!(secrets.tag(&arn(), &Tags::new()).await, Ok(()));
    let seen = aws.seen();
    assert_eq!(seen.len(), 1, "nothing to tag is no request");
    assert_eq!(seen[0].json(), json!({"SecretId": ARN, "Tags": [{"Key": "tenant", "Value": "alice"}]}));
}

#[tokio::test]
async fn stripping_names_the_tags_and_nothing_else() {
    let aws = FakeAws::start(vec![Answer::json(200, "{}")]).await;
    let secrets = aws.clients(open_fence()).secrets;
    assert_eq!(secrets.untag(&arn(), &["tenant-namespace"]).await, Ok(()));
    assert_eq!(secrets.untag(&arn(), &[]).await, Ok(()));
    let seen = aws.seen();
    assert_eq!(seen.len(), 1, "nothing to take off is no request");
    assert_eq!(seen[0].json(), json!({"SecretId": ARN, "TagKeys": ["tenant-namespace"]}));
}

#[tokio::test]
async fn deleting_always_names_a_recovery_window_and_may_come_late() {
    let marked = "You can't perform this operation on the secret because it was marked for deletion.";
    let again = Answer::error(400, "InvalidRequestException", marked);
    let denied = Answer::error(400, "AccessDeniedException", "no");
    let aws = FakeAws::start(vec![made(), again, gone(), denied]).await;
    let secrets = aws.clients(open_fence()).secrets;
    for _ in 0..3 {
        assert_eq!(secrets.delete(&arn(), 7).await, Ok(()));
    }
    assert_eq!(secrets.delete(&arn(), 7).await.map_err(|error| error.kind), Err(AwsErrorKind::AccessDenied));
    assert_eq!(aws.seen()[0].json(), json!({"SecretId": ARN, "RecoveryWindowInDays": 7}));
}

/// Everything that is logged, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_value_is_in_any_log_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let aws = FakeAws::start(vec![made(), made(), gone(), Answer::error(500, "InternalServiceError", "words")]).await;
    let secrets = aws.clients(open_fence()).secrets;
    {
        // This runtime has one thread, so the server's and the connections' tasks log here as well.
        let _guard = tracing::subscriber::set_default(subscriber);
        assert!(secrets.create(&new_secret(true)).await.is_ok());
        assert!(secrets.put_generated_boxed().await.is_ok());
        assert_eq!(secrets.describe(NAME).await, Ok(None));
        assert!(secrets.put_generated_boxed().await.is_err());
    }
    let log = String::from_utf8(log.0.lock().expect("lock").clone()).expect("UTF-8");
    assert!(log.contains("transmitting request"), "the finest level is on");
    assert!(log.contains("DescribeSecret") && !log.contains("CreateSecret"), "requests with a value are not seen");
    let seen = aws.seen();
    let values: Vec<String> =
        seen.iter().filter_map(|seen| Some(seen.json()["SecretString"].as_str()?.to_owned())).collect();
    assert_eq!(values.len(), 3);
    for value in values {
        assert!(!log.contains(&value), "a value is in the log");
    }
}

#[tokio::test]
async fn an_error_that_quotes_the_value_is_withheld() {
    let call = Call::new("CreateSecret", NAME);
    let value = generate(&call).expect("value");
    let quoting = format!("Value '{}' at 'secretString' is not valid", value.copy_for_request());
    let error = without(Some(&value), call.error(AwsErrorKind::Invalid, quoting));
    assert!(!value.is_in(&format!("{error} {error:?}")), "withheld");
    let harmless = call.error(AwsErrorKind::Invalid, "words");
    assert_eq!(without(Some(&value), harmless.clone()), harmless);
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_not_shown_in_its_error() {
    // The SDK's words for this hold the whole request, body included.
    let clients = FakeAws::start(vec![]).await.clients_at("nonsense", open_fence());
    let create = clients.secrets.create(&new_secret(true)).await.expect_err("no such endpoint");
    let put = clients.secrets.put_generated_boxed().await.expect_err("no such endpoint");
    for error in [create, put] {
        assert!(error.message.contains("failed to apply endpoint `nonsense`"), "{error}");
        assert!(!format!("{error} {error:?}").contains("SecretString"), "{error}");
    }
}

#[test]
fn the_sdk_redacts_values_in_its_own_debug_output() {
    let value = generate(&Call::new("CreateSecret", NAME)).expect("value");
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::v2026_01_12())
        .build();
    let client = Client::from_conf(config);
    let create = client.create_secret().secret_string(value.copy_for_request());
    let put = client.put_secret_value().secret_string(value.copy_for_request());
    let shown = format!("{create:?} {:?} {put:?} {:?}", create.as_input(), put.as_input());
    assert!(!value.is_in(&shown));
}
