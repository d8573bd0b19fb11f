//! The pure core imports nothing that can reach the world: no client, no clock, no random source.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What makes a file impure, beside its tests.
const IMPURE: [&str; 14] = [
    "kube::Client",
    "kube::Api",
    "use kube::",
    "kube_runtime",
    "aws_sdk_",
    "aws_config",
    "tokio",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "getrandom",
    "chance::chance",
    "std::env",
    "async fn",
];

/// Files that hold decisions and must say so. Types and tables without a decision need not.
const DECISIONS: [&str; 50] = [
    "action",
    "action/in_aws",
    "adoption",
    "adoption/attached",
    "adoption/back_out",
    "adoption/belongings",
    "adoption/cut_over",
    "adoption/leaving",
    "adoption/marks",
    "blueprint",
    "breaker",
    "census",
    "cloud",
    "cloud/adoption",
    "cloud/association",
    "cloud/removal",
    "cloud/role",
    "cloud/secrets",
    "comparison",
    "desired/mod",
    "digest",
    "gate",
    "internet",
    "parts",
    "rollout",
    "rotation",
    "explain",
    "failure",
    "fit",
    "keep",
    "ledger",
    "looks",
    "newcomers",
    "observed",
    "orders",
    "orders/moving",
    "ownership",
    "plan",
    "progress",
    "purge",
    "quota",
    "receipt",
    "replacement",
    "reserved",
    "retire",
    "status",
    "storage",
    "views",
    "workload",
    "desired/workload/mod",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tenant")
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a source directory").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(directories.iter().flat_map(|directory| sources(directory))).collect()
}

fn header(text: &str) -> String {
    text.lines().take_while(|line| line.starts_with("//!")).collect()
}

/// The text without its own tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn is_pure(path: &Path, text: &str) -> bool {
    // One mark on a module's root covers its files: every child's builder, and all of the workspace's configuration.
    header(text).contains("PURE") || path.starts_with(root().join("desired"))
}

#[test]
fn pure_files_reach_nothing_outside() {
    let sweeps = sources(&root().with_file_name("sweep"));
    let migration = sources(&root().with_file_name("migrate"));
    let all: Vec<(PathBuf, String)> = sources(&root())
        .into_iter()
        .chain(sweeps)
        .chain(migration)
        .map(|path| (path.clone(), fs::read_to_string(&path).expect("a source file")))
        .filter(|(path, text)| is_pure(path, text) && !path.to_string_lossy().ends_with("tests.rs"))
        .collect();
    assert!(all.len() > 25, "only {} pure files were found", all.len());
    for (path, text) in &all {
        for word in IMPURE {
            let line = code(text).lines().find(|line| !line.trim_start().starts_with("//") && line.contains(word));
            assert_eq!(line, None, "{} is marked PURE and uses {word}", path.display());
        }
    }
}

/// The room of IAM's documents is pure as a whole.
#[test]
fn documents_are_built_from_values_alone() {
    let all = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/iam"));
    assert!(all.len() > 5, "only {} files were found", all.len());
    for path in all {
        let text = fs::read_to_string(&path).expect("a source file");
        let impure = IMPURE.iter().find(|word| code(&text).contains(**word));
        assert_eq!(impure, None, "{}", path.display());
    }
}

#[test]
fn every_file_that_decides_is_marked_pure() {
    let sweeps = ["audit", "findings", "orphans", "report", "seed"].map(|name| format!("../sweep/{name}"));
    let migration = ["cloud", "differences", "elements", "entries", "judge", "preparation", "report", "step", "today"]
        .map(|name| format!("../migrate/{name}"));
    let moving = ["former", "references", "removal", "report", "rivals", "sight", "verdict"]
        .map(|name| format!("../migrate/moving/{name}"));
    for name in DECISIONS.map(str::to_owned).into_iter().chain(sweeps).chain(migration).chain(moving) {
        let path = root().join(format!("{name}.rs"));
        let text = fs::read_to_string(&path).expect("a source file");
        assert!(is_pure(&path, &text), "{} is not marked PURE", path.display());
    }
}

#[test]
fn what_carries_decisions_out_is_not_marked_pure() {
    for name in ["apply", "reconcile", "controller", "queue"] {
        let text = fs::read_to_string(root().join(format!("{name}.rs"))).expect("a source file");
        assert!(!header(&text).contains("PURE"), "{name}");
    }
}
