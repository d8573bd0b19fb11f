//! A pod as the API server holds it, run as processes of this machine: the steps, commands, variables and mounts that a
//! kubelet would take from it. Other than in a pod are paths, ports, the agent's address, and that nothing is read-only
//! but by the programs' own will.

use std::{
    fs::{self, File},
    future::ready,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{
    agent::Agent,
    mapping::{Mapping, free_port},
    packages,
};
use crate::support::Bed;

/// Ports of the pod: the relay's, to which the Service points, and the gateway's on the pod's loopback interface.
const PORTS: [&str; 2] = ["18789", "18788"];

/// A workspace whose pod runs here. Its processes end with it, or with the test process, however that ends.
pub struct Workspace<'a> {
    bed: &'a Bed,
    agent: &'a Agent,
    /// Below it lies everything of the pod.
    root: PathBuf,
    mapping: Mapping,
    /// Where the relay listens.
    pub port: u16,
    processes: Vec<Process>,
}

struct Process {
    name: String,
    log: PathBuf,
    // Its standard input is held: the platform's guard kills what it started when that ends.
    child: Child,
}

impl<'a> Workspace<'a> {
    /// Runs the pod of a tenant.
    pub async fn start(bed: &'a Bed, agent: &'a Agent) -> Self {
        let root = Path::new(bed.instance.fact("/dir")).join("workspaces").join(&bed.tenant);
        let mut mapping = Mapping::default();
        let ports = PORTS.map(|_| free_port());
        for (inside, outside) in PORTS.into_iter().zip(ports) {
            mapping.add(inside, outside.to_string());
        }
        mapping.add_path("/home/node", &root.join("home/node"));
        mapping.add_path("/usr/local/bin", &packages::node_directory());
        let mut workspace = Self { bed, agent, root, mapping, port: ports[0], processes: Vec::new() };
        workspace.start_pod().await;
        workspace
    }

    /// Ends the pod and runs its successor on the same volume.
    pub async fn replace(&mut self) {
        self.stop().await;
        self.start_pod().await;
    }

    async fn start_pod(&mut self) {
        let pod = self.bed.child("Pod", &format!("{}-0", self.bed.tenant)).await.expect("a pod");
        let spec = &pod["spec"];
        for volume in list(&spec["volumes"]) {
            let place = place_of(&pod, &volume["name"]);
            self.mapping.add_path(&place, &self.root.join(place.trim_start_matches('/')));
        }
        for volume in list(&spec["volumes"]) {
            self.mount(&pod, volume).await;
        }
        for container in list(&spec["initContainers"]) {
            // A sidecar runs on, any other comes to its end before the next begins.
            self.run(container);
            if container["restartPolicy"] != "Always" {
                let process = self.processes.last_mut().expect("it was started");
                let end = self.bed.until_so("the end of an init container", || ready(ended(&mut process.child))).await;
                assert!(end, "{}: {}", process.name, process.said());
                self.processes.pop();
            }
        }
        for container in list(&spec["containers"]) {
            self.run(container);
        }
    }

    /// Makes a volume, new but for the tenant's claim, where the pod's containers mount it.
    async fn mount(&mut self, pod: &Value, volume: &Value) {
        let directory = self.mapping.path(&place_of(pod, &volume["name"]));
        if volume["persistentVolumeClaim"].is_null() && directory.exists() {
            fs::remove_dir_all(&directory).expect("the former pod's volume goes");
        }
        fs::create_dir_all(&directory).expect("a directory");
        if let Some(name) = volume["configMap"]["name"].as_str() {
            let map = self.bed.child("ConfigMap", name).await.expect("its ConfigMap");
            for (file, text) in map["data"].as_object().expect("data") {
                let text = text.as_str().expect("text");
                // Paths and the port are the pod's; everything else stays as it is, to the byte.
                let text = if file == "openclaw.json" { self.mapping.text(text) } else { text.to_owned() };
                fs::write(directory.join(file), text).expect("a file");
            }
        }
        for source in list(&volume["projected"]["sources"]) {
            let path = source["serviceAccountToken"]["path"].as_str().expect("nothing else is projected");
            let token = format!("identity-of-{}", pod["metadata"]["uid"].as_str().expect("uid"));
            self.agent.know(&token, &self.access_key());
            fs::write(directory.join(path), token).expect("a token");
        }
    }

    /// The access key by which the emulator knows who asks.
    pub fn access_key(&self) -> String {
        format!("workspace-{}", self.bed.tenant)
    }

    fn run(&mut self, container: &Value) {
        let name = container["name"].as_str().expect("a name").to_owned();
        let text = |value: &Value| self.mapping.text(value.as_str().expect("text"));
        let log = self.root.join(format!("{name}.log"));
        let output = File::create(&log).expect("a log");
        let mut command = Command::new(self.bed.instance.fact("/program"));
        command.args(["guard", "--"]).args(list(&container["command"]).map(text));
        command.current_dir(packages::openclaw()).env_clear().env("PATH", packages::search_path());
        for variable in list(&container["env"]) {
            assert!(variable["valueFrom"].is_null(), "only plain values are understood: {variable}");
            let value = if variable["value"].is_null() { String::new() } else { text(&variable["value"]) };
            command.env(variable["name"].as_str().expect("a name"), value);
        }
        // The agent's link-local address cannot be had here, and no operator sets this variable.
        command.env("OPENCLAW_RESOLVER_AGENT", &self.agent.url);
        // Programs look for /tmp by this variable where it is set.
        command.env("TMPDIR", self.mapping.path("/tmp"));
        let child = command.stdin(Stdio::piped()).stdout(output.try_clone().expect("a log")).stderr(output);
        let child = child.spawn().expect("the platform's guard starts");
        self.processes.push(Process { name, log, child });
    }

    /// Ends the pod in good order, the gateway before its sidecar.
    async fn stop(&mut self) {
        for mut process in self.processes.drain(..).rev() {
            let asked = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status();
            assert!(
                asked.is_ok_and(|status| status.success()),
                "{} has ended by itself: {}",
                process.name,
                process.said()
            );
            self.bed.until_so("the end of a container", || ready(ended(&mut process.child))).await;
        }
    }

    /// Everything that the pod has said.
    pub fn said(&self) -> String {
        self.processes.iter().map(Process::said).collect()
    }

    /// A process that has ended, though none should.
    pub fn has_ended(&mut self) -> Option<String> {
        let over =
            self.processes.iter_mut().find_map(|process| ended(&mut process.child).map(|_| process.name.clone()));
        over.map(|name| format!("{name} has ended\n{}", self.said()))
    }

    /// A file of the pod.
    pub fn file(&self, path: &str) -> PathBuf {
        self.mapping.path(path)
    }
}

impl Process {
    fn said(&self) -> String {
        format!("--- {}\n{}\n", self.name, fs::read_to_string(&self.log).unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Whether a process has ended well, once it has ended.
fn ended(child: &mut Child) -> Option<bool> {
    child.try_wait().expect("a process of ours").map(|status| status.success())
}

/// Where a volume is mounted: in every container at the same place.
fn place_of(pod: &Value, volume: &Value) -> String {
    let containers = list(&pod["spec"]["initContainers"]).chain(list(&pod["spec"]["containers"]));
    let mounts = containers.flat_map(|container| list(&container["volumeMounts"]));
    let mut places: Vec<&str> =
        mounts.filter(|mount| mount["name"] == *volume).filter_map(|mount| mount["mountPath"].as_str()).collect();
    places.dedup();
    let [place] = places[..] else { panic!("{volume} is mounted at {places:?}: this test knows one place for each") };
    place.to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
