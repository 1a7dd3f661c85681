//! Builds anew when a file of the pages or of the built-in packs comes or goes:
//! the compiler itself only sees changes of those that it knows.

// This is how a build script speaks to cargo.
#![allow(clippy::print_stdout)]

fn main() {
    for embedded in ["web", "rules"] {
        println!("cargo:rerun-if-changed={embedded}");
    }
}
