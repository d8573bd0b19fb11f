//! What the last step removes, and what it must never.

use serde_json::{Value, json};

use super::world::{At, owned_by, pod_spec, sight, workload};
use crate::migrate::moving::{
    references::{accounts, maybe_secrets, secrets},
    removal::{Belongings, Dependents, Removal, guard, removal},
    report::{Report, Step},
    sight::Sight,
    verdict::Refused,
};

fn named(name: &str) -> Value {
    json!({ "metadata": { "name": name, "uid": format!("uid-{name}") } })
}

fn belongings(names: &[&str]) -> Belongings {
    Belongings {
        secrets: names.iter().map(|name| named(name)).collect(),
        accounts: vec![named("default"), named("alice"), named("other")],
        ..Belongings::default()
    }
}

fn things(removal: &Removal) -> Vec<String> {
    removal.things.iter().map(ToString::to_string).collect()
}

fn why(removal: &Removal, what: &str) -> String {
    let left = removal.left.iter().find(|one| one.what == what);
    left.map_or_else(|| panic!("{what} is not left: {removal:#?}"), |one| one.why.clone())
}

/// The workload last: by it a run that was interrupted still knows what it had.
#[test]
fn what_the_former_workload_alone_had_goes_and_the_workload_last() {
    let removal = removal(&sight(At::Over), &belongings(&["own-token", "stray"]));
    assert_eq!(things(&removal), ["Secret own-token", "ServiceAccount alice", "Deployment alice"]);
    assert_eq!(removal.associations, ["a-former"]);
    assert_eq!(why(&removal, "Secret stray"), "the former workload does not name it");
    assert_eq!(why(&removal, "ServiceAccount other"), "the former workload does not run as it");
    assert!(removal.left.iter().all(|one| one.what != "ServiceAccount default"));
}

/// Something that is otherwise.
type Change<'a> = &'a dyn Fn(&mut Sight, &mut Belongings);

/// Whoever else names a Secret keeps it: a workload, a pod, a Job, an Ingress, a ServiceAccount that stays.
#[test]
fn a_secret_that_anybody_else_names_is_left() {
    let others: [(&str, Change<'_>); 6] = [
        ("Deployment exporter", &|sight, _| {
            let template = json!({ "spec": pod_spec("scratch", "own-token", "x") });
            sight.workloads.push(workload("Deployment", "apps/v1", "exporter", &json!({ "template": template })));
        }),
        ("Pod debug", &|sight, _| {
            sight.pods.push(workload("Pod", "v1", "debug", &pod_spec("scratch", "own-token", "x")));
        }),
        ("Job backup", &|_, there| {
            let template = json!({ "spec": { "imagePullSecrets": [{ "name": "own-token" }] } });
            there.referrers.push(workload("Job", "batch/v1", "backup", &json!({ "template": template })));
        }),
        ("Ingress web", &|_, there| {
            let spec = json!({ "tls": [{ "secretName": "own-token" }] });
            there.referrers.push(workload("Ingress", "networking.k8s.io/v1", "web", &spec));
        }),
        ("ServiceAccount other", &|_, there| there.accounts[2]["imagePullSecrets"] = json!([{ "name": "own-token" }])),
        ("StatefulSet alice", &|sight, _| {
            sight.workloads[1]["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"] =
                json!("own-token");
        }),
    ];
    for (who, change) in others {
        let (mut sight, mut there) = (sight(At::Over), belongings(&["own-token"]));
        change(&mut sight, &mut there);
        let removal = removal(&sight, &there);
        assert!(!things(&removal).contains(&"Secret own-token".to_owned()), "{who}");
        assert_eq!(why(&removal, "Secret own-token"), format!("{who} names it too"));
    }
}

#[test]
fn what_was_not_seen_is_not_taken_for_missing() {
    let mut there = belongings(&["own-token"]);
    there.unread = vec!["jobs: forbidden".to_owned()];
    let left = removal(&sight(At::Over), &there);
    assert_eq!(things(&left), ["Deployment alice"]);
    assert_eq!(why(&left, "Secret own-token"), "who else names it is not known: jobs: forbidden");
    there.unread.clear();
    there.unread_bindings = vec!["clusterrolebindings: forbidden".to_owned()];
    let left = removal(&sight(At::Over), &there);
    assert_eq!(things(&left), ["Secret own-token", "Deployment alice"], "bindings name ServiceAccounts alone");
}

#[test]
fn a_secret_that_somebody_keeps_or_that_is_a_token_is_left() {
    let mut there = belongings(&["own-token"]);
    there.secrets[0]["metadata"]["ownerReferences"] = json!([{ "kind": "ExternalSecret", "name": "tokens" }]);
    assert_eq!(why(&removal(&sight(At::Over), &there), "Secret own-token"), "ExternalSecret tokens keeps it");
    let mut there = belongings(&["own-token"]);
    there.secrets[0]["metadata"]["annotations"] = json!({ "kubernetes.io/service-account.name": "alice" });
    let left = removal(&sight(At::Over), &there);
    assert_eq!(why(&left, "Secret own-token"), "it is a token of ServiceAccount alice");
    assert_eq!(why(&left, "ServiceAccount alice"), "Secret own-token is a token of it");
    assert_eq!(things(&left), ["Deployment alice"]);
}

#[test]
fn a_service_account_that_a_binding_or_a_pod_names_is_left() {
    let binding = json!({
        "kind": "RoleBinding", "metadata": { "name": "read" },
        "subjects": [{ "kind": "ServiceAccount", "name": "alice", "namespace": "openclaw-alice" }],
    });
    let mut there = belongings(&[]);
    there.referrers.push(binding);
    assert_eq!(why(&removal(&sight(At::Over), &there), "ServiceAccount alice"), "RoleBinding read names it");
    there.referrers[0]["subjects"][0]["namespace"] = json!("elsewhere");
    assert_eq!(things(&removal(&sight(At::Over), &there)), ["ServiceAccount alice", "Deployment alice"]);
    let mut shared = sight(At::Over);
    shared.pods.push(workload("Pod", "v1", "debug", &pod_spec("scratch", "x", "alice")));
    assert_eq!(why(&removal(&shared, &belongings(&[])), "ServiceAccount alice"), "Pod debug names it");
}

/// What came from the same Application goes; what came from nowhere or elsewhere is told.
#[test]
fn only_workloads_of_the_claim_or_of_its_application_go() {
    let mut sight = sight(At::Over);
    let marked = |name: &str, application: &str| {
        let mut one = workload("Deployment", "apps/v1", name, &json!({ "replicas": 2 }));
        one["metadata"]["annotations"] =
            json!({ "argocd.argoproj.io/tracking-id": format!("{application}:apps/Deployment:n/{name}") });
        one
    };
    sight.workloads[0]["metadata"]["annotations"] =
        marked("alice", "openclaw-alice")["metadata"]["annotations"].clone();
    sight.workloads.extend([marked("sidecar", "openclaw-alice"), marked("foreign", "zoo")]);
    let mut there = belongings(&[]);
    there.others = vec![json!({ "kind": "Service", "metadata": { "name": "old" } })];
    let removal = removal(&sight, &there);
    assert_eq!(things(&removal), ["ServiceAccount alice", "Deployment alice", "Deployment sidecar"]);
    assert_eq!(removal.things[2].note.as_deref(), Some("it runs: 2 replicas"));
    assert_eq!(why(&removal, "Deployment foreign"), "it neither mounts the claim nor comes from the same Application");
    assert!(why(&removal, "Service old").starts_with("not this command's to judge"));
}

/// A SandboxClaim would make its Sandbox again, pod and all: so it goes first.
#[test]
fn a_sandbox_claim_goes_before_its_sandbox() {
    let mut sight = sight(At::Over);
    let claim = workload("SandboxClaim", "extensions.agents.x-k8s.io/v1beta1", "box", &json!({}));
    let made = json!({ "operatingMode": "Suspended", "volumeClaimTemplates": [{ "metadata": { "name": "alice" } }] });
    let sandbox = owned_by(workload("Sandbox", "agents.x-k8s.io/v1beta1", "data", &made), &claim);
    sight.workloads[0] = sandbox;
    sight.workloads.push(claim);
    assert_eq!(things(&removal(&sight, &belongings(&[]))), ["SandboxClaim box", "Sandbox data"]);
}

fn part(part: &mut Option<Value>) -> &mut Value {
    part.as_mut().expect("there")
}

/// Before each delete: the claim is bound to the recorded volume, and that is kept.
#[test]
fn nothing_is_deleted_unless_claim_and_volume_are_safe() {
    assert_eq!(guard(&sight(At::Over)), Ok(Dependents::Go));
    let with = |change: &dyn Fn(&mut Sight)| {
        let mut sight = sight(At::Over);
        change(&mut sight);
        guard(&sight)
    };
    let owners = json!([{ "kind": "Sandbox", "name": "x", "uid": "y" }]);
    assert_eq!(
        with(&|sight| part(&mut sight.claim)["metadata"]["ownerReferences"] = owners.clone()),
        Ok(Dependents::Stay)
    );
    let unsafe_: [&dyn Fn(&mut Sight); 7] = [
        &|sight| sight.claim = None,
        &|sight| sight.volume = None,
        &|sight| sight.record.storage.volume = None,
        &|sight| part(&mut sight.claim)["metadata"]["deletionTimestamp"] = json!("now"),
        &|sight| part(&mut sight.claim)["spec"]["volumeName"] = json!("pv-2"),
        &|sight| part(&mut sight.volume)["spec"]["claimRef"]["uid"] = json!("another"),
        &|sight| part(&mut sight.volume)["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete"),
    ];
    for change in unsafe_ {
        assert!(matches!(with(change), Err(Refused::Unsafe(_))));
    }
}

#[test]
fn secrets_and_accounts_are_found_wherever_a_pod_can_name_them() {
    let pod = json!({
        "metadata": { "annotations": { "secretName": "not-this" } },
        "spec": {
            "imagePullSecrets": [{ "name": "pull" }],
            "initContainers": [{ "env": [{ "name": "SECRET", "value": "no-name", "valueFrom": { "secretKeyRef": { "name": "env", "key": "k" } } }] }],
            "containers": [{ "envFrom": [{ "secretRef": { "name": "all" } }, { "configMapRef": { "name": "config" } }] }],
            "volumes": [
                { "secret": { "secretName": "volume" } },
                { "projected": { "sources": [{ "secret": { "name": "projected" } }] } },
                { "csi": { "nodePublishSecretRef": { "name": "csi" }, "volumeAttributes": { "secretProviderClass": "class" } } },
            ],
            "serviceAccountName": "alice",
        },
    });
    let sure = ["all", "csi", "env", "projected", "pull", "volume"];
    assert_eq!(secrets(&pod), sure.map(str::to_owned).into());
    // What only looks like one is no ground to delete, and enough to keep.
    assert!(maybe_secrets(&pod).contains("class") && maybe_secrets(&pod).is_superset(&secrets(&pod)));
    assert_eq!(accounts(&pod, "n"), ["alice".to_owned()].into());
}

#[test]
fn the_outcome_is_told_to_people_and_to_programs() {
    let mut report = Report::new(Step::Finish, "alice");
    report.removal = removal(&sight(At::Over), &belongings(&["stray"]));
    report.next = vec!["look".to_owned()];
    let expected = "\
finish of tenant alice: nothing was changed
  remove   Pod Identity association a-former (by the operator)
  remove   ServiceAccount alice
  remove   Deployment alice
  left     ServiceAccount other: the former workload does not run as it
  left     Secret stray: the former workload does not name it
  next     look
";
    assert_eq!(report.table(), expected);
    let json = report.json();
    assert_eq!(
        json["toRemove"]["objects"][1],
        json!({ "kind": "Deployment", "name": "alice", "uid": "Deployment-alice", "note": null })
    );
    assert_eq!((&json["done"], &json["secondsWithoutReadyPod"]), (&json!(false), &Value::Null));
    let mut report = Report::new(Step::CutOver, "alice");
    (report.done, report.seconds_without_pod) = (true, Some(2.94));
    assert_eq!(
        report.table(),
        "cut-over of tenant alice: done\n  measured 2.9 s without a ready pod of the workspace\n"
    );
}
