use super::*;
use crate::{
    aws::fake::{Answer, FakeAws, open_fence},
    fence::Fence,
};

const ARN: &str = "arn:aws:iam::123456789012:role/openclaw/prod/tenant";

fn answer(operation: &str, result: &str) -> Answer {
    let result = format!("<{operation}Result>{result}</{operation}Result>");
    Answer::xml(
        200,
        &format!(
            "<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">{result}</{operation}Response>"
        ),
    )
}

fn role_answer(operation: &str) -> Answer {
    answer(
        operation,
        &format!(
            "<Role><Path>/openclaw/prod/</Path><Arn>{ARN}</Arn><RoleName>tenant</RoleName><RoleId>AROAEXAMPLE</RoleId>\
             <CreateDate>2026-01-01T00:00:00Z</CreateDate>\
             <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</AssumeRolePolicyDocument>\
             <Tags><member><Key>managed-by</Key><Value>us</Value></member></Tags>\
             <PermissionsBoundary><PermissionsBoundaryArn>arn:aws:iam::123456789012:policy/b</PermissionsBoundaryArn>\
             </PermissionsBoundary></Role>"
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
async fn a_role_is_read_with_its_documents_decoded() {
    let aws = FakeAws::start(vec![
        role_answer("GetRole"),
        answer("ListRolePolicies", "<PolicyNames><member>p</member></PolicyNames><IsTruncated>false</IsTruncated>"),
        answer(
            "GetRolePolicy",
            "<RoleName>tenant</RoleName><PolicyName>p</PolicyName><PolicyDocument>%7B%7D</PolicyDocument>",
        ),
        answer(
            "ListAttachedRolePolicies",
            "<AttachedPolicies><member><PolicyName>s</PolicyName><PolicyArn>arn:aws:iam::aws:policy/s</PolicyArn></member>\
             </AttachedPolicies><IsTruncated>false</IsTruncated>",
        ),
    ])
    .await;
    let role = aws.clients(Fence::closed()).roles.look("tenant").await.expect("read").expect("a role");
    assert_eq!(role.arn.as_str(), ARN);
    assert_eq!(role.trust, r#"{"Version":"2012-10-17"}"#);
    assert_eq!(role.boundary.as_deref(), Some("arn:aws:iam::123456789012:policy/b"));
    assert_eq!(role.tags.get("managed-by").expect("a tag"), "us");
    assert_eq!(role.inline["p"], "{}");
    assert_eq!(role.attached, BTreeSet::from(["arn:aws:iam::aws:policy/s".to_owned()]));
}

#[tokio::test]
async fn a_role_that_is_missing_is_told_from_one_that_may_not_be_seen() {
    let aws = FakeAws::start(vec![error_answer(404, "NoSuchEntity"), error_answer(403, "AccessDenied")]).await;
    let roles = aws.clients(Fence::closed()).roles;
    assert_eq!(roles.look("tenant").await, Ok(None));
    assert_eq!(roles.look("tenant").await.map_err(|error| error.kind), Err(AwsErrorKind::AccessDenied));
}

#[tokio::test]
async fn managed_policies_are_read_as_they_stand_now() {
    let arn = "arn:aws:iam::aws:policy/SecretsManagerReadWrite";
    let aws = FakeAws::start(vec![
        answer("GetPolicy", "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>"),
        answer("GetPolicyVersion", "<PolicyVersion><Document>%7B%7D</Document></PolicyVersion>"),
    ])
    .await;
    let managed = aws.clients(Fence::closed()).roles.managed(&BTreeSet::from([arn.to_owned()])).await.expect("read");
    assert_eq!(managed, BTreeMap::from([(arn.to_owned(), "{}".to_owned())]));
    assert!(aws.seen()[1].body.contains("VersionId=v3"));
}

#[tokio::test]
async fn a_role_is_made_with_path_boundary_and_tags_and_only_with_a_permit() {
    let new = NewRole {
        name: "openclaw-alice-0123456789".parse().expect("name"),
        path: "/openclaw/prod/".into(),
        description: "words".into(),
        boundary: "arn:aws:iam::123456789012:policy/b".parse().expect("arn"),
        trust: "{}".into(),
        tags: Tags::from_iter([("k".into(), "v".into())]),
    };
    let aws = FakeAws::start(vec![role_answer("CreateRole"), error_answer(409, "EntityAlreadyExists")]).await;
    let closed = aws.clients(Fence::closed()).roles.create(&new).await;
    assert_eq!(closed.map_err(|error| error.kind), Err(AwsErrorKind::FenceClosed));
    assert!(aws.seen().is_empty(), "nothing is sent through a closed fence");
    let roles = aws.clients(open_fence()).roles;
    assert_eq!(roles.create(&new).await.expect("made").as_str(), ARN);
    let body = &aws.seen()[0].body;
    for part in ["Path=%2Fopenclaw%2Fprod%2F", "PermissionsBoundary=arn", "Tags.member.1.Key=k"] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert_eq!(roles.create(&new).await.map_err(|error| error.kind), Err(AwsErrorKind::AlreadyExists));
}

#[tokio::test]
async fn what_is_gone_already_is_deleted() {
    let aws = FakeAws::start(vec![
        error_answer(404, "NoSuchEntity"),
        error_answer(404, "NoSuchEntity"),
        error_answer(409, "DeleteConflict"),
    ])
    .await;
    let roles = aws.clients(open_fence()).roles;
    assert_eq!(roles.delete_policy("tenant", "p").await, Ok(()));
    assert_eq!(roles.delete("tenant").await, Ok(()));
    assert_eq!(roles.delete("tenant").await.map_err(|error| error.kind), Err(AwsErrorKind::Conflict));
}
