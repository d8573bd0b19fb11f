//! The former workload is found, brought to zero with what it was written on it, and made that again.

use serde_json::{Value, json};

use super::world::{At, deployment, own_set, owned_by, pod, pod_spec, sight, workload};
use crate::{
    api::labels::BEFORE_CUT_OVER,
    migrate::moving::{
        former::{Before, Scale, before, down, former, relabel, scaled_up_again, up},
        rivals::{Writers, absent, against, fighting, still_claiming},
        sight::{Sight, title},
    },
};

fn noon() -> jiff::Timestamp {
    "2026-01-01T12:00:00Z".parse().expect("time")
}

fn titles(sight: &Sight) -> Vec<String> {
    former(sight).into_iter().map(title).collect()
}

fn claim() -> Value {
    let labels = json!({ "team": "blue", "openclaw.io/tenant": "alice" });
    json!({ "metadata": { "name": "alice-data", "uid": "claim-1", "resourceVersion": "3", "labels": labels } })
}

/// What it was is written in the same request that brings it to zero, and to that very state of it.
#[test]
fn a_workload_goes_to_zero_with_what_it_was_written_on_it() {
    let was = |scale: Value| {
        let mut was = scale;
        was["since"] = json!("2026-01-01T12:00:00Z");
        was["claimLabels"] = json!({ "team": "blue" });
        was
    };
    let cases = [
        (deployment(2), json!({ "replicas": 0 }), was(json!({ "replicas": 2 }))),
        (workload("StatefulSet", "apps/v1", "s", &json!({})), json!({ "replicas": 0 }), was(json!({ "replicas": 1 }))),
        (
            workload("Sandbox", "agents.x-k8s.io/v1alpha1", "s", &json!({})),
            json!({ "replicas": 0 }),
            was(json!({ "replicas": 1 })),
        ),
        (
            workload("Sandbox", "agents.x-k8s.io/v1beta1", "s", &json!({})),
            json!({ "operatingMode": "Suspended" }),
            was(json!({ "operatingMode": "Running" })),
        ),
    ];
    for (workload, spec, was) in cases {
        let patch = down(&workload, Some(&claim()), noon()).expect("readable").expect("a patch");
        assert_eq!(patch["spec"], spec, "{}", title(&workload));
        assert_eq!(
            (&patch["metadata"]["uid"], &patch["metadata"]["resourceVersion"]),
            (&workload["metadata"]["uid"], &json!("7"))
        );
        let written = patch["metadata"]["annotations"][BEFORE_CUT_OVER].as_str().expect("written");
        assert_eq!(serde_json::from_str::<Value>(written).expect("JSON"), was);

        let mut there = workload.clone();
        there["spec"] = spec;
        there["metadata"]["annotations"] = json!({ BEFORE_CUT_OVER: written });
        assert_eq!(down(&there, None, noon()), Ok(None), "a second run finds it done, and what it was stays");
        let (patch, scale) = up(&there).expect("readable").expect("a patch");
        assert_eq!(patch["spec"], json!(scale));
        assert_eq!(Scale::of(&workload), Some(scale));
        assert_eq!(patch["metadata"]["annotations"], json!({ BEFORE_CUT_OVER: null }));
    }
}

#[test]
fn what_was_at_rest_stays_at_rest_and_a_running_one_only_forgets() {
    assert_eq!(down(&deployment(0), None, noon()), Ok(None));
    assert_eq!(up(&deployment(0)), Ok(None));
    let mut running = deployment(3);
    running["metadata"]["annotations"] =
        json!({ BEFORE_CUT_OVER: "{\"replicas\":1,\"since\":\"2026-01-01T12:00:00Z\"}" });
    let (patch, _) = up(&running).expect("readable").expect("a patch");
    assert_eq!(patch["spec"], Value::Null, "somebody has started it with 3 already");
    running["metadata"]["annotations"] = json!({ BEFORE_CUT_OVER: "one" });
    assert!(before(&running).is_err_and(|why| why.contains("cannot be read")), "nothing is guessed");
}

/// A merge patch of ours, as the API server applies it (RFC 7386).
fn merge(object: &mut Value, patch: &Value) {
    let Some(members) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    for (key, value) in members {
        if value.is_null() {
            if let Some(there) = object.as_object_mut() {
                there.remove(key);
            }
        } else {
            merge(&mut object[key], value);
        }
    }
}

/// Somebody starts it again, and the operator has given the claim its own labels by then: the way back leads to what it was first.
/// Only the time is that of the last descent, because the interruption is measured by it.
#[test]
fn a_second_descent_keeps_what_the_first_has_written() {
    let (mut workload, mut claim) = (deployment(2), claim());
    let patch = down(&workload, Some(&claim), noon()).expect("readable").expect("a patch");
    merge(&mut workload, &patch);
    workload["spec"]["replicas"] = json!(1);
    claim["metadata"]["labels"] = json!({ "team": "red", "openclaw.io/tenant": "alice" });
    let later = "2026-01-01T12:30:00Z".parse().expect("time");
    let patch = down(&workload, Some(&claim), later).expect("readable").expect("a patch");
    merge(&mut workload, &patch);
    assert_eq!(workload["spec"]["replicas"], 0);
    let first =
        Before { scale: Scale::Replicas(2), since: later, claim_labels: [("team".into(), "blue".into())].into() };
    assert_eq!(before(&workload), Ok(Some(first)));

    assert_eq!(relabel(&claim, &[&workload]).expect("a patch")["metadata"]["labels"], json!({ "team": "blue" }));
    let (patch, _) = up(&workload).expect("readable").expect("a patch");
    merge(&mut workload, &patch);
    assert_eq!(workload["spec"]["replicas"], 2);
    assert_eq!(before(&workload), Ok(None));
}

/// What cannot be read is not written over, and nothing is moved while it stands there.
#[test]
fn what_a_workload_was_and_cannot_be_read_stands_against_a_cut_over() {
    let mut sight = sight(At::Attached);
    sight.workloads[0]["metadata"]["annotations"] = json!({ BEFORE_CUT_OVER: "{\"replicas\":" });
    assert!(down(&sight.workloads[0], None, noon()).is_err());
    for replicas in [1, 0] {
        sight.workloads[0]["spec"]["replicas"] = json!(replicas);
        let found = against(&sight, &Writers::default());
        assert!(found.len() == 1 && found[0].contains("of Deployment alice cannot be read"), "{found:#?}");
    }
}

#[test]
fn the_former_workload_is_what_mounts_the_claim_or_keeps_a_pod_that_does() {
    let mut sight = sight(At::Attached);
    let other = json!({ "template": { "spec": pod_spec("scratch", "x", "y") } });
    sight.workloads.push(workload("Deployment", "apps/v1", "exporter", &other));
    sight.workloads.push(own_set());
    assert_eq!(titles(&sight), ["Deployment alice"]);
    // A Sandbox that is given its pod: what it says itself mounts nothing.
    let sandbox = workload("Sandbox", "agents.x-k8s.io/v1beta1", "box", &json!({}));
    sight.pods.push(pod("box", "alice-data", &sandbox));
    sight.workloads.push(sandbox);
    assert_eq!(titles(&sight), ["Deployment alice", "Sandbox box"]);
    let made = json!({ "volumeClaimTemplates": [{ "metadata": { "name": "alice" } }] });
    sight.workloads = vec![workload("Sandbox", "agents.x-k8s.io/v1beta1", "data", &made)];
    sight.pods.clear();
    assert_eq!(titles(&sight), ["Sandbox data"], "it makes the claim alice-data itself");
}

#[test]
fn the_claim_gets_the_labels_back_that_the_former_system_knew_it_by() {
    let was = Before { scale: Scale::Replicas(1), since: noon(), claim_labels: [("hash".into(), "0a".into())].into() };
    let mut former = deployment(0);
    former["metadata"]["annotations"] = json!({ BEFORE_CUT_OVER: json!(was).to_string() });
    let patch = relabel(&claim(), &[&former]).expect("a patch");
    assert_eq!(patch, json!({ "metadata": { "uid": "claim-1", "resourceVersion": "3", "labels": { "hash": "0a" } } }));
    let mut claim = claim();
    claim["metadata"]["labels"]["hash"] = json!("0a");
    assert_eq!(relabel(&claim, &[&former]), None);
}

#[test]
fn a_workload_that_somebody_scales_up_again_is_told_with_who_did_it() {
    let mut sight = sight(At::Ordered);
    assert_eq!(scaled_up_again(&sight), Vec::<String>::new(), "nothing was brought to zero yet");
    let former = &mut sight.workloads[0];
    former["metadata"]["annotations"] =
        json!({ BEFORE_CUT_OVER: "{\"replicas\":1,\"since\":\"2026-01-01T12:00:00Z\"}" });
    former["metadata"]["managedFields"] = json!([
        { "manager": "argocd-controller", "fieldsV1": { "f:spec": { "f:replicas": {} } } },
        { "manager": "kubectl", "fieldsV1": { "f:spec": { "f:template": {} } } },
    ]);
    assert_eq!(scaled_up_again(&sight), ["Deployment alice has 1 replicas again, by field manager argocd-controller"]);
    sight.workloads[0]["spec"]["replicas"] = json!(0);
    assert_eq!(scaled_up_again(&sight), Vec::<String>::new());
}

fn application(name: &str, sync: &Value) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "argocd" },
        "spec": { "destination": { "namespace": "openclaw-alice" }, "syncPolicy": sync },
    })
}

fn scaler(kind: Option<&str>, name: &str) -> Value {
    json!({ "metadata": { "name": "scaler" }, "spec": { "scaleTargetRef": { "kind": kind, "name": name } } })
}

/// Nobody who would start the former workload again goes unnamed, and nobody else is named.
#[test]
fn whoever_would_start_the_former_workload_again_is_named() {
    let at = |change: &dyn Fn(&mut Sight, &mut Writers)| {
        let (mut sight, mut writers) = (sight(At::Attached), Writers::default());
        change(&mut sight, &mut writers);
        against(&sight, &writers)
    };
    let heals = json!({ "automated": { "selfHeal": true } });
    assert_eq!(at(&|_, _| ()), Vec::<String>::new());
    let found = at(&|_, writers| writers.applications = vec![application("openclaw-alice", &heals)]);
    assert!(
        found.len() == 1
            && found[0].contains("Application argocd/openclaw-alice syncs by itself")
            && found[0].contains("selfHeal")
    );
    let found = at(&|sight, writers| {
        let mut application = application("x", &json!({ "automated": {} }));
        application["spec"]["destination"]["namespace"] = json!("elsewhere");
        application["metadata"]["namespace"] = json!("apps");
        writers.applications = vec![application];
        sight.workloads[0]["metadata"]["annotations"] =
            json!({ "argocd.argoproj.io/tracking-id": "apps_x:apps/Deployment:n/alice" });
    });
    assert!(found.len() == 1 && found[0].contains("with the next commit"), "known by the mark: {found:#?}");
    let off = json!({ "automated": { "enabled": false } });
    assert_eq!(
        at(&|_, writers| writers.applications = vec![application("a", &off), application("b", &json!({}))]),
        Vec::<String>::new()
    );
    let found = at(&|_, writers| {
        let mut application = application("a", &json!({}));
        application["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        application["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
        writers.applications = vec![application];
    });
    assert!(found.len() == 1 && found[0].contains("takes along what it made"), "{found:#?}");
    let found = at(&|_, writers| {
        writers.autoscalers = vec![scaler(Some("Deployment"), "alice"), scaler(Some("Deployment"), "other")];
    });
    assert!(
        found.len() == 1 && found[0].starts_with("HorizontalPodAutoscaler scaler scales Deployment alice"),
        "{found:#?}"
    );
    let found = at(&|_, writers| writers.scaled_objects = vec![scaler(None, "alice")]);
    assert!(found.len() == 1 && found[0].contains("paused-replicas=0"), "{found:#?}");
    assert_eq!(
        at(&|_, writers| {
            let mut rests = scaler(None, "alice");
            rests["metadata"]["annotations"] = json!({ "autoscaling.keda.sh/paused-replicas": "0" });
            writers.scaled_objects = vec![rests];
        }),
        Vec::<String>::new()
    );
}

/// What was not seen is not taken for missing: an Application of which only the mark is there is one, until the namespace in which it
/// was has been named and looked into.
#[test]
fn an_application_that_was_not_seen_stands_against_it() {
    let at = |id: &str, applications: &[Value], named: &[&str]| {
        let mut sight = sight(At::Attached);
        sight.workloads[0]["metadata"]["annotations"] = json!({ "argocd.argoproj.io/tracking-id": id });
        let named = named.iter().map(|one| (*one).to_owned()).collect();
        let writers = Writers { applications: applications.to_vec(), named, ..Writers::default() };
        let found = fighting(&sight, &writers);
        assert_eq!(against(&sight, &writers), found);
        found
    };
    let none: Vec<String> = Vec::new();
    let refused = |place: &str| {
        vec![format!(
            "Application {place} was not seen, and Deployment alice says that it comes from it (argocd.argoproj.io/tracking-id): name \
             its namespace by --argocd-namespace. Where it is gone (docs/migration.md, step 7), name the namespace in which it was"
        )]
    };
    let own = "alice:apps/Deployment:openclaw-alice/alice";
    assert_eq!(at(own, &[application("alice", &json!({}))], &[]), none);
    assert_eq!(at(own, &[application("alicia", &json!({}))], &[]), refused("alice"));
    assert_eq!(at(own, &[], &["argocd"]), none, "named and looked into: it is gone");

    let elsewhere = "team-a_alice:apps/Deployment:openclaw-alice/alice";
    let mut of_team = application("alice", &json!({}));
    assert_eq!(
        at(elsewhere, &[of_team.clone()], &["argocd"]),
        refused("team-a/alice"),
        "a namesake of another namespace"
    );
    assert_eq!(at(elsewhere, &[], &["argocd", "team-a"]), none);
    of_team["metadata"]["namespace"] = json!("team-a");
    assert_eq!(at(elsewhere, &[of_team], &[]), none);

    let mut labelled = sight(At::Attached);
    labelled.workloads[0]["metadata"]["labels"] = json!({ "app.kubernetes.io/instance": "alice" });
    assert_eq!(fighting(&labelled, &Writers::default()), none, "Helm's own label says nothing of Argo CD");
}

/// Of those that the name alone has found anywhere.
#[test]
fn a_namesake_of_another_team_is_not_the_application_that_is_meant() {
    let mut sight = sight(At::Attached);
    let marked = |sight: &mut Sight, id: &str| {
        sight.workloads[0]["metadata"]["annotations"] = json!({ "argocd.argoproj.io/tracking-id": id });
        absent(sight, &[]).remove(0)
    };
    let here = application("alice", &json!({}));
    let (mut of_others, mut listing) = (here.clone(), here.clone());
    of_others["spec"]["destination"]["namespace"] = json!("their-own");
    listing["spec"]["destination"] = json!({ "name": "in-cluster" });
    let resource = json!({ "kind": "Deployment", "namespace": "openclaw-alice", "name": "alice" });
    listing["status"]["resources"] = json!([resource]);
    let mark = marked(&mut sight, "alice:apps/Deployment:openclaw-alice/alice");
    assert_eq!([&here, &of_others, &listing].map(|one| mark.is_of(&sight, one)), [true, false, true]);
    let mark = marked(&mut sight, "argocd_alice:apps/Deployment:openclaw-alice/alice");
    assert!(mark.is_of(&sight, &of_others), "it is named with its namespace");
    let mark = marked(&mut sight, "team-a_alice:apps/Deployment:openclaw-alice/alice");
    assert!(!mark.is_of(&sight, &here));
}

#[test]
fn what_cannot_be_brought_to_zero_safely_is_named() {
    let at = |change: &dyn Fn(&mut Sight)| {
        let mut sight = sight(At::Attached);
        change(&mut sight);
        let mut found = against(&sight, &Writers::default());
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    };
    let job = workload("Job", "batch/v1", "backup", &json!({}));
    let text = at(&|sight| sight.pods.push(pod("backup-1", "alice-data", &job)));
    assert!(text.starts_with("pod backup-1 mounts claim alice-data and is kept by Job backup"), "{text}");
    let owner = workload("Workspace", "example.com/v1", "alice", &json!({}));
    let text = at(&|sight| sight.workloads[0] = owned_by(deployment(1), &owner));
    assert!(text.contains("is kept by Workspace alice, which would start it again"), "{text}");
    let pool = workload("SandboxWarmPool", "extensions.agents.x-k8s.io/v1beta1", "pool", &json!({}));
    let made = json!({ "volumeClaimTemplates": [{ "metadata": { "name": "alice" } }] });
    let text = at(&|sight| {
        sight.pods.clear();
        sight.workloads = vec![owned_by(workload("Sandbox", "agents.x-k8s.io/v1beta1", "data", &made), &pool)];
    });
    assert!(text.contains("is kept by SandboxWarmPool pool"), "{text}");
    let set = |name: &str, policy: &Value| {
        let template = json!({ "spec": pod_spec("alice-data", "x", "y") });
        let spec = json!({
            "template": template, "persistentVolumeClaimRetentionPolicy": policy, "volumeClaimTemplates": [{ "metadata": { "name": "x" } }],
        });
        workload("StatefulSet", "apps/v1", name, &spec)
    };
    let alone = |set: Value| {
        move |sight: &mut Sight| {
            sight.pods.clear();
            sight.workloads = vec![set.clone()];
        }
    };
    let text = at(&alone(set("old", &json!({ "whenScaled": "Delete" }))));
    assert!(text.contains("whenScaled"), "{text}");
    let text = at(&alone(set("alice", &json!({ "whenScaled": "Retain" }))));
    assert!(text.contains("--cascade=orphan"), "{text}");
}

#[test]
fn an_application_that_only_claims_is_told_and_stands_against_nothing() {
    let sight = sight(At::Over);
    let writers = Writers { applications: vec![application("a", &json!({}))], ..Writers::default() };
    assert_eq!(fighting(&sight, &writers), Vec::<String>::new());
    assert_eq!(
        still_claiming(&sight, &writers),
        ["Application argocd/a still claims what is in namespace openclaw-alice: a sync by hand would make it again"]
    );
}
