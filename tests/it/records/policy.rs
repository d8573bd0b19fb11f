//! The policy that keeps records from everybody but the operator.

use serde_json::{Value, json};

use super::break_glass;
use crate::support::{Bed, refusal};

/// Binds a ClusterRole to a person, and returns the bed in that person's hands once the right is known.
async fn person_with(bed: &Bed, role: &str) -> Bed {
    let user = format!("{role}-of-{}", bed.tenant);
    let body = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    bed.create("ClusterRoleBinding", None, &user, body).await.expect("binding");
    let person = bed.acting_as(&user, &["system:authenticated"]).await;
    bed.until_so("the right to change records", || async {
        let change = json!({ "metadata": { "resourceVersion": "1" } });
        let answer = person.patch("TenantRecord", None, &bed.tenant, change).await;
        // A conflict is an answer to somebody who has the right.
        matches!(answer, Err(kube::Error::Api(status)) if status.code == 409).then_some(())
    })
    .await;
    person
}

/// Somebody with every right on records but that of giving orders.
async fn editor(bed: &Bed) -> Bed {
    let role = format!("{}-editor", bed.tenant);
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let rules = json!([{ "apiGroups": ["openclaw.io"], "resources": ["tenantrecords"], "verbs": verbs }]);
    bed.create("ClusterRole", None, &role, json!({ "rules": rules })).await.expect("role");
    person_with(bed, &role).await
}

fn annotation(key: &str, value: &str) -> Value {
    json!({ "metadata": { "annotations": { key: value } } })
}

/// Whatever one may do by RBAC: specs, labels, finalizers, owners, creation and deletion are the operator's.
#[tokio::test]
async fn only_the_operator_makes_changes_and_deletes_records() {
    let bed = Bed::new("policy").await;
    bed.ready_tenant(json!({})).await;
    let before = bed.record().await.expect("record");
    let owner = json!([{ "apiVersion": "v1", "kind": "Namespace", "name": bed.namespace(), "uid": "1" }]);
    let changes = [
        json!({ "spec": { "owner": { "subject": "mallory" } } }),
        json!({ "spec": { "namespace": { "name": "kube-system" } } }),
        json!({ "metadata": { "labels": { "team": "blue" } } }),
        json!({ "metadata": { "finalizers": ["example.com/mine"] } }),
        json!({ "metadata": { "ownerReferences": owner } }),
    ];
    // Also a cluster administrator, as long as no glass is broken.
    for person in [editor(&bed).await, bed.acting_as("root", &["system:masters"]).await] {
        for change in &changes {
            let message = refusal(person.patch("TenantRecord", None, &bed.tenant, change.clone()).await);
            assert!(message.contains("only the operator changes a record"), "{change}: {message}");
            assert!(message.contains("To change the tenant, change the Tenant"), "says what to do: {message}");
        }
        let made = json!({ "spec": before["spec"] });
        let message = refusal(person.create("TenantRecord", None, &format!("{}-new", bed.tenant), made).await);
        assert!(message.contains("only the operator makes records"), "{message}");
        let message = refusal(person.try_delete("TenantRecord", None, &bed.tenant).await);
        assert!(message.contains("To end a tenant, delete the Tenant"), "{message}");
    }
    assert_eq!(bed.record().await, Some(before));
}

/// Orders are for those who may administer, and nothing else goes with them.
#[tokio::test]
async fn orders_are_given_by_holders_of_administer_alone_and_survive_the_operator_s_writes() {
    let bed = Bed::new("orders").await;
    bed.ready_tenant(json!({})).await;
    let (editor, administrator) = (editor(&bed).await, person_with(&bed, "openclaw-record-administrator").await);
    // No order that the operator knows: one that it does would be carried out and taken off.
    let order = annotation("openclaw.io/note", "2030-01-01T00:00:00Z");

    let message = refusal(editor.patch("TenantRecord", None, &bed.tenant, order.clone()).await);
    assert!(message.contains("ask for the verb administer"), "{message}");
    for person in [&editor, &administrator] {
        let foreign = annotation("example.com/note", "mine");
        let message = refusal(person.patch("TenantRecord", None, &bed.tenant, foreign).await);
        assert!(message.contains("begin with openclaw.io/, not example.com/note"), "{message}");
    }
    let mut with_more = order.clone();
    with_more["spec"] = json!({ "phase": "Purged" });
    let message = refusal(administrator.patch("TenantRecord", None, &bed.tenant, with_more).await);
    assert!(message.contains("only the operator changes a record"), "{message}");
    administrator.patch("TenantRecord", None, &bed.tenant, order).await.expect("an order");

    bed.apply_tenant(json!({ "deletionPolicy": "Delete" })).await.expect("taken");
    bed.ready().await;
    let record = bed.record().await.expect("record");
    assert_eq!(record["spec"]["retirement"]["deletionPolicy"], "Delete", "the operator wrote it meanwhile");
    assert_eq!(record["metadata"]["annotations"]["openclaw.io/note"], "2030-01-01T00:00:00Z");

    let taken_back = json!({ "metadata": { "annotations": { "openclaw.io/note": null } } });
    let message = refusal(editor.patch("TenantRecord", None, &bed.tenant, taken_back.clone()).await);
    assert!(message.contains("ask for the verb administer"), "taking one back is an order too: {message}");
    administrator.patch("TenantRecord", None, &bed.tenant, taken_back).await.expect("taken back");
}

/// When nothing else helps, somebody can.
#[tokio::test]
async fn who_breaks_glass_passes() {
    let bed = Bed::new("glass").await;
    bed.ready_tenant(json!({})).await;
    let somebody = break_glass(&bed).await;
    let change = json!({ "metadata": { "labels": { "team": "blue" } } });
    let changed = somebody.patch("TenantRecord", None, &bed.tenant, change).await.expect("changed");
    assert_eq!(changed["metadata"]["labels"]["team"], "blue");
}
