//! What the documentation promises of the code.

#![allow(clippy::panic, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod documentation;

use std::{fs, path::Path};

use openclaw_tenant_operator::{api::class::TenantClassSpec, tenant::reason::Reason};
use serde_json::{Value, json};

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

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

fn headings(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// Who is woken has one page to begin at.
#[test]
fn every_reason_leads_from_the_runbook_to_where_it_is_explained() {
    let (runbook, status) = (read("docs/operations.md"), read("docs/status.md"));
    for reason in Reason::ALL {
        let name = reason.as_str();
        let row = format!("| `{name}` | [");
        let line = runbook.lines().find(|line| line.starts_with(&row));
        let line = line.unwrap_or_else(|| panic!("docs/operations.md has no row for {name}"));
        let leads_to = line.split_once("](status.md#").and_then(|(_, rest)| rest.split_once(')'));
        let (section, _) = leads_to.unwrap_or_else(|| panic!("it does not lead to docs/status.md: {line}"));
        let mut explained = status.lines().scan(String::new(), |current, line| {
            if line.starts_with('#') {
                *current = anchor(line.trim_start_matches('#').trim());
            }
            Some((current.clone(), line))
        });
        let is_there = explained.any(|(at, line)| at == section && line.starts_with(&format!("| `{name}` |")));
        assert!(is_there, "docs/status.md does not explain {name} in #{section}");
    }
}

#[test]
fn links_between_pages_lead_to_headings_that_exist() {
    let pages = documentation::pages();
    assert!(pages.len() > 30, "the pages are found: {pages:?}");
    let mut followed = 0;
    for page in &pages {
        // Code holds patterns that look like links.
        let prose = |line: &str| line.replace("``", "`").split('`').step_by(2).collect::<String>();
        let text: String = read(page).lines().map(prose).collect::<Vec<_>>().join("\n");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") {
                continue;
            }
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let directory = Path::new(page).parent().expect("a directory");
            let target = if file.is_empty() { page.clone() } else { directory.join(file).display().to_string() };
            let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).exists();
            assert!(is_there, "{page}: there is no {link}");
            let leads_on = section.is_empty() || headings(&read(&target)).iter().any(|heading| heading == section);
            assert!(leads_on, "{page}: nothing at {link}");
            followed += 1;
        }
    }
    assert!(followed > 250, "links are followed: {followed}");
}

#[test]
fn the_image_is_built_by_the_toolchain_that_tests_use() {
    let between = |text: String, begin: &str, end: char| {
        let found =
            text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(found, _)| found.to_owned());
        found.unwrap_or_else(|| panic!("no {begin}"))
    };
    let image = between(read("Dockerfile"), "\nARG RUST_VERSION=", '\n');
    assert_eq!(image, between(read("rust-toolchain.toml"), "channel = \"", '"'));
}

/// Tests that a page names, as `file`: `test`, `test`.
fn named_tests(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in read(page).lines() {
        let mut file = String::new();
        // What stands between quoted words tells whether the next one belongs to the file before.
        let mut parts = line.split('`');
        let mut between = parts.next().unwrap_or_default();
        while let (Some(quoted), Some(after)) = (parts.next(), parts.next()) {
            let is_word =
                !quoted.is_empty() && quoted.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if [".rs", ".py"].iter().any(|ending| quoted.ends_with(ending)) && quoted.contains('/') {
                quoted.clone_into(&mut file);
            } else if !file.is_empty() && [": ", ", "].contains(&between) && is_word {
                found.push((file.clone(), quoted.to_owned()));
            } else {
                file.clear();
            }
            between = after;
        }
    }
    found
}

/// The README says of each object which test proves it; other pages of what they claim.
#[test]
fn the_tests_that_pages_name_exist() {
    for (page, least) in [
        ("README.md", 15),
        ("docs/security.md", 45),
        ("docs/upgrade.md", 9),
        ("docs/architecture.md", 8),
        ("docs/migration.md", 0),
        ("docs/adoption.md", 0),
    ] {
        let named = named_tests(page);
        assert!(named.len() >= least, "{page}: they are found: {named:?}");
        for (file, test) in named {
            let source = read(&file);
            let is_there = [format!("fn {test}("), format!("def {test}(")].iter().any(|start| source.contains(start));
            assert!(is_there, "{page} tells of test {test} of {file}, which is not there");
        }
    }
    let readme = read("README.md");
    assert_eq!(
        readme.lines().filter(|line| line.contains("`tests/it/")).count(),
        11,
        "one row for each of the eleven objects"
    );
}

/// What is no test, but named as what shows something.
#[test]
fn the_files_that_pages_name_exist() {
    for page in ["docs/security.md", "docs/upgrade.md", "docs/architecture.md", "docs/troubleshooting.md"] {
        let text = read(page);
        let quoted = text.split('`').skip(1).step_by(2);
        let files = quoted.filter(|quoted| {
            ["src/", "tests/", "deploy/", "charts/"].iter().any(|directory| quoted.starts_with(directory))
                && !quoted.contains(' ')
        });
        for file in files {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{page}: there is no {file}");
        }
    }
}

/// The first document of a YAML file, as JSON.
fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the volumes of tenants hang on: none is deleted with its claim, none shares a directory with another.
#[test]
fn the_storage_class_for_efs_keeps_every_volume_and_keeps_them_apart() {
    let class = yaml("deploy/aws/storage-class.yaml");
    let expected = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": { "name": "openclaw-efs" },
        "provisioner": "efs.csi.aws.com",
        "volumeBindingMode": "Immediate",
        "reclaimPolicy": "Retain",
        "allowVolumeExpansion": true,
        "mountOptions": ["tls"],
        "parameters": {
            "provisioningMode": "efs-ap",
            "fileSystemId": "fs-0123456789abcdef0",
            "directoryPerms": "0700",
            "uid": "1000",
            "gid": "1000",
            "basePath": "/openclaw",
            "subPathPattern": "${.PV.name}",
            "ensureUniqueDirectory": "true",
        },
    });
    assert_eq!(class, expected);
    let example = yaml("deploy/examples/class-eks.yaml");
    assert_eq!(example["spec"]["storage"]["className"], class["metadata"]["name"]);
    let spec = serde_json::from_value::<TenantClassSpec>(example["spec"].clone());
    assert!(spec.is_ok(), "{spec:?}");
}
