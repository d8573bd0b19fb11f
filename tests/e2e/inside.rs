//! The cluster with a real node, tenants on it, and what is done from inside their pods.

use std::{
    ops::Deref,
    process::Command,
    sync::{Mutex, OnceLock},
};

use serde_json::{Value, json};

use crate::support::{Bed, Instance, OperatorProcess, PATIENCE, condition, example_class, merge};

/// The container of a workspace in which OpenClaw runs.
const GATEWAY: &str = "gateway";

/// Whoever has no policies: what this reaches is there to be reached.
pub const UNPOLICED: &str = "e2e-unpoliced";

/// The namespace from which a class lets requests in.
pub const DOORS: &str = "e2e-doors";

/// Where a pod that is made here has a token for the Pod Identity agent, of its namespace's own ServiceAccount.
pub const TOKEN_FILE: &str = "/var/run/secrets/agent/token";

/// The label by which a class knows that namespace.
const DOOR_LABEL: (&str, &str) = ("e2e.openclaw.io/door", "true");

/// The operator that runs on the cluster.
static OPERATOR: Mutex<Option<OperatorProcess>> = Mutex::new(None);

/// The cluster that all of these share, with one operator on it: a platform with a real node, or one that is there already.
pub fn cluster() -> &'static Instance {
    static CLUSTER: OnceLock<Instance> = OnceLock::new();
    if Instance::is_foreign() {
        return Instance::as_it_is();
    }
    CLUSTER.get_or_init(|| {
        let packages = std::env::var("OPENCLAW_TEST_PACKAGES").expect("OPENCLAW_TEST_PACKAGES: make e2e sets it");
        let instance = Instance::start_with(&["--real-node", "--openclaw", &packages]);
        give_role(&instance);
        start_operator(&instance);
        for (namespace, door) in [(UNPOLICED, "false"), (DOORS, DOOR_LABEL.1)] {
            instance.kubectl(&["create", "namespace", namespace]);
            instance.kubectl(&["label", "namespace", namespace, &format!("{}={door}", DOOR_LABEL.0)]);
        }
        instance
    })
}

/// Whether a test has to be left out: a cluster that was there already has no node that this machine may look into, disturb or end.
pub fn is_elsewhere(needs: &str) -> bool {
    let is_foreign = Instance::is_foreign();
    if is_foreign {
        println!("skipped: it needs {needs}, as the local platform has");
    }
    is_foreign
}

/// Whether a test has to be left out because nobody says where a Gateway moves traffic.
pub fn has_no_way_in(address: &str) -> bool {
    let has_none = !cluster().knows(address);
    if has_none {
        println!("skipped: platform.json says nothing at {address}");
    }
    has_none
}

fn start_operator(instance: &Instance) {
    let operator = instance.start_operator_with(&["--dns-addresses", "10.96.0.10"]);
    *OPERATOR.lock().expect("not poisoned") = Some(operator);
}

/// Ends the operator in good order, and starts another when this is done.
pub fn without_operator(done: impl FnOnce(&Instance)) {
    let former = OPERATOR.lock().expect("not poisoned").take().expect("one runs");
    assert!(former.stop(), "it ends in good order");
    done(cluster());
    start_operator(cluster());
}

/// Gives the tenants' role in AWS the documents that the operator generates: by these a workspace's requests are judged.
fn give_role(instance: &Instance) {
    let uid = instance.kubectl(&["get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}"]);
    let documents = format!("{}/iam", instance.fact("/dir"));
    let arn = instance.fact("/aws/clusterArn");
    let (well, _, said) =
        instance.run_operator(&["iam", "--cluster-arn", arn, "--cluster-uid", &uid, "--output", &documents]);
    assert!(well, "{said}");
    let look = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/demo/look.py");
    let status = Command::new(instance.fact("/python"))
        .args([look, "role", &documents])
        .env("OPENCLAW_TENANT_ROLE", instance.fact("/aws/tenantRoleArn"))
        .env("AWS_DEFAULT_REGION", instance.fact("/aws/region"))
        .envs(instance.environment())
        .status();
    assert!(status.expect("the platform's Python").success(), "the role got no documents");
}

/// A class for a real node: what resolves secrets reaches the emulated AWS, which has an address of the VPC there.
pub fn class(instance: &Instance, more: Value) -> Value {
    let mut class = example_class(instance);
    let endpoint = instance.fact("/aws/endpoints/secretsManager").trim_start_matches("http://");
    let (host, port) = endpoint.rsplit_once(':').expect("host and port");
    let port: u16 = port.parse().expect("a port");
    merge(&mut class["network"], json!({ "cidrs": [{ "cidr": format!("{host}/32"), "ports": [port] }] }));
    let gateway = json!({ "kubernetes.io/metadata.name": instance.fact("/gateway/namespace") });
    let doors = json!([{ "namespaceLabels": { DOOR_LABEL.0: DOOR_LABEL.1 } }, { "namespaceLabels": gateway }]);
    merge(&mut class["network"], json!({ "ingressFrom": doors }));
    merge(&mut class, more);
    class
}

/// A tenant whose workspace runs, until its test has passed: a score of them would leave a small machine no memory and no time.
pub struct Running(Bed);

impl Running {
    /// Once the Tenant is Ready.
    pub async fn on(bed: Bed) -> Self {
        bed.ready_tenant(small()).await;
        Self(bed)
    }

    /// Suspends it, until its Tenant says that access has ended.
    pub async fn suspended(&self) {
        self.patch_tenant(json!({ "spec": { "suspend": true } })).await.expect("a suspended Tenant");
        self.until("suspended", |tenant| condition(tenant, "Ready")["reason"] == "Suspended").await;
    }

    /// Lets its owner in again, until it is Ready.
    pub async fn resumed(&self) {
        self.patch_tenant(json!({ "spec": { "suspend": false } })).await.expect("a resumed Tenant");
        self.ready().await;
    }
}

impl Deref for Running {
    type Target = Bed;

    fn deref(&self) -> &Bed {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let suspended = json!({ "spec": { "suspend": true } }).to_string();
            // Where the test has deleted the Tenant nothing runs.
            let _ =
                self.instance.try_kubectl(&["patch", "tenant", &self.tenant, "--type=merge", "--patch", &suspended]);
        }
    }
}

/// A tenant whose workspace runs.
pub async fn running(test: &str, class: Value) -> Running {
    Running::on(Bed::with_class(cluster(), test, class).await).await
}

/// What a Tenant asks for of which several fit on the node of a small machine.
pub fn small() -> Value {
    json!({ "resources": { "requests": { "cpu": "50m", "memory": "256Mi" } } })
}

/// What kubectl is told to wait for at the most.
pub fn patience() -> String {
    format!("--timeout={}s", PATIENCE.as_secs())
}

/// Something that can be done inside a pod.
pub struct Pod<'a> {
    pub instance: &'a Instance,
    pub namespace: String,
    pub name: String,
    pub container: &'static str,
}

impl<'a> Pod<'a> {
    /// A tenant's own.
    pub fn of(bed: &'a Bed) -> Self {
        let name = format!("{}-0", bed.tenant);
        Self { instance: bed.instance, namespace: bed.namespace(), name, container: GATEWAY }
    }

    /// One that waits, and listens on the workspaces' port; in whoever's namespace.
    pub fn make(instance: &'a Instance, namespace: &str, name: &str) -> Self {
        let listens = "require('http').createServer((q,a)=>a.end('here')).listen(18789)";
        let security = json!({
            "runAsNonRoot": true, "runAsUser": 1000, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] }, "seccompProfile": { "type": "RuntimeDefault" },
        });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": namespace },
            "spec": {
                "automountServiceAccountToken": false,
                "volumes": [{ "name": "agent", "projected": { "sources": [{
                    "serviceAccountToken": { "audience": "pods.eks.amazonaws.com", "path": "token", "expirationSeconds": 3600 },
                }] } }],
                "containers": [{
                    "name": GATEWAY, "image": "ghcr.io/openclaw/openclaw:2026.9.6", "command": ["node", "-e", listens],
                    "securityContext": security,
                    "volumeMounts": [{ "name": "agent", "mountPath": "/var/run/secrets/agent", "readOnly": true }],
                    "resources": { "requests": { "cpu": "10m", "memory": "64Mi" }, "limits": { "cpu": "500m", "memory": "256Mi" } },
                }],
            },
        });
        let path = std::path::Path::new(instance.fact("/dir")).join(format!("{namespace}-{name}.json"));
        std::fs::write(&path, pod.to_string()).expect("a manifest");
        instance.kubectl(&["apply", "-f", path.to_str().expect("a path")]);
        instance.kubectl(&[
            "wait",
            "--for=condition=Ready",
            &patience(),
            "--namespace",
            namespace,
            &format!("pod/{name}"),
        ]);
        Self { instance, namespace: namespace.to_owned(), name: name.to_owned(), container: GATEWAY }
    }

    /// Runs a command inside; what it says.
    pub fn run(&self, command: &[&str]) -> Result<String, String> {
        let head = ["exec", "--namespace", &self.namespace, &self.name, "--container", self.container, "--"];
        self.instance.try_kubectl(&[head.as_slice(), command].concat())
    }

    /// Runs a program of Node's inside, with one argument as JSON; what it says as JSON.
    pub fn node(&self, program: &str, argument: &Value) -> Value {
        let said = self.run(&["node", "--input-type=module", "-e", program, &argument.to_string()]);
        let said = said.unwrap_or_else(|error| panic!("in pod {}/{}: {error}", self.namespace, self.name));
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Its address.
    pub fn address(&self) -> String {
        let path = "--output=jsonpath={.status.podIP}";
        self.instance.kubectl(&["get", "pod", "--namespace", &self.namespace, &self.name, path])
    }
}
