//! From an Argo CD ApplicationSet to Tenants, with the old side left whole.

mod cut_over;
mod in_aws;
mod reading;
mod sandbox;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{Bed, Instance, eventually};

const CASCADE: &str = "resources-finalizer.argocd.argoproj.io";

/// The two kinds of Argo CD, as far as anything here looks at them: served, and kept as they are written.
pub(crate) const ARGO: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: applicationsets.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {kind: ApplicationSet, plural: applicationsets}
  versions: [{name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: applications.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {kind: Application, plural: applications}
  versions: [{name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: sandboxes.agents.x-k8s.io
  annotations: {api-approved.kubernetes.io: 'unapproved, a test'}
spec:
  group: agents.x-k8s.io
  scope: Namespaced
  names: {kind: Sandbox, plural: sandboxes}
  versions: [{name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
";

/// Lets the kinds of the old side be served.
async fn serve_argo(bed: &Bed) {
    let file = PathBuf::from(bed.instance.fact("/dir")).join(format!("argo-{}.yaml", bed.tenant));
    fs::write(&file, ARGO).expect("a file");
    // The tests of this file do it at the same time.
    bed.instance.kubectl(&["apply", "--server-side", "-f", &file.display().to_string()]);
    for definition in ["applicationsets.argoproj.io", "applications.argoproj.io", "sandboxes.agents.x-k8s.io"] {
        let is_served = || async {
            let definition = bed.get("CustomResourceDefinition", None, definition).await?;
            let conditions = definition["status"]["conditions"].as_array()?;
            conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True").then_some(())
        };
        assert!(eventually(is_served).await.is_some(), "{definition} is served");
    }
}

/// An old platform of a test's own.
struct Old {
    bed: Bed,
    directory: PathBuf,
}

impl Old {
    /// Argo CD's kinds and namespace, and a class; nobody's tenant yet.
    async fn new(test: &str) -> Self {
        let instance = Instance::shared();
        let bed = Bed::new(test).await;
        let directory = PathBuf::from(instance.fact("/dir")).join(&bed.tenant);
        fs::create_dir_all(&directory).expect("a directory");
        serve_argo(&bed).await;
        let old = Self { bed, directory };
        old.bed.create("Namespace", None, &old.argo(), json!({})).await.expect("Argo CD's namespace");
        old
    }

    fn argo(&self) -> String {
        format!("argocd-{}", self.bed.tenant)
    }

    /// A tenant's name, in nobody else's way.
    fn name(&self, short: &str) -> String {
        format!("{short}-{}", self.bed.tenant)
    }

    /// As a person does it, with kubectl's own field manager.
    fn kubectl_apply(&self, file: &str, text: &str, flags: &[&str]) {
        let path = self.directory.join(file);
        fs::write(&path, text).expect("a file");
        self.bed.instance.kubectl(&[&["apply", "-f", &path.display().to_string()], flags].concat());
    }

    async fn set(&self, elements: Value) {
        let spec = json!({
            "generators": [{ "list": { "elements": elements } }],
            "template": {
                "metadata": { "name": "openclaw-{{name}}" },
                "spec": {
                    "project": "default",
                    "source": { "repoURL": "https://example.com/charts.git", "path": "openclaw" },
                    "destination": { "namespace": "openclaw-{{name}}", "server": "https://kubernetes.default.svc" },
                    "syncPolicy": { "automated": { "prune": true, "selfHeal": true } },
                },
            },
        });
        let made = self.bed.create("ApplicationSet", Some(&self.argo()), "tenants", json!({ "spec": spec })).await;
        made.expect("ApplicationSet");
    }

    /// What the ApplicationSet's controller and the chart made of one element.
    async fn tenant(&self, name: &str) {
        let application = format!("openclaw-{name}");
        let set = self.bed.get("ApplicationSet", Some(&self.argo()), "tenants").await.expect("ApplicationSet");
        let body = json!({
            "metadata": { "finalizers": [CASCADE], "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "tenants",
                "uid": set["metadata"]["uid"], "controller": true,
            }] },
            "spec": {
                "destination": { "namespace": application },
                "syncPolicy": { "automated": { "prune": true, "selfHeal": true } },
            },
        });
        self.bed.create("Application", Some(&self.argo()), &application, body).await.expect("Application");
        self.kubectl_apply(&format!("{name}-old.yaml"), &chart(name, self.bed.instance.fact("/storageClass")), &[]);
    }

    /// Runs the command; whether it succeeded, its report, and what it complained of.
    fn run(&self, more: &[&str]) -> (bool, Value, String) {
        let argo = self.argo();
        let arguments = ["migrate", "--applicationset", "tenants", "--argocd-namespace", &argo, "--output", "json"];
        let class = ["--class", &self.bed.class];
        let arguments = [arguments.as_slice(), class.as_slice(), more].concat();
        let (success, out, errors) = self.bed.instance.run_operator(&arguments);
        let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{errors}"));
        (success, report, errors)
    }

    async fn argo_object(&self, kind: &str, name: &str) -> Value {
        self.bed.get(kind, Some(&self.argo()), name).await.expect("an object of Argo CD")
    }
}

/// The kubeconfig of a ServiceAccount with these rights, once they are known.
async fn person(bed: &Bed, namespace: &str, name: &str, rules: Value) -> PathBuf {
    let role = format!("{}-{name}", bed.tenant);
    bed.create("ServiceAccount", Some(namespace), name, json!({})).await.expect("ServiceAccount");
    bed.create("ClusterRole", None, &role, json!({ "rules": rules })).await.expect("role");
    let body = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
    });
    bed.create("ClusterRoleBinding", None, &role, body).await.expect("binding");
    let person = format!("--as=system:serviceaccount:{namespace}:{name}");
    let may = || async { bed.instance.try_kubectl(&["auth", "can-i", "get", "tenants.openclaw.io", &person]).ok() };
    bed.until_so("the person's rights", may).await;
    let kubeconfig = PathBuf::from(bed.instance.fact("/dir")).join(format!("{role}.kubeconfig"));
    bed.instance.mint(&format!("{namespace}/{name}"), &kubeconfig);
    kubeconfig
}

/// What the old platform's chart made, with Argo CD's mark.
fn chart(name: &str, storage_class: &str) -> String {
    format!(
        r"
apiVersion: v1
kind: Namespace
metadata: {{name: openclaw-{name}, labels: {{team: workspaces}}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, namespace: openclaw-{name}, labels: {{app.kubernetes.io/instance: openclaw-{name}}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: gateway-token, namespace: openclaw-{name}}}
stringData: {{token: nobody-may-read-this}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}, namespace: openclaw-{name}}}
spec: {{accessModes: [ReadWriteMany], storageClassName: {storage_class}, resources: {{requests: {{storage: 12Gi}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: openclaw-{name}
  annotations: {{'argocd.argoproj.io/tracking-id': 'openclaw-{name}:apps/Deployment:openclaw-{name}/{name}'}}
spec:
  selector: {{matchLabels: {{app: openclaw}}}}
  template:
    metadata: {{labels: {{app: openclaw}}}}
    spec:
      serviceAccountName: {name}
      containers: [{{name: openclaw, image: 'ghcr.io/openclaw/openclaw:2026.1.1', volumeMounts: [{{name: data, mountPath: /data}}]}}]
      volumes: [{{name: data, persistentVolumeClaim: {{claimName: {name}}}}}]
"
    )
}

/// Everything that a migration must not touch, whole.
async fn belongings(old: &Old, name: &str) -> Value {
    let namespace = format!("openclaw-{name}");
    let mut all = Vec::new();
    for kind in ["ServiceAccount", "PersistentVolumeClaim", "Deployment"] {
        let object = old.bed.get(kind, Some(&namespace), name).await.expect(kind);
        all.push(json!([
            object["metadata"]["uid"],
            object["metadata"]["generation"],
            object["spec"],
            object["metadata"]["annotations"]
        ]));
    }
    json!(all)
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Waits until the claims are bound and the pods are there, so that nothing changes by itself any more.
async fn settled(old: &Old, name: &str) {
    let namespace = format!("openclaw-{name}");
    let look = || async {
        let claim = old.bed.get("PersistentVolumeClaim", Some(&namespace), name).await?;
        let workload = old.bed.get("Deployment", Some(&namespace), name).await?;
        let revision = workload["metadata"]["annotations"]["deployment.kubernetes.io/revision"].is_string();
        (claim["status"]["phase"] == "Bound" && revision).then_some(())
    };
    old.bed.until_so("the old workspace", look).await;
}

#[tokio::test]
async fn an_applicationset_becomes_tenants_and_nothing_of_the_old_side_is_touched() {
    let old = Old::new("migrate").await;
    let (alice, bob) = (old.name("alice"), old.name("bob"));
    old.set(json!([
        { "name": alice, "email": "Alice@Example.com", "plan": "gold" },
        { "name": bob, "email": "bob@example.com" },
        { "name": "System", "email": "carol@example.com" },
    ]))
    .await;
    for name in [&alice, &bob] {
        old.tenant(name).await;
        settled(&old, name).await;
    }
    let before = belongings(&old, &alice).await;
    let (set, application) = (old.argo_object("ApplicationSet", "tenants").await, format!("openclaw-{alice}"));

    // Dry run is what it does where it is not told otherwise.
    let (success, report, errors) = old.run(&[]);
    assert!(!success && errors.contains("1 tenants are blocked"), "{errors}");
    assert_eq!(report["unread"], json!([]));
    let states: Vec<&Value> = report["tenants"].as_array().expect("tenants").iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["to migrate", "to migrate", "blocked"]);
    let first = &report["tenants"][0];
    let has = json!({ "workloads": [{ "kind": "Deployment", "name": alice, "atRest": false }], "serviceAccounts": [alice], "secrets": ["gateway-token"] });
    for part in ["workloads", "serviceAccounts", "secrets"] {
        assert_eq!(first["today"][part], has[part], "{first:#}");
    }
    let volume =
        old.bed.get("PersistentVolumeClaim", Some(&application), &alice).await.expect("claim")["spec"]["volumeName"]
            .clone();
    let volume = volume.as_str().expect("bound");
    let attach = [format!("Namespace {application}"), format!("PersistentVolumeClaim {alice} with volume {volume}")];
    assert_eq!(texts(&first["attach"]), attach);
    assert!(
        texts(&first["differs"]).iter().any(|line| line.contains("image ghcr.io/openclaw/openclaw:2026.1.1")),
        "{first:#}"
    );
    let claimed = texts(&first["claimed"]).join("\n");
    assert!(
        claimed.contains("tracking-id")
            && claimed.contains("selfHeal")
            && claimed.contains("kubectl-client-side-apply"),
        "{claimed}"
    );
    assert!(!report.to_string().contains("nobody-may-read-this"));
    assert_eq!(old.argo_object("ApplicationSet", "tenants").await, set, "nothing was changed");
    assert_eq!(report["applicationSet"]["toPrepare"].as_array().map(Vec::len), Some(2));

    // One tenant: the set, which is common to all, and hers; the other's still cascades, and it is said.
    let (success, report, errors) = old.run(&["--apply", "--tenant", &alice]);
    assert!(success, "{errors}");
    assert_eq!(report["done"].as_array().map(Vec::len), Some(4), "{report:#}");
    assert_eq!(
        (&report["applicationSet"]["prepared"], &report["applicationSet"]["applicationsElsewhere"]),
        (&json!(false), &json!(1))
    );
    let live = old.argo_object("ApplicationSet", "tenants").await;
    assert_eq!(live["spec"]["syncPolicy"]["preserveResourcesOnDeletion"], true);
    assert_eq!(live["spec"]["generators"], set["spec"]["generators"]);
    let live = old.argo_object("Application", &application).await;
    assert_eq!(live["metadata"]["finalizers"], Value::Null);
    assert_eq!(live["spec"]["syncPolicy"]["automated"], json!({ "prune": false, "selfHeal": true }));
    let live = old.argo_object("Application", &format!("openclaw-{bob}")).await;
    assert_eq!(live["metadata"]["finalizers"], json!([CASCADE]));

    // Again, for all: what is done is skipped; then there is nothing left to do.
    let (_, report, _) = old.run(&["--apply"]);
    let done = texts(&report["done"]);
    assert!(done.len() == 2 && done.iter().all(|line| line.contains(&format!("openclaw-{bob}"))), "{done:#?}");
    assert_eq!(report["applicationSet"]["prepared"], true, "{report:#}");
    let versions =
        (old.argo_object("ApplicationSet", "tenants").await, old.argo_object("Application", &application).await);
    let (_, report, _) = old.run(&["--apply"]);
    assert_eq!((&report["done"], &report["failed"]), (&json!([]), &json!([])));
    let now = (old.argo_object("ApplicationSet", "tenants").await, old.argo_object("Application", &application).await);
    assert_eq!(now, versions, "a third run writes nothing");

    // Consent is given only where it is asked for.
    let command = format!("kubectl annotate namespace {application} openclaw.io/adopt-by={alice}");
    assert_eq!(report["tenants"][0]["consent"], json!(command));
    let (_, report, _) = old.run(&["--apply", "--consent", "--tenant", &alice]);
    assert_eq!(texts(&report["done"]).len(), 1, "{report:#}");
    assert_eq!(report["tenants"][0]["consent"], Value::Null);
    let namespace = old.bed.get("Namespace", None, &application).await.expect("namespace");
    assert_eq!(namespace["metadata"]["annotations"]["openclaw.io/adopt-by"], json!(alice));
    assert_eq!(namespace["metadata"]["labels"]["team"], "workspaces");
    assert_eq!(belongings(&old, &alice).await, before);
    manifests_are_taken(&old, &[&alice, &bob]);
}

/// The manifests are Tenants to the API server itself; a file that says otherwise is left.
fn manifests_are_taken(old: &Old, names: &[&str]) {
    let directory = old.directory.join("tenants");
    let path = directory.display().to_string();
    old.run(&["--manifests", &path]);
    let mut files: Vec<String> = fs::read_dir(&directory)
        .expect("written")
        .map(|entry| entry.expect("entry").file_name().display().to_string())
        .collect();
    files.sort();
    assert_eq!(files, names.iter().map(|name| format!("{name}.yaml")).collect::<Vec<_>>());
    // Only rehearsed: what becomes of a Tenant over a namespace of the old platform is adoption's affair.
    let taken = old.bed.instance.kubectl(&["apply", "--dry-run=server", "-o", "json", "-f", &path]);
    let taken: Value = serde_json::from_str(&taken).expect("JSON");
    let spec = &taken["items"][0]["spec"];
    assert_eq!(spec["owner"]["email"], "Alice@Example.com");
    assert_eq!((&spec["className"], &spec["storage"]["size"]), (&json!(old.bed.class), &json!("12Gi")));

    let (_, _, errors) = old.run(&["--manifests", &path]);
    assert!(!errors.contains("says otherwise"), "written again, the same: {errors}");
    let file = directory.join(&files[0]);
    fs::write(&file, "# mine\n").expect("a person's file");
    let (success, _, errors) = old.run(&["--manifests", &path]);
    assert!(!success && errors.contains("is there and says otherwise"), "{errors}");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "# mine\n");
}

/// An Application that is being deleted while it still cascades is kept from it; the garbage collector's part of it, too, leaves
/// what it made.
#[tokio::test]
async fn what_was_prepared_can_be_deleted_and_takes_nothing_along() {
    let old = Old::new("removal").await;
    let alice = old.name("alice");
    old.set(json!([{ "name": alice, "email": "alice@example.com" }])).await;
    old.tenant(&alice).await;
    settled(&old, &alice).await;
    let before = belongings(&old, &alice).await;
    let application = format!("openclaw-{alice}");
    old.bed.delete("Application", Some(&old.argo()), &application).await;
    let (success, report, errors) = old.run(&["--apply"]);
    assert!(success, "{errors}\n{report:#}");
    let gone = || async { old.bed.get("Application", Some(&old.argo()), &application).await.is_none().then_some(()) };
    old.bed.until_so("the end of the Application", gone).await;
    old.bed.delete("ApplicationSet", Some(&old.argo()), "tenants").await;
    assert_eq!(belongings(&old, &alice).await, before);
}
