//! What each reason means and what to do, for people at a terminal: in the very words of docs/status.md, which is their one source.

use super::Reason;

/// The page that explains all reasons.
const PAGE: &str = include_str!("../../../docs/status.md");

/// What a reason means and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it means.
    pub meaning: String,
    /// When to do something, such as "what to do" or "if it stays", and what.
    pub remedy: Option<(String, String)>,
}

impl Reason {
    /// The reason of this word.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|reason| reason.as_str() == word).copied()
    }

    /// Its row of docs/status.md; `None` where that has none, which a test refuses.
    pub fn explanation(self) -> Option<Explanation> {
        let mut heads: Vec<String> = Vec::new();
        for line in PAGE.lines() {
            let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else { continue };
            let mut cells: Vec<String> = row.split(" | ").map(plain).collect();
            if cells[0] == "reason" {
                heads = cells;
            } else if cells[0] == format!("`{self}`") && cells.len() > 1 {
                let remedy = heads.get(2).cloned().zip((cells.len() > 2).then(|| cells.remove(2)));
                return Some(Explanation { meaning: cells.remove(1), remedy });
            }
        }
        None
    }
}

impl std::fmt::Display for Explanation {
    /// As one sentence.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.meaning)?;
        match &self.remedy {
            Some((when, what)) => write!(f, ". {}: {what}", capitalised(when)),
            None => Ok(()),
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A cell without the links of a page: where one leads into the documentation, the page's path is said instead.
fn plain(cell: &str) -> String {
    let mut text = cell.trim().to_owned();
    while let Some((before, label, target, after)) = link(&text) {
        let page = target.split('#').next().unwrap_or_default();
        let shown = match page.strip_prefix("../") {
            Some(page) => format!("{label}: {page}"),
            None if page.is_empty() => label.to_owned(),
            None => format!("{label}: docs/{page}"),
        };
        text = format!("{before}{shown}{after}");
    }
    text
}

fn link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (label_end, _) = text.match_indices("](").next()?;
    let (before, label) = text[..label_end].rsplit_once('[')?;
    let (target, after) = text[label_end + 2..].split_once(')')?;
    Some((before, label, target, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_row() {
        let missing: Vec<&Reason> =
            Reason::ALL.iter().filter(|one| one.explanation().is_none_or(|it| it.meaning.is_empty())).collect();
        assert_eq!(missing, Vec::<&Reason>::new(), "docs/status.md has no row of these");
    }

    #[test]
    fn a_row_becomes_a_sentence_without_links() {
        let told = |reason: Reason| reason.explanation().expect("a row").to_string();
        assert_eq!(told(Reason::Verified), "everything stands and was verified");
        assert_eq!(
            told(Reason::AwaitingValue),
            "a required secret has no value yet. What to do: put one: `aws secretsmanager put-secret-value`"
        );
        assert_eq!(
            told(Reason::ClaimPending),
            "the claim is not bound yet. If it stays: after some seconds the message quotes what the storage says in its events"
        );
        assert_eq!(
            told(Reason::RecordInvalid),
            "the record's spec cannot be read. What to do: restore it from a backup (break glass: deploy/policies/README.md), \
             or run the version that wrote it"
        );
        assert_eq!(told(Reason::Adopted).matches("docs/adoption.md").count(), 1);
        assert_eq!(Reason::read("AwaitingValue"), Some(Reason::AwaitingValue));
        assert_eq!(Reason::read("Whatever"), None);
    }
}
