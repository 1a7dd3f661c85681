//! Rule files and the tables beside them, as text: what a version of the rules
//! is made of, whoever read it and from wherever.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::parse::SourceFile;
use super::thresholds::Thresholds;
use super::{Loaded, load_with};
use crate::diagnostic::Diagnostic;
use crate::text::DICTIONARIES;

/// A file of tab-separated rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The path as it was reached.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// All the files behind one version of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The rule files, in their order, named as they were reached.
    pub files: Vec<SourceFile>,
    /// The name of each within the directory, so that the version does not depend on where that lies.
    pub within: Vec<String>,
    /// The clauses that rules may rest on: `clauses.tsv`, if there is one.
    pub clauses: Option<Table>,
    /// Why clauses have no rules: `uncovered.tsv`, if there is one.
    pub uncovered: Option<Table>,
    /// How sure the second look must be where a rule does not say.
    pub thresholds: Thresholds,
}

impl Sources {
    /// Reads and compiles them.
    ///
    /// # Errors
    /// As of [`load_with`].
    pub fn load(&self) -> Result<Loaded, Vec<Diagnostic>> {
        load_with(&self.files, self.version(), self.thresholds)
    }

    /// The first 12 hexadecimal digits of the SHA-256 of the files' names and
    /// contents, of the dictionaries that read them and of thresholds other than
    /// those that ship: the same rules judge otherwise with other ones.
    #[must_use]
    pub fn version(&self) -> String {
        let mut hash = Sha256::new_with_prefix(DICTIONARIES);
        for (name, file) in self.within.iter().zip(&self.files) {
            for part in [name.as_bytes(), file.text.as_bytes()] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        if self.thresholds != Thresholds::default() {
            hash.update(self.thresholds.to_text());
        }
        hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The clauses of the table, by name; `None` without a table.
    #[must_use]
    pub fn clause_names(&self) -> Option<BTreeSet<String>> {
        Some(self.clauses.as_ref()?.rows().map(|(_, cells)| cells[0].to_owned()).collect())
    }

    /// These sources with edited texts: a text replaces the file of its name, or is appended.
    #[must_use]
    pub fn edited(&self, edits: &[SourceFile]) -> Self {
        let mut edited = self.clone();
        for edit in edits {
            match edited.files.iter_mut().find(|file| file.name == edit.name) {
                Some(file) => file.text.clone_from(&edit.text),
                None => {
                    let last = edit.name.rsplit('/').next().unwrap_or(&edit.name);
                    edited.within.push(last.to_owned());
                    edited.files.push(edit.clone());
                }
            }
        }
        edited
    }
}

impl Table {
    /// The rows with their line numbers, each of one cell at least; comments,
    /// the heading and empty lines left out.
    pub fn rows(&self) -> impl Iterator<Item = (usize, Vec<&str>)> {
        let lines = self.text.trim_start_matches('\u{feff}').lines().zip(1..);
        lines
            .map(|(line, number)| (number, line.split('\t').map(str::trim).collect::<Vec<_>>()))
            .filter(|(_, cells)| cells.first().is_some_and(|c| !c.is_empty() && !c.starts_with('#') && *c != "clause"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile { name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_version_depends_on_names_within_and_contents_only() {
        let sources = |place: &str, text: &str| Sources {
            files: vec![file(&format!("{place}/a.yaml"), text)],
            within: vec!["a.yaml".to_owned()],
            ..Sources::default()
        };
        assert_eq!(sources("here", "x").version(), sources("there", "x").version());
        assert_ne!(sources("here", "x").version(), sources("here", "y").version());
        let cautious = Thresholds { warning: 9_000, ..Thresholds::default() };
        let judged_otherwise = Sources { thresholds: cautious, ..sources("here", "x") };
        assert_ne!(judged_otherwise.version(), sources("here", "x").version());
        assert_eq!(judged_otherwise.edited(&[]), judged_otherwise);
        let edited = sources("here", "x").edited(&[file("here/a.yaml", "y"), file("here/b.yaml", "z")]);
        assert_eq!(edited.within, ["a.yaml", "b.yaml"]);
        assert_eq!(edited.files, [file("here/a.yaml", "y"), file("here/b.yaml", "z")]);
    }
}
