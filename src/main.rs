//! Command line of the operator.

fn main() {}
