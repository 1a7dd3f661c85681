//! The command line of tingjian.
fn main() {}
