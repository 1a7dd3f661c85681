//! Which rules were in use when: who loaded each version, why, and what it
//! changed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use chrono::FixedOffset;
use serde::Serialize;
use similar::{Algorithm, TextDiff};
use utoipa::ToSchema;

use crate::server::clock::wall_time;
use crate::server::config::{Config, DIFF_BYTES_MAX, DIFF_TIMEOUT};
use crate::server::rules::{KeptFile, kept_files_of};
use crate::server::store::{FoundVersion, StoreError, VersionFiles, read_of};

/// A version of the rules and the moment of its loading.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleLoad {
    /// Its name.
    pub version: String,
    /// The last time at which it came into use.
    pub loaded_at: Option<String>,
    /// The person who asked for it; empty in entries of earlier versions.
    pub by: String,
    /// `start`, `request` or `change`; empty where that was not kept yet.
    pub trigger: String,
    /// The version in use before it.
    pub previous: Option<String>,
    /// The names of its files.
    pub files: Vec<String>,
    /// Whether this version is in use now.
    pub current: bool,
}

impl RuleLoad {
    pub(crate) fn new(found: &FoundVersion, zone: FixedOffset) -> Self {
        let FoundVersion { version, loaded_ms, by, trigger, previous, files, is_current, .. } = found;
        Self {
            version: version.clone(),
            loaded_at: wall_time(*loaded_ms, zone),
            by: by.clone(),
            trigger: trigger.map_or_else(String::new, |trigger| trigger.name().to_owned()),
            previous: previous.clone(),
            files: files.clone(),
            current: *is_current,
        }
    }
}

/// The changes of a version, file by file, at most [`DIFF_BYTES_MAX`] of them; `None` if the
/// files of the version before it are no longer kept. It takes up to [`DIFF_TIMEOUT`] a file.
pub(crate) fn difference(files: &VersionFiles) -> Option<(String, bool)> {
    let (before, after) = files.before.as_deref().zip(files.after.as_deref())?;
    Some(unified(&kept_files_of(before), &kept_files_of(after)))
}

/// What becomes of one file, as a unified diff; `None` is no file. See [`difference`].
pub(crate) fn diff(name: &str, before: Option<&str>, after: Option<&str>) -> (String, bool) {
    let kept = |text: Option<&'_ str>| -> Vec<KeptFile<'static>> {
        let file = |text: &str| KeptFile { name: name.to_owned().into(), text: text.to_owned().into() };
        text.map(file).into_iter().collect()
    };
    unified(&kept(before), &kept(after))
}

fn unified(before: &[KeptFile<'_>], after: &[KeptFile<'_>]) -> (String, bool) {
    let text = |files: &'_ [KeptFile<'_>], name: &str| -> Option<String> {
        files.iter().find(|file| file.name == name).map(|file| file.text.to_string())
    };
    let names: BTreeSet<&Cow<'_, str>> = before.iter().chain(after).map(|file| &file.name).collect();
    let mut diff = String::new();
    for name in names {
        let (old, new) = (text(before, name), text(after, name));
        if old == new {
            continue;
        }
        let side = |text: &Option<String>| if text.is_some() { name.to_string() } else { "/dev/null".to_owned() };
        let (from, to) = (side(&old), side(&new));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let lines = TextDiff::configure().algorithm(Algorithm::Myers).timeout(DIFF_TIMEOUT).diff_lines(&old, &new);
        diff.push_str(&lines.unified_diff().context_radius(3).header(&from, &to).to_string());
        if diff.len() > DIFF_BYTES_MAX {
            let end = diff.floor_char_boundary(DIFF_BYTES_MAX);
            diff.truncate(diff[..end].rfind('\n').map_or(end, |newline| newline + 1));
            return (diff, true);
        }
    }
    (diff, false)
}

/// The versions of the rules that `directory` keeps, those loaded last first,
/// at most `count_max` of them, each with what it changed if `with_diff`.
/// A server may have the directory.
///
/// # Errors
/// The store cannot be read.
pub fn rule_history(
    directory: &Path,
    config: &Config,
    count_max: usize,
    with_diff: bool,
) -> Result<Vec<(RuleLoad, Option<String>)>, StoreError> {
    let readers = read_of(config, directory, false)?;
    let load = |found: FoundVersion| {
        let files = if with_diff { readers.version_files(&found)? } else { VersionFiles::default() };
        let diff = difference(&files).map(|(diff, _)| diff);
        Ok((RuleLoad::new(&found, config.utc_offset), diff))
    };
    readers.rule_versions(None, count_max)?.into_iter().map(load).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_file_by_file() {
        let file = |name: &'static str, text: &'static str| KeptFile { name: name.into(), text: text.into() };
        let before = [file("a.yaml", "一\n二\n"), file("b.yaml", "同\n"), file("c.yaml", "旧\n")];
        let after = [file("a.yaml", "一\n三\n"), file("b.yaml", "同\n"), file("d.yaml", "新\n")];
        let expected = "--- a.yaml\n+++ a.yaml\n@@ -1,2 +1,2 @@\n 一\n-二\n+三\n\
                        --- c.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-旧\n\
                        --- /dev/null\n+++ d.yaml\n@@ -0,0 +1 @@\n+新\n";
        assert_eq!(unified(&before, &after), (expected.to_owned(), false));
        assert_eq!(unified(&after, &after), (String::new(), false));
    }
}
