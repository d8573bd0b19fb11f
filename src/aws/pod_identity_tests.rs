use serde_json::json;

use super::*;
use crate::{
    aws::{
        AwsErrorKind,
        fake::{Answer, FakeAws, open_fence},
    },
    fence::Fence,
    telemetry::metrics::Metrics,
};

const ROLE: &str = "arn:aws:iam::123456789012:role/openclaw-tenant";

fn summary(namespace: &str, id: &str) -> serde_json::Value {
    json!({"namespace": namespace, "serviceAccount": "workspace-0123456789", "associationId": id})
}

fn described(role: &str) -> Answer {
    described_as(role, "arn:addon")
}

fn described_as(role: &str, owner: &str) -> Answer {
    let association = json!({
        "clusterName": "prod", "namespace": "openclaw-alice", "serviceAccount": "workspace-0123456789",
        "roleArn": role, "associationArn": "arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/a-1",
        "associationId": "a-1", "tags": {"tenant": "alice"}, "ownerArn": owner,
    });
    Answer::json(200, &json!({"association": association}).to_string())
}

fn expected() -> Association {
    Association {
        id: "a-1".parse().expect("id"),
        arn: "arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/a-1".to_owned(),
        namespace: "openclaw-alice".to_owned(),
        service_account: "workspace-0123456789".to_owned(),
        role_arn: Some(ROLE.parse().expect("arn")),
        owner_arn: Some("arn:addon".to_owned()),
        tags: Tags::from_iter([("tenant".into(), "alice".into())]),
        created_at: None,
    }
}

fn new_association() -> NewAssociation {
    NewAssociation {
        namespace: "openclaw-alice".parse().expect("name"),
        service_account: "workspace-0123456789".parse().expect("name"),
        role_arn: ROLE.parse().expect("arn"),
        tags: Tags::from_iter([("tenant".into(), "alice".into())]),
        token: "0123456789abcdef".to_owned(),
    }
}

#[tokio::test]
async fn find_in_asks_for_a_namespace_and_leaves_out_add_ons_and_what_is_elsewhere() {
    let mut addons = summary("openclaw-alice", "a-3");
    addons["ownerArn"] = json!("arn:addon");
    let page = [summary("openclaw-alice", "a-2"), summary("openclaw-bob", "a-9"), addons];
    let aws = FakeAws::start(vec![Answer::json(200, &json!({ "associations": page }).to_string())]).await;
    let clients = aws.clients(Fence::closed());
    let found = clients.pod_identity.find_in(&new_association().namespace).await.expect("an answer");
    assert_eq!(found, ["a-2".parse().expect("id")]);
    let uri = &aws.seen()[0].uri;
    assert!(uri.contains("namespace=openclaw-alice") && !uri.contains("serviceAccount"), "{uri}");
}

#[tokio::test]
async fn find_reads_every_page_and_leaves_out_what_is_not_for_this_account() {
    let page = [summary("openclaw-alice", "a-2"), summary("openclaw-bob", "a-9")];
    let first = json!({"associations": page, "nextToken": "more"});
    let second = json!({"associations": [summary("openclaw-alice", "a-1")]});
    let aws = FakeAws::start(vec![Answer::json(200, &first.to_string()), Answer::json(200, &second.to_string())]).await;
    let new = new_association();
    let found = aws.clients(Fence::closed()).pod_identity.find(&new.namespace, &new.service_account).await;
    let ids: Vec<String> = found.expect("ids").iter().map(ToString::to_string).collect();
    assert_eq!(ids, ["a-1", "a-2"]);
    let seen = aws.seen();
    assert_eq!(seen.len(), 2);
    let path = "/clusters/prod/pod-identity-associations?";
    for part in [path, "namespace=openclaw-alice", "serviceAccount=workspace-0123456789", "maxResults=100"] {
        assert!(seen[0].uri.contains(part) && seen[1].uri.contains(part), "{part} in {seen:?}");
    }
    assert!(!seen[0].uri.contains("nextToken") && seen[1].uri.contains("nextToken=more"), "{seen:?}");
}

#[tokio::test]
async fn describe_tells_what_there_is() {
    let aws = FakeAws::start(vec![described(ROLE), described_as("not an ARN", "")]).await;
    let associations = aws.clients(Fence::closed()).pod_identity;
    let id = "a-1".parse().expect("id");
    assert_eq!(associations.describe(&id).await, Ok(Some(expected())));
    assert_eq!(
        associations.describe(&id).await,
        Ok(Some(Association { role_arn: None, owner_arn: None, ..expected() }))
    );
}

#[tokio::test]
async fn a_missing_association_is_none_and_deleting_it_is_success_but_a_missing_cluster_is_an_error() {
    let missing = || Answer::error(404, "ResourceNotFoundException", "The association a-1 does not exist.");
    let no_cluster = || Answer::error(404, "ResourceNotFoundException", "No cluster found for name: prod.");
    let aws = FakeAws::start(vec![missing(), missing(), no_cluster(), no_cluster()]).await;
    let associations = aws.clients(open_fence()).pod_identity;
    let id = "a-1".parse().expect("id");
    assert_eq!(associations.describe(&id).await, Ok(None));
    assert_eq!(associations.delete(&id).await, Ok(()));
    assert_eq!(associations.describe(&id).await.map_err(|e| e.kind), Err(AwsErrorKind::Invalid));
    assert_eq!(associations.delete(&id).await.map_err(|e| e.kind), Err(AwsErrorKind::Invalid));
}

#[tokio::test]
async fn create_sends_token_and_tags_and_says_what_exists_already() {
    let taken = "Association already exists: a-7";
    let aws = FakeAws::start(vec![described(ROLE), Answer::error(409, "ResourceInUseException", taken)]).await;
    let associations = aws.clients(open_fence()).pod_identity;
    assert_eq!(associations.create(&new_association()).await, Ok(expected()));
    let sent = json!({
        "namespace": "openclaw-alice", "serviceAccount": "workspace-0123456789", "roleArn": ROLE,
        "clientRequestToken": "0123456789abcdef", "tags": {"tenant": "alice"},
    });
    assert_eq!(aws.seen()[0].json(), sent);
    let error = associations.create(&new_association()).await.expect_err("taken");
    assert_eq!(error.kind, AwsErrorKind::AlreadyExists);
    assert_eq!(
        error.to_string(),
        "CreatePodIdentityAssociation of openclaw-alice/workspace-0123456789: ResourceInUseException: Association \
         already exists: a-7"
    );
}

#[tokio::test]
async fn update_and_tag_send_only_what_they_change() {
    let aws = FakeAws::start(vec![described(ROLE), Answer::json(200, "{}")]).await;
    let associations = aws.clients(open_fence()).pod_identity;
    let association = expected();
    let role = ROLE.parse().expect("arn");
    assert_eq!(associations.update_role(&association.id, &role, "token").await, Ok(expected()));
    assert_eq!(associations.tag(&association, &association.tags).await, Ok(()));
    assert_eq!(associations.tag(&association, &Tags::new()).await, Ok(()));
    let seen = aws.seen();
    assert_eq!(seen.len(), 2, "nothing to tag is no request");
    assert_eq!(seen[0].json(), json!({"roleArn": ROLE, "clientRequestToken": "token"}));
    assert_eq!(seen[1].json(), json!({"tags": {"tenant": "alice"}}));
    assert!(seen[1].uri.starts_with("/tags/arn"), "{}", seen[1].uri);
}

#[tokio::test]
async fn a_closed_fence_stops_every_write_and_no_read() {
    let aws = FakeAws::start(vec![described(ROLE)]).await;
    let associations = aws.clients(Fence::closed()).pod_identity;
    let (association, new) = (expected(), new_association());
    let closed = Some(AwsErrorKind::FenceClosed);
    assert_eq!(associations.create(&new).await.err().map(|e| e.kind), closed);
    assert_eq!(associations.update_role(&association.id, &new.role_arn, "t").await.err().map(|e| e.kind), closed);
    assert_eq!(associations.tag(&association, &new.tags).await.err().map(|e| e.kind), closed);
    assert_eq!(associations.delete(&association.id).await.err().map(|e| e.kind), closed);
    assert!(aws.seen().is_empty(), "nothing was sent");
    assert!(associations.describe(&association.id).await.is_ok());
}

#[tokio::test]
async fn a_throttled_request_says_for_how_long() {
    let throttled = Answer::error(429, "ThrottlingException", "Rate exceeded").with_header("retry-after", "3");
    let aws = FakeAws::start(vec![throttled]).await;
    let error = aws.clients(open_fence()).pod_identity.create(&new_association()).await.expect_err("throttled");
    assert_eq!(error.kind, AwsErrorKind::Throttled(Some(std::time::Duration::from_secs(3))));
    assert_eq!(aws.seen().len(), 1, "one attempt");
}

#[tokio::test]
async fn every_request_is_counted_by_how_it_ended() {
    let throttled = Answer::error(429, "ThrottlingException", "Rate exceeded");
    let page = Answer::json(200, r#"{"associations": []}"#);
    let aws = FakeAws::start(vec![throttled, page.clone(), page]).await;
    let metrics = Metrics::new("", "");
    let associations = |fence| aws.counted_clients(fence, metrics.clone()).pod_identity;
    associations(open_fence()).create(&new_association()).await.expect_err("throttled");
    associations(Fence::closed()).create(&new_association()).await.expect_err("fenced");
    for _ in 0..2 {
        associations(Fence::closed()).list().await.expect("listed");
    }
    let text = metrics.encode().expect("text");
    let is_counted = |line: &&str| line.starts_with("openclaw_aws_requests_total") && !line.ends_with(" 0");
    let mut counted: Vec<_> = text.lines().filter(is_counted).collect();
    counted.sort_unstable();
    let line = |operation, result, count| {
        format!(r#"openclaw_aws_requests_total{{service="eks",operation="{operation}",result="{result}"}} {count}"#)
    };
    let create = "CreatePodIdentityAssociation";
    let expected =
        [line(create, "fenced", 1), line(create, "throttled", 1), line("ListPodIdentityAssociations", "ok", 2)];
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn list_reads_every_page_and_tells_an_addon_s_from_others() {
    let mut owned = summary("kube-system", "a-7");
    owned["ownerArn"] = json!("arn:aws:eks:eu-west-1:123456789012:addon/prod/vpc-cni/1");
    let first = json!({"associations": [summary("openclaw-alice", "a-1")], "nextToken": "more"});
    let second = json!({"associations": [owned]});
    let aws = FakeAws::start(vec![Answer::json(200, &first.to_string()), Answer::json(200, &second.to_string())]).await;
    let listed = aws.clients(Fence::closed()).pod_identity.list().await.expect("listed");
    let seen: Vec<_> = listed.iter().map(|one| (one.id.as_str(), one.namespace.as_str(), one.is_addons)).collect();
    assert_eq!(seen, [("a-1", "openclaw-alice", false), ("a-7", "kube-system", true)]);
    assert!(aws.seen().iter().all(|seen| !seen.uri.contains("namespace=")), "of the whole cluster: {:?}", aws.seen());
}
