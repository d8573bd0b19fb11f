//! `openclaw config validate`: what OpenClaw says of a configuration.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use serde_json::Value;

use super::{mapping::Mapping, packages};

/// A directory in which configurations are laid out as in a pod.
pub struct Judge {
    directory: PathBuf,
    mapping: Mapping,
}

impl Judge {
    /// With what configurations refer to: the resolver as the init container leaves it, and a token on the volume.
    pub fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory).expect("the last run's directory goes");
        }
        let mut mapping = Mapping::default();
        for inside in ["/etc/openclaw", "/home/node/.openclaw"] {
            let outside = directory.join(inside.trim_start_matches('/'));
            fs::create_dir_all(&outside).expect("a directory");
            fs::set_permissions(&outside, fs::Permissions::from_mode(0o700)).expect("a mode");
            mapping.add_path(inside, &outside);
        }
        for file in ["/etc/openclaw/fetch-secret.mjs", "/home/node/.openclaw/gateway-token"] {
            let file = mapping.path(file);
            fs::write(&file, "#!/usr/bin/env node\n").expect("a file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).expect("a mode");
        }
        Self { directory, mapping }
    }

    /// What OpenClaw says of a configuration, in its own words.
    pub fn verdict(&self, name: &str, configuration: &str) -> Value {
        let path = self.directory.join(format!("{}.json", name.replace('/', "-")));
        fs::write(&path, self.mapping.text(configuration)).expect("a file");
        let mut command = packages::node();
        command.arg(packages::openclaw().join("openclaw.mjs")).args(["config", "validate", "--json"]);
        command.env("HOME", &self.directory).env("OPENCLAW_CONFIG_PATH", &path).env("OPENCLAW_CONFIG_READONLY", "1");
        let output = command.output().expect("Node starts");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {output:?}"))
    }

    /// Verdicts on many, as many at a time as the machine has cores.
    pub fn verdicts<'a>(&self, all: impl Iterator<Item = (&'a String, &'a String)> + Send) -> Vec<(&'a String, Value)> {
        let (open, told) = (Mutex::new(all), Mutex::new(Vec::new()));
        let work = || {
            while let Some((name, configuration)) = { open.lock().expect("not poisoned").next() } {
                let verdict = self.verdict(name, configuration);
                told.lock().expect("not poisoned").push((name, verdict));
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        told.into_inner().expect("not poisoned")
    }
}
