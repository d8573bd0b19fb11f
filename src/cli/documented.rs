//! Every command of this program that the documentation shows is one that it takes.

use clap::error::ErrorKind;

use super::program::Program;

#[path = "../../tests/documentation/mod.rs"]
mod documentation;

/// A command's words, without what a shell does with the rest of the line.
fn words(command: &str) -> Vec<String> {
    let command = command.replace("\\\n", " ");
    let own = command.split(['|', '>', ';', '&']).next().unwrap_or_default();
    let words = own.split_whitespace().map(|word| word.trim_matches(['\'', '"']).to_owned());
    // What stands for something: a number here, a name there.
    words.map(|word| if word == "N" { "3".to_owned() } else { word }).collect()
}

/// What the program says against a command that prose names, with or without what it needs.
fn complaint_in_prose(command: &str) -> Option<String> {
    complaint(command).filter(|why| !why.contains("required arguments were not provided"))
}

/// What the program says against a command, if anything.
fn complaint(command: &str) -> Option<String> {
    let mut words = words(command);
    let program = if words.starts_with(&["kubectl".to_owned(), "tenant".to_owned()]) {
        words.remove(0);
        Program::Plugin
    } else {
        Program::Itself
    };
    let error = program.command().try_get_matches_from(words).err()?;
    let help = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
    (!help.contains(&error.kind())).then(|| error.to_string())
}

fn is_ours(command: &str) -> bool {
    let begins = ["openclaw-tenant-operator ", "kubectl tenant "];
    begins.iter().any(|begin| command.starts_with(begin)) && !command.contains('…')
}

#[test]
fn every_command_of_ours_in_the_documentation_is_taken() {
    let mut found = Vec::new();
    for page in documentation::pages() {
        let blocks = documentation::shown(&page).into_iter().map(|shown| (shown.text, true));
        let prose = documentation::inline(&page).into_iter().map(|command| (command, false));
        let commands = blocks.chain(prose).filter(|(command, _)| is_ours(command));
        found.extend(commands.map(|(command, is_whole)| (page.clone(), command, is_whole)));
    }
    // What the program itself teaches, and so docs/cli.md.
    let cli = documentation::read("docs/cli.md");
    let examples = cli.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| is_ours(line));
    found.extend(examples.map(|example| ("docs/cli.md".to_owned(), example.to_owned(), true)));
    assert!(found.len() > 50, "they are found: {found:?}");
    let refused: Vec<String> = found
        .iter()
        .filter_map(|(page, command, is_whole)| {
            let why = if *is_whole { complaint(command) } else { complaint_in_prose(command) };
            why.map(|why| format!("{page}: {command}\n{why}"))
        })
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn a_wrong_flag_is_a_complaint() {
    assert!(complaint("openclaw-tenant-operator rotate alice --waits").is_some_and(|why| why.contains("--waits")));
    assert!(complaint("openclaw-tenant-operator crds | kubectl apply --server-side -f -").is_none());
    assert!(complaint("kubectl tenant statuses").is_some() && complaint("kubectl tenant status").is_none());
}
