//! The order of the engine's rooms, held by what their files name: a room may use only rooms that
//! stand before it, so there is no circle.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest on.
const ROOMS: [&str; 23] = [
    "time",
    "transcript",
    "severity",
    "diagnostic",
    "work",
    "closed",
    "agents",
    "privacy",
    "text",
    "act",
    "rule",
    "alert",
    "timeline",
    "pauses",
    "context",
    "detect",
    "monitor",
    "call",
    "status",
    "explain",
    "inspect",
    "unit_test",
    "lib",
];

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false => into.push(path),
        }
    }
}

/// The rooms that a file names: the first names behind `crate::`, and behind as many `super::` as lead out of its room.
fn named(source: &str, depth: usize) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut names = BTreeSet::new();
    for prefix in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (place, _) in source.match_indices(&prefix) {
            let before = source[..place].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == ':' || c == '_') {
                continue;
            }
            let rest = &source[place + prefix.len()..];
            let group = rest.strip_prefix('{').and_then(|rest| rest.split_once("};")).map(|(group, _)| group);
            for item in group.map_or(vec![rest], |group| group.split(',').collect()) {
                let name = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_');
                names.insert(name.collect());
            }
        }
    }
    names
}

#[test]
fn rooms_of_the_engine_use_only_what_stands_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/engine/src");
    let floor = |room: &str| ROOMS.iter().position(|name| *name == room);
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let inside = file.strip_prefix(&root).unwrap();
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        let room = parts[0].trim_end_matches(".rs");
        let Some(own) = floor(room) else {
            faults.push(format!("{}: the room has no floor", inside.display()));
            continue;
        };
        if parts.iter().any(|part| part == "tests") || room == "lib" {
            continue;
        }
        // How many `super::` name the crate.
        let depth = parts.len() - usize::from(parts.last().is_some_and(|name| name == "mod.rs"));
        for name in named(&fs::read_to_string(file).unwrap(), depth) {
            if let Some(other) = floor(&name).filter(|other| *other > own) {
                faults.push(format!("{}: {room} uses {}, which stands above", inside.display(), ROOMS[other]));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
