//! How a site's tables are written: by flags, by a file, or both; flags come first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::FixedOffset;
use serde::Deserialize;
use tingjian::adapter::table::Mapping;

#[derive(Debug, clap::Args)]
pub(super) struct MappingArguments {
    /// 表格的列名对照文件（TOML：[columns]、[words.字段]、[defaults]、utc_offset） / How the columns of tables are named: a TOML file with [columns], [words.FIELD], [defaults] and utc_offset
    #[arg(long, value_name = "FILE")]
    columns: Option<PathBuf>,
    /// 字段在哪一列，如 text=识别文本 / Which column has a field, such as text=transcript
    #[arg(long = "column", value_name = "FIELD=HEADING")]
    column: Vec<String>,
    /// 单元格里的词是什么意思，如 role:0=agent / What a word in a column means, such as role:0=agent
    #[arg(long = "word", value_name = "FIELD:WRITTEN=MEANT")]
    word: Vec<String>,
    /// 缺这一列或单元格为空时的值，如 agent_id=a7 / What a field is where its cell is empty or missing, such as agent_id=a7
    #[arg(long = "default", value_name = "FIELD=VALUE")]
    default: Vec<String>,
    /// 没有写时区的时间是哪个时区，默认配置里的 / The offset of times without one; default: that of the configuration
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    utc_offset: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MappingFile {
    utc_offset: Option<String>,
    columns: BTreeMap<String, String>,
    words: BTreeMap<String, BTreeMap<String, String>>,
    defaults: BTreeMap<String, String>,
}

impl MappingArguments {
    /// The offset that was given.
    ///
    /// # Errors
    /// It is none, ready to print.
    pub(super) fn zone(&self) -> Result<Option<FixedOffset>, String> {
        let Some(given) = &self.utc_offset else { return Ok(None) };
        zone(given).map(Some).map_err(|fault| format!("--utc-offset {fault}"))
    }

    /// How tables are written.
    ///
    /// # Errors
    /// What of it cannot be used, ready to print.
    pub(super) fn read(&self, default_zone: FixedOffset) -> Result<Mapping, String> {
        let (file, text) = match &self.columns {
            Some(path) => read_file(path)?,
            None => (MappingFile::default(), String::new()),
        };
        // The name of a field stands where its line begins.
        let place = |word: &str| {
            let path = self.columns.as_deref().unwrap_or(Path::new("")).display();
            let line = text.lines().position(|line| line.contains(word)).unwrap_or_default() + 1;
            move |fault: String| format!("{path}:{line}: {fault}")
        };
        let mut offset = default_zone;
        if let Some(given) = file.utc_offset.as_deref().filter(|_| self.utc_offset.is_none()) {
            offset = zone(given).map_err(place("utc_offset"))?;
        }
        let mut mapping = Mapping::new(offset);
        for (field, heading) in &file.columns {
            mapping.column(field, heading).map_err(place(field))?;
        }
        for (field, words) in &file.words {
            for (written, meant) in words {
                mapping.word(field, written, meant).map_err(place(field))?;
            }
        }
        for (field, value) in &file.defaults {
            mapping.default(field, value).map_err(place(field))?;
        }
        for given in &self.column {
            let (field, heading) = pair(given, "--column", "FIELD=HEADING")?;
            mapping.column(field, heading).map_err(|fault| format!("--column {given}: {fault}"))?;
        }
        for given in &self.word {
            let form = "FIELD:WRITTEN=MEANT";
            let (left, meant) = pair(given, "--word", form)?;
            let (field, written) =
                left.split_once(':').ok_or_else(|| format!("--word {given}: 写成 / is written {form}"))?;
            mapping.word(field, written, meant).map_err(|fault| format!("--word {given}: {fault}"))?;
        }
        for given in &self.default {
            let (field, value) = pair(given, "--default", "FIELD=VALUE")?;
            mapping.default(field, value).map_err(|fault| format!("--default {given}: {fault}"))?;
        }
        Ok(mapping)
    }
}

fn read_file(path: &Path) -> Result<(MappingFile, String), String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: 无法读取 / cannot be read: {error}"))?;
    match toml::from_str(&text) {
        Ok(file) => Ok((file, text)),
        Err(error) => {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Err(format!(
                "{name}:{line}:{column}: {}。可以有 utc_offset、[columns]、[words.字段]、[defaults] / allowed are utc_offset, [columns], [words.FIELD] and [defaults]",
                error.message()
            ))
        }
    }
}

fn pair<'a>(given: &'a str, flag: &str, form: &str) -> Result<(&'a str, &'a str), String> {
    given.split_once('=').ok_or_else(|| format!("{flag} {given}: 写成 / is written {form}"))
}

fn zone(text: &str) -> Result<FixedOffset, String> {
    let text = text.trim();
    let is_utc = text == "Z" || text == "z";
    (if is_utc { "+00:00" } else { text })
        .parse()
        .map_err(|_| format!("{text} 不是时区：写成 +08:00 / is no offset: write +08:00"))
}
