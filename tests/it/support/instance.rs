//! A local platform and the operator's processes on it. Everything ends with the test process, however that ends: both
//! hang on a pipe that the system closes.

use std::{
    cell::RefCell,
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
};

use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};
use serde_json::Value;

use super::evidence;

/// The operator's own namespace and ServiceAccount.
pub const ACCOUNT: &str = "openclaw-system/openclaw-tenant-operator";

/// Who it is to the API server.
pub const OPERATOR: &str = "system:serviceaccount:openclaw-system:openclaw-tenant-operator";

/// Set by who means it: the tests make and remove namespaces, classes and definitions.
const CONSENT: (&str, &str) = ("OPENCLAW_TEST_CLUSTER", "yes-change-this-cluster");

/// Flags of an operator that looks at all of AWS every few seconds, so that what is changed there by hand is seen within a
/// test's patience.
pub const LOOKS_OFTEN: [&str; 6] = ["--sweep-interval", "5s", "--audit-period", "10s", "--audit-rate", "50"];

/// Kinds that a cluster may do without, beside ReferenceGrant, which comes with the Gateway API.
pub const OPTIONAL: [&str; 6] = [
    "ciliumnetworkpolicies.cilium.io",
    "ciliumendpoints.cilium.io",
    "scaledobjects.keda.sh",
    "interceptorroutes.http.keda.sh",
    "targetgroupconfigurations.gateway.k8s.aws",
    "policyendpoints.networking.k8s.aws",
];

/// Who an operator is, where several run at once.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The name of its pod, by which Lease and events name it.
    pub pod: &'a str,
    /// The kubeconfig of its ServiceAccount.
    pub kubeconfig: &'a Path,
    /// The key by which AWS knows it. Faults are for `operator`.
    pub access_key: &'a str,
    /// Variables in the place of the platform's.
    pub variables: &'a [(&'a str, String)],
    /// More flags of `run`.
    pub flags: &'a [&'a str],
}

/// An API server with emulated AWS, on which the tests may do as they like.
pub struct Instance {
    /// What the platform says about itself; empty for a foreign cluster.
    facts: Value,
    kubeconfig: PathBuf,
    operators: Mutex<Vec<PathBuf>>,
    // Kept open: the platform ends when it is closed.
    process: Option<Child>,
}

/// Platforms of one test. They end with it: a score of them at once would leave the others no time.
struct Platforms(Vec<Child>);

impl Drop for Platforms {
    fn drop(&mut self) {
        for platform in &mut self.0 {
            drop(platform.stdin.take());
            let _ = platform.wait();
        }
    }
}

thread_local! {
    // Each test has a thread of its own.
    static OF_THIS_TEST: RefCell<Platforms> = const { RefCell::new(Platforms(Vec::new())) };
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Instance {
    /// The instance that most tests share, with one operator on it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<(Instance, Option<OperatorProcess>)> = OnceLock::new();
        let (instance, _) = SHARED.get_or_init(|| {
            if let Some(kubeconfig) = foreign_cluster() {
                let foreign = Self::foreign(kubeconfig);
                foreign.install_optional();
                return (foreign, None);
            }
            let instance = Self::start();
            instance.install_optional();
            let operator = instance.start_operator_with(&LOOKS_OFTEN);
            (instance, Some(operator))
        });
        instance
    }

    /// The cluster that is there already, as it is: nothing is installed on it.
    #[allow(dead_code, reason = "tests/e2e asks")]
    pub fn as_it_is() -> &'static Self {
        static FOREIGN: OnceLock<Instance> = OnceLock::new();
        FOREIGN.get_or_init(|| Self::foreign(foreign_cluster().expect("KUBECONFIG and OPENCLAW_TEST_CLUSTER")))
    }

    /// A cluster that is there already, with the operator on it. What is to be known about it (gateway, storage class,
    /// role, AWS endpoints) is in a file of the shape of the local platform's platform.json.
    fn foreign(kubeconfig: PathBuf) -> Self {
        let beside = || kubeconfig.with_file_name("platform.json");
        let path = env::var_os("OPENCLAW_TEST_PLATFORM").map_or_else(beside, PathBuf::from);
        let facts = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}: write what the cluster has there, as deploy/local does, or set OPENCLAW_TEST_PLATFORM",
                path.display()
            )
        });
        let facts = serde_json::from_str(&facts).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { facts, kubeconfig, operators: Mutex::default(), process: None }
    }

    /// Whether a cluster is used that is there already.
    #[allow(dead_code, reason = "tests/e2e asks")]
    pub fn is_foreign() -> bool {
        foreign_cluster().is_some()
    }

    /// A platform of this test's own, with everything installed but no operator running. It ends with the test.
    pub fn own() -> &'static Self {
        Self::start().of_this_test()
    }

    /// Makes a platform the test's whose thread this is: it ends with that.
    pub fn of_this_test(mut self) -> &'static Self {
        OF_THIS_TEST.with_borrow_mut(|platforms| platforms.0.extend(self.process.take()));
        Box::leak(Box::new(self))
    }

    /// A platform with everything installed but no operator running, which ends with this value or with the process.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more flags of `platform.sh run`.
    pub fn start_with(flags: &[&str]) -> Self {
        let mut process = Command::new("bash")
            .arg(repository().join("deploy/local/platform.sh"))
            .args(["run", "--until-stdin-eof"])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts deploy/local/platform.sh");
        let stdout = process.stdout.take().expect("the platform's output");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the platform says when it is ready");
        let ready: Value =
            serde_json::from_str(&line).expect("the platform's first line is JSON: see its messages above");
        let path = ready["platform"].as_str().expect("where platform.json is");
        let facts: Value = serde_json::from_str(&fs::read_to_string(path).expect("platform.json")).expect("JSON");
        let kubeconfig = PathBuf::from(facts["kubeconfig"].as_str().expect("kubeconfig"));
        let instance = Self { facts, kubeconfig, operators: Mutex::default(), process: Some(process) };
        instance.install();
        instance
    }

    /// Installs what a platform engineer installs: definitions, policies, rights.
    pub fn install(&self) {
        self.kubectl(&["apply", "--server-side", "-f", &in_repository("crds")]);
        self.kubectl(&["apply", "-k", &in_repository("deploy/policies")]);
        for file in ["namespace", "service-account", "rbac", "owner-access"] {
            self.kubectl(&["apply", "-f", &in_repository(&format!("deploy/operator/{file}.yaml"))]);
        }
        self.wait_for_definitions();
    }

    /// Installs the kinds that a cluster may do without.
    pub fn install_optional(&self) {
        for path in [self.fact("/optional").to_owned(), in_repository("tests/it/support/policy-endpoints.yaml")] {
            self.kubectl(&["apply", "--server-side", "-f", &path]);
        }
        self.wait_for(&OPTIONAL);
    }

    /// Waits until our definitions are established. `kubectl wait` fails at once where a definition has no conditions yet.
    pub fn wait_for_definitions(&self) {
        self.wait_for(&["tenants.openclaw.io", "tenantclasses.openclaw.io", "tenantrecords.openclaw.io"]);
    }

    fn wait_for(&self, definitions: &[&str]) {
        let end = std::time::Instant::now() + super::PATIENCE;
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd"];
        while let Err(error) = self.try_kubectl(&[wait.as_slice(), definitions].concat()) {
            assert!(std::time::Instant::now() < end, "the definitions are not established: {error}");
        }
    }

    /// Runs kubectl as the administrator, and returns what it says.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.try_kubectl(arguments);
        output.unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    /// Runs kubectl as the administrator.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let program = self.facts["kubectl"].as_str().unwrap_or("kubectl");
        let output =
            Command::new(program).arg("--kubeconfig").arg(&self.kubeconfig).args(arguments).output().expect("kubectl");
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// A client of this test's own: connections belong to the runtime that made them.
    pub async fn client(&self) -> Client {
        Client::try_from(self.config().await).expect("client")
    }

    /// The client of somebody else, with that person's rights.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Client {
        let mut config = self.config().await;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
        Client::try_from(config).expect("client")
    }

    async fn config(&self) -> Config {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).expect("kubeconfig");
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("kubeconfig");
        config.default_retry = false;
        config
    }

    /// Whether the platform says this about itself, by JSON pointer.
    #[allow(dead_code, reason = "tests/e2e asks")]
    pub fn knows(&self, pointer: &str) -> bool {
        self.facts.pointer(pointer).is_some()
    }

    /// What the platform says about itself, by JSON pointer.
    pub fn fact(&self, pointer: &str) -> &str {
        let fact = self.facts.pointer(pointer).and_then(Value::as_str);
        fact.unwrap_or_else(|| panic!("platform.json does not say {pointer}"))
    }

    /// Starts the operator as its own ServiceAccount, with the rights it has in production.
    pub fn start_operator(&self) -> OperatorProcess {
        self.start_operator_with(&[])
    }

    /// The same, with more flags. A flag that is given stands in the place of the one that tests have.
    pub fn start_operator_with(&self, flags: &[&str]) -> OperatorProcess {
        let number = self.operators.lock().expect("not poisoned").len();
        let kubeconfig = Path::new(self.fact("/dir")).join(format!("operator-{number}.kubeconfig"));
        self.mint(ACCOUNT, &kubeconfig);
        self.start_operator_as(&Start {
            pod: "operator",
            kubeconfig: &kubeconfig,
            access_key: "operator",
            variables: &[],
            flags,
        })
    }

    /// The same as somebody else.
    pub fn start_operator_as(&self, start: &Start) -> OperatorProcess {
        let Start { pod, kubeconfig, access_key, variables, flags } = *start;
        let log = {
            let mut operators = self.operators.lock().expect("not poisoned");
            let log = Path::new(self.fact("/dir")).join(format!("operator-{}.log", operators.len()));
            operators.push(log.clone());
            log
        };
        let output = File::create(&log).expect("log");
        let own = [
            ("--cluster-name", self.fact("/aws/clusterName")),
            ("--cluster-cidrs", "10.0.0.0/16"),
            // Any free port: one that is chosen here could be somebody else's by the time the operator asks for it.
            ("--health-address", "127.0.0.1:0"),
            ("--emulator-endpoint", self.fact("/aws/endpoints/secretsManager")),
            ("--log-filter", "openclaw_tenant_operator=debug"),
            // Faster than the defaults: the emulators' quotas are their own.
            ("--eks-write-rate", "50"),
            ("--eks-read-rate", "100"),
            ("--secrets-write-rate", "100"),
            ("--secrets-tag-rate", "100"),
            ("--iam-read-rate", "100"),
            ("--iam-write-rate", "100"),
        ];
        let own = own.into_iter().filter(|(flag, _)| !flags.contains(flag));
        let process = Command::new(self.fact("/program"))
            .args(["guard", "--", env!("CARGO_BIN_EXE_openclaw-tenant-operator"), "run"])
            .args(own.flat_map(|(flag, value)| [flag, value]))
            .args(flags)
            .env("POD_NAME", pod)
            .env("KUBECONFIG", kubeconfig)
            .envs(self.aws_environment())
            .env("AWS_ACCESS_KEY_ID", access_key)
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("log"))
            .stderr(output)
            .spawn()
            .expect("the operator starts");
        evidence::watch(&log);
        OperatorProcess { process, log }
    }

    /// Runs another of the program's commands as an administrator: whether it succeeded, and what it said.
    pub fn run_operator(&self, arguments: &[&str]) -> (bool, String, String) {
        self.run_operator_with(&self.kubeconfig, arguments)
    }

    /// Starts another of the program's commands as an administrator, to see what it says meanwhile, or to end it.
    pub fn start_command(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(&self.kubeconfig, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    fn command(&self, kubeconfig: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw-tenant-operator"));
        command
            .args(arguments)
            .env("OPENCLAW_CLUSTER_NAME", self.fact("/aws/clusterName"))
            .env("KUBECONFIG", kubeconfig)
            .envs(self.aws_environment())
            .env("AWS_ACCESS_KEY_ID", "administrator");
        command
    }

    /// The same as somebody else.
    pub fn run_operator_with(&self, kubeconfig: &Path, arguments: &[&str]) -> (bool, String, String) {
        let mut command = self.command(kubeconfig, arguments);
        let output = command.stdin(Stdio::null()).output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// Writes a kubeconfig of a ServiceAccount, NAMESPACE/NAME.
    pub fn mint(&self, account: &str, out: &Path) {
        let status = Command::new(self.fact("/program"))
            .args(["kubeconfig", "--dir", self.fact("/dir"), "--service-account", account, "--out"])
            .arg(out)
            .status()
            .expect("the platform's program");
        assert!(status.success(), "no kubeconfig for {account}");
    }

    /// What a person's shell has who looks after this cluster and its account.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::from(self.aws_environment());
        all.retain(|(name, _)| *name != "AWS_ACCESS_KEY_ID");
        all.extend([
            ("AWS_ACCESS_KEY_ID", "administrator".to_owned()),
            ("KUBECONFIG", self.kubeconfig.display().to_string()),
            ("OPENCLAW_CLUSTER_NAME", self.fact("/aws/clusterName").to_owned()),
        ]);
        all
    }

    fn aws_environment(&self) -> [(&'static str, String); 7] {
        let endpoint = |name: &str| self.fact(&format!("/aws/endpoints/{name}")).to_owned();
        [
            ("AWS_REGION", self.fact("/aws/region").to_owned()),
            ("AWS_ACCESS_KEY_ID", "operator".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "operator".to_owned()),
            ("AWS_ENDPOINT_URL_EKS", endpoint("eks")),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint("secretsManager")),
            ("AWS_ENDPOINT_URL_IAM", endpoint("iam")),
            ("AWS_ENDPOINT_URL_STS", endpoint("sts")),
        ]
    }

    /// The last lines of the operators' logs that name this text.
    pub fn log_about(&self, text: &str) -> String {
        let logs = self.operators.lock().expect("not poisoned").clone();
        let mut lines = Vec::new();
        for log in logs {
            let content = fs::read_to_string(&log).unwrap_or_default();
            lines.extend(
                content.lines().filter(|line| line.contains(text) || line.contains("ERROR")).map(str::to_owned),
            );
            // An operator that has ended says why at last.
            lines.extend(content.lines().last().map(str::to_owned));
        }
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// What the operator asked of the API server that would have changed something, on or in what this text names.
    pub fn writes_about(&self, text: &str) -> Vec<Value> {
        let content = fs::read_to_string(self.fact("/auditLog")).expect("audit log");
        let lines = content.lines().filter(|line| line.contains(text));
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let changes = ["create", "update", "patch", "delete", "deletecollection"];
        events
            .filter(|event| event["user"]["username"] == OPERATOR)
            .filter(|event| changes.iter().any(|verb| event["verb"] == *verb))
            .filter(|event| event["objectRef"]["namespace"] == text || event["objectRef"]["name"] == text)
            .collect()
    }

    /// Requests in the API server's audit log that satisfy the predicate.
    pub fn audited(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let content = fs::read_to_string(self.fact("/auditLog")).expect("audit log");
        content.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(wanted).collect()
    }
}

fn in_repository(path: &str) -> String {
    repository().join(path).display().to_string()
}

fn foreign_cluster() -> Option<PathBuf> {
    let kubeconfig = env::var_os("KUBECONFIG").map(PathBuf::from)?;
    (env::var(CONSENT.0).as_deref() == Ok(CONSENT.1)).then_some(kubeconfig)
}

/// A running operator. Dropping it kills it.
pub struct OperatorProcess {
    process: Child,
    log: PathBuf,
}

impl OperatorProcess {
    /// Kills it where it stands, as a lost node would.
    pub fn kill(mut self) {
        evidence::keep(&self.log);
        // The guard kills the operator when its own input ends.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }

    /// Asks it to end in good order, and waits until it has.
    pub fn stop(mut self) -> bool {
        evidence::keep(&self.log);
        let pid = self.process.id().to_string();
        // Waiting closes the input, at which the guard kills; so it is held until the end.
        let _input = self.process.stdin.take();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().is_ok_and(|status| status.success());
        asked && self.process.wait().is_ok_and(|status| status.success())
    }

    /// Sends a signal to the operator itself, past its guard.
    pub fn signal(&self, signal: &str) {
        let operator = self.pid().expect("an operator that runs").to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &operator]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal} is not sent");
    }

    /// The operator's process: what the guard has started.
    pub fn pid(&self) -> Option<u32> {
        let parent = format!("PPid:\t{}\n", self.process.id());
        let all = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut all = all.filter(|pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains(&parent))
        });
        all.next()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.exit_code().is_some()
    }

    /// What it ended with by itself, once it has.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.try_wait().expect("its status")?.code()
    }

    /// Everything that it said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The address of /healthz, /readyz and /metrics, once the operator has said it.
    fn health(&self) -> Option<String> {
        evidence::address(&self.log).map(|address| format!("http://{address}"))
    }

    /// Asks it for /healthz, /readyz or /metrics; `None` where it does not answer.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        use http_body_util::{BodyExt as _, Empty};
        use hyper_util::{client::legacy::Client, rt::TokioExecutor};
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<axum::body::Bytes>>();
        let uri = format!("{}{path}", self.health()?).parse().expect("address");
        let answer = client.get(uri).await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        evidence::keep(&self.log);
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
