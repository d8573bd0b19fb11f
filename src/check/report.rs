//! What was found: lines for people and pull requests, JSON for programs.
//!
//! PURE.

use std::fmt;

use serde_json::{Value, json};

use crate::tenant::reason::Reason;

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: String,
    /// Which of its documents, from 1.
    pub document: usize,
}

/// Whether something has to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It has.
    Error,
    /// It could not be told.
    Warning,
}

impl Severity {
    /// One word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// Kind and name of the object, as far as they are known.
    pub object: Option<(String, String)>,
    /// Whether it has to be mended.
    pub severity: Severity,
    /// Where in the object; empty for the whole.
    pub path: String,
    /// The reason that the Tenant's condition would have.
    pub reason: Option<Reason>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// An error of a whole document.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            object: None,
            severity: Severity::Error,
            path: String::new(),
            reason: None,
            message: message.into(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "file": self.place.file,
            "document": self.place.document,
            "kind": self.object.as_ref().map(|(kind, _)| kind),
            "name": self.object.as_ref().map(|(_, name)| name),
            "severity": self.severity.as_str(),
            "path": Some(&self.path).filter(|path| !path.is_empty()),
            "reason": self.reason.map(Reason::as_str),
            "message": self.message,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, document } = &self.place;
        write!(f, "{file}:{document}: ")?;
        if let Some((kind, name)) = &self.object {
            write!(f, "{kind} {name}: ")?;
        }
        write!(f, "{}: ", self.severity.as_str())?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        match self.reason {
            Some(reason) => write!(f, "{reason}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of files and documents.
    pub findings: Vec<Finding>,
    /// How many Tenants were looked at.
    pub tenants: usize,
    /// How many TenantClasses.
    pub classes: usize,
    /// Documents of other kinds.
    pub others: usize,
    /// Tenants that were not judged by their class, because none was given.
    pub unjudged: usize,
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

impl Report {
    /// How many things have to be mended.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|one| one.severity == Severity::Error).count()
    }

    /// One line for each.
    pub fn lines(&self) -> String {
        let mut lines: Vec<String> = self.findings.iter().map(ToString::to_string).collect();
        // Each line has its end, the last one too.
        lines.push(String::new());
        lines.join("\n")
    }

    /// What it comes to, in one line or two.
    pub fn summary(&self) -> String {
        let looked = format!(
            "{} and {} checked, {}",
            count(self.tenants, "Tenant", "Tenants"),
            count(self.classes, "TenantClass", "TenantClasses"),
            count(self.errors(), "error", "errors"),
        );
        let others = if self.others == 0 {
            String::new()
        } else {
            format!("; {} left aside", count(self.others, "document of another kind", "documents of other kinds"))
        };
        let unjudged = if self.unjudged == 0 {
            String::new()
        } else {
            format!(
                "{} not judged by class, because none was given: --class FILE or --cluster\n",
                count(self.unjudged, "Tenant was", "Tenants were")
            )
        };
        format!("{looked}{others}\n{unjudged}")
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "findings": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
            "tenants": self.tenants,
            "classes": self.classes,
            "others": self.others,
            "notJudgedByClass": self.unjudged,
            "errors": self.errors(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let place = |document| Place { file: "tenants/a.yaml".into(), document };
        let alice = Some(("Tenant".to_owned(), "alice".to_owned()));
        let quota = Finding {
            object: alice.clone(),
            reason: Some(Reason::QuotaAboveMaximum),
            ..Finding::error(place(2), "lower it")
        };
        let unseen = Finding {
            object: alice,
            severity: Severity::Warning,
            path: "spec".into(),
            ..Finding::error(place(2), "unseen")
        };
        Report {
            findings: vec![Finding::error(place(1), "is no YAML"), quota, unseen],
            tenants: 1,
            classes: 2,
            others: 0,
            unjudged: 1,
        }
    }

    #[test]
    fn a_line_says_where_whose_and_what() {
        assert_eq!(
            report().lines(),
            "tenants/a.yaml:1: error: is no YAML\n\
             tenants/a.yaml:2: Tenant alice: error: QuotaAboveMaximum: lower it\n\
             tenants/a.yaml:2: Tenant alice: warning: spec: unseen\n"
        );
        assert_eq!(
            report().summary(),
            "1 Tenant and 2 TenantClasses checked, 2 errors\n\
             1 Tenant was not judged by class, because none was given: --class FILE or --cluster\n"
        );
        let clean = Report { others: 3, tenants: 2, ..Report::default() };
        let expected = "2 Tenants and 0 TenantClasses checked, 0 errors; 3 documents of other kinds left aside\n";
        assert_eq!(clean.summary(), expected);
    }

    #[test]
    fn json_holds_the_same() {
        assert_eq!(
            report().json()["findings"][1],
            json!({
                "file": "tenants/a.yaml", "document": 2, "kind": "Tenant", "name": "alice", "severity": "error",
                "path": null, "reason": "QuotaAboveMaximum", "message": "lower it",
            })
        );
        assert_eq!(report().json()["errors"], 2);
    }
}
