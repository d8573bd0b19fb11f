//! What somebody with a shell in a workspace tries, and which layer stops it.
//!
//! Each attempt is carried out where it would be: in the container of the gateway itself, or, where the network alone would hide what lies
//! behind it, with what was carried out of the container.

use std::{fs, path::Path};

use aws_sdk_secretsmanager::{config::Credentials, error::ProvideErrorMetadata};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::{
    credentials::{READ, secret_of},
    inside::{Pod, class, cluster, is_elsewhere, running},
    support::{Bed, Instance},
    table::{committed_part, markdown},
    volume::volume_of,
};

/// One attempt: what it is, what stops it, and what it met.
struct Attempt {
    what: &'static str,
    stopped_by: &'static str,
    met: Result<(), String>,
}

impl Attempt {
    /// It shall be answered with one of these words.
    fn new(what: &'static str, stopped_by: &'static str, answer: Result<String, String>, words: &[&str]) -> Self {
        let met = match answer {
            Ok(said) => Err(format!("{what}: it went well: {said}")),
            Err(said) if words.iter().any(|word| said.contains(word)) => Ok(()),
            Err(said) => Err(format!("{what}: none of {words:?} in: {said}")),
        };
        Self { what, stopped_by, met }
    }
}

/// Runs a program of Node's in the workspace; what it throws is the answer.
fn shell(pod: &Pod<'_>, program: &str) -> Result<String, String> {
    pod.run(&["node", "--input-type=module", "-e", program])
}

/// Credentials as a workspace gets them, for use somewhere else.
const TAKE: &str = r#"
import { readFileSync } from "node:fs";
const token = readFileSync(process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, "utf8");
const agent = await fetch(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers: { Authorization: token } });
console.log(JSON.stringify({ token, ...(await agent.json()) }));
"#;

/// Takes memory until it has more than the container may have.
const TAKE_MEMORY: &str = r#"
const all = [];
for (let taken = 0; taken < 4096; taken += 64) all.push(Buffer.alloc(64 * 1024 * 1024, 1));
console.log("4 GiB");
"#;

/// Asks the API server with a token that was carried off, from where no policy is in the way.
async fn ask_api_server(instance: &Instance, token: &str) -> Result<String, String> {
    let kubeconfig = Kubeconfig::read_from(instance.fact("/kubeconfig")).expect("the kubeconfig");
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("the kubeconfig");
    config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
    let namespaces = Api::<Namespace>::all(Client::try_from(config).expect("a client"));
    match namespaces.list(&ListParams::default()).await {
        Ok(list) => Ok(format!("{} namespaces", list.items.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// What the workspace's own ServiceAccount may not, even where it had a token: by impersonation.
fn as_service_account(bed: &Bed, arguments: &[&str]) -> Result<String, String> {
    let pod = "--output=jsonpath={.spec.serviceAccountName}";
    let account =
        bed.instance.kubectl(&["get", "pod", "--namespace", &bed.namespace(), &format!("{}-0", bed.tenant), pod]);
    let user = format!("--as=system:serviceaccount:{}:{account}", bed.namespace());
    bed.instance.try_kubectl(&[&[user.as_str()], arguments].concat())
}

/// Attempts on the container that holds the attacker.
fn on_the_container(alice: &Pod<'_>, bob: &Bed) -> Vec<Attempt> {
    let path = "--output=jsonpath={.spec.hostPath.path}";
    let volume = bob.instance.kubectl(&["get", "persistentvolume", &volume_of(bob), path]);
    assert!(Path::new(&volume).is_dir(), "{volume}: what is looked for is there");
    let write = |path: &str| shell(alice, &format!("(await import('node:fs')).writeFileSync('{path}', 'x')"));
    vec![
        Attempt::new(
            "write to the root file system",
            "the container: its root is read-only",
            write("/app/openclaw.mjs"),
            &["EROFS"],
        ),
        Attempt::new(
            "set the gateway's configuration, as a file",
            "the container: an init container wrote it, and this one mounts it read-only",
            write("/etc/openclaw/openclaw.json"),
            &["EROFS"],
        ),
        Attempt::new(
            "become root",
            "the container: user 1000, no capability, no new privileges",
            shell(alice, "process.setuid(0)"),
            &["EPERM"],
        ),
        Attempt::new(
            "become root by a program that is root's",
            "the container: no new privileges",
            alice.run(&["su", "--command", "id", "root"]),
            &["Authentication failure", "must be suid", "Permission denied", "cannot set groups"],
        ),
        Attempt::new(
            "mount something, in a user namespace of one's own",
            "the container: seccomp's default profile",
            alice.run(&["unshare", "--user", "--map-root-user", "--mount", "true"]),
            &["Operation not permitted"],
        ),
        Attempt::new(
            "open another tenant's volume by its path on the node",
            "the container: a mount namespace with one volume in it",
            shell(alice, &format!("console.log((await import('node:fs')).readdirSync('{volume}'))")),
            &["ENOENT"],
        ),
        Attempt::new(
            "open a disk of the node",
            "the container: no device but the harmless ones",
            shell(
                alice,
                "const fs = await import('node:fs'); \
                 const all = fs.readdirSync('/dev').filter((name) => fs.lstatSync(`/dev/${name}`).isBlockDevice()); \
                 if (all.length === 0) throw new Error('no disk'); console.log(all.join())",
            ),
            &["no disk"],
        ),
        Attempt::new(
            "read what other processes of the node do",
            "the container: a process namespace of its own",
            shell(
                alice,
                "const all = (await import('node:fs')).readdirSync('/proc').filter(Number); \
                 const names = all.map((pid) => { try { return process.getBuiltinModule('fs').readFileSync(`/proc/${pid}/comm`, 'utf8') } catch { return '' } }); \
                 if (!names.some((name) => /kubelet|containerd/.test(name))) throw new Error('nobody else: ' + names.length)",
            ),
            &["nobody else"],
        ),
    ]
}

/// Attempts on the cluster.
async fn on_the_cluster(alice: &Bed, bob: &Bed, carried_off: &Value) -> Vec<Attempt> {
    let pod = Pod::of(alice);
    let token = carried_off["token"].as_str().expect("a token");
    let connect = "await fetch('https://10.96.0.1/', { signal: AbortSignal.timeout(1500) })";
    let address = Pod::of(bob).address();
    let others = format!("await fetch('http://{address}:18789/', {{ signal: AbortSignal.timeout(1500) }})");
    let huge = json!({ "spec": { "containers": [{ "name": "x", "image": "x", "resources": {
        "requests": { "cpu": "1", "memory": "9Gi" }, "limits": { "cpu": "1", "memory": "9Gi" } },
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }, "runAsNonRoot": true,
            "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } } }] } });
    let huge = huge.to_string();
    let overrides = format!("--overrides={huge}");
    let hostname = format!("{}.openclaw.local", bob.tenant);
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": "forged", "namespace": alice.namespace() },
        "spec": { "hostnames": [hostname], "rules": [{ "backendRefs": [{ "name": alice.tenant, "port": 18789 }] }] },
    });
    let path = Path::new(alice.instance.fact("/dir")).join("forged.json");
    fs::write(&path, route.to_string()).expect("a manifest");
    let forged = path.to_str().expect("a path");
    let namespace = alice.namespace();
    vec![
        Attempt::new(
            "use the ServiceAccount's token",
            "the pod: none is mounted",
            pod.run(&["cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"]),
            &["No such file"],
        ),
        Attempt::new(
            "ask the API server",
            "NetworkPolicy: the packet is dropped",
            shell(&pod, connect),
            &["TimeoutError"],
        ),
        Attempt::new(
            "carry the Pod Identity token off, and ask the API server with it",
            "the token: its audience is EKS's agent alone",
            ask_api_server(alice.instance, token).await,
            &["Unauthorized"],
        ),
        Attempt::new(
            "read another tenant's objects, had the ServiceAccount a token",
            "RBAC: it has no rights",
            as_service_account(alice, &["get", "configmaps", "--namespace", &bob.namespace()]),
            &["forbidden"],
        ),
        Attempt::new(
            "forge another tenant's route, had the ServiceAccount a token",
            "RBAC: it has no rights",
            as_service_account(alice, &["create", "--filename", forged]),
            &["forbidden"],
        ),
        Attempt::new(
            "forge another tenant's route, as somebody who may make routes anywhere",
            "an admission policy: routes of a tenant's namespace are the operator's to make",
            alice.instance.try_kubectl(&["create", "--filename", forged]),
            &["ValidatingAdmissionPolicy"],
        ),
        Attempt::new(
            "reach another tenant's pod",
            "NetworkPolicy: the packet is dropped",
            shell(&pod, &others),
            &["TimeoutError"],
        ),
        Attempt::new(
            "run a pod beyond the quota",
            "the namespace's ResourceQuota",
            alice.instance.try_kubectl(&["run", "huge", "--image=x", "--namespace", &namespace, &overrides]),
            &["exceeded quota"],
        ),
        Attempt::new(
            "run a privileged pod",
            "Pod Security, level restricted",
            alice.instance.try_kubectl(&["run", "mighty", "--image=x", "--namespace", &namespace, "--privileged"]),
            &["violates PodSecurity"],
        ),
    ]
}

/// Asks Secrets Manager from outside, as somebody who has carried credentials off.
async fn elsewhere(bed: &Bed, carried_off: &Value, secret: &str) -> Result<String, String> {
    let text = |key: &str| carried_off[key].as_str().expect("a string").to_owned();
    let credentials =
        Credentials::new(text("AccessKeyId"), text("SecretAccessKey"), Some(text("Token")), None, "carried off");
    let client = bed.instance.secrets();
    let config = client.config().to_builder().credentials_provider(credentials).build();
    let answer = aws_sdk_secretsmanager::Client::from_conf(config).get_secret_value().secret_id(secret).send().await;
    match answer {
        Ok(_) => Ok("a value".into()),
        Err(error) => Err(error.code().unwrap_or("no answer").to_owned()),
    }
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_shell_in_a_workspace_gets_nowhere() {
    if is_elsewhere("a node and an outside of its own") {
        return;
    }
    let shared = class(cluster(), json!({}));
    let (alice, bob) = (running("attacker", shared.clone()).await, running("victim", shared).await);
    let pod = Pod::of(&alice);
    let carried_off = pod.node(TAKE, &json!({}));
    let read = |of: &Bed| {
        let said = pod.node(READ, &json!({ "names": [secret_of(of)] }))[0].as_str().expect("a word").to_owned();
        if said == "a value" { Ok(said) } else { Err(said) }
    };
    assert_eq!(read(&alice), Ok("a value".to_owned()), "what is refused below is asked for rightly");
    let mut attempts = vec![Attempt::new(
        "read another tenant's secret with one's own credentials",
        "IAM: the secret's tags are not the session's",
        read(&bob),
        &["AccessDeniedException"],
    )];
    attempts.extend(on_the_container(&pod, &bob));
    attempts.extend(on_the_cluster(&alice, &bob, &carried_off).await);
    attempts.push(Attempt::new(
        "take more memory than the container may have",
        "the kernel: the container is ended, and nobody else's",
        shell(&pod, TAKE_MEMORY),
        &["137", "Killed", "SIGKILL", "closed"],
    ));
    let own = secret_of(&alice);
    assert_eq!(
        elsewhere(&alice, &carried_off, &own).await,
        Ok("a value".to_owned()),
        "carried off, they are good until"
    );
    alice.suspended().await;
    attempts.push(Attempt::new(
        "carry credentials off, and use them after access has ended",
        "IAM: the tags that open the secret are gone",
        elsewhere(&alice, &carried_off, &own).await,
        &["AccessDeniedException"],
    ));
    let wrong: Vec<&String> = attempts.iter().filter_map(|attempt| attempt.met.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let rows: Vec<Vec<String>> =
        attempts.iter().map(|attempt| vec![attempt.what.to_owned(), attempt.stopped_by.to_owned()]).collect();
    committed_part("security.md", "from a shell", &markdown(&["attempt", "stopped by"], &rows));
}
