//! OpenClaw and the Node that it needs, as tests/openclaw/install.sh has put them.

use std::{env, path::PathBuf, process::Command};

/// Set by tests/openclaw/run.sh.
const VARIABLE: &str = "OPENCLAW_TEST_PACKAGES";

/// The directory of npm's packages.
fn packages() -> PathBuf {
    let set = env::var_os(VARIABLE);
    PathBuf::from(set.unwrap_or_else(|| panic!("{VARIABLE} is not set: start these tests by tests/openclaw/run.sh")))
}

/// OpenClaw's package: the working directory of its image.
pub fn openclaw() -> PathBuf {
    packages().join("node_modules/openclaw")
}

/// The directory with Node alone.
pub fn node_directory() -> PathBuf {
    packages().join("bin")
}

/// Node, with an environment in which nothing of the caller's is but where programs are.
pub fn node() -> Command {
    let mut command = Command::new(node_directory().join("node"));
    command.env_clear().env("PATH", search_path());
    command
}

/// Where the image's processes find programs.
pub fn search_path() -> String {
    format!("{}:/usr/bin:/bin", node_directory().display())
}
