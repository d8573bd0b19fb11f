//! What is said of each tenant, whole.

use serde_json::{Value, json};

use super::world::{claim, place, sight};
use crate::{
    api::{names::OwnerSubject, tenant::TenantSpec},
    migrate::{
        judge::{Wishes, judge},
        observed::{Place, Sight},
        report::{Report, State, TenantReport},
    },
};

fn judged(sight: &Sight) -> Report {
    judge(sight, &Wishes::default()).expect("a list")
}

fn alice() -> Value {
    json!([{ "name": "alice", "email": "Alice@Example.com", "plan": "gold" }])
}

/// What was seen in Alice's namespace.
fn seen(sight: &mut Sight) -> &mut Place {
    sight.places.get_mut("openclaw-alice").and_then(Option::as_mut).expect("place")
}

fn only(report: Report) -> TenantReport {
    let mut tenants = report.tenants;
    assert_eq!(tenants.len(), 1);
    tenants.remove(0)
}

#[test]
fn the_table_says_everything() {
    let expected = "\
ApplicationSet argocd/tenants: 1 to migrate; class default (namespaces openclaw-…)
  cascade  ApplicationSet argocd/tenants: set spec.syncPolicy.preserveResourcesOnDeletion to true
  cascade  ApplicationSet argocd/tenants: set spec.template.spec.syncPolicy.automated.prune to false

NAME   OWNER              NAMESPACE       WORKLOAD    STATE
alice  Alice@Example.com  openclaw-alice  Deployment  to migrate

alice
  has      Deployment alice, PersistentVolumeClaim alice (20Gi), ServiceAccount alice, Secret gateway-token
  attach   Namespace openclaw-alice
  attach   PersistentVolumeClaim alice with volume pv-alice
  consent  kubectl annotate namespace openclaw-alice openclaw.io/adopt-by=alice
  differs  the list also says plan: what of it still counts belongs into the Tenant's spec by hand
  differs  Deployment alice: image ghcr.io/openclaw/openclaw:2026.1.1, the class says ghcr.io/openclaw/openclaw:2026.9.6
  differs  Deployment alice: environment that neither class nor Tenant says: API_TOKEN, LOG_LEVEL
  cascade  Application argocd/openclaw-alice: take the finalizer resources-finalizer.argocd.argoproj.io off
  cascade  Application argocd/openclaw-alice: set spec.syncPolicy.automated.prune to false
  danger   PersistentVolume pv-alice is deleted with its claim: kubectl patch pv pv-alice -p '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'
  claimed  Application argocd/openclaw-alice: syncs by itself and puts back what others change (selfHeal)
  claimed  PersistentVolumeClaim alice: label app.kubernetes.io/instance=openclaw-alice
  claimed  Deployment alice: annotation argocd.argoproj.io/tracking-id=openclaw-alice:apps/Deployment:openclaw-alice/alice; \
field managers argocd-controller

Not prepared: what stands behind \"cascade\" comes first, before anything of the old side is removed. None of it was done; --apply does it.
A namespace is taken over only where it consents itself: by the command behind \"consent\", or --apply --consent.
AWS was not looked at: secrets and associations there have to consent as well. --cluster-name NAME looks at them.
";
    let table = judged(&sight(&alice(), &["alice"])).table();
    assert_eq!(table, expected, "{table}");
    assert!(!table.contains("do-not-tell"), "values of the environment may be secrets");
}

#[test]
fn json_holds_the_same_for_programs() {
    let cascade = "take the finalizer resources-finalizer.argocd.argoproj.io off";
    let step = |change: &str| json!({ "kind": "Application", "namespace": "argocd", "name": "openclaw-alice", "change": change });
    let report = judged(&sight(&alice(), &["alice"])).json();
    let tenant = &report["tenants"][0];
    let manifest = json!({
        "apiVersion": "openclaw.io/v1alpha1", "kind": "Tenant", "metadata": { "name": "alice" },
        "spec": {
            "owner": { "email": "Alice@Example.com" }, "className": "default", "deletionPolicy": "Retain",
            "storage": { "size": "20Gi" },
        },
    });
    assert_eq!(tenant["manifest"], manifest);
    assert_eq!(tenant["toPrepare"], json!([step(cascade), step("set spec.syncPolicy.automated.prune to false")]));
    assert_eq!(
        tenant["today"],
        json!({
            "workloads": [{ "kind": "Deployment", "name": "alice", "atRest": false }],
            "claims": [{
                "name": "alice", "size": "20Gi", "storageClass": "efs", "accessModes": ["ReadWriteMany"], "volume": "pv-alice",
                "reclaimPolicy": "Delete", "owners": [],
            }],
            "serviceAccounts": ["alice"],
            "secrets": ["gateway-token"],
        })
    );
    assert_eq!(report["applicationSet"]["prepared"], false);
}

/// The manifest is a Tenant as the API's own types read it, with what the list says and nothing more.
#[test]
fn a_manifest_is_a_tenant() {
    let list = json!([{ "name": "alice", "email": "a@x.y", "subject": "6f1c", "displayName": "Alice" }]);
    let mut sight = sight(&list, &["alice"]);
    seen(&mut sight).claims = Some(vec![claim("alice", "5Gi")]);
    let mut unknown = sight.clone();
    unknown.class.spec = None;
    let size = only(judged(&unknown)).manifest.expect("a manifest")["spec"]["storage"]["size"].clone();
    assert_eq!(size, "5Gi", "whatever the class will say, it does not shrink");
    let report = only(judged(&sight));
    let manifest = report.manifest.expect("a manifest");
    let spec: TenantSpec = serde_json::from_value(manifest["spec"].clone()).expect("a Tenant's spec");
    assert_eq!(spec.owner.effective_subject().as_str(), "6f1c");
    assert_eq!(spec.display_name.as_deref(), Some("Alice"));
    assert_eq!(spec.storage, None, "the class's own size is larger");
    assert!(report.differs.contains(&"claim alice would grow from 5Gi to 10Gi".to_owned()), "{:?}", report.differs);
}

/// With no cluster to ask, names and addresses are still checked, and nothing is claimed of what was not seen.
#[test]
fn without_a_cluster_only_the_list_is_judged() {
    let mut sight = sight(&alice(), &[]);
    (sight.live, sight.applications, sight.class.spec) = (false, None, None);
    let report = judged(&sight);
    assert!(report.table().contains("A file cannot be prepared"), "{}", report.table());
    let manifest = json!({
        "apiVersion": "openclaw.io/v1alpha1", "kind": "Tenant", "metadata": { "name": "alice" },
        "spec": { "owner": { "email": "Alice@Example.com" }, "className": "default", "deletionPolicy": "Retain" },
    });
    let expected = TenantReport {
        name: "alice".into(),
        email: "Alice@Example.com".into(),
        namespace: "openclaw-alice".into(),
        differs: vec!["the list also says plan: what of it still counts belongs into the Tenant's spec by hand".into()],
        manifest: Some(manifest),
        ..TenantReport::default()
    };
    assert_eq!(only(report), expected);
}

/// Each by itself, and none of them gets a manifest or a consent.
#[test]
fn what_blocks_says_why_and_what_to_do() {
    let long = "a".repeat(41);
    let list = json!([
        { "name": "alice", "email": "a@x.y" }, { "name": "alice", "email": "mallory@x.y" },
        { "name": "bob", "email": "b@x.y" }, { "name": "bob", "email": "b@x.y" },
        { "name": "System", "email": "s@x.y" }, { "name": "kube-a", "email": "k@x.y" }, { "name": long, "email": "l@x.y" },
        { "email": "nobody@x.y" }, { "name": "carol" },
    ]);
    let wishes = Wishes { consent: true, ..Wishes::default() };
    let report = judge(&sight(&list, &["alice", "bob", "carol"]), &wishes).expect("a list");
    let beginnings = [
        "the name is mallory@x.y's as well: two people cannot have one tenant",
        "the name is a@x.y's as well",
        "the list has it twice",
        "the list has it twice",
        "tenant name \"System\" is not valid",
        "tenant name \"kube-a\" is not valid",
        "tenant name \"aaaaa",
        "tenant name \"\" is not valid",
        "email address \"\" is not valid",
    ];
    assert_eq!(report.blocked(), beginnings.len());
    for (tenant, beginning) in report.tenants.iter().zip(beginnings) {
        assert!(tenant.blocks.iter().any(|block| block.starts_with(beginning)), "{beginning}: {:?}", tenant.blocks);
        assert_eq!((tenant.state, tenant.manifest.as_ref(), tenant.consent()), (State::Blocked, None, None));
        assert!(tenant.steps.iter().all(|step| step.object.namespace.is_some()), "no consent: {:?}", tenant.steps);
    }
}

/// One change to the world, and what it makes of Alice.
fn blocked_by(change: impl FnOnce(&mut Sight)) -> Vec<String> {
    let mut sight = sight(&json!([{ "name": "alice", "email": "a@x.y" }]), &["alice"]);
    change(&mut sight);
    only(judged(&sight)).blocks
}

fn namespace(sight: &mut Sight) -> &mut Value {
    &mut seen(sight).namespace
}

#[test]
fn a_namespace_that_is_not_the_tenant_s_blocks() {
    let beginning = |blocks: Vec<String>| blocks.first().cloned().unwrap_or_default();
    let other =
        |sight: &mut Sight| sight.set["spec"]["template"]["spec"]["destination"]["namespace"] = json!("old-{{name}}");
    assert!(
        beginning(blocked_by(other))
            .starts_with("its workspace is in namespace old-alice, and the Tenant's would be openclaw-alice")
    );
    let taken = |sight: &mut Sight| namespace(sight)["metadata"]["labels"] = json!({ "openclaw.io/tenant": "bob" });
    assert_eq!(blocked_by(taken), ["namespace openclaw-alice is tenant bob's already"]);
    let promised =
        |sight: &mut Sight| namespace(sight)["metadata"]["annotations"] = json!({ "openclaw.io/adopt-by": "bob" });
    assert!(beginning(blocked_by(promised)).starts_with("namespace openclaw-alice has consented to be adopted by bob"));
    let kept = json!({ "argocd.argoproj.io/tracking-id": "zoo:/Namespace:openclaw-alice/openclaw-alice" });
    let foreign = |sight: &mut Sight| namespace(sight)["metadata"]["annotations"] = kept;
    assert!(
        beginning(blocked_by(foreign))
            .starts_with("namespace openclaw-alice is kept by Application zoo, not by openclaw-alice")
    );
    let leaving = |sight: &mut Sight| namespace(sight)["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(beginning(blocked_by(leaving)).starts_with("namespace openclaw-alice is being deleted"));
    let shared = |sight: &mut Sight| {
        sight.set["spec"]["template"]["spec"]["destination"]["namespace"] = json!("openclaw-alice");
        sight.set["spec"]["generators"][0]["list"]["elements"] =
            json!([{ "name": "alice", "email": "a@x.y" }, { "name": "bob", "email": "b@x.y" }]);
    };
    let mut two = sight(&json!([]), &["alice"]);
    shared(&mut two);
    let report = judged(&two);
    assert!(report.tenants.iter().all(|tenant| tenant.blocks[0].contains("is that of")), "{report:#?}");
}

#[test]
fn the_claim_with_the_data_has_to_be_known_and_to_fit() {
    let claims = |claims: Vec<Value>| {
        move |sight: &mut Sight| {
            seen(sight).claims = Some(claims);
        }
    };
    let two = vec![claim("alice", "10Gi"), claim("backup", "10Gi")];
    assert_eq!(blocked_by(claims(two)), Vec::<String>::new(), "the Deployment mounts one of them");
    let strangers = vec![claim("one", "10Gi"), claim("two", "10Gi")];
    assert!(
        blocked_by(claims(strangers))[0]
            .starts_with("there are several PersistentVolumeClaims (one, two), of which a workload mounts none")
    );
    let large = blocked_by(claims(vec![claim("alice", "200Gi")]));
    assert_eq!(
        large,
        ["claim alice has 200Gi, more than the 100Gi that the class allows: raise storage.maximum of the class"]
    );
}

/// Nothing is said of what was not seen: neither that it is missing, nor that nobody mounts it.
#[test]
fn what_could_not_be_read_is_not_taken_for_missing() {
    let mut sight = sight(&json!([{ "name": "alice", "email": "a@x.y" }]), &["alice"]);
    let place = seen(&mut sight);
    (place.claims, place.accounts, place.secrets) = (None, None, None);
    let report = only(judged(&sight));
    assert_eq!(
        (report.state, report.attach.as_slice()),
        (State::Open, ["Namespace openclaw-alice".to_owned()].as_slice())
    );
    assert!(report.differs.iter().all(|line| !line.contains("PersistentVolumeClaim")), "{:?}", report.differs);
    assert_eq!(judged(&sight).json()["tenants"][0]["today"]["claims"], Value::Null);

    let two = vec![claim("one", "10Gi"), claim("two", "10Gi")];
    (seen(&mut sight).claims, seen(&mut sight).workloads) = (Some(two), None);
    assert_eq!(only(judged(&sight)).blocks, Vec::<String>::new());

    sight.places.remove("openclaw-alice");
    let report = only(judged(&sight));
    assert_eq!((report.attach, report.differs), (Vec::new(), Vec::new()));
    sight.places.insert("openclaw-alice".into(), None);
    let missing = "namespace openclaw-alice is not there: the operator makes it, with an empty volume";
    assert_eq!(only(judged(&sight)).differs, [missing]);
}

/// What a Sandbox made goes with it: that is told, and how to keep it.
#[test]
fn a_sandbox_is_known_and_what_it_owns_is_in_danger() {
    let mut sight = sight(&json!([{ "name": "alice", "email": "a@x.y" }]), &["alice"]);
    let mut place = place("alice");
    place.workloads = Some(vec![
        json!({ "kind": "SandboxClaim", "metadata": { "name": "alice" }, "spec": {} }),
        json!({
            "kind": "Sandbox", "metadata": { "name": "alice" },
            "spec": {
                "podTemplate": { "spec": { "containers": [{ "name": "a", "image": "ghcr.io/openclaw/openclaw:2026.9.6" }] } },
                "volumeClaimTemplates": [{ "metadata": { "name": "data" } }], "operatingMode": "Suspended",
            },
        }),
    ]);
    let mut owned = claim("data-alice", "10Gi");
    owned["metadata"]["ownerReferences"] = json!([{ "kind": "Sandbox", "name": "alice", "controller": true }]);
    place.claims = Some(vec![claim("scratch", "1Gi"), owned]);
    place.reclaim.clear();
    sight.places.insert("openclaw-alice".into(), Some(place));
    let report = only(judged(&sight));
    assert_eq!(report.blocks, Vec::<String>::new());
    assert_eq!(
        report.attach,
        ["Namespace openclaw-alice", "PersistentVolumeClaim data-alice with volume pv-data-alice"]
    );
    let danger = "PersistentVolumeClaim data-alice belongs to Sandbox alice, and goes with it: remove that one by kubectl delete \
                  sandbox alice -n openclaw-alice --cascade=orphan";
    assert_eq!(report.hazards, [danger]);
    let rest = "Sandbox alice: it is at rest (scaled to zero or suspended); the operator starts it, unless spec.suspend is set";
    assert_eq!(report.differs, [rest]);
}

fn tenant_of(email: &str) -> Value {
    json!({ "metadata": { "name": "alice" }, "spec": { "owner": { "email": email }, "className": "default", "storage": { "size": "20Gi" } } })
}

#[test]
fn a_tenant_that_is_there_already_is_recognised() {
    let mut sight = sight(&alice(), &["alice"]);
    sight.tenants.insert("alice".into(), tenant_of("Alice@Example.com"));
    let same = only(judged(&sight));
    assert_eq!((same.state, same.manifest.is_some()), (State::Migrated, true));

    sight.tenants.insert("alice".into(), {
        let mut tenant = tenant_of("Alice@Example.com");
        tenant["spec"]["className"] = json!("large");
        tenant
    });
    let differs = only(judged(&sight));
    assert_eq!((differs.state, differs.manifest), (State::Differs, None), "what is there is not written over");
    assert!(differs.differs.iter().any(|line| line.contains("says otherwise in className")), "{:?}", differs.differs);

    sight.tenants.insert("alice".into(), tenant_of("mallory@example.com"));
    assert_eq!(only(judged(&sight)).blocks, ["a Tenant of that name is there, and is another owner's"]);
}

#[test]
fn a_name_that_is_kept_for_another_owner_blocks() {
    let kept_for = |email: &str| {
        let subject = OwnerSubject::from_email(&email.parse().expect("email"));
        let owner = json!({ "subject": subject, "hash": subject.hash() });
        let record = json!({ "spec": { "phase": "Retained", "owner": owner } });
        blocked_by(|sight| drop(sight.records.insert("alice".into(), record)))
    };
    assert_eq!(kept_for("a@x.y"), Vec::<String>::new());
    assert!(kept_for("mallory@x.y")[0].starts_with("the name is kept for another owner by its TenantRecord"));
}

/// A person's name may read like something else in YAML.
#[test]
fn manifests_read_the_same_after_a_file() {
    for name in ["null", "yes", "on", "true", "y", "e1", "a-1"] {
        let list = json!([{ "name": name, "email": "1e3@x.y", "displayName": "# no: comment" }]);
        let manifest = only(judged(&sight(&list, &[]))).manifest.expect("a manifest");
        let yaml = serde_saphyr::to_string(&manifest).expect("YAML");
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).expect("YAML"), manifest, "{yaml}");
    }
}
