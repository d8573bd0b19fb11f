//! What the program is called: itself, or a plugin of kubectl.

use std::{fmt, path::Path};

use clap::{Command, CommandFactory as _, builder::StyledStr};

use super::Cli;

/// The program's own name.
const NAME: &str = "openclaw-tenant-operator";

/// Under which name the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Its own.
    Itself,
    /// `kubectl-tenant`, as kubectl calls its plugins.
    Plugin,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Itself => NAME,
            Self::Plugin => "kubectl tenant",
        })
    }
}

impl Program {
    /// By what the caller has called it.
    pub(super) fn called() -> Self {
        Self::of(std::env::args_os().next().as_ref().map(Path::new))
    }

    fn of(path: Option<&Path>) -> Self {
        let name = path.and_then(Path::file_stem).and_then(std::ffi::OsStr::to_str);
        if name == Some("kubectl-tenant") { Self::Plugin } else { Self::Itself }
    }

    /// A text for people, in which the program is called as the caller calls it. What else bears its name, such as a Deployment, keeps it.
    pub(super) fn speak(self, text: &str) -> String {
        let commands = Cli::command();
        let own = |one: &Command| (format!("{NAME} {}", one.get_name()), format!("{self} {}", one.get_name()));
        commands.get_subcommands().map(own).fold(text.to_owned(), |text, (from, to)| text.replace(&from, &to))
    }

    /// The file's name, as a shell completes it.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Itself => NAME,
            Self::Plugin => "kubectl-tenant",
        }
    }

    /// The command line, which speaks of itself under the name that it was called by.
    pub(super) fn command(self) -> Command {
        match self {
            Self::Itself => Cli::command(),
            Self::Plugin => renamed(Cli::command()).name("kubectl-tenant").bin_name("kubectl tenant"),
        }
    }
}

fn renamed(mut command: Command) -> Command {
    let text = |it: Option<&StyledStr>| it.map(|it| it.to_string().replace(NAME, "kubectl tenant"));
    let (about, long) = (text(command.get_about()), text(command.get_long_about()));
    let after = text(command.get_after_help());
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, renamed);
    }
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(long) = long {
        command = command.long_about(long);
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_says_what_it_is() {
        let of = |path: &str| Program::of(Some(Path::new(path)));
        assert_eq!(of("/usr/local/bin/kubectl-tenant"), Program::Plugin);
        assert_eq!(of("./openclaw-tenant-operator"), Program::Itself);
        assert_eq!(Program::of(None), Program::Itself);
    }

    #[test]
    fn a_plugin_speaks_of_itself_as_kubectl_does() {
        let error = Program::Plugin.command().try_get_matches_from(["kubectl-tenant", "rotate"]).expect_err("a name");
        let error = error.to_string();
        assert!(error.contains("Usage: kubectl tenant rotate"), "{error}");
        let mut command = Program::Plugin.command();
        command.build();
        for command in command.get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            // What the options of iam and release name is the Deployment.
            assert!(!help.contains(&format!("{NAME} {}", command.get_name())), "{help}");
        }
    }

    #[test]
    fn commands_that_are_told_are_those_of_the_caller() {
        let text = "kubectl scale deployment openclaw-tenant-operator --replicas 0, then openclaw-tenant-operator release --all";
        let plugin =
            "kubectl scale deployment openclaw-tenant-operator --replicas 0, then kubectl tenant release --all";
        assert_eq!(Program::Plugin.speak(text), plugin);
        assert_eq!(Program::Itself.speak(text), text);
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        let mut command = Program::Itself.command();
        command.build();
        for one in command.get_subcommands_mut().filter(|one| !one.is_hide_set() && one.get_name() != "help") {
            let name = one.get_name().to_owned();
            let help = one.render_help().to_string();
            let example = help.split("Example").nth(1).unwrap_or_default();
            assert!(example.contains(&format!("{NAME} {name}")), "{name} has no example\n{help}");
        }
    }
}
