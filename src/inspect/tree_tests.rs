use litemap::LiteMap;

use super::*;
use crate::{
    aws::types::{Association, Secret, Tags},
    inspect::{cloud::CloudSight, objects::is_wanted},
};

const VERSION: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn record(phase: &str) -> Value {
    json!({
        "metadata": { "name": "alice", "uid": "u-1", "resourceVersion": "1" },
        "spec": {
            "phase": phase,
            "incarnation": "6f1c2a3b4c",
            "owner": { "hash": "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976" },
            "className": "default",
            "namespace": { "name": "openclaw-alice", "prefix": "openclaw-" },
            "serviceAccount": "workspace-6f1c2a3b4c",
            "identity": {
                "mode": "SharedRole", "nonce": "00000000000000000000000000000000", "associationId": "a-1",
                "roleArn": "arn:aws:iam::123456789012:role/openclaw",
            },
            "secrets": { "mode": "SecretsManager", "prefix": "openclaw", "items": [
                {
                    "name": "gateway-token", "origin": "Generated", "nonce": "00000000000000000000000000000000",
                    "versionId": VERSION, "rotatedAt": "2026-01-01T00:00:00Z",
                },
                { "name": "slack", "origin": "Person", "nonce": "00000000000000000000000000000000" },
            ] },
            "storage": { "className": "efs", "size": "10Gi" },
            "routing": { "mode": "Host" },
            "retirement": {
                "deletionPolicy": "Retain", "retentionDays": 30, "recoveryWindowDays": 30, "settlingSeconds": 60,
            },
            "purgeAfter": if phase == "Retained" { json!("2026-02-01T00:00:00Z") } else { Value::Null },
        },
    })
}

fn tenant() -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    json!({
        "metadata": { "name": "alice", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "owner": { "email": "alice@example.com" }, "className": "default" },
        "status": {
            "observedGeneration": 1, "phase": "Error", "gateway": "g/public", "url": "https://alice.example.com",
            "conditions": [
                condition("Ready", "False", "AwaitingValue", "SecretsReady: openclaw/alice/slack has no value"),
                condition("Stalled", "True", "AwaitingValue", "SecretsReady: openclaw/alice/slack has no value"),
                condition("NamespaceReady", "True", "Verified", "stands"),
                condition("SecretsReady", "False", "AwaitingValue", "openclaw/alice/slack has no value"),
            ],
        },
    })
}

/// A tenant of which all is there but the route, which nobody may see, and the ConfigMap, which is missing.
fn alice() -> One {
    let record = record("Active");
    let spec: TenantRecordSpec = serde_json::from_value(record["spec"].clone()).expect("a record");
    let name = "alice".parse().expect("name");
    let objects = Child::ALL.iter().map(|child| {
        let seen = match child {
            Child::ConfigMap => Seen::Missing,
            Child::Route | Child::ScaledObject | Child::InterceptorGrant => {
                Seen::Unseen("forbidden (status 403)".into())
            }
            Child::LimitRange => Seen::There(json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } })),
            Child::StatefulSet => Seen::There(json!({ "spec": { "replicas": 1 }, "status": { "readyReplicas": 0 } })),
            Child::Claim => Seen::There(json!({
                "spec": { "resources": { "requests": { "storage": "10Gi" } } }, "status": { "phase": "Bound" },
            })),
            Child::ResourceQuota => {
                let amount = |cpu: &str, memory: &str| json!({ "limits.cpu": cpu, "limits.memory": memory });
                Seen::There(json!({ "status": { "used": amount("1", "1Gi"), "hard": amount("4", "8Gi") } }))
            }
            child if child.kind().is_optional() => Seen::Missing,
            _ => Seen::There(json!({})),
        };
        let wanted = is_wanted(*child, Some(&tenant()), &spec);
        Object { child: *child, key: child.key(&name, &spec), seen, wanted }
    });
    let pod = json!({
        "metadata": {
            "name": "alice-0", "namespace": "openclaw-alice", "uid": "u-2",
            "labels": { "openclaw.io/tenant": "alice", "openclaw.io/managed": "true" },
        },
        "spec": {},
        "status": { "containerStatuses": [{ "name": "gateway", "state": { "waiting": { "reason": "ImagePullBackOff" } } }] },
    });
    let volume = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" }, "status": { "phase": "Bound" } });
    One {
        name: "alice".into(),
        now: "2026-01-03T00:00:00Z".parse().expect("time"),
        tenant: Seen::There(tenant()),
        record: Seen::There(record),
        objects: objects.collect(),
        volume: Some(("pvc-1".into(), Seen::There(volume))),
        pods: Seen::There(vec![pod]),
        cloud: None,
    }
}

#[test]
fn a_tenant_is_a_tree_with_what_is_wrong_and_what_to_do() {
    let expected = format!(
        "\
Tenant alice: Error, AwaitingValue
├─ owner alice@example.com, class default, 2d old
├─ https://alice.example.com, by gateway g/public
├─ conditions
│  ├─ Ready           False  AwaitingValue
│  ├─ Stalled         True   AwaitingValue
│  ├─ NamespaceReady  True   Verified
│  └─ SecretsReady    False  AwaitingValue
├─ TenantRecord alice: Active, incarnation 6f1c2a3b4c
├─ Namespace openclaw-alice: present
│  ├─ ResourceQuota alice: present, cpu 1 of 4, memory 1Gi of 8Gi
│  ├─ LimitRange alice: being deleted
│  ├─ NetworkPolicy default-deny: present
│  ├─ NetworkPolicy alice: present
│  ├─ PodDisruptionBudget alice: present
│  ├─ ServiceAccount workspace-6f1c2a3b4c: present
│  ├─ PersistentVolumeClaim alice: present, Bound, 10Gi
│  │  └─ PersistentVolume pvc-1: present, Bound, Retain
│  ├─ ConfigMap alice: missing
│  ├─ Service alice: present
│  ├─ StatefulSet alice: present, 0 of 1 ready
│  │  └─ Pod alice-0: not ready: container gateway: ImagePullBackOff 
│  ├─ HTTPRoute alice: not seen: forbidden (status 403)
│  └─ not seen, where there is any: ScaledObject, ReferenceGrant
└─ in AWS, as the record tells it
   ├─ Pod Identity association a-1 of ServiceAccount workspace-6f1c2a3b4c, role arn:aws:iam::123456789012:role/openclaw
   ├─ secret openclaw/alice/gateway-token: version {VERSION}, since 2026-01-01T00:00:00Z
   └─ secret openclaw/alice/slack: no value yet

What is wrong, and what to do:
  SecretsReady, AwaitingValue: openclaw/alice/slack has no value
    It means: a required secret has no value yet
    What to do: put one: `aws secretsmanager put-secret-value`
  ConfigMap openclaw-alice/alice: it is missing
    What to do: the operator makes it again by itself, unless a condition above says why it does not; does it run?
"
    );
    assert_eq!(alice().text(Paint::default(), None), expected);
}

#[test]
fn what_aws_says_against_the_record_is_told() {
    let mut one = alice();
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}").parse().ok();
    let association = Association {
        id: "a-1".parse().expect("id"),
        arn: String::new(),
        namespace: "openclaw-alice".into(),
        service_account: "workspace-6f1c2a3b4c".into(),
        role_arn: role("other"),
        owner_arn: None,
        tags: Tags::new(),
        created_at: None,
    };
    let token = Secret {
        arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x".parse().expect("arn"),
        name: "openclaw/alice/gateway-token".into(),
        kms_key: None,
        deleted_at: None,
        tags: Tags::new(),
        versions: LiteMap::from_iter([(VERSION.into(), vec!["AWSCURRENT".into()])]),
    };
    one.cloud = Some(CloudSight {
        association: Some(Seen::There(association)),
        secrets: vec![Seen::There(token), Seen::Missing],
    });
    let text = one.text(Paint::default(), None);
    for expected in [
        "└─ in AWS\n",
        "in AWS its role is arn:aws:iam::123456789012:role/other\n",
        "since 2026-01-01T00:00:00Z; the same in AWS\n",
        "secret openclaw/alice/slack: no value yet; AWS has no such secret\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(one.json()["aws"]["secrets"][0]["live"], json!({ "state": "present", "currentVersion": VERSION }));
    assert_eq!(one.json()["aws"]["association"]["live"]["state"], "present");
}

#[test]
fn a_name_without_a_tenant_shows_what_is_kept_and_until_when() {
    let mut one = alice();
    (one.tenant, one.record) = (Seen::Missing, Seen::There(record("Retained")));
    one.objects.retain(|object| object.child == Child::Namespace);
    let text = one.text(Paint::default(), None);
    let lines: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(
        lines,
        [
            "Tenant alice: there is none, and the name is kept",
            "├─ TenantRecord alice: Retained, incarnation 6f1c2a3b4c, may be purged after 2026-02-01T00:00:00Z",
            "├─ Namespace openclaw-alice: present",
        ]
    );
    assert_eq!(one.json()["record"]["purgeAfter"], "2026-02-01T00:00:00Z");
}

#[test]
fn the_route_is_not_missed_while_access_has_ended() {
    let spec: TenantRecordSpec = serde_json::from_value(record("Active")["spec"].clone()).expect("a record");
    let mut asleep = tenant();
    asleep["spec"]["suspend"] = json!(true);
    assert!(is_wanted(Child::Route, Some(&tenant()), &spec) && !is_wanted(Child::Route, Some(&asleep), &spec));
    assert!(is_wanted(Child::Claim, Some(&asleep), &spec) && !is_wanted(Child::ScaledObject, Some(&tenant()), &spec));
}

#[test]
fn json_names_every_object_and_what_is_wrong() {
    let json = alice().json();
    let states: Vec<&str> =
        json["objects"].as_array().expect("a list").iter().filter_map(|it| it["state"].as_str()).collect();
    assert_eq!(states.iter().filter(|state| **state == "present").count(), 9, "{states:?}");
    assert_eq!(
        (&json["wrong"][0]["reason"], &json["wrong"][0]["subject"]),
        (&json!("AwaitingValue"), &json!("SecretsReady"))
    );
    assert_eq!(json["pods"][0]["trouble"], "container gateway: ImagePullBackOff ");
    assert_eq!(json["ready"], false);
}
