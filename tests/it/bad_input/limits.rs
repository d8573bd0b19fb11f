//! What a Tenant may ask for is the class's to say.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, example_class, merge, refusal};

/// L4: good, bad, good; and every number that is too large is named with the one that is allowed.
#[tokio::test]
async fn a_quota_above_the_class_s_maximum_stalls_and_a_lower_one_is_ready() {
    let bed = Bed::new("quota").await;
    bed.ready_tenant(json!({})).await;
    let before = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
    bed.apply_tenant(json!({ "quota": { "cpu": "9", "memory": "17Gi", "pods": 21 } })).await.expect("taken");
    let message = bed.stalled("QuotaAboveMaximum").await;
    for number in ["cpu 9 (at most 8)", "memory 17Gi (at most 16Gi)", "pods 21 (at most 20)"] {
        assert!(message.contains(number), "{number}: {message}");
    }
    let meanwhile = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
    assert_eq!(meanwhile["spec"], before["spec"], "nothing of it was applied");
    bed.apply_tenant(json!({ "quota": { "cpu": "8", "memory": "16Gi", "pods": 20 } })).await.expect("taken");
    bed.ready().await;
    let after = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
    assert_eq!(after["spec"]["hard"]["limits.cpu"], "8");
}

/// A wish that a class does not grant, and the answer.
struct Refused {
    wish: Value,
    reason: &'static str,
    says: &'static str,
}

fn refused(wish: Value, reason: &'static str, says: &'static str) -> Refused {
    Refused { wish, reason, says }
}

/// Takes a Ready tenant through every wish and back: nothing of any of them reaches the workspace (L4).
async fn assert_all_refused(test: &str, class: Value, rows: Vec<Refused>) {
    let instance = Instance::shared();
    let mut spec = example_class(instance);
    merge(&mut spec, class);
    let bed = Bed::with_class(instance, test, spec).await;
    bed.ready_tenant(json!({})).await;
    let workspace = workspace(&bed).await;
    for Refused { wish, reason, says } in rows {
        bed.apply_tenant(wish.clone()).await.unwrap_or_else(|error| panic!("{wish}: {error}"));
        let message = bed.stalled(reason).await;
        assert!(message.contains(says), "{wish}: {message}");
    }
    bed.apply_tenant(json!({})).await.expect("taken");
    bed.ready().await;
    assert_eq!(self::workspace(&bed).await, workspace, "nothing was changed in between");
}

/// What runs, what it reads and where it may go: identity and generation of each.
async fn workspace(bed: &Bed) -> Vec<Value> {
    let pod = format!("{}-0", bed.tenant);
    let objects = [
        ("StatefulSet", bed.tenant.as_str()),
        ("ConfigMap", &bed.tenant),
        ("NetworkPolicy", &bed.tenant),
        ("ResourceQuota", &bed.tenant),
        ("Pod", &pod),
    ];
    let mut seen = Vec::new();
    for (kind, name) in objects {
        let object = bed.child(kind, name).await.unwrap_or_else(|| panic!("{kind} {name}"));
        seen.push(json!([kind, object["metadata"]["uid"], object["metadata"]["generation"], object["data"]]));
    }
    seen
}

/// Each override by itself, where the class allows none or only some.
#[tokio::test]
async fn what_the_class_does_not_allow_stalls_with_its_own_reason() {
    let class = json!({
        "deletion": { "allowedPolicies": ["Retain"] },
        "allow": {
            "imageRepositories": ["ghcr.io/openclaw/openclaw"], "env": ["LOG_*"], "skills": ["web-*"],
            "resources": false, "egressCidrs": false, "egressDomains": false, "secrets": 1,
        },
    });
    let rows = vec![
        refused(
            json!({ "image": { "repository": "example.org/evil/openclaw", "tag": "1" } }),
            "ImageNotAllowed",
            "[ghcr.io/openclaw/openclaw]",
        ),
        refused(json!({ "env": [{ "name": "TZ", "value": "UTC" }] }), "EnvNotAllowed", "allows [LOG_*]"),
        refused(json!({ "env": [{ "name": "NODE_OPTIONS", "value": "-r x" }] }), "EnvNotAllowed", "never AWS_*"),
        refused(json!({ "skills": ["shell"] }), "SkillNotAllowed", "skill shell"),
        refused(json!({ "resources": { "limits": { "cpu": "1" } } }), "ResourcesNotAllowed", "take the block away"),
        refused(json!({ "egress": { "cidrs": [{ "cidr": "203.0.113.0/24" }] } }), "EgressNotAllowed", "egress.cidrs"),
        refused(json!({ "egress": { "domains": ["api.example.com"] } }), "EgressNotAllowed", "egress.domains"),
        refused(json!({ "secrets": [{ "name": "one" }, { "name": "two" }] }), "SecretNotAllowed", "2 secrets"),
        refused(json!({ "secrets": [{ "name": "gateway-token" }] }), "SecretNotAllowed", "is the class's own"),
        refused(json!({ "deletionPolicy": "Delete" }), "DeletionPolicyNotAllowed", "use one of"),
    ];
    assert_all_refused("not-allowed", class, rows).await;
}

/// A class that allows everything still does not open the cluster, and promises nothing that it cannot hold.
#[tokio::test]
async fn what_no_class_can_give_stalls_with_its_own_reason() {
    let class = json!({ "allow": { "env": ["A*", "N*", "h*"], "egressCidrs": true, "egressDomains": true } });
    let private = |cidr: &str| json!({ "egress": { "cidrs": [{ "cidr": cidr }] } });
    let rows = vec![
        refused(private("10.1.0.0/16"), "EgressNotAllowed", "10.1.0.0/16 holds private or reserved addresses"),
        refused(private("169.254.169.254/32"), "EgressNotAllowed", "private or reserved"),
        refused(private("0.0.0.0/0"), "EgressNotAllowed", "private or reserved"),
        refused(private("fd00::/8"), "EgressNotAllowed", "private or reserved"),
        refused(json!({ "egress": { "domains": ["api.example.com"] } }), "DomainsNeedAllowlist", "Allowlist"),
        refused(json!({ "env": [{ "name": "AWS_REGION", "value": "x" }] }), "EnvNotAllowed", "never AWS_*"),
        refused(json!({ "env": [{ "name": "https_proxy", "value": "x" }] }), "EnvNotAllowed", "*_PROXY"),
        refused(json!({ "resources": { "limits": { "cpu": "100" } } }), "WorkloadAboveQuota", "limits.cpu are 100200m"),
    ];
    assert_all_refused("not-given", class, rows).await;
}

/// In Allowlist mode names would restrict something, where something enforced them.
#[tokio::test]
async fn domains_without_a_network_that_knows_names_stall() {
    let class = json!({ "network": { "egressMode": "Allowlist" }, "allow": { "egressDomains": true } });
    let wish = json!({ "egress": { "domains": ["api.example.com"] } });
    let rows = vec![refused(wish, "DomainsUnsupported", "list address ranges instead")];
    assert_all_refused("domains", class, rows).await;
}

/// What can be judged from the Tenant alone is judged at once.
#[tokio::test]
async fn what_no_tenant_may_say_is_refused_by_the_api_server() {
    let bed = Bed::new("nonsense").await;
    let rows = [
        (json!({ "image": { "tag": "latest" } }), "latest is not taken"),
        (json!({ "image": { "tag": "1", "digest": format!("sha256:{:064}", 0) } }), "exactly one of tag and digest"),
        (json!({ "egress": { "cidrs": [{ "cidr": "203.0.113.7/24" }] } }), "no host bits set"),
        (json!({ "egress": { "cidrs": [{ "cidr": "everywhere" }] } }), "an address range in CIDR form"),
    ];
    for (wish, says) in rows {
        let message = refusal(bed.apply_tenant(wish).await);
        assert!(message.contains(says), "{message}");
    }
    assert_eq!(bed.get("Tenant", None, &bed.tenant).await, None);
}
