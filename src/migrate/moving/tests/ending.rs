//! What the last step removes, and what it must never.

use serde_json::{Value, json};

use super::world::{At, owned_by, pod_spec, sight, workload};
use crate::migrate::moving::{
    doomed::Dependents,
    references::{accounts, maybe_secrets, secrets},
    removal::{Belongings, Removal, guard, removal},
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

fn marked(mut workload: Value, application: &str) -> Value {
    let id = format!("{application}:group/Kind:n/name");
    workload["metadata"]["annotations"] = json!({ "argocd.argoproj.io/tracking-id": id });
    workload
}

/// Alice is over; her Deployment came from the Application `alice`, and so did these.
fn with_mates(mates: &[Value]) -> Sight {
    let mut sight = sight(At::Over);
    sight.workloads[0] = marked(sight.workloads[0].clone(), "alice");
    sight.workloads.extend(mates.iter().map(|one| marked(one.clone(), "alice")));
    sight
}

fn claim(name: &str, owner: &Value) -> Value {
    let mut claim = named(name);
    claim["kind"] = json!("PersistentVolumeClaim");
    let owner = json!({ "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"] });
    claim["metadata"]["ownerReferences"] = json!([owner]);
    claim
}

fn with_claims(claims: &[Value]) -> Belongings {
    Belongings { claims: claims.to_vec(), ..Belongings::default() }
}

/// What came from the same Application and is at rest goes; what runs, or came from nowhere or elsewhere, is told.
#[test]
fn only_workloads_of_the_claim_or_at_rest_and_of_its_application_go() {
    let other = |name: &str, replicas: u8| workload("Deployment", "apps/v1", name, &json!({ "replicas": replicas }));
    let unknown = workload("SandboxClaim", "extensions.agents.x-k8s.io/v1beta1", "box", &json!({}));
    let mut sight = with_mates(&[other("sidecar", 0), other("memory", 2), unknown]);
    sight.workloads.push(marked(other("foreign", 0), "zoo"));
    let mut there = belongings(&[]);
    there.others = vec![json!({ "kind": "Service", "metadata": { "name": "old" } })];
    let removal = removal(&sight, &there);
    assert_eq!(things(&removal), ["ServiceAccount alice", "Deployment sidecar", "Deployment alice"]);
    assert_eq!(
        why(&removal, "Deployment memory"),
        "it comes from the same Application and does not mount the claim, and it still runs (2 replicas): if it is to go too, scale \
         it to zero before this step"
    );
    assert_eq!(
        why(&removal, "SandboxClaim box"),
        "it comes from the same Application and does not mount the claim, and whether it runs is not known"
    );
    assert_eq!(why(&removal, "Deployment foreign"), "it neither mounts the claim nor comes from the same Application");
    assert!(why(&removal, "Service old").starts_with("not this command's to judge"));
}

/// By the former workload it is known what comes from its Application: when it is gone, nobody can say so.
#[test]
fn whatever_is_known_by_the_former_workload_goes_before_it_and_keeps_its_reason_after_it() {
    let mate = |name: &str, replicas: u8| workload("Deployment", "apps/v1", name, &json!({ "replicas": replicas }));
    let mut sight = with_mates(&[mate("zebra", 0), mate("memory", 2)]);
    let shown = removal(&sight, &belongings(&["nobodys"]));
    assert_eq!(things(&shown), ["ServiceAccount alice", "Deployment zebra", "Deployment alice"]);
    sight.workloads.retain(|one| one["metadata"]["name"] != "zebra");
    let left = removal(&sight, &belongings(&["nobodys"])).after(&shown);
    assert_eq!(things(&left), ["ServiceAccount alice", "Deployment alice"], "an end that is not there yet");
    sight.workloads.remove(0);
    let mut there = belongings(&["nobodys", "of-late"]);
    there.accounts.remove(1);
    let left = removal(&sight, &there).after(&shown);
    assert_eq!(things(&left), Vec::<String>::new());
    assert_eq!(left.left.len(), 4, "{left:#?}");
    for what in ["ServiceAccount other", "Secret nobodys", "Deployment memory"] {
        assert_eq!(why(&left, what), why(&shown, what));
    }
    assert_eq!(why(&left, "Secret of-late"), "the former workload does not name it");
}

/// The garbage collector goes by every owner, not by the controller alone, and from one to the next.
#[test]
fn no_claim_goes_with_what_is_removed_and_none_is_hidden() {
    let sandbox = workload("Sandbox", "agents.x-k8s.io/v1beta1", "memory", &json!({ "operatingMode": "Suspended" }));
    let at_rest = |name: &str| workload("Deployment", "apps/v1", name, &json!({ "replicas": 0 }));
    let (direct, far) = (at_rest("direct"), at_rest("far"));
    let mut sight = with_mates(&[sandbox.clone(), direct.clone(), far.clone(), at_rest("none")]);
    let set = owned_by(workload("ReplicaSet", "apps/v1", "far-1", &json!({})), &far);
    let pod = owned_by(workload("Pod", "v1", "far-1-x", &json!({})), &set);
    let kept = owned_by(claim("kept", &json!({})), &sandbox);
    let there = with_claims(&[kept, claim("direct", &direct), claim("scratch", &pod), claim("alice-data", &far)]);
    sight.sets.push(set);
    sight.pods.push(pod);
    let removal = removal(&sight, &there);
    let found: Vec<(String, Dependents, Option<&str>)> =
        removal.things.iter().map(|one| (one.to_string(), one.dependents, one.note.as_deref())).collect();
    let stay = |what: &str, note| (what.to_owned(), Dependents::Stay, Some(note));
    assert_eq!(
        found,
        [
            stay("Sandbox memory", "what it owns stays, because of PersistentVolumeClaim kept"),
            stay("Deployment direct", "what it owns stays, because of PersistentVolumeClaim direct"),
            stay("Deployment far", "what it owns stays, because of PersistentVolumeClaim scratch"),
            ("Deployment none".to_owned(), Dependents::Go, None),
            ("Deployment alice".to_owned(), Dependents::Go, None),
        ]
    );
    let left: Vec<&str> = removal.left.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(left, ["kept", "direct", "scratch"].map(|name| format!("PersistentVolumeClaim {name}")));
}

/// What stays is told: that its controller goes takes nothing along.
#[test]
fn what_an_orphaning_leaves_is_told() {
    let sandbox = workload("Sandbox", "agents.x-k8s.io/v1beta1", "memory", &json!({ "operatingMode": "Suspended" }));
    let sight = with_mates(std::slice::from_ref(&sandbox));
    let mut service = owned_by(named("memory"), &sandbox);
    service["kind"] = json!("Service");
    let mut there = Belongings { others: vec![service], ..Belongings::default() };
    assert!(removal(&sight, &there).left.is_empty(), "it goes with the Sandbox");
    there.claims = vec![claim("memory-data", &sandbox)];
    assert!(why(&removal(&sight, &there), "Service memory").starts_with("not this command's to judge"));
}

/// An owner that was not seen may itself be owned by what is removed.
#[test]
fn a_claim_of_an_owner_that_was_not_seen_holds_everything() {
    let unseen = json!({ "kind": "Cluster", "metadata": { "name": "db", "uid": "nobody-has-seen-it" } });
    let dependents = |there: &Belongings| removal(&sight(At::Over), there).things[0].dependents;
    assert_eq!(dependents(&with_claims(&[claim("db", &unseen)])), Dependents::Stay);
    assert_eq!(dependents(&with_claims(&[named("free")])), Dependents::Go);
    let mut standing = belongings(&[]);
    standing.claims = vec![claim("theirs", &named("other"))];
    let removal = removal(&sight(At::Over), &standing);
    assert!(
        removal.things.iter().all(|one| one.dependents == Dependents::Go),
        "ServiceAccount other stays: {removal:#?}"
    );
}

/// A SandboxClaim owns the Sandbox, and that owns the claim.
#[test]
fn what_is_above_the_owner_of_a_claim_leaves_its_dependents_too() {
    let above = workload("SandboxClaim", "extensions.agents.x-k8s.io/v1beta1", "box", &json!({}));
    let made = json!({ "operatingMode": "Suspended", "volumeClaimTemplates": [{ "metadata": { "name": "alice" } }] });
    let sandbox = owned_by(workload("Sandbox", "agents.x-k8s.io/v1beta1", "data", &made), &above);
    let mut sight = sight(At::Over);
    sight.workloads[0] = sandbox.clone();
    sight.workloads.push(above);
    let removal = removal(&sight, &with_claims(&[claim("other-data", &sandbox)]));
    let found: Vec<(&str, Dependents)> = removal.things.iter().map(|one| (one.kind.as_str(), one.dependents)).collect();
    assert_eq!(found, [("SandboxClaim", Dependents::Stay), ("Sandbox", Dependents::Stay)]);
}

/// Its controller makes it the owner of its claims at any time, so no look tells whether it is by now.
#[test]
fn a_stateful_set_that_deletes_its_claims_is_left() {
    let set = |policy: &str| {
        let policy = json!({ "whenDeleted": policy });
        let templates = json!([{ "metadata": { "name": "data" } }]);
        let template = json!({ "spec": pod_spec("scratch", "own-token", "alice") });
        let spec = json!({
            "replicas": 0, "template": template,
            "persistentVolumeClaimRetentionPolicy": policy, "volumeClaimTemplates": templates,
        });
        workload("StatefulSet", "apps/v1", "memory", &spec)
    };
    let left = removal(&with_mates(&[set("Delete")]), &belongings(&["own-token"]));
    assert_eq!(things(&left), ["Deployment alice"], "and what it names");
    assert_eq!(why(&left, "Secret own-token"), "StatefulSet memory names it too");
    assert_eq!(
        why(&left, "StatefulSet memory"),
        "it deletes its claims when it is deleted (whenDeleted: Delete): if it is to go, first kubectl patch statefulset memory -n \
         openclaw-alice -p '{\"spec\":{\"persistentVolumeClaimRetentionPolicy\":{\"whenDeleted\":\"Retain\"}}}'"
    );
    let goes = removal(&with_mates(&[set("Retain")]), &belongings(&[]));
    assert_eq!(things(&goes), ["ServiceAccount alice", "StatefulSet memory", "Deployment alice"]);
    let mut former = set("Delete");
    former["spec"]["template"]["spec"] = pod_spec("alice-data", "x", "y");
    let mut alone = sight(At::Over);
    alone.workloads[0] = former;
    assert_eq!(things(&removal(&alone, &belongings(&[]))), Vec::<String>::new(), "nor the former workload itself");
}

/// With its dependents orphaned, its pods would run on with nobody to scale them.
#[test]
fn a_workload_that_runs_and_whose_dependents_must_stay_is_left() {
    let mut sight = sight(At::Over);
    sight.workloads[0]["spec"]["replicas"] = json!(1);
    assert_eq!(things(&removal(&sight, &with_claims(&[]))), ["Deployment alice"]);
    let left = removal(&sight, &with_claims(&[claim("scratch", &sight.workloads[0])]));
    assert_eq!(things(&left), Vec::<String>::new());
    assert_eq!(
        why(&left, "Deployment alice"),
        "it still runs (1 replicas), and what it owns has to stay because of PersistentVolumeClaim scratch: scale it to zero first, and \
         run this command again"
    );
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
    sight.workloads[0] = marked(sight.workloads[0].clone(), "alice");
    sight.workloads.push(marked(workload("Deployment", "apps/v1", "zebra", &json!({ "replicas": 0 })), "alice"));
    assert_eq!(things(&removal(&sight, &belongings(&[]))), ["Deployment zebra", "SandboxClaim box", "Sandbox data"]);
}

fn part(part: &mut Option<Value>) -> &mut Value {
    part.as_mut().expect("there")
}

/// Before each delete: the claim is bound to the recorded volume, and that is kept.
#[test]
fn nothing_is_deleted_unless_claim_and_volume_are_safe() {
    assert_eq!(guard(&sight(At::Over)), Ok(()));
    let with = |change: &dyn Fn(&mut Sight)| {
        let mut sight = sight(At::Over);
        change(&mut sight);
        guard(&sight)
    };
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
