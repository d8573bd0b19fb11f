//! `status`: all tenants, or one as a tree, with the caller's own rights.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Bed, Instance};

fn status(bed: &Bed, arguments: &[&str]) -> String {
    let (succeeded, said, complained) = bed.instance.run_operator(&[&["status"], arguments].concat());
    assert!(succeeded, "{said}\n{complained}");
    said
}

fn status_json(bed: &Bed) -> Value {
    serde_json::from_str(&status(bed, &[&bed.tenant, "-o", "json"])).expect("JSON")
}

/// A ready tenant is shown with everything that it has, in the cluster and in AWS, and nothing is wrong.
#[tokio::test]
async fn a_tenant_is_shown_with_all_that_it_has() {
    let bed = Bed::new("status-tree").await;
    bed.ready_tenant(json!({})).await;
    let cluster = bed.instance.fact("/aws/clusterName");
    let text = status(&bed, &[&bed.tenant, "--cluster-name", cluster]);
    let name = &bed.tenant;
    for expected in [
        format!("Tenant {name}: Ready, Verified\n"),
        format!("├─ Namespace {}: present\n", bed.namespace()),
        format!("│  ├─ PersistentVolumeClaim {name}: present, Bound, 10Gi\n"),
        "Bound, Retain\n".to_owned(),
        format!("│  ├─ StatefulSet {name}: present, 1 of 1 ready\n│  │  └─ Pod {name}-0: ready\n"),
        format!("│  └─ HTTPRoute {name}: present, accepted\n"),
        format!("secret openclaw/{name}/gateway-token: version "),
    ] {
        assert!(text.contains(&expected), "{expected}\n{text}");
    }
    assert_eq!(text.matches("; the same in AWS\n").count(), 2, "association and secret\n{text}");
    assert!(!text.contains("What is wrong") && !text.contains('\x1b'), "{text}");
    let json = status_json(&bed).to_string();
    let calls = bed.instance.calls(name).await;
    let by_the_command = |operation: &str| {
        let by_it = calls.iter().filter(|call| call["accessKeyId"] == "administrator");
        by_it.filter(|call| call["operation"] == operation).count()
    };
    assert_eq!((by_the_command("DescribeSecret"), by_the_command("GetSecretValue")), (1, 0), "{calls:?}");
    let value = bed.instance.secrets().get_secret_value().secret_id(format!("openclaw/{name}/gateway-token"));
    let value = value.send().await.expect("a value").secret_string().expect("text").to_owned();
    assert!(!text.contains(&value) && !json.contains(&value), "never a value");
}

/// What is wrong is told with what to do, and the fleet begins with who needs a person.
#[tokio::test]
async fn who_needs_a_person_is_first_and_told_what_to_do() {
    let bed = Bed::new("status-wrong").await;
    bed.apply_tenant(json!({ "secrets": [{ "name": "slack-bot-token", "required": true }] })).await.expect("applied");
    bed.stalled("AwaitingValue").await;
    let text = status(&bed, &[&bed.tenant]);
    let advice = "    It means: a required secret has no value yet\n    What to do: put one: `aws secretsmanager put-secret-value`\n";
    assert!(text.contains("  SecretsReady, AwaitingValue: ") && text.contains(advice), "{text}");
    let json = status_json(&bed);
    assert_eq!((&json["ready"], &json["wrong"][0]["reason"]), (&json!(false), &json!("AwaitingValue")));
    let fleet: Value = serde_json::from_str(&status(&bed, &["-o", "json"])).expect("JSON");
    let rows = fleet["tenants"].as_array().expect("rows");
    let own = rows.iter().find(|row| row["name"] == json!(bed.tenant)).expect("its row");
    assert_eq!((&own["needsPerson"], &own["phase"], &own["class"]), (&json!(true), &json!("Error"), &json!(bed.class)));
    let order: Vec<bool> = rows.iter().map(|row| row["needsPerson"] == true).collect();
    assert!(order.is_sorted_by(|one, other| one >= other), "{order:?}");
}

/// A name that is kept without a Tenant, and one that nobody has.
#[tokio::test]
async fn a_name_that_is_only_kept_says_so() {
    let bed = Bed::new("status-kept").await;
    bed.ready_tenant(json!({})).await;
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    let text = status(&bed, &[&bed.tenant]);
    let head = format!("Tenant {}: there is none, and the name is kept\n├─ TenantRecord {0}: Retained, ", bed.tenant);
    assert!(text.starts_with(&head) && text.contains("may be purged after 20"), "{text}");
    assert!(!text.contains("HTTPRoute"), "access has ended\n{text}");
    let (succeeded, _, complained) = bed.instance.run_operator(&["status", "nobody-has-this-name"]);
    assert!(!succeeded && complained.contains("there is no Tenant nobody-has-this-name"), "{complained}");
}

/// What changes is printed until all are Ready. On an instance of its own: nobody else's tenants are waited for.
#[tokio::test]
async fn progress_is_printed_until_all_are_ready() {
    let instance = Instance::own();
    let bed = Bed::on(instance, "status-watch").await;
    bed.apply_tenant(json!({})).await.expect("applied");
    let (succeeded, said, complained) = instance.run_operator(&["status", "--until-ready", "--timeout", "1s"]);
    assert!(
        !succeeded && complained.contains("not all are Ready after 1 s: 1 tenant: 1 Pending"),
        "{said}{complained}"
    );
    let watching = instance.start_command(&["status", "--until-ready", "--timeout", "5m"]);
    let _operator = instance.start_operator();
    let Output { status: ended, stdout, stderr } =
        tokio::task::spawn_blocking(|| watching.wait_with_output()).await.expect("waited").expect("its output");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(ended.success(), "{said}{}", String::from_utf8_lossy(&stderr));
    let last = format!("{}: Ready, Verified: every part stands and was verified\n1 tenant: 1 Ready\n", bed.tenant);
    assert!(said.contains("1 tenant: 1 Pending\n") && said.ends_with(&last), "{said}");
    let tree = status(&bed, &[&bed.tenant]);
    assert!(
        !tree.contains("not seen") && !tree.contains("missing"),
        "kinds that are not served are not missed\n{tree}"
    );
}

/// With the rights to see our kinds alone, the rest is said to be unseen.
#[tokio::test]
async fn what_the_caller_may_not_see_is_said() {
    let bed = Bed::new("status-rights").await;
    bed.ready_tenant(json!({})).await;
    let account = format!("{}-viewer", bed.tenant);
    bed.apply("ServiceAccount", Some("default"), &account, json!({})).await.expect("an account");
    let resources = ["tenants", "tenantrecords", "tenantclasses"];
    let rule = json!({ "apiGroups": ["openclaw.io"], "resources": resources, "verbs": ["get", "list"] });
    bed.apply("ClusterRole", None, &account, json!({ "rules": [rule] })).await.expect("a role");
    let binding = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": account },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "default", "name": account }],
    });
    bed.apply("ClusterRoleBinding", None, &account, binding).await.expect("a binding");
    let kubeconfig = std::env::temp_dir().join(format!("{account}.kubeconfig"));
    bed.instance.mint(&format!("default/{account}"), &kubeconfig);
    let seen = || async {
        let (succeeded, said, _) = bed.instance.run_operator_with(&kubeconfig, &["status", &bed.tenant]);
        succeeded.then_some(said)
    };
    let text = bed.until_so("the viewer's rights", seen).await;
    assert!(text.starts_with(&format!("Tenant {}: Ready, Verified\n", bed.tenant)), "{text}");
    assert!(
        text.contains(&format!("StatefulSet {}: not seen: ", bed.tenant)) && text.contains("is forbidden"),
        "{text}"
    );
    assert!(!text.contains("missing"), "{text}");
    let (succeeded, fleet, _) = bed.instance.run_operator_with(&kubeconfig, &["status"]);
    assert!(succeeded && fleet.contains(&bed.tenant), "{fleet}");
}
