//! `completion`: what a shell needs to complete the command line.

use clap::{Args, ValueEnum};
use clap_complete::{Shell as Kind, generate};

use super::{CliError, print, program::Program};

#[derive(Debug, Args)]
pub(super) struct CompletionArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl CompletionArgs {
    pub(super) fn execute(self, program: Program) -> Result<(), CliError> {
        print(&script(self.shell, program))
    }
}

fn script(shell: Shell, program: Program) -> String {
    let kind = match shell {
        Shell::Bash => Kind::Bash,
        Shell::Zsh => Kind::Zsh,
        Shell::Fish => Kind::Fish,
    };
    let mut script = Vec::new();
    generate(kind, &mut program.command(), program.file(), &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_is_told_of_every_command() {
        for (shell, program) in
            [(Shell::Bash, Program::Itself), (Shell::Zsh, Program::Plugin), (Shell::Fish, Program::Itself)]
        {
            let script = script(shell, program);
            for expected in ["status", "check", "purge-now", "until-ready", program.file()] {
                assert!(script.contains(expected), "{shell:?}: {expected}");
            }
        }
    }
}
