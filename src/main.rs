//! Command line of the operator.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::Cli::run()
}
