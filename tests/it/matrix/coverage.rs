//! The table has a row for every operation that the source can call.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::ROWS;

/// Operations without a row of their own: what a class's check reads, which only tells, and the writes about a tenant's own
/// role, of which `role_per_tenant.rs` shows those that make something.
const ELSEWHERE: [(&str, &str); 13] = [
    ("secretsmanager", "ListSecrets"),
    ("iam", "CreateRole"),
    ("iam", "DeleteRole"),
    ("iam", "DeleteRolePolicy"),
    ("iam", "GetPolicy"),
    ("iam", "GetPolicyVersion"),
    ("iam", "GetRole"),
    ("iam", "GetRolePolicy"),
    ("iam", "ListAttachedRolePolicies"),
    ("iam", "ListRolePolicies"),
    ("iam", "PutRolePolicy"),
    ("iam", "TagRole"),
    ("iam", "UpdateAssumeRolePolicy"),
];

/// Which service the files of src/aws speak to, by the beginning of their path there.
const SERVICES: [(&str, &str); 4] =
    [("client", "eks"), ("pod_identity", "eks"), ("roles", "iam"), ("secrets", "secretsmanager")];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("src/aws") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// What stands between the quotes after each `Call::new(`.
fn operations(source: &str) -> Vec<String> {
    let named =
        |rest: &str| rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next().map(str::to_owned));
    let calls = source.split("Call::new(").skip(1);
    calls.map(|rest| named(rest).expect("Call::new names its operation as a literal, for this test to find")).collect()
}

fn called() -> BTreeSet<(&'static str, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut called = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(&root).expect("below src/aws").display().to_string();
        if name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("source");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for operation in operations(text) {
            let service = SERVICES.iter().find(|(beginning, _)| name.starts_with(beginning));
            let (_, service) =
                service.unwrap_or_else(|| panic!("say in SERVICES which service src/aws/{name} speaks to"));
            called.insert((*service, operation));
        }
    }
    called
}

#[test]
fn every_operation_that_the_source_can_call_has_a_row() {
    let elsewhere = ELSEWHERE.map(|(service, operation)| (service, operation.to_owned()));
    let rows = ROWS.iter().map(|row| (row.service, row.operation.to_owned()));
    let said: BTreeSet<_> = rows.chain(elsewhere).collect();
    assert_eq!(said, called(), "left: rows of the table and ELSEWHERE; right: what src/aws calls");
    assert_eq!(said.len(), ROWS.len() + ELSEWHERE.len(), "each once");
}
