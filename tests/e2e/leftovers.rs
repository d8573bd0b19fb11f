//! Nothing is left of a platform with a real node, however it ends.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{inside::is_elsewhere, support::PATIENCE};

/// A platform of a name of its own, in a process group of its own, as a terminal would start it.
struct Platform {
    process: Child,
    /// It ends with this: whoever ends the tests leaves no platform behind.
    _lifeline: ChildStdin,
    output: BufReader<ChildStdout>,
    dir: PathBuf,
}

impl Platform {
    fn start(why: &str) -> Self {
        let name = format!("e2e-{why}-{}", std::process::id());
        let packages = std::env::var("OPENCLAW_TEST_PACKAGES").expect("OPENCLAW_TEST_PACKAGES: make e2e sets it");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/local/platform.sh");
        let mut process = Command::new("bash")
            .arg(script)
            .args(["run", "--until-stdin-eof", "--name", &name, "--real-node", "--openclaw", &packages])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("bash starts deploy/local/platform.sh");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let lifeline = process.stdin.take().expect("its input");
        Self { process, _lifeline: lifeline, output, dir: directory(&name) }
    }

    /// Until it says that it is ready.
    fn is_ready(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it says when it is ready");
        assert!(line.contains("platform.json"), "it did not start: {line}");
    }

    /// Until its node has begun, and nothing is ready yet.
    fn has_begun(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.dir.join("node").is_dir() {
            assert!(Instant::now() < end, "no node begins in {}", self.dir.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn group(&self) -> String {
        format!("-{}", self.process.id())
    }

    /// The traces by which it would be known.
    fn traces(&self) -> Traces {
        let facts = fs::read_to_string(self.dir.join("platform.json")).unwrap_or_default();
        let facts: Value = serde_json::from_str(&facts).unwrap_or_default();
        let port = facts["server"].as_str().and_then(|server| server.rsplit(':').next()).map(str::to_owned);
        Traces { dir: self.dir.clone(), port }
    }

    fn ended(mut self, traces: &Traces) {
        self.process.wait().expect("it ends");
        traces.are_gone();
    }
}

/// As Ctrl-C does, or `kill -9`.
fn send(signal: &str, whom: &str) {
    let status = Command::new("kill").args([signal, "--", whom]).status();
    assert!(status.expect("kill").success(), "{signal} reaches {whom}");
}

/// Where a platform of that name has its files: root is what these tests need anyway.
fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join("openclaw-platform-0").join(name)
}

/// What a platform could leave.
struct Traces {
    dir: PathBuf,
    /// By its API server's port its cable and its cgroup are named.
    port: Option<String>,
}

impl Traces {
    fn are_gone(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "left behind: {left:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn left(&self) -> Vec<String> {
        let dir = self.dir.to_str().expect("a path of text");
        let mut left: Vec<String> = Vec::new();
        left.extend(self.dir.exists().then(|| dir.to_owned()));
        for process in fs::read_dir("/proc").expect("/proc").filter_map(Result::ok) {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            left.extend(line.contains(dir).then(|| format!("process {}: {line}", process.file_name().display())));
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        left.extend(mounts.lines().filter(|line| line.contains(dir)).map(|line| format!("mount {line}")));
        if let Some(port) = &self.port {
            let cable = PathBuf::from(format!("/sys/class/net/openclaw{port}"));
            left.extend(cable.exists().then(|| cable.display().to_string()));
            let cgroup = format!("openclaw-platform-{port}");
            left.extend(find(Path::new("/sys/fs/cgroup"), &cgroup, 3).map(|path| path.display().to_string()));
        }
        left
    }
}

/// A directory of this name, so far down.
fn find(from: &Path, name: &str, depth: usize) -> Option<PathBuf> {
    let inside = fs::read_dir(from).ok()?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    inside.into_iter().find_map(|path| {
        if path.file_name()? == name {
            return Some(path);
        }
        if depth > 0 { find(&path, name, depth - 1) } else { None }
    })
}

#[test]
#[ignore = "needs a real node: make e2e"]
fn nothing_is_left_of_a_platform_that_is_interrupted_or_killed() {
    if is_elsewhere("a platform of its own") {
        return;
    }
    let early = Platform::start("early");
    early.has_begun();
    let traces = early.traces();
    assert!(!traces.left().is_empty(), "what is looked for is seen while it runs");
    send("-INT", &early.group());
    early.ended(&traces);

    let mut interrupted = Platform::start("interrupted");
    interrupted.is_ready();
    let traces = interrupted.traces();
    assert!(traces.port.is_some() && traces.left().len() > 4, "its cable and its cgroup are seen: {:?}", traces.left());
    send("-INT", &interrupted.group());
    interrupted.ended(&traces);

    let mut killed = Platform::start("killed");
    killed.is_ready();
    let traces = killed.traces();
    send("-KILL", &killed.process.id().to_string());
    killed.ended(&traces);
}

/// What the demo's last words say to open in a browser.
fn page_of_alice(name: &str) -> String {
    let script = r#"eval "$(deploy/local/platform.sh env --name "$0")" && "$OPENCLAW_PLATFORM_PYTHON" deploy/demo/look.py page alice"#;
    let mut command = Command::new("bash");
    let output = command.args(["-c", script, name]).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("bash");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
#[ignore = "needs a real node: make e2e"]
fn the_demo_on_a_real_node_runs_openclaw_and_leaves_nothing() {
    if is_elsewhere("a platform of its own") {
        return;
    }
    let name = format!("e2e-demo-{}", std::process::id());
    let make = |target: &str| {
        let mut command = Command::new("make");
        command.args(["--no-print-directory", target]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let seconds = PATIENCE.as_secs().to_string();
        let output = command.env("OPENCLAW_DEMO_NAME", &name).env("OPENCLAW_DEMO_SECONDS", seconds).output();
        let output = output.expect("make");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (well, said) = make("demo-node");
    let page = page_of_alice(&name);
    let ended = make("demo-down");
    assert!(well, "{said}");
    assert!(page.starts_with("https://alice.openclaw.local/#token="), "{page}");
    for expected in ["alice", "bob", "carol", "What runs in alice's pod", "OpenClaw: ", "kubectl exec -it"] {
        assert!(said.contains(expected), "{expected} is missing in: {said}");
    }
    assert!(ended.0, "{}", ended.1);
    Traces { dir: directory(&name), port: None }.are_gone();
}
