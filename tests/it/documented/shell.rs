//! A shell for the commands of the documentation.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{documentation, support::Instance};

/// The top of the repository.
pub const TOP: &str = env!("CARGO_MANIFEST_DIR");

/// The shell of somebody who reads the documentation, with a clone of the repository, the program and kubectl.
pub struct Shell {
    place: PathBuf,
    /// Its variables.
    pub environment: Vec<(&'static str, String)>,
    replaced: Vec<(&'static str, String)>,
    /// Ends what was started, however the test ends.
    pub at_last: Option<String>,
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(script) = self.at_last.take() {
            let _ = self.try_sh(&script);
        }
        let _ = fs::remove_dir_all(&self.place);
    }
}

impl Shell {
    /// Without any cluster.
    pub fn new(test: &str) -> Self {
        let place = std::env::temp_dir().join(format!("openclaw-documented-{test}-{}", std::process::id()));
        fs::create_dir_all(place.join("bin")).expect("a directory");
        let program = env!("CARGO_BIN_EXE_openclaw-tenant-operator");
        symlink(program, place.join("bin/openclaw-tenant-operator")).expect("a link");
        // Nobody's own cluster is met by mistake.
        let environment = vec![("KUBECONFIG", "/nonexistent".to_owned())];
        Self { place, environment, replaced: Vec::new(), at_last: None }
    }

    /// On a platform, as its administrator.
    pub fn on(instance: &Instance, test: &str) -> Self {
        let mut shell = Self::new(test);
        symlink(instance.fact("/kubectl"), shell.place.join("bin/kubectl")).expect("a link");
        shell.environment = instance.environment();
        shell
    }

    /// With other words in place of a page's.
    pub fn with(mut self, replaced: &[(&'static str, String)]) -> Self {
        self.replaced.extend_from_slice(replaced);
        self
    }

    /// Where a file of its own is.
    pub fn file(&self, name: &str) -> String {
        self.place.join(name).display().to_string()
    }

    /// Runs a command that a page shows, and returns what it says.
    pub fn run(&self, page: &str, command: &str) -> String {
        let known = [documentation::shown(page), documentation::told(page)].concat();
        let known = known.iter().any(|shown| shown.text == command);
        assert!(known, "{page} does not show this command: {command}");
        let replace = |text: String, (from, to): &(&str, String)| text.replace(from, to);
        self.sh(&self.replaced.iter().fold(command.to_owned(), replace))
    }

    /// Runs anything else.
    pub fn sh(&self, script: &str) -> String {
        self.try_sh(script).unwrap_or_else(|said| panic!("{script}\n{said}"))
    }

    /// Runs anything, and returns what it says, also where it fails.
    pub fn try_sh(&self, script: &str) -> Result<String, String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(TOP)
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .env("PATH", format!("{}:{path}", self.file("bin")))
            .env("USER", "somebody")
            // An editor in which nothing is changed.
            .env("KUBE_EDITOR", "true")
            // What a platform of this very shell's leaves behind is nobody's evidence.
            .env_remove("OPENCLAW_EVIDENCE_DIR");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash");
        // Whoever asks whether that is meant is told so.
        let _ = child.stdin.take().expect("its input").write_all(b"yes\n");
        let output = child.wait_with_output().expect("its end");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        if output.status.success() { Ok(said) } else { Err(said) }
    }
}
