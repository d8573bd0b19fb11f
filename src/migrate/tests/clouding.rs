//! What lies in AWS for a tenant, and what it says of being taken over.

use serde_json::{Value, json};

use super::world::sight;
use crate::{
    api::{
        labels::tags,
        names::{OwnerSubject, Uid},
    },
    aws::types::{Association, Secret, Tags},
    migrate::{
        cloud::{CloudSight, Stand},
        judge::{Wishes, judge},
        observed::Sight,
        report::{Report, State, TenantReport},
    },
};

const CLUSTER: &str = "0c9d7e11-2222-4333-8444-555566667777";

fn tagged(all: &[(&str, &str)]) -> Tags {
    all.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn secret(item: &str, all: &[(&str, &str)]) -> Secret {
    let name = format!("openclaw/alice/{item}");
    Secret {
        arn: format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-AbCdEf").parse().expect("arn"),
        name,
        kms_key: None,
        deleted_at: None,
        tags: tagged(all),
        versions: litemap::LiteMap::new(),
    }
}

fn association(account: &str, all: &[(&str, &str)]) -> Association {
    Association {
        id: format!("a-{account}").parse().expect("id"),
        arn: format!("arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/a-{account}"),
        namespace: "openclaw-alice".into(),
        service_account: account.into(),
        role_arn: None,
        owner_arn: None,
        tags: tagged(all),
        created_at: None,
    }
}

fn seen(secrets: Vec<Secret>, associations: Vec<Association>) -> Sight {
    let mut sight = sight(&json!([{ "name": "alice", "email": "a@x.y" }]), &["alice"]);
    if let Some(class) = &mut sight.class.spec {
        class.secrets = serde_json::from_value(json!({ "mode": "SecretsManager" })).expect("secrets of a class");
    }
    sight.cloud = Some(CloudSight {
        cluster_name: "prod".into(),
        cluster_uid: CLUSTER.parse::<Uid>().expect("uid"),
        region: "eu-west-1".into(),
        prefix: "openclaw".parse().expect("prefix"),
        secrets: [("alice".to_owned(), secrets)].into(),
        associations: [("alice".to_owned(), associations)].into(),
    });
    sight
}

fn judged(sight: &Sight) -> Report {
    judge(sight, &Wishes::default()).expect("a list")
}

fn alice(sight: &Sight) -> TenantReport {
    judged(sight).tenants.remove(0)
}

fn stands(report: &TenantReport) -> Vec<Stand> {
    report.cloud.iter().flat_map(|cloud| &cloud.items).map(|item| item.stand.clone()).collect()
}

#[test]
fn what_does_not_consent_is_told_with_the_command() {
    let sight = seen(vec![secret("gateway-token", &[]), secret("other", &[])], vec![association("alice", &[])]);
    let report = alice(&sight);
    assert_eq!(stands(&report), [Stand::Silent, Stand::Unasked, Stand::Silent]);
    assert_eq!(report.state, State::Open, "a consent that is missing is no decision of a person");
    let table = judged(&sight).table();
    for line in [
        "  aws      secret openclaw/alice/gateway-token: without its consent the Tenant becomes Stalled: SecretTaken\n",
        "  aws      secret openclaw/alice/other: neither class nor Tenant has an item of that name, so it is left\n",
        "  aws      association a-alice of ServiceAccount alice: without its consent it is left when the adoption is finished\n",
        "  consent  kubectl annotate namespace openclaw-alice openclaw.io/adopt-by=alice\n",
        "  consent  aws secretsmanager tag-resource --region eu-west-1 --secret-id openclaw/alice/gateway-token --tags \
         Key=openclaw-adopt-by,Value=alice\n",
        "  consent  aws eks tag-resource --region eu-west-1 --resource-arn \
         arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/a-alice --tags openclaw-adopt-by=alice\n",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
    assert!(!table.contains("AWS was not looked at"), "{table}");
    let first = &judged(&sight).json()["tenants"][0]["aws"][0];
    assert_eq!(
        (&first["kind"], &first["stand"], &first["why"]),
        (&json!("secret"), &json!("no consent"), &Value::Null)
    );
}

#[test]
fn consent_counts_and_the_tenants_own_needs_none() {
    let consents = [(tags::ADOPT_BY, "alice")];
    let sight = seen(vec![secret("gateway-token", &consents)], vec![association("alice", &consents)]);
    assert_eq!(stands(&alice(&sight)), [Stand::Consents, Stand::Consents]);
}

/// A consent that names another, another cluster's or another owner's mark: none of it is written over, and of a secret that the
/// Tenant needs a person has to decide.
#[test]
fn what_is_anothers_is_refused_and_never_asked_to_consent() {
    let hash = OwnerSubject::from_email(&"mallory@x.y".parse().expect("email")).hash();
    let own = OwnerSubject::from_email(&"a@x.y".parse().expect("email")).hash();
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[(tags::ADOPT_BY, "bob")], "it has consented to be adopted by bob"),
        (&[(tags::ADOPT_BY, "alice"), (tags::CLUSTER_UID, "another")], "it belongs to cluster another"),
        (&[(tags::OWNER_HASH, hash.as_str())], "it belongs to another owner"),
    ];
    for (all, why) in cases {
        let report = alice(&seen(vec![secret("gateway-token", all)], vec![association("alice", all)]));
        for stand in stands(&report) {
            assert!(matches!(&stand, Stand::Refuses(text) if text.starts_with(why)), "{stand:?}");
        }
        assert_eq!(report.state, State::Blocked);
        assert_eq!(report.blocks.len(), 1, "an association stops nobody: {:?}", report.blocks);
        assert_eq!(report.cloud.expect("seen").silent().count(), 0);
        // What nobody needs stops nobody.
        assert_eq!(alice(&seen(vec![secret("other", all)], Vec::new())).state, State::Open);
    }
    let report = alice(&seen(
        vec![secret("gateway-token", &[(tags::OWNER_HASH, own.as_str()), (tags::CLUSTER_UID, CLUSTER)])],
        Vec::new(),
    ));
    assert_eq!(stands(&report), [Stand::Silent], "her own marks speak against nothing");
}

#[test]
fn a_secret_in_its_recovery_window_stops_the_tenant() {
    let mut scheduled = secret("gateway-token", &[(tags::ADOPT_BY, "alice")]);
    scheduled.deleted_at = Some("2026-01-01T00:00:00Z".parse().expect("time"));
    let report = alice(&seen(vec![scheduled], Vec::new()));
    assert!(
        report.blocks[0].contains("restore-secret --region eu-west-1 --secret-id openclaw/alice/gateway-token"),
        "{:?}",
        report.blocks
    );
}

#[test]
fn a_class_without_secrets_asks_for_none_and_a_tenant_for_its_own() {
    let mut sight = seen(vec![secret("gateway-token", &[]), secret("slack", &[])], Vec::new());
    let tenant = json!({
        "metadata": { "name": "alice" },
        "spec": { "owner": { "email": "a@x.y" }, "className": "default", "secrets": [{ "name": "slack" }] },
    });
    sight.tenants.insert("alice".into(), tenant);
    assert_eq!(stands(&alice(&sight)), [Stand::Silent, Stand::Silent]);
    if let Some(class) = &mut sight.class.spec {
        class.secrets = serde_json::from_value(json!({ "mode": "None" })).expect("secrets of a class");
    }
    assert_eq!(stands(&alice(&sight)), [Stand::Unasked, Stand::Unasked]);
}

/// Nothing is said of what was not seen.
#[test]
fn without_a_look_nothing_is_said() {
    let mut sight = seen(vec![secret("gateway-token", &[])], Vec::new());
    if let Some(cloud) = &mut sight.cloud {
        cloud.associations.clear();
    }
    assert_eq!(alice(&sight).cloud, None);
    sight.cloud = None;
    assert!(judged(&sight).table().ends_with("--cluster-name NAME looks at them.\n"));
    assert_eq!(judged(&sight).json()["tenants"][0]["aws"], Value::Null);
}
