//! The commands that the documentation shows: read from its pages by tests/commands.rs, which says of each who runs it, by
//! tests/it/documented.rs, which runs them, and by src/cli/documented.rs, which reads those of the program itself.

#![allow(dead_code, reason = "each of them needs a part")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What stands before commands that no test runs, as the first word of a paragraph. It holds up to the next heading.
pub const MARKS: [&str; 2] = ["**AWS**", "**Published image**"];

/// A command as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The page, from the top of the repository.
    pub page: String,
    /// The command, without its explanation; of several lines where it is.
    pub text: String,
    /// Whether it stands under a mark.
    pub marked: bool,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the documentation.
pub fn pages() -> Vec<String> {
    let mut found = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for directory in ["docs", "deploy", "charts", "tests"] {
        walk(&top().join(directory), &mut found);
    }
    found.sort();
    found
}

fn walk(directory: &Path, found: &mut Vec<String>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && !["node_modules", "output", "vendor"].contains(&name.as_str()) {
            walk(&path, found);
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            found.push(path.strip_prefix(top()).expect("below it").display().to_string());
        }
    }
}

/// A page's text.
pub fn read(page: &str) -> String {
    let path = top().join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Blocks of code for a shell: indented ones, and fenced ones that say `sh`. Each with whether a mark stands above it.
fn blocks(text: &str) -> Vec<(Vec<String>, bool)> {
    let mut found: Vec<(Vec<String>, bool)> = Vec::new();
    let (mut fence, mut marked, mut in_block, mut before_blank) = (None::<bool>, false, false, true);
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = match fence {
                Some(_) => None,
                None => Some(["sh", "bash", "shell"].contains(&language.trim())),
            };
            in_block = false;
            before_blank = false;
            continue;
        }
        let code = match fence {
            Some(true) => Some(line),
            Some(false) => continue,
            None => line.strip_prefix("    ").filter(|_| in_block || before_blank),
        };
        match code {
            Some(line) if in_block => found.last_mut().expect("a block").0.push(line.to_owned()),
            Some(line) => found.push((vec![line.to_owned()], marked)),
            None if line.starts_with('#') => marked = false,
            None => marked |= before_blank && MARKS.iter().any(|mark| line.starts_with(mark)),
        }
        in_block = code.is_some();
        before_blank = line.trim().is_empty();
    }
    found
}

/// Takes an explanation off: what follows after three spaces, or a comment.
fn bare(line: &str) -> &str {
    let comment = line.find(" # ").or_else(|| line.starts_with("# ").then_some(0));
    let line = comment.map_or(line, |at| &line[..at]);
    let indent = line.len() - line.trim_start().len();
    let explained = line[indent..].find("   ").map(|at| at + indent);
    explained.map_or(line, |at| &line[..at]).trim_end()
}

/// The commands of a block: continued lines and here-documents belong to what they began with.
fn commands(lines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        let mut text = bare(line).to_owned();
        while text.ends_with('\\') {
            text = format!("{text}\n{}", bare(lines.next().expect("what a command goes on with")));
        }
        if let Some((_, end)) = text.clone().split_once("<<") {
            for line in lines.by_ref() {
                text = format!("{text}\n{line}");
                if line == end {
                    break;
                }
            }
        }
        if !text.is_empty() {
            found.push(text);
        }
    }
    found
}

/// Everything in blocks for a shell on a page.
pub fn shown(page: &str) -> Vec<Shown> {
    let text = read(page);
    let blocks = blocks(&text).into_iter();
    blocks
        .flat_map(|(lines, marked)| commands(&lines).into_iter().map(move |text| (text, marked)))
        .map(|(text, marked)| Shown { page: page.to_owned(), text, marked })
        .collect()
}

/// Whole commands within the lines of a page's prose: of kubectl and of the program itself, with what they are about. `aws` names its mark
/// itself, and a command of two words is a name.
pub fn told(page: &str) -> Vec<Shown> {
    let is_whole = |text: &String| {
        let programs = ["kubectl ", "openclaw-tenant-operator "];
        programs.iter().any(|program| text.starts_with(program))
            && text.split_whitespace().count() > 2
            && !text.contains('…')
    };
    let whole = inline(page).into_iter().filter(is_whole);
    whole.map(|text| Shown { page: page.to_owned(), text, marked: false }).collect()
}

/// Code within the lines of a page's prose.
pub fn inline(page: &str) -> Vec<String> {
    let text = read(page);
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !line.starts_with("    ") {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// Tells a block's commands, marks and explanations apart.
pub fn check_reading() {
    let page = "# A\n\n**AWS**. Text.\n\n    aws x \\\n      --y\n\nMore.\n\n    kubectl z      explained\n\n## B\n\nText **AWS**.\n\n    \
                cat <<END   \n    a\n    END\n    # nothing\n\n```yaml\n    kind: X\n```\n\n```sh\nmake a   # b\n```\n\n- a list\n    \
                not code\n";
    let read: Vec<(Vec<String>, bool)> =
        blocks(page).into_iter().map(|(lines, marked)| (commands(&lines), marked)).collect();
    let one = |text: &str, marked| (vec![text.to_owned()], marked);
    assert_eq!(
        read,
        [one("aws x \\\n  --y", true), one("kubectl z", true), one("cat <<END\na\nEND", false), one("make a", false)]
    );
}
