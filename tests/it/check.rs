//! `check`: manifests judged offline as the API server and the operator judge them later.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::support::{Bed, Instance, example_class};

/// A directory of one test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("openclaw-check-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn put(&self, name: &str, object: &Value) -> String {
        let path = self.0.join(name);
        fs::write(&path, format!("{object:#}")).expect("a file");
        path.display().to_string()
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn manifest(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "openclaw.io/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

/// The program with no cluster to talk to: exit code, output, complaints.
fn offline(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw-tenant-operator"));
    let output = command.arg("check").args(arguments).env("KUBECONFIG", "/nonexistent").output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The examples are without a finding; exit codes are what the documentation says.
#[test]
fn the_examples_have_nothing_to_mend_and_codes_tell_findings_from_trouble() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/examples");
    let (code, said, complained) =
        offline(&[&format!("{examples}/tenants.yaml"), "--class", &format!("{examples}/class-local.yaml")]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{complained}");
    assert!(complained.contains("3 Tenants and 1 TenantClass checked, 0 errors"), "{complained}");
    let folder = Folder::new("codes");
    let bad = folder.put("bad.json", &manifest("Tenant", "bob", &json!({ "owner": { "email": "bob" } })));
    let (code, said, _) = offline(&[&bad]);
    let rule = "use an address such as alice@example.com, at most 254 characters";
    assert_eq!(said, format!("{bad}:1: Tenant bob: error: spec.owner.email: \"bob\" is not valid: {rule}\n"));
    assert_eq!(code, Some(1));
    for trouble in [&["/nonexistent/x.yaml"][..], &[], &["--cluster", &bad]] {
        assert_eq!(offline(trouble).0, Some(2), "{trouble:?}");
    }
    let (code, said, _) = offline(&[folder.path(), "-o", "json"]);
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &json["findings"][0]["name"], &json["errors"]), (Some(1), &json!("bob"), &json!(1)));
}

/// Specs that the API server takes or refuses, for some reason each.
fn specs() -> Vec<(&'static str, Value)> {
    let with = |more: Value| {
        let mut spec = json!({ "owner": { "email": "a@example.com" } });
        crate::support::merge(&mut spec, more);
        spec
    };
    vec![
        ("plain", with(json!({}))),
        ("unknown-field", with(json!({ "suspended": true }))),
        ("wrong-type", with(json!({ "suspend": "yes" }))),
        ("no-owner", json!({})),
        ("null-owner", json!({ "owner": null })),
        ("bad-enum", with(json!({ "deletionPolicy": "Keep" }))),
        ("bad-quantity", with(json!({ "quota": { "cpu": "a lot" } }))),
        ("long-name", with(json!({ "displayName": "x".repeat(129) }))),
        ("null-default", with(json!({ "suspend": null }))),
        ("null-nullable", with(json!({ "displayName": null }))),
        ("host-bits", with(json!({ "egress": { "cidrs": [{ "cidr": "203.0.113.1/24" }] } }))),
        ("zero-bits", with(json!({ "egress": { "cidrs": [{ "cidr": "0.0.0.0/0" }] } }))),
        ("padded-bits", with(json!({ "egress": { "cidrs": [{ "cidr": "203.0.113.0/024" }] } }))),
        ("mapped", with(json!({ "egress": { "cidrs": [{ "cidr": "::ffff:203.0.113.0/120" }] } }))),
        ("v6", with(json!({ "egress": { "cidrs": [{ "cidr": "2600::/16" }] } }))),
        ("both", with(json!({ "image": { "tag": "1", "digest": format!("sha256:{}", "0".repeat(64)) } }))),
        ("latest", with(json!({ "image": { "tag": "latest" } }))),
        ("neither", with(json!({ "image": { "repository": "r" } }))),
        ("twice", with(json!({ "env": [{ "name": "A" }, { "name": "A" }] }))),
        ("twice-set", with(json!({ "skills": ["a", "a"] }))),
        ("port", with(json!({ "egress": { "cidrs": [{ "cidr": "203.0.113.0/24", "ports": [0] }] } }))),
        ("many", with(json!({ "skills": (0..65).map(|n| format!("s{n}")).collect::<Vec<_>>() }))),
        ("system", with(json!({}))),
        ("kube-x", with(json!({}))),
        ("with.dot", with(json!({}))),
        ("fraction", with(json!({ "budget": { "monthlyUSD": 1.5 } }))),
        ("domain", with(json!({ "egress": { "domains": ["EXAMPLE.com"] } }))),
    ]
}

/// The same for classes; each could keep a Tenant.
fn classes(instance: &Instance) -> Vec<(&'static str, Value)> {
    let with = |more: Value| {
        let mut spec = example_class(instance);
        crate::support::merge(&mut spec, more);
        spec
    };
    let without_role = json!({ "identity": { "mode": "None", "roleArn": null } });
    let generated = |item: Value| json!({ "secrets": { "generated": [item] } });
    vec![
        ("plain", with(json!({}))),
        ("no-role", with(json!({ "identity": { "roleArn": null } }))),
        ("none", with(without_role)),
        ("no-boundary", with(json!({ "identity": { "mode": "RolePerTenant", "roleArn": null } }))),
        ("class-cidr", with(json!({ "network": { "cidrs": [{ "cidr": "10.0.0.1/8" }] } }))),
        ("ingress", with(json!({ "network": { "ingressFrom": [{ "cidr": "10.0.0.1/8" }] } }))),
        ("ingress-bad", with(json!({ "network": { "ingressFrom": [{ "cidr": "10.0.0.1" }] } }))),
        (
            "ingress-both",
            with(json!({ "network": { "ingressFrom": [{ "cidr": "10.0.0.0/8", "namespaceLabels": { "a": "b" } }] } })),
        ),
        ("shared-origin", with(json!({ "routing": { "mode": "Path" } }))),
        ("path", with(json!({ "routing": { "mode": "Path", "acceptSharedOrigin": true } }))),
        ("no-token", with(generated(json!({ "name": "other" })))),
        ("copied", with(generated(json!({ "name": "gateway-token", "rotateEveryDays": 30 })))),
        ("latest", with(json!({ "workload": { "image": { "tag": "latest" } } }))),
        ("prefix", with(json!({ "namespacePrefix": "Open-" }))),
        ("days", with(json!({ "deletion": { "retentionDays": 3 } }))),
        ("nothing", json!({})),
        ("unknown", with(json!({ "storage": { "klass": "x" } }))),
    ]
}

async fn differing(
    bed: &Bed,
    folder: &Folder,
    kind: &str,
    plural: &str,
    specs: Vec<(&'static str, Value)>,
) -> Vec<String> {
    let mut differing = Vec::new();
    for (name, spec) in specs {
        let object = manifest(kind, name, &spec);
        let (code, said, _) = offline(&[&folder.put("one.json", &object)]);
        let path = format!("/apis/openclaw.io/v1alpha1/{plural}?dryRun=All&fieldValidation=Strict");
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(object.to_string().into_bytes()).expect("a request");
        let answer = bed.client.request::<Value>(request).await;
        if answer.is_ok() != (code == Some(0)) {
            let refusal = answer.err().map(|error| error.to_string());
            differing.push(format!("{kind} {name}: API server {refusal:?}; check {code:?} {said}"));
        }
    }
    differing
}

/// What the API server refuses, `check` refuses without one, and nothing else.
#[tokio::test]
async fn the_api_server_and_check_refuse_the_same() {
    let bed = Bed::new("check-same").await;
    let folder = Folder::new("same");
    let mut found = differing(&bed, &folder, "Tenant", "tenants", specs()).await;
    found.extend(differing(&bed, &folder, "TenantClass", "tenantclasses", classes(bed.instance)).await);
    assert_eq!(found, Vec::<String>::new());
}

/// Against a cluster what is there counts, and each manifest is rehearsed.
#[tokio::test]
async fn against_a_cluster_owners_sizes_and_transitions_are_judged() {
    let bed = Bed::new("check-live").await;
    bed.ready_tenant(json!({ "owner": { "subject": "the-owner" } })).await;
    let folder = Folder::new("live");
    let judge = |spec: Value| {
        let mut spec = spec;
        spec["className"] = json!(bed.class);
        let file = folder.put("one.json", &manifest("Tenant", &bed.tenant, &spec));
        bed.instance.run_operator(&["check", "--cluster", &file])
    };
    let owner = json!({ "email": bed.email(), "subject": "the-owner" });
    let (fine, said, complained) = judge(json!({ "owner": owner, "displayName": "Somebody" }));
    assert!(fine && said.is_empty(), "{said}{complained}");
    let live = bed.get("Tenant", None, &bed.tenant).await.expect("the Tenant");
    assert_eq!(live["spec"]["displayName"], Value::Null, "it was only rehearsed");
    let (fine, said, _) = judge(json!({ "owner": owner, "storage": { "size": "1Gi" } }));
    assert!(!fine && said.contains("error: StorageShrunk: "), "{said}");
    let (fine, said, _) = judge(json!({ "owner": { "email": bed.email(), "subject": "mallory" } }));
    assert!(!fine && said.contains("error: NameReserved: "), "{said}");
    let mut class = example_class(bed.instance);
    class["namespacePrefix"] = json!("other-");
    let path = folder.put("class.json", &manifest("TenantClass", &bed.class, &class));
    let (fine, said, _) = bed.instance.run_operator(&["check", "--cluster", &path]);
    assert!(
        !fine
            && said.contains("error: the API server refuses it: ")
            && said.contains("the namespace prefix never changes"),
        "{said}"
    );
}

/// Called by another name, it is a plugin of kubectl.
#[test]
fn as_a_plugin_of_kubectl_it_speaks_as_one() {
    let folder = Folder::new("plugin");
    let plugin = folder.0.join("kubectl-tenant");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_openclaw-tenant-operator"), &plugin).expect("a link");
    let output = Command::new(&plugin).args(["status", "--help"]).output().expect("it starts");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(help.contains("Usage: kubectl tenant status") && help.contains("  kubectl tenant status alice"), "{help}");
    let kubectl = Instance::shared().fact("/kubectl");
    let path = format!("{}:{}", folder.path(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new(kubectl).args(["tenant", "--version"]).env("PATH", path).output().expect("kubectl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
