//! PURE: what came of a step, as lines for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::removal::{Left, Removal, Thing};

/// Which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The workspace was moved over.
    CutOver,
    /// It was moved back.
    BackOut,
    /// The former system was removed.
    Finish,
}

impl Step {
    /// As it is called on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CutOver => "cut-over",
            Self::BackOut => "back-out",
            Self::Finish => "finish",
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which step.
    pub step: Step,
    /// Whose.
    pub tenant: String,
    /// Whether it has come to its end; a plan alone has not.
    pub done: bool,
    /// What was changed, in order.
    pub changed: Vec<String>,
    /// What would be removed; nothing where it was removed.
    pub removal: Removal,
    /// Seconds for which no pod of the workspace was ready, where a run has seen both ends of that.
    pub seconds_without_pod: Option<f64>,
    /// What to do next, or to look at.
    pub next: Vec<String>,
}

impl Report {
    /// Of a step of which nothing is known yet.
    pub fn new(step: Step, tenant: &str) -> Self {
        Self {
            step,
            tenant: tenant.to_owned(),
            done: false,
            changed: Vec::new(),
            removal: Removal::default(),
            seconds_without_pod: None,
            next: Vec::new(),
        }
    }

    /// As JSON, for programs.
    pub fn json(&self) -> Value {
        let left = |one: &Left| json!({ "what": one.what, "why": one.why });
        json!({
            "step": self.step.as_str(),
            "tenant": self.tenant,
            "done": self.done,
            "changed": self.changed,
            "toRemove": {
                "associations": self.removal.associations,
                "objects": self.removal.things.iter().map(Thing::json).collect::<Vec<_>>(),
            },
            "left": self.removal.left.iter().map(left).collect::<Vec<_>>(),
            "secondsWithoutReadyPod": self.seconds_without_pod,
            "next": self.next,
        })
    }

    /// For people.
    pub fn table(&self) -> String {
        let state = if self.done { "done" } else { "nothing was changed" };
        let mut text = format!("{} of tenant {}: {state}\n", self.step.as_str(), self.tenant);
        for line in &self.changed {
            let _ = writeln!(text, "  changed  {line}");
        }
        text.push_str(&plan(&self.removal));
        if let Some(seconds) = self.seconds_without_pod {
            let _ = writeln!(text, "  measured {seconds:.1} s without a ready pod of the workspace");
        }
        for line in &self.next {
            let _ = writeln!(text, "  next     {line}");
        }
        text
    }
}

/// What is to be removed and what is left, line by line.
pub fn plan(removal: &Removal) -> String {
    let mut text = String::new();
    for id in &removal.associations {
        let _ = writeln!(text, "  remove   Pod Identity association {id} (by the operator)");
    }
    for thing in &removal.things {
        let note = thing.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let _ = writeln!(text, "  remove   {thing}{note}");
    }
    for Left { what, why } in &removal.left {
        let _ = writeln!(text, "  left     {what}: {why}");
    }
    text
}
