//! Files that tests compare with what the program tells, and that other programs judge.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// A path of the repository.
pub fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first document of a YAML file of the repository.
pub fn manifest(path: &str) -> Value {
    serde_saphyr::from_str(&read(&at(path))).expect("a manifest")
}

/// Asserts that a folder holds each of these objects as `NAME.yaml`, and nothing else. `OPENCLAW_WRITE=1` writes the files anew.
#[track_caller]
pub fn assert_as_told<'a>(folder: &str, told: impl IntoIterator<Item = (&'a str, Value)>) {
    let folder = at(folder);
    let writes = std::env::var_os("OPENCLAW_WRITE").is_some();
    let mut expected = BTreeSet::new();
    for (name, object) in told {
        let path = folder.join(format!("{name}.yaml"));
        if writes {
            fs::write(&path, serde_saphyr::to_string(&object).expect("YAML")).expect("written");
        }
        let live: Value = serde_saphyr::from_str(&read(&path)).expect("YAML");
        assert_eq!(live, object, "{}: OPENCLAW_WRITE=1 cargo test --lib writes it anew", path.display());
        expected.insert(path);
    }
    let there: BTreeSet<PathBuf> =
        fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("entry").path()).collect();
    assert_eq!(there, expected, "nothing else is there");
}
