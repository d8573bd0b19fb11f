//! The second half of a migration by the command, in the caller's own name: over, back, over again, and the end of the old side.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Child,
};

use serde_json::{Value, json};

use super::{person, serve_argo};
use crate::{
    adopt::{Old, claim_of, is_ready},
    support::{Bed, OPERATOR},
};

const BEFORE: &str = "openclaw.io/before-cut-over";

/// Argo CD's namespace of a test's own.
pub(super) fn argo(bed: &Bed) -> String {
    format!("argocd-{}", bed.tenant)
}

/// Runs a step; whether it succeeded, its report, and what it said meanwhile.
pub(super) fn step(bed: &Bed, step: &str, more: &[&str]) -> (bool, Value, String) {
    let argo = argo(bed);
    let arguments = ["migrate", step, &bed.tenant, "--argocd-namespace", &argo, "--output", "json"];
    let (success, out, errors) = bed.instance.run_operator(&[arguments.as_slice(), more].concat());
    (success, serde_json::from_str(&out).unwrap_or(Value::Null), errors)
}

/// The same, and it has to succeed.
pub(super) fn done(bed: &Bed, name: &str, more: &[&str]) -> Value {
    let (success, report, errors) = step(bed, name, more);
    assert!(success && report["done"] == true, "{name}: {report:#}\n{errors}");
    report
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An attached tenant whose former workload takes a Secret of its own and one that another workload takes as well.
async fn attached(test: &str) -> Old {
    let old = Old::platform(test).await;
    let bed = &old.bed;
    serve_argo(bed).await;
    bed.create("Namespace", None, &argo(bed), json!({})).await.expect("Argo CD's namespace");
    let namespace = bed.namespace();
    for name in ["own-token", "shared-token", "nobodys"] {
        let body = json!({ "stringData": { "token": "nobody-may-read-this" } });
        bed.create("Secret", Some(&namespace), name, body).await.expect("Secret");
    }
    let from = |name: &str| json!({ "name": name.to_uppercase(), "valueFrom": { "secretKeyRef": { "name": name, "key": "token" } } });
    let env = json!([from("own-token"), from("shared-token")]);
    let patch = json!([{ "op": "add", "path": "/spec/template/spec/containers/0/env", "value": env }]);
    let arguments = ["patch", "deployment", &bed.tenant, "-n", &namespace, "--type", "json", "-p"];
    bed.instance.kubectl(&[arguments.as_slice(), &[&patch.to_string()]].concat());
    let labels = json!({ "app": "exporter" });
    let pod = json!({ "containers": [{ "name": "exporter", "image": "example.com/exporter:1", "env": [from("shared-token")] }] });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    let exporter = json!({ "spec": { "replicas": 0, "selector": { "matchLabels": labels }, "template": template } });
    bed.create("Deployment", Some(&namespace), "exporter", exporter).await.expect("another workload");
    bed.apply_tenant(json!({})).await.expect("taken");
    old.awaits_cut_over().await;
    old.old_pod().await;
    old
}

async fn deployment(bed: &Bed) -> Value {
    bed.child("Deployment", &bed.tenant).await.expect("the former workload")
}

/// Over, back, over again and to the end: one volume and one value of the secret throughout, and each step by the caller alone.
#[tokio::test]
async fn a_deployment_goes_the_whole_way_and_back_once() {
    let old = attached("over").await;
    let bed = &old.bed;
    let before = old.kept().await;

    let report = done(bed, "cut-over", &[]);
    let seconds = report["secondsWithoutReadyPod"].as_f64().expect("measured");
    println!("no workspace was ready for {seconds:.1} s");
    assert!(seconds > 0.0 && seconds < 90.0, "{report:#}");
    let live = deployment(bed).await;
    assert_eq!(live["spec"]["replicas"], 0);
    let was: Value =
        serde_json::from_str(live["metadata"]["annotations"][BEFORE].as_str().expect("written")).expect("JSON");
    assert_eq!(was["replicas"], 1);
    let own = bed.child("Pod", &format!("{}-0", bed.tenant)).await.expect("the workspace's own pod");
    assert!(is_ready(&own), "{own:#}");
    assert_eq!(old.adoption().await["stage"], "CutOver");
    assert_eq!(old.kept().await, before);
    assert_eq!(done(bed, "cut-over", &[])["changed"], json!([]), "again changes nothing");

    let report = done(bed, "back-out", &[]);
    assert!(texts(&report["changed"]).iter().any(|line| line.contains("1 replicas again")), "{report:#}");
    assert_eq!(old.adoption().await["stage"], "Attached");
    let live = deployment(bed).await;
    assert_eq!((&live["spec"]["replicas"], &live["metadata"]["annotations"][BEFORE]), (&json!(1), &Value::Null));
    let pod = old.old_pod().await;
    assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], claim_of(bed).as_str());
    assert_eq!(old.associations().await, std::slice::from_ref(&old.association));
    assert_eq!(old.kept().await, before);

    done(bed, "cut-over", &[]);
    the_end(&old).await;
    assert_eq!(old.kept().await, before);
    let (success, _, errors) = step(bed, "back-out", &[]);
    assert!(!success && errors.contains("nothing of tenant"), "{errors}");
}

/// What is removed is shown first; then it goes, and what others need stays.
async fn the_end(old: &Old) {
    let bed = &old.bed;
    let (success, plan, errors) = step(bed, "finish", &[]);
    assert!(success, "{errors}");
    assert_eq!((&plan["done"], &plan["changed"]), (&json!(false), &json!([])), "nobody was there to say yes: {plan:#}");
    let doomed: Vec<String> = plan["toRemove"]["objects"]
        .as_array()
        .expect("objects")
        .iter()
        .map(|one| format!("{} {}", one["kind"].as_str().unwrap_or("?"), one["name"].as_str().unwrap_or("?")))
        .collect();
    let account = format!("ServiceAccount {}", bed.tenant);
    let workload = format!("Deployment {}", bed.tenant);
    assert_eq!(doomed, ["Secret own-token", &account, &workload], "{plan:#}");
    assert_eq!(plan["toRemove"]["associations"], json!([old.association]));
    let why = |what: &str| {
        let left = plan["left"].as_array().into_iter().flatten();
        left.into_iter().find(|one| one["what"] == what).map(|one| one["why"].as_str().unwrap_or("?").to_owned())
    };
    assert_eq!(why("Secret shared-token").as_deref(), Some("Deployment exporter names it too"), "{plan:#}");
    assert_eq!(why("Secret nobodys").as_deref(), Some("the former workload does not name it"));
    assert_eq!(
        why("Deployment exporter").as_deref(),
        Some("it neither mounts the claim nor comes from the same Application")
    );
    assert!(!plan.to_string().contains("nobody-may-read-this"));
    assert_eq!(old.associations().await.len(), 2);

    let report = done(bed, "finish", &["--yes"]);
    assert_eq!(texts(&report["changed"]).len(), 5, "the order, an association and three objects: {report:#}");
    old.ready_after("Verified").await;
    assert_eq!(old.adoption().await, Value::Null);
    let gone = || async {
        let left = [
            bed.child("Deployment", &bed.tenant).await,
            bed.child("Secret", "own-token").await,
            bed.child("ServiceAccount", &bed.tenant).await,
        ];
        left.iter().all(Option::is_none).then_some(())
    };
    bed.until_so("the end of the former workload", gone).await;
    for (kind, name) in [("Secret", "shared-token"), ("Secret", "nobodys"), ("Deployment", "exporter")] {
        assert!(bed.child(kind, name).await.is_some(), "{kind} {name} stays");
    }
    assert_eq!(old.associations().await.len(), 1);
    let report = done(bed, "finish", &["--yes"]);
    assert_eq!(report["changed"], json!([]), "again changes nothing");
}

/// What came from the same Application and has data of its own: the data stays, by whatever it hangs on what goes.
#[tokio::test]
async fn the_end_takes_no_other_claim_along() {
    let old = attached("others-data").await;
    let bed = &old.bed;
    let namespace = bed.namespace();
    let mark = |name: &str| json!({ "argocd.argoproj.io/tracking-id": format!("gone:apps/Kind:{namespace}/{name}") });
    let own = format!("argocd.argoproj.io/tracking-id=gone:apps/Deployment:{namespace}/{}", bed.tenant);
    bed.instance.kubectl(&["annotate", "deployment", &bed.tenant, "-n", &namespace, &own]);
    let labels = json!({ "app": "other" });
    let pod = json!({ "containers": [{ "name": "other", "image": "example.com/other:1" }] });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    let spec = json!({ "replicas": 0, "selector": { "matchLabels": labels }, "template": template });
    let body = json!({ "metadata": { "annotations": mark("web-index") }, "spec": spec });
    let index = bed.create("Deployment", Some(&namespace), "web-index", body).await.expect("a workload at rest");
    let claimed = json!({ "accessModes": ["ReadWriteMany"], "resources": { "requests": { "storage": "1Gi" } } });
    let owner = json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web-index", "uid": index["metadata"]["uid"] }]);
    let body = json!({ "metadata": { "ownerReferences": owner }, "spec": claimed });
    bed.create("PersistentVolumeClaim", Some(&namespace), "web-index-data", body).await.expect("its claim");
    let mut spec = spec.clone();
    spec["serviceName"] = json!("memory");
    spec["persistentVolumeClaimRetentionPolicy"] = json!({ "whenDeleted": "Delete", "whenScaled": "Retain" });
    spec["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" }, "spec": claimed }]);
    let body = json!({ "metadata": { "annotations": mark("memory") }, "spec": spec });
    bed.create("StatefulSet", Some(&namespace), "memory", body).await.expect("one that deletes its claims");

    done(bed, "cut-over", &[]);
    let report = done(bed, "finish", &["--yes"]);
    let changed = texts(&report["changed"]);
    assert!(changed.iter().any(|line| line == "Deployment web-index: deleted"), "{report:#}");
    let left = report["left"].to_string();
    assert!(
        left.contains("PersistentVolumeClaim web-index-data") && left.contains("whenDeleted: Delete"),
        "{report:#}"
    );
    let orphaned = || async {
        let claim = bed.child("PersistentVolumeClaim", "web-index-data").await.expect("the data of another stays");
        let is_free =
            claim["metadata"]["ownerReferences"].is_null() && claim["metadata"]["deletionTimestamp"].is_null();
        (is_free && bed.child("Deployment", "web-index").await.is_none()).then_some(())
    };
    bed.until_so("a claim without the owner that went", orphaned).await;
    assert!(bed.child("StatefulSet", "memory").await.is_some());
    bed.ready().await;
}

/// All of it is the caller's to do: the operator has no right to, and whoever has none either is told so before anything changes.
#[tokio::test]
async fn only_the_callers_own_rights_count() {
    let old = attached("rights").await;
    let bed = &old.bed;
    let operator = format!("--as={OPERATOR}");
    for (verb, what) in
        [("patch", "deployments.apps"), ("delete", "deployments.apps"), ("list", "secrets"), ("delete", "secrets")]
    {
        let may = bed.instance.try_kubectl(&["auth", "can-i", verb, what, "-n", &bed.namespace(), &operator]);
        assert!(may.is_err(), "the operator may {verb} {what}: {may:?}");
    }
    let argo = argo(bed);
    let looks = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"] }]);
    let kubeconfig = person(bed, &argo, "looker", looks).await;
    let run = |kubeconfig: &Path, step: &str, more: &[&str]| {
        let arguments = ["migrate", step, &bed.tenant, "--argocd-namespace", &argo, "--output", "json"];
        bed.instance.run_operator_with(kubeconfig, &[arguments.as_slice(), more].concat())
    };
    let (success, _, errors) = run(&kubeconfig, "cut-over", &[]);
    assert!(!success && errors.contains("cannot patch resource \"tenants\""), "{errors}");
    assert_eq!(deployment(bed).await["spec"]["replicas"], 1);

    let kubeconfig = person(bed, &argo, "mover", rights()).await;
    for (step, more) in [("cut-over", [].as_slice()), ("back-out", &[]), ("cut-over", &[]), ("finish", &["--yes"])] {
        let (success, out, errors) = run(&kubeconfig, step, more);
        assert!(success, "{step}: {out}\n{errors}");
    }
    let gone = || async { bed.child("Deployment", &bed.tenant).await.is_none().then_some(()) };
    bed.until_so("the end of the former workload", gone).await;
    assert!(bed.child("Secret", "own-token").await.is_none());
}

/// What docs/migration.md names for steps 7 and 8.
fn rights() -> Value {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    json!([
        rule("openclaw.io", &["tenants", "tenantrecords"], &["get"]),
        rule("openclaw.io", &["tenants"], &["patch"]),
        rule("argoproj.io", &["applications"], &["list"]),
        rule("", &["persistentvolumeclaims", "persistentvolumes"], &["get"]),
        rule("", &["persistentvolumeclaims"], &["list", "patch"]),
        rule("", &["pods", "secrets", "serviceaccounts"], &["list"]),
        rule("apps", &["deployments", "statefulsets", "replicasets", "daemonsets"], &["list"]),
        rule("agents.x-k8s.io", &["sandboxes"], &["list"]),
        rule("extensions.agents.x-k8s.io", &["sandboxclaims", "sandboxtemplates"], &["list"]),
        rule("autoscaling", &["horizontalpodautoscalers"], &["list"]),
        rule("keda.sh", &["scaledobjects"], &["list"]),
        rule("batch", &["jobs", "cronjobs"], &["list"]),
        rule("networking.k8s.io", &["ingresses"], &["list"]),
        rule("rbac.authorization.k8s.io", &["rolebindings", "clusterrolebindings"], &["list"]),
        rule("apps", &["deployments", "statefulsets"], &["patch", "delete"]),
        rule("agents.x-k8s.io", &["sandboxes"], &["patch", "delete"]),
        rule("", &["secrets", "serviceaccounts"], &["delete"]),
    ])
}

/// Before anything is done it is looked for whoever would start the former workload again.
#[tokio::test]
async fn nothing_is_moved_while_somebody_would_start_the_former_workload_again() {
    let old = attached("rivals").await;
    let bed = &old.bed;
    let (argo, namespace) = (argo(bed), bed.namespace());
    let spec = json!({
        "destination": { "namespace": namespace },
        "syncPolicy": { "automated": { "prune": false, "selfHeal": true } },
    });
    bed.create("Application", Some(&argo), &namespace, json!({ "spec": spec })).await.expect("Application");
    let autoscale =
        ["autoscale", "deployment", &bed.tenant, "-n", &namespace, "--min=1", "--max=2", "--cpu-percent=80"];
    bed.instance.kubectl(&autoscale);
    let (success, _, errors) = step(bed, "cut-over", &[]);
    assert!(!success && errors.contains(&format!("Application {argo}/{namespace} syncs by itself")), "{errors}");
    assert!(
        errors.contains(&format!("HorizontalPodAutoscaler {} scales Deployment {}", bed.tenant, bed.tenant)),
        "{errors}"
    );
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("Tenant");
    assert_eq!(tenant["metadata"]["annotations"]["openclaw.io/cut-over"], Value::Null);
    assert_eq!(deployment(bed).await["spec"]["replicas"], 1);

    // The same Application, looked for where it is not: it is found by the mark that it has left on the workload.
    let mark = format!("argocd.argoproj.io/tracking-id={namespace}:apps/Deployment:{namespace}/{}", bed.tenant);
    bed.instance.kubectl(&["annotate", "deployment", &bed.tenant, "-n", &namespace, &mark]);
    let elsewhere = ["migrate", "cut-over", &bed.tenant, "--argocd-namespace", "default"];
    let (success, _, errors) = bed.instance.run_operator(&elsewhere);
    assert!(!success && errors.contains(&format!("Application {argo}/{namespace} syncs by itself")), "{errors}");

    let rest = json!({ "spec": { "syncPolicy": { "automated": null } } });
    bed.patch("Application", Some(&argo), &namespace, rest).await.expect("switched off");
    bed.instance.kubectl(&["delete", "hpa", &bed.tenant, "-n", &namespace]);

    // Of another, not even the namespace is known.
    let mark = mark.replace(&format!("={namespace}:"), "=gone:");
    bed.instance.kubectl(&["annotate", "--overwrite", "deployment", &bed.tenant, "-n", &namespace, &mark]);
    let (success, _, errors) = bed.instance.run_operator(&["migrate", "cut-over", &bed.tenant]);
    assert!(
        !success && errors.contains("Application gone was not seen") && errors.contains("--argocd-namespace"),
        "{errors}"
    );
    assert_eq!(deployment(bed).await["spec"]["replicas"], 1);
    let report = done(bed, "cut-over", &[]);
    assert!(texts(&report["next"]).iter().any(|line| line.contains("still claims")), "{report:#}");
}

/// A command of ours that runs beside the test.
pub(super) struct Running {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Running {
    pub(super) fn start(bed: &Bed, step: &str, more: &[&str]) -> Self {
        let argo = argo(bed);
        let arguments =
            ["migrate", step, &bed.tenant, "--argocd-namespace", &argo, "--output", "json", "--timeout", "90s"];
        let mut process = bed.instance.start_command(&[arguments.as_slice(), more].concat());
        let lines = BufReader::new(process.stderr.take().expect("its words")).lines();
        Self { process, lines }
    }

    /// Reads on until it has said this.
    pub(super) fn until_said(&mut self, words: &str) {
        let mut said = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.expect("text");
            if line.contains(words) {
                return;
            }
            said.push(line);
        }
        panic!("it never said {words:?}: {said:#?}");
    }

    fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }

    /// Waits for its end; its report.
    pub(super) fn report(self) -> Value {
        let output = self.process.wait_with_output().expect("ended");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// A run that is killed is taken up by the next one, wherever it was: after the order, while it waits, on the way back, in the middle
/// of the end.
#[tokio::test]
async fn a_killed_run_is_taken_up_again() {
    let old = attached("killed").await;
    let bed = &old.bed;
    let before = old.kept().await;
    // The former pod stays until it is let go, so that there is something to wait for.
    let pod = old.old_pod().await["metadata"]["name"].as_str().expect("a name").to_owned();
    let hold = |finalizers: Value| json!({ "metadata": { "finalizers": finalizers } });
    bed.patch("Pod", Some(&bed.namespace()), &pod, hold(json!(["example.com/hold"]))).await.expect("held");

    let mut first = Running::start(bed, "cut-over", &[]);
    first.until_said("openclaw.io/cut-over=start");
    first.kill();
    let mut second = Running::start(bed, "cut-over", &[]);
    second.until_said(&format!("pod {pod}"));
    second.kill();
    let live = deployment(bed).await;
    assert_eq!(live["spec"]["replicas"], 0);
    assert!(live["metadata"]["annotations"][BEFORE].as_str().expect("written").contains("\"replicas\":1"));
    let (success, _, errors) = step(bed, "cut-over", &["--timeout", "2s"]);
    assert!(!success && errors.contains("after 2 s it still waits") && errors.contains("migrate back-out"), "{errors}");
    // Somebody starts it again, otherwise than it was: the next run takes it down again, and the way back stays what it was.
    bed.instance.kubectl(&["scale", "deployment", &bed.tenant, "-n", &bed.namespace(), "--replicas=2"]);
    let (success, _, errors) = step(bed, "cut-over", &["--timeout", "2s"]);
    assert!(!success && errors.contains("brought to zero, from 2 replicas"), "{errors}");
    let live = deployment(bed).await;
    assert_eq!(live["spec"]["replicas"], 0);
    assert!(live["metadata"]["annotations"][BEFORE].as_str().expect("written").contains("\"replicas\":1"), "{live:#}");
    bed.patch("Pod", Some(&bed.namespace()), &pod, hold(Value::Null)).await.expect("let go");
    done(bed, "cut-over", &[]);

    let mut back = Running::start(bed, "back-out", &[]);
    back.until_said("waiting:");
    back.kill();
    assert_eq!(deployment(bed).await["spec"]["replicas"], 0, "not started before the place was given back");
    done(bed, "back-out", &[]);
    assert_eq!(deployment(bed).await["spec"]["replicas"], 1);
    old.old_pod().await;

    done(bed, "cut-over", &[]);
    let mut last = Running::start(bed, "finish", &["--yes"]);
    last.until_said("Secret own-token: deleted");
    last.kill();
    done(bed, "finish", &["--yes"]);
    let gone = || async {
        let left = [bed.child("Deployment", &bed.tenant).await, bed.child("ServiceAccount", &bed.tenant).await];
        left.iter().all(Option::is_none).then_some(())
    };
    bed.until_so("the end of the former workload", gone).await;
    assert!(bed.child("Secret", "shared-token").await.is_some());
    assert_eq!(old.kept().await, before);
}
