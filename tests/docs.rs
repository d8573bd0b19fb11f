//! What the documentation promises of the code.

#![allow(clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{fs, path::Path};

use openclaw_tenant_operator::tenant::reason::Reason;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_reason_is_explained() {
    let text = read("docs/status.md");
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .filter(|reason| !text.contains(&format!("`{reason}`")))
        .collect();
    assert!(missing.is_empty(), "docs/status.md does not explain {missing:?}");
}

/// The README says of each object which test proves it.
#[test]
fn the_tests_that_the_readme_names_exist() {
    let readme = read("README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.contains("`tests/it/")).collect();
    assert_eq!(rows.len(), 11, "one row for each of the eleven objects");
    for row in rows {
        let mut file = String::new();
        for (index, quoted) in row.split('`').enumerate() {
            if index % 2 == 0 {
                continue;
            }
            if quoted.starts_with("tests/it/") {
                file = read(quoted);
            } else if !file.is_empty() {
                assert!(file.contains(&format!("async fn {quoted}(")), "no test {quoted}, of which the README tells");
            }
        }
    }
}
