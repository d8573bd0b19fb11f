//! Names that no Tenant gets, and the longest that one may have.

use serde_json::json;

use crate::support::{Bed, Instance, condition, example_class, refusal};

/// The API server itself says what a name must be.
#[tokio::test]
async fn a_name_that_breaks_the_rule_is_refused_with_the_rule() {
    let bed = Bed::new("names").await;
    let too_long = "a".repeat(41);
    for name in ["Alice", "alice.smith", "1alice", "alice-", too_long.as_str()] {
        let message = refusal(bed.create("Tenant", None, name, bed.manifest(json!({}))).await);
        assert!(
            message.contains("the name must be 1 to 40 lower-case letters, digits and hyphens"),
            "{name}: {message}"
        );
    }
}

/// Names that somebody could take for the platform's own.
#[tokio::test]
async fn a_reserved_name_is_refused_with_all_that_are() {
    let bed = Bed::new("reserved").await;
    for name in ["system", "default", "operator", "gateway", "admin", "shared", "public", "openclaw", "kube-x"] {
        let message = refusal(bed.create("Tenant", None, name, bed.manifest(json!({}))).await);
        assert!(message.contains("this name is reserved for the platform"), "{name}: {message}");
        assert!(message.contains("kube-…"), "{name}: {message}");
    }
}

/// 63 characters of namespace, 40 of everything else.
#[tokio::test]
async fn the_longest_name_and_prefix_make_a_whole_tenant() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    class["namespacePrefix"] = json!("a-prefix-of-23-letters-");
    let mut bed = Bed::with_class(instance, "longest", class).await;
    bed.tenant = format!("{:x<40}", bed.tenant);
    let tenant = bed.ready_tenant(json!({})).await;
    assert_eq!(bed.namespace().len(), 63);
    assert_eq!(tenant["status"]["namespace"], bed.namespace());
    assert_eq!(condition(&tenant, "RouteReady")["status"], "True");
}
