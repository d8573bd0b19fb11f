//! Further copies of the operator, in another namespace: the Lease has one place in all the cluster.

use serde_json::{Value, json};

use super::{
    member::{Member, lease, minted, one_of_each, until_leads},
    writes::asked,
};
use crate::support::{Bed, Instance, condition};

/// The copy's ServiceAccount.
const ACCOUNT: &str = "elsewhere/openclaw-tenant-operator";

/// Makes the copy's ServiceAccount, and gives it this ClusterRole.
fn make_account(instance: &Instance, role: &str) {
    instance.kubectl(&["create", "namespace", "elsewhere"]);
    instance.kubectl(&["create", "serviceaccount", "openclaw-tenant-operator", "--namespace", "elsewhere"]);
    let role = format!("--clusterrole={role}");
    instance.kubectl(&["create", "clusterrolebinding", "elsewhere", &role, &subject()]);
}

/// Gives it one of the operator's Roles.
fn give(instance: &Instance, namespace: &str, role: &str) {
    let role = format!("--role=openclaw-tenant-operator-{role}");
    instance.kubectl(&["create", "rolebinding", "elsewhere", "--namespace", namespace, &role, &subject()]);
}

fn subject() -> String {
    format!("--serviceaccount={}", ACCOUNT.replace('/', ":"))
}

fn start(instance: &Instance) -> Member {
    let kubeconfig = minted(instance, "copy", ACCOUNT);
    let flags = ["--operator-namespace", "elsewhere"];
    Member::start_with(instance, "copy", "standby", &kubeconfig, &kubeconfig, &flags)
}

/// How often the copy has read the Lease, or found that there is none.
fn looks(instance: &Instance, copy: &Member) -> usize {
    let looks = asked(instance, &copy.credential, &["get"]).into_iter();
    looks.filter(|look| look.is_renewal() && [200, 404].contains(&look.status)).count()
}

/// A copy waits for the Lease and writes nothing. When its turn comes, policies know the operator by its place and refuse what the copy
/// writes: it says so, and nothing of any tenant changes until the operator itself is back.
#[tokio::test]
async fn a_copy_in_another_namespace_stands_by_and_then_may_not_write() {
    let instance = Instance::own();
    let first = Member::first(instance);
    let bed = Bed::on(instance, "old").await;
    bed.ready_tenant(json!({})).await;

    make_account(instance, "openclaw-tenant-operator");
    let copy = start(instance);
    let told = || async {
        let log = copy.process.log();
        (log.contains("cannot get resource") && log.contains("get, create and update on leases")).then_some(())
    };
    bed.until_so("a word about the missing right", told).await;
    give(instance, "kube-system", "lease");
    give(instance, "default", "events");
    copy.stands_by().await;
    bed.ready_tenant(json!({ "quota": { "cpu": "5" } })).await;
    let before = (lease(&bed).await["renewTime"].clone(), looks(instance, &copy));
    let looked = || async {
        (looks(instance, &copy) > before.1 + 1 && lease(&bed).await["renewTime"] != before.0).then_some(())
    };
    bed.until_so("looks at a Lease that is renewed", looked).await;
    let writes = (copy.in_kubernetes(instance), copy.in_aws(instance).await);
    assert!(writes.0.is_empty() && writes.1.is_empty(), "{writes:#?}");

    first.process.kill();
    until_leads(&bed, &copy).await;
    let new = Bed::on(instance, "new").await;
    new.apply_tenant(json!({})).await.expect("taken");
    bed.apply_tenant(json!({ "quota": { "cpu": "6" } })).await.expect("edited");
    for bed in [&new, &bed] {
        let is_told = |tenant: &Value| {
            let ready = condition(tenant, "Ready");
            let said = ready["message"].as_str().unwrap_or_default();
            ready["status"] == "False" && said.contains("denied request") && said.contains("only the operator")
        };
        bed.until("told of what refuses it", is_told).await;
    }
    let writes = copy.in_kubernetes(instance).into_iter().filter(|write| {
        let is_report = write.what.contains("/status ") || write.what.starts_with("create events");
        write.status < 300 && !write.is_renewal() && !is_report
    });
    let writes = (writes.collect::<Vec<_>>(), copy.in_aws(instance).await);
    assert!(writes.0.is_empty() && writes.1.is_empty(), "{writes:#?}");

    copy.process.kill();
    let _operator = Member::start(instance, "third", "operator");
    for bed in [&new, &bed] {
        bed.ready().await;
        one_of_each(bed).await;
    }
}

/// A copy that may not see everything would do nothing with the Lease: it leaves it to others.
#[tokio::test]
async fn who_may_not_see_everything_leaves_the_lease_to_others() {
    let instance = Instance::own();
    instance.kubectl(&["create", "clusterrole", "narrow", "--verb=get,list,watch", "--resource=namespaces"]);
    make_account(instance, "narrow");
    give(instance, "kube-system", "lease");
    let copy = start(instance);
    let bed = Bed::on(instance, "wide").await;
    let looked = || async {
        let writes = copy.in_kubernetes(instance);
        (looks(instance, &copy) >= 2 || !writes.is_empty()).then_some(writes)
    };
    let writes = bed.until_so("looks at the Lease", looked).await;
    assert!(writes.is_empty(), "{writes:#?}");
    let (status, said) = copy.process.get("/readyz").await.expect("an answer");
    assert!(status == 503 && said.contains("caches"), "{said}");
    let _operator = Member::first(instance);
    bed.ready_tenant(json!({})).await;
    assert!(copy.in_kubernetes(instance).is_empty());
}
