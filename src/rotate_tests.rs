use super::*;

const OLD: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn record(order: Option<&str>, item: &Value) -> TenantRecordSpec {
    let nonce = "00000000000000000000000000000000";
    let mut token = json!({ "name": "gateway-token", "origin": "Generated", "nonce": nonce });
    for (key, value) in item.as_object().into_iter().flatten() {
        token[key] = value.clone();
    }
    let hand = json!({ "name": "slack", "origin": "Person", "nonce": nonce });
    serde_json::from_value(json!({
        "phase": "Active", "incarnation": "6f1c2a3b4c",
        "owner": { "hash": "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976" },
        "className": "default",
        "namespace": { "name": "openclaw-alice", "prefix": "openclaw-" },
        "serviceAccount": "workspace-6f1c2a3b4c",
        "identity": { "mode": "None", "nonce": nonce },
        "secrets": {
            "mode": "SecretsManager", "prefix": "openclaw", "items": [token, hand],
            "order": order.map(|order| sha256_hex(&[order])),
        },
        "storage": { "className": "efs", "size": "10Gi" },
        "routing": { "mode": "Host" },
        "retirement": { "deletionPolicy": "Retain", "recoveryWindowDays": 30, "settlingSeconds": 60 },
    }))
    .expect("a record")
}

fn tenant(conditions: &[(&str, &str, &str)]) -> Value {
    let all: Vec<Value> = conditions
        .iter()
        .map(|(kind, reason, message)| {
            json!({
                "type": kind, "status": "True", "reason": reason, "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        })
        .collect();
    json!({ "metadata": { "name": "alice" }, "status": { "observedGeneration": 1, "conditions": all } })
}

fn stands(tenant: &Value, record: &TenantRecordSpec) -> Progress {
    let before = versions(&self::record(None, &json!({ "versionId": OLD })));
    let ordered = "2026-01-01T00:00:10Z".parse().expect("time");
    progress("now", &before, ordered, tenant, record)
}

fn rotation() -> Value {
    json!({
        "nonce": "00000000000000000000000000000001", "from": OLD, "cause": "Order", "since": "2026-01-01T00:00:11Z",
    })
}

#[test]
fn an_order_is_followed_from_being_given_to_its_end() {
    let quiet = tenant(&[]);
    let waits = |text: &str| Progress::Waits(text.into());
    assert_eq!(
        stands(&quiet, &record(None, &json!({ "versionId": OLD }))),
        waits("the operator has not taken the order up yet")
    );
    let stalled = tenant(&[("Stalled", "ClaimLost", "bring it back")]);
    assert_eq!(
        stands(&stalled, &record(None, &json!({ "versionId": OLD }))),
        waits("the operator has not taken the order up yet; it is Stalled, ClaimLost: bring it back")
    );
    let rolling = tenant(&[("SecretsReady", "Rotating", "the pod is rolled")]);
    assert_eq!(
        stands(&rolling, &record(Some("now"), &json!({ "versionId": NEW, "rotation": rotation() }))),
        waits("being rotated: gateway-token: the pod is rolled")
    );
    assert_eq!(stands(&quiet, &record(Some("now"), &json!({ "versionId": NEW }))), Progress::Done);
    assert_eq!(
        stands(&quiet, &record(Some("before"), &json!({ "versionId": NEW }))),
        waits("the operator has not taken the order up yet"),
        "the end of another order is not its end"
    );
}

#[test]
fn what_is_not_carried_out_is_told_in_the_operators_words() {
    let refused = |text: &str| Progress::Refused(text.into());
    let old = record(None, &json!({ "versionId": OLD }));
    assert_eq!(
        stands(&tenant(&[("SecretsReady", "RotationBlocked", "the sign-in holds a copy")]), &old),
        refused("the sign-in holds a copy")
    );
    let failed = |at: &str| record(Some("now"), &json!({ "versionId": OLD, "failedAt": at }));
    assert_eq!(
        stands(&tenant(&[("SecretsReady", "RotationFailed", "given up")]), &failed("2026-01-01T00:05:00Z")),
        refused("given up")
    );
    assert_eq!(
        stands(&tenant(&[]), &failed("2025-12-31T00:00:00Z")),
        Progress::Done,
        "an earlier failure is not this order's"
    );
    let down = record(Some("now"), &json!({ "versionId": NEW, "rotation": rotation() }));
    assert_eq!(stands(&tenant(&[("Stalled", "RotationFailed", "it stays down")]), &down), refused("it stays down"));
    let mut paused = tenant(&[]);
    paused["metadata"]["annotations"] = json!({ "openclaw.io/paused": "true" });
    assert_eq!(
        stands(&paused, &old),
        refused("it is paused, and the order waits: kubectl annotate tenant alice openclaw.io/paused-")
    );
}

#[test]
fn the_outcome_names_versions_and_no_values() {
    let version = |text: &str| text.parse::<VersionId>().ok();
    let mut outcome = Outcome {
        tenant: "alice".parse().expect("name"),
        order: "now".into(),
        rotated: vec![("gateway-token".parse().expect("item"), version(OLD), version(NEW))],
        waited: true,
    };
    assert_eq!(
        outcome.text(),
        format!(
            "The secrets of tenant alice have new values, and its workspace uses them.\n  gateway-token: version {NEW}, before {OLD}\n"
        )
    );
    assert_eq!(outcome.json()["secrets"][0], json!({ "name": "gateway-token", "before": OLD, "versionId": NEW }));
    (outcome.waited, outcome.rotated) = (false, Vec::new());
    assert!(outcome.text().starts_with("Ordered. "));
}
