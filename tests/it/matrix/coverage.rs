//! The table has a row for every operation that the source can call.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::rows::ROWS;

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
    let said: BTreeSet<_> = ROWS.iter().map(|row| (row.service, row.operation.to_owned())).collect();
    assert_eq!(said, called(), "left: rows of the table; right: what src/aws calls");
}

#[test]
fn no_row_is_there_twice() {
    let rows: BTreeSet<_> =
        ROWS.iter().map(|row| format!("{} {} {:?}", row.service, row.operation, row.scene)).collect();
    assert_eq!(rows.len(), ROWS.len());
}
