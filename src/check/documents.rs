//! Manifests in files, directories and standard input.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    CheckError,
    report::{Finding, Place},
};
use crate::api::labels::GROUP;

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub object: Value,
}

/// What was read, and what could not be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// Documents in the order in which they stand.
    pub documents: Vec<Document>,
    /// Files that are no YAML.
    pub findings: Vec<Finding>,
}

/// What stands for standard input.
const STDIN: &str = "-";

/// Reads files, directories with all below them, and standard input.
///
/// # Errors
/// Where one of them cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Read, CheckError> {
    let mut read = Read::default();
    for path in paths {
        if path.as_os_str() == STDIN {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).map_err(|error| unreadable(path, &error))?;
            read.add("stdin", &text, true);
        } else if path.is_dir() {
            for file in files(path)? {
                read.add_file(&file, false)?;
            }
        } else {
            read.add_file(path, true)?;
        }
    }
    Ok(read)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CheckError {
    CheckError::Unreadable { path: path.display().to_string(), why: error.to_string() }
}

/// Files below a directory that may hold manifests, in order. Hidden directories are none of ours, and links are not followed:
/// they may lead in circles.
fn files(directory: &Path) -> Result<Vec<PathBuf>, CheckError> {
    let mut found = Vec::new();
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, &error))? {
        entries.push(entry.map_err(|error| unreadable(directory, &error))?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let may_hold = path.extension().is_some_and(|it| ["yaml", "yml", "json"].iter().any(|known| it == *known));
        if kind.is_dir() && !is_hidden {
            found.append(&mut files(&path)?);
        } else if may_hold && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

impl Read {
    fn add_file(&mut self, path: &Path, named: bool) -> Result<(), CheckError> {
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        self.add(&path.display().to_string(), &text, named);
        Ok(())
    }

    /// Takes up a file. One that nobody named and that does not speak of us may be no YAML at all, such as a template.
    pub fn add(&mut self, file: &str, text: &str, named: bool) {
        let place = |document| Place { file: file.to_owned(), document };
        match serde_saphyr::from_multiple::<Value>(text) {
            Ok(all) => {
                let objects = all.into_iter().enumerate().flat_map(|(index, one)| {
                    let items = if one["kind"] == "List" { one["items"].as_array().cloned() } else { None };
                    items.unwrap_or_else(|| vec![one]).into_iter().map(move |object| (index + 1, object))
                });
                let new = objects.map(|(index, object)| Document { place: place(index), object });
                // A class may be named twice, among the files and by --class.
                let before = self.documents.len();
                let new: Vec<Document> =
                    new.filter(|new| self.documents[..before].iter().all(|old| old.place != new.place)).collect();
                self.documents.extend(new);
            }
            Err(error) if named || text.contains(GROUP) => {
                let said = error.to_string();
                let said = said.lines().next().unwrap_or_default();
                self.findings.push(Finding::error(place(1), format!("is no YAML: {said}")));
            }
            Err(_) => {}
        }
    }

    /// Takes up the classes of other documents.
    pub fn add_classes(&mut self, other: Self) {
        self.findings.extend(other.findings);
        let is_new = |one: &Document| self.documents.iter().all(|known| known.place != one.place);
        let classes: Vec<Document> =
            other.documents.into_iter().filter(|one| one.object["kind"] == "TenantClass" && is_new(one)).collect();
        self.documents.extend(classes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(read: &Read) -> Vec<(usize, &str)> {
        read.documents.iter().map(|one| (one.place.document, one.object["kind"].as_str().unwrap_or("?"))).collect()
    }

    #[test]
    fn documents_are_counted_and_lists_opened() {
        let mut read = Read::default();
        read.add("a.yaml", "kind: A\n---\nkind: List\nitems:\n- kind: B\n- kind: C\n---\nkind: D\n", true);
        assert_eq!(places(&read), [(1, "A"), (2, "B"), (2, "C"), (3, "D")]);
    }

    #[test]
    fn what_is_no_yaml_is_told_where_it_is_ours_or_was_named() {
        let mut read = Read::default();
        read.add("template.yaml", "kind: {{ .Kind }}\n", false);
        assert_eq!(read, Read::default());
        read.add("template.yaml", "apiVersion: openclaw.io/v1alpha1\nkind: {{ .Kind }}\n", false);
        read.add("twice.yaml", "kind: A\nkind: B\n", true);
        let files: Vec<&str> = read.findings.iter().map(|one| one.place.file.as_str()).collect();
        assert_eq!(files, ["template.yaml", "twice.yaml"]);
        assert!(read.findings[1].message.contains("duplicate"), "{:?}", read.findings[1]);
    }
}
