//! What the documentation promises of the code.

#![allow(clippy::panic, reason = "helpers of tests fail as tests do")]

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
