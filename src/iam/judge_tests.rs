use serde_json::{Value, json};

use super::*;
use crate::iam::place::example;

struct Case {
    trust: Document,
    policies: BTreeMap<String, String>,
    reach: Reach,
    untagged: Vec<String>,
}

fn good() -> Case {
    let models = json!([
        { "id": "anthropic.claude-haiku-4-5-20251001-v1:0" },
        { "id": "anthropic.claude-sonnet-4-5-20250929-v1:0", "inferenceProfile": "eu" },
    ]);
    let models = ModelArns::of(&example(), &serde_json::from_value::<Vec<_>>(models).expect("models"));
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1".to_owned();
    let reach = Reach { kms_keys: vec![key], models, ..Reach::default() };
    Case {
        trust: shared_trust(&example(), "openclaw-"),
        policies: BTreeMap::from([("own".into(), permissions(&example(), &reach).to_json())]),
        reach,
        untagged: Vec::new(),
    }
}

fn judged(case: &Case) -> Judgement {
    let found = Found { trust: case.trust.to_json(), policies: case.policies.clone(), boundary: None };
    let (place, prefix) = (example(), "openclaw-".parse().expect("prefix"));
    judge(&found, &Asked { place: &place, prefix: &prefix, reach: &case.reach, untagged: &case.untagged })
}

fn policy(statement: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

#[test]
fn what_we_would_write_ourselves_is_clean() {
    assert_eq!(judged(&good()), Judgement::default());
}

#[test]
fn reading_without_each_of_the_three_conditions_is_told_first() {
    for (tag, _) in crate::iam::workspace::MUST_BE_EQUAL {
        let mut case = good();
        let key = format!("secretsmanager:ResourceTag/{tag}");
        let mut document = permissions(&example(), &case.reach);
        for of in document.statement[0].condition.values_mut() {
            of.remove(&key);
        }
        case.policies.insert("own".into(), document.to_json());
        let judgement = judged(&case);
        assert_eq!(judgement.open.len(), 1, "{judgement:?}");
        assert!(judgement.open[0].contains(&key) && judgement.open[0].contains("ReadOwnSecrets"), "{judgement:?}");
        assert_eq!(judgement.permissions, Some(permissions(&example(), &case.reach)), "ready to apply");
        assert_eq!(judgement.trust, None, "the trust policy is right");
    }
}

#[test]
fn wide_policies_are_found_in_whatever_words() {
    let own = "arn:aws:secretsmanager:*:111122223333:secret:openclaw/*";
    let wide = [
        json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]),
        json!({ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": own }),
        json!([{ "Effect": "Allow", "Action": ["SecretsManager:getsecretvalue"], "Resource": [own] }]),
        json!([{ "Effect": "Allow", "Action": "secretsmanager:BatchGet*", "Resource": "*" }]),
        json!([{ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }]),
        json!([{ "Effect": "Allow", "Action": "secretsmanager:Get*", "NotResource": "arn:aws:s3:::x" }]),
        json!([{ "Effect": "Allow", "Action": "secretsmanager:Get*", "Resource": "*", "Condition": {
            "StringEqualsIfExists": { "aws:ResourceTag/tenant-namespace": "${aws:PrincipalTag/kubernetes-namespace}" } } }]),
    ];
    for statement in wide {
        let mut case = good();
        case.policies.insert("arn:aws:iam::111122223333:policy/wide".into(), policy(&statement));
        let open = judged(&case).open;
        assert!(open.iter().any(|words| words.contains("policy/wide") && words.contains("not its own")), "{statement}");
    }
}

#[test]
fn what_cannot_reach_the_prefix_is_nobodys_business_here() {
    let mut case = good();
    let statement = json!([{ "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
        "Resource": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:payroll/*" }]);
    case.policies.insert("other".into(), policy(&statement));
    assert_eq!(judged(&case), Judgement::default());
}

#[test]
fn the_other_name_of_the_same_tag_counts() {
    let mut case = good();
    let other = case.policies["own"].replace("secretsmanager:ResourceTag/", "aws:ResourceTag/");
    case.policies.insert("own".into(), other);
    assert_eq!(judged(&case), Judgement::default());
}

#[test]
fn stricter_conditions_are_proposed_only_when_no_secret_lacks_the_tags() {
    let mut case = good();
    case.policies.insert("own".into(), policy(&json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }])));
    case.untagged = vec!["openclaw/old/gateway-token".into(), "openclaw/older/gateway-token".into()];
    let judgement = judged(&case);
    assert!(!judgement.open.is_empty());
    assert_eq!(judgement.permissions, None);
    assert!(judgement.held_back.expect("words").contains("openclaw/old/gateway-token and 1 more"));
}

#[test]
fn what_is_missing_is_named() {
    let mut case = good();
    case.policies.clear();
    let missing = judged(&case).missing.join("\n");
    for part in ["GetSecretValue", "kms:Decrypt", "foundation-model/anthropic.claude-haiku", "inference-profile/eu."] {
        assert!(missing.contains(part), "{part} in {missing}");
    }
}

#[test]
fn what_a_workspace_could_make_itself_more_powerful_with_is_told() {
    let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:openclaw/*";
    let rows = [
        (json!("secretsmanager:TagResource"), json!(secret), "change secrets of others"),
        (json!(["secretsmanager:PutSecretValue", "secretsmanager:Update*"]), json!("*"), "change secrets of others"),
        (json!("iam:PassRole"), json!("*"), "get at other roles: iam:PassRole"),
        (json!("sts:AssumeRole"), json!("arn:aws:iam::111122223333:role/*"), "get at other roles: sts:AssumeRole"),
        (json!("eks:*"), json!("*"), "eks:CreatePodIdentityAssociation"),
    ];
    for (action, resource, says) in rows {
        let mut case = good();
        let statement = json!([{ "Effect": "Allow", "Action": action, "Resource": resource }]);
        case.policies.insert("more".into(), policy(&statement));
        let open = judged(&case).open;
        assert!(open.iter().any(|words| words.contains(says)), "{statement}: {open:?}");
    }
    let mut case = good();
    let elsewhere = json!([
        { "Effect": "Allow", "Action": "secretsmanager:TagResource",
          "Resource": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:payroll/*" },
        { "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::999922223333:role/reports" },
    ]);
    case.policies.insert("elsewhere".into(), policy(&elsewhere));
    assert_eq!(judged(&case), Judgement::default());
}

#[test]
fn what_is_not_weighed_is_said_and_changes_nothing_else() {
    let mut case = good();
    let deny = json!([{ "Sid": "Freeze", "Effect": "Deny", "Action": "*", "Resource": "*" }]);
    case.policies.insert("freeze".into(), policy(&deny));
    let expected =
        Judgement { unweighed: vec!["statement Freeze of policy freeze, which denies".into()], ..Judgement::default() };
    assert_eq!(judged(&case), expected);

    let mut narrowed = good();
    let mut document = permissions(&example(), &narrowed.reach);
    document.statement[0] = document.statement[0].clone().when("IpAddress", "aws:SourceIp", "10.0.0.0/8");
    narrowed.policies.insert("own".into(), document.to_json());
    let judgement = judged(&narrowed);
    assert!(judgement.is_clean() && judgement.unweighed[0].contains("aws:SourceIp"), "{judgement:?}");
}

#[test]
fn a_trust_policy_for_some_of_the_tenants_leaves_the_others_out() {
    for (operator, value) in [("StringLike", "openclaw-alice"), ("StringEquals", "openclaw-*")] {
        let mut case = good();
        let condition = &mut case.trust.statement[0].condition;
        condition.get_mut("StringLike").expect("like").remove("aws:RequestTag/kubernetes-namespace");
        case.trust.statement[0] =
            case.trust.statement[0].clone().when(operator, "aws:RequestTag/kubernetes-namespace", value);
        let judgement = judged(&case);
        assert!(judgement.open.is_empty(), "{judgement:?}");
        assert!(judgement.missing[0].contains("the other workspaces of the class"), "{judgement:?}");
        assert_eq!(judgement.trust, Some(shared_trust(&example(), "openclaw-")), "ready to apply");
    }
}

#[test]
fn models_beyond_the_classs_are_told() {
    let mut case = good();
    let statement = json!([{ "Effect": "Allow", "Action": "bedrock:InvokeModel*", "Resource": "*" }]);
    case.policies.insert("models".into(), policy(&statement));
    assert!(judged(&case).open[0].contains("models that the class does not name: *"));
}

#[test]
fn a_trust_policy_lacks_its_conditions_or_trusts_too_many() {
    let mut bare = good();
    bare.trust.statement[0].condition.clear();
    let judgement = judged(&bare);
    assert_eq!(judgement.open.len(), 3, "namespace, ServiceAccount and cluster: {judgement:?}");
    assert_eq!(judgement.trust, Some(shared_trust(&example(), "openclaw-")));
    assert_eq!(judgement.permissions, None, "the permissions are right");

    let mut shared = good();
    let mut other = shared.trust.statement[0].clone();
    other.principal = Some(json!({ "AWS": "arn:aws:iam::111122223333:root" }));
    shared.trust.statement.push(other);
    assert!(judged(&shared).open[0].contains("others than pods.eks.amazonaws.com"));

    let mut silent = good();
    silent.trust.statement[0].action = vec!["sts:AssumeRole".into()];
    assert!(judged(&silent).missing[0].contains("sts:TagSession"));
}
