//! Command line of the operator.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Every decision makes and drops some thousands of small values. musl's allocator, which a static program would have, is made for
/// small programs.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::Cli::run()
}
