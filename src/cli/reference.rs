//! Pages that are made from the program: docs/cli.md from the command line itself, docs/api.md from the types.

mod api;
mod marks;

use std::fmt::Write as _;

use clap::{Args, Command};

use super::program::Program;

/// What stands before the commands.
const HEAD: &str = "\
# Command line

Made from the program's own `--help` by `make reference`; a test fails where it is not what the program says.

One program does it all: it runs the operator, and it is the tool of those who look after tenants. Put it into the `PATH` under the name
`kubectl-tenant`, and it is `kubectl tenant` as well; its help then speaks of itself by that name.

    ln -s \"$(command -v openclaw-tenant-operator)\" /usr/local/bin/kubectl-tenant
    kubectl tenant status

All commands but `run` act in the caller's name: with the rights of the kubeconfig (`KUBECONFIG`, or the cluster that it runs in), and
where AWS is asked with the caller's own AWS credentials. None reads the value of a secret.

What is meant for people is a table or a tree, coloured on a terminal unless `NO_COLOR` is set; `-o json` is for programs. Results go to
standard output, all else to standard error.

## Exit codes

| code | means |
|---|---|
| 0 | done, and all is as was asked for |
| 1 | not done, or not as asked for: standard error says what happened and what to do. `check`: there is something to mend. `status --until-ready`: not all are Ready in time. `rotate --wait`: the order was not carried out. `migrate`: a tenant is blocked. `run`: it could not start, or lost its lease |
| 2 | a wrong command line; `check` also where it could not judge: a file that cannot be read, a cluster that does not answer |
";

/// How wide help is rendered.
const WIDTH: usize = 110;

#[derive(Debug, Args)]
pub(super) struct ReferenceArgs {
    /// Print docs/api.md instead
    #[arg(long)]
    api: bool,
}

impl ReferenceArgs {
    /// The page that is asked for.
    pub(super) fn page(&self) -> String {
        if self.api { api::page() } else { page() }
    }
}

/// docs/cli.md.
fn page() -> String {
    let mut command = Program::Itself.command().term_width(WIDTH);
    command.build();
    let mut page = HEAD.to_owned();
    let visible = |one: &&mut Command| !one.is_hide_set() && one.get_name() != "help";
    for one in command.get_subcommands_mut().filter(visible) {
        section(one, &mut page);
    }
    page
}

fn section(command: &mut Command, page: &mut String) {
    let title = command.get_bin_name().and_then(|name| name.split_once(' ')).map_or("", |(_, rest)| rest).to_owned();
    // What this machine's environment holds has no place in a page.
    *command = std::mem::take(command).mut_args(|argument| argument.hide_env_values(true)).term_width(WIDTH);
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    // Writing to a String cannot fail.
    let _ = write!(page, "\n## {title}\n\n```text\n{}\n```\n", lines.join("\n"));
    let visible = |one: &&mut Command| !one.is_hide_set() && one.get_name() != "help";
    for one in command.get_subcommands_mut().filter(visible) {
        section(one, page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_program_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == page(), "docs/cli.md is not what the program says: run make reference");
    }

    #[test]
    fn every_command_has_its_section() {
        let page = page();
        for title in ["run", "status", "check", "rotate", "crds", "release", "completion", "migrate cut-over"] {
            assert!(page.contains(&format!("\n## {title}\n\n```text\n")), "{title}");
        }
        assert!(!page.contains("## reference") && !page.contains("## help"));
    }
}
