//! The order of the rooms, held by what their files name: a room may use only
//! rooms that stand before it, and never what the root puts together from them.
//! Tests may look at everything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the lowest on. Rooms of one floor do not know each other.
const FLOORS: [&[&str]; 11] = [
    &["clock", "config"],
    &["domain"],
    &["telemetry"],
    &["store"],
    &["filter", "rules"],
    &["runtime"],
    &["net"],
    &["feeds", "ingest", "outbox", "export"],
    &["report"],
    &["http"],
    &["mod"],
];
const PREFIX: &str = "crate::server::";

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The names in a source behind `crate::server::`, tests left out.
fn named(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut names = BTreeSet::new();
    for (place, _) in source.match_indices(PREFIX) {
        let rest = &source[place + PREFIX.len()..];
        // `{a::x, b}` names several.
        let group = rest.strip_prefix('{').and_then(|rest| rest.split_once("};")).map(|(group, _)| group);
        for item in group.map_or(vec![rest], |group| group.split(',').collect()) {
            let name: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(name);
        }
    }
    names.remove("");
    names
}

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false => into.push(path),
        }
    }
}

#[test]
fn rooms_use_only_what_stands_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut faults = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let is_of_tests = ["tests.rs", "simulation.rs", "layers.rs"].iter().any(|name| inside.ends_with(name));
        let room = inside.iter().next().unwrap().to_string_lossy();
        let room = room.trim_end_matches(".rs");
        let Some(own) = floor(room) else {
            if !is_of_tests {
                faults.push(format!("{}: the room has no floor", inside.display()));
            }
            continue;
        };
        if is_of_tests || room == "mod" {
            continue;
        }
        for name in named(&std::fs::read_to_string(&file).unwrap()) {
            match floor(&name) {
                _ if name == room => {}
                Some(other) if other < own => {}
                Some(_) => faults.push(format!("{}: {room} uses {name}, which stands above", inside.display())),
                None => faults.push(format!("{}: {room} uses {name} of the root", inside.display())),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_the_store_speaks_sql_and_it_knows_no_sockets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        if inside.ends_with("layers.rs") {
            continue;
        }
        let foreign: &[&str] = match inside.starts_with("store") {
            true => &["tungstenite", "axum::", "hyper::"],
            false => &["rusqlite", "SELECT ", "INSERT INTO"],
        };
        let source = std::fs::read_to_string(&file).unwrap();
        let named: Vec<_> = foreign.iter().filter(|name| source.contains(**name)).collect();
        assert!(named.is_empty(), "{}: {named:?}", inside.display());
    }
}

/// What the store asks goes by the connection to either database; SQLite's own is for what only a file has.
#[test]
fn the_store_asks_either_database() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/store");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let of_files = ["mod.rs", "backup.rs", "checkpoint.rs", "encryption.rs", "migrate.rs"];
        if inside.starts_with("sql") || of_files.iter().any(|name| inside == Path::new(name)) {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let named = source.lines().find(|line| line.contains("rusqlite") && *line != "use rusqlite::OpenFlags;");
        assert!(named.is_none(), "{}: {named:?}; see store/sql/mod.rs", inside.display());
    }
}

/// The declarations of a source that rooms outside its own see: functions up to their bodies, else the line.
fn seen_outside(source: &str) -> impl Iterator<Item = &str> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    source.match_indices("pub").filter_map(|(place, _)| {
        let rest = &source[place..];
        let is_seen = rest.starts_with("pub(crate) ") || rest.starts_with("pub ");
        let line = rest.split('\n').next().unwrap_or_default();
        is_seen.then(|| if line.contains("fn ") { rest.split('{').next().unwrap_or_default() } else { line })
    })
}

/// A second store has the same border: what crosses it names no database.
#[test]
fn no_connection_and_nothing_of_sqlite_leaves_the_store() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/store");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        for declaration in seen_outside(&source) {
            let named = ["Connection", "Transaction", "rusqlite", "Row<", "Conditions", "dyn Fn"];
            let named: Vec<_> = named.iter().filter(|name| declaration.contains(**name)).collect();
            assert!(named.is_empty(), "{}: {named:?} in {declaration}", file.display());
        }
    }
}

/// What stands for the store outside it is a named method, not a closure over its reader or writer.
#[test]
fn only_the_journal_hands_its_writer_on() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        if inside.starts_with("store") || inside.ends_with("layers.rs") || inside.ends_with("runtime/journal.rs") {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        for closure in ["|readers|", "|readers: &Readers|", "|writer|", "FnOnce(&Readers)", "FnOnce(&mut Writer)"] {
            assert!(!source.contains(closure), "{}: {closure}", inside.display());
        }
    }
}

#[test]
fn all_names_of_a_group_are_read() {
    let source = "use crate::server::{domain::review, Shared,\n    http};\nfn f() { crate::server::store::open() }\n\
                  #[cfg(test)]\nmod tests { use crate::server::feeds; }";
    let names: Vec<_> = named(source).into_iter().collect();
    assert_eq!(names, ["Shared", "domain", "http", "store"]);
}
