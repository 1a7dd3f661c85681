//! `tingjian rules import`: a phrase list out of Excel or CSV, as a pack.

mod pack;
mod rows;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::sheet;
use super::super::source::{self, RuleFlags};
use super::super::{EXIT_UNUSABLE, complain, print};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// 话术表：.xlsx 或 .csv，第一行是列名（话术、类型、规则、严重程度、扣分、提示、建议、条款、例外） / Phrase list, .xlsx or .csv
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// 规则包的名称，如 words / Name of the pack, such as words
    #[arg(long, value_name = "NAME")]
    pack: String,
    /// 写到这个文件；默认标准输出 / Where to write; default: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// 条款取自这里的 clauses.tsv / The clauses are those of its clauses.tsv
    #[command(flatten)]
    origin: RuleFlags,
}

/// Exits with 0 if the pack was written, with 2 if anything of the list cannot be used: then nothing is.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match import(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            let count = faults.len();
            faults.iter().for_each(complain);
            if count > 1 {
                complain(format_args!(
                    "共 {count} 处，改好再导入；没有写任何文件 / {count} faults; nothing was written"
                ));
            }
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

fn import(arguments: &Arguments) -> Result<(), Vec<String>> {
    let source = source::read(&arguments.origin.origin().map_err(|fault| vec![fault])?)
        .map_err(|error| vec![error.to_string()])?;
    let sheets = sheet::read(&arguments.file).map_err(|fault| vec![fault])?;
    let clauses = source.clause_names();
    let (list, mut faults) = rows::understand(&sheets, clauses.as_ref());
    let file = arguments.file.file_name().unwrap_or_default().to_string_lossy();
    let written = match pack::write(&arguments.pack, &file, &list, clauses.as_ref()) {
        _ if list.groups.is_empty() => None,
        Ok(written) => Some(written),
        Err(more) => {
            faults.extend(more);
            None
        }
    };
    faults.sort();
    faults.dedup();
    let Some((text, warnings)) = written.filter(|_| faults.is_empty()) else {
        return Err(faults.iter().map(ToString::to_string).collect());
    };
    let warnings = warnings.iter().map(ToString::to_string);
    for note in list.notes.iter().cloned().chain(warnings) {
        complain(format_args!("提醒 / note: {note}"));
    }
    let Some(path) = &arguments.out else {
        print(&text, ExitCode::SUCCESS);
        return Ok(());
    };
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let path = path.display();
        vec![match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{path}: 已经有了，不覆盖；换个名字 / already exists and is kept; choose another name")
            }
            _ => format!("{path}: 无法写入 / cannot be written: {error}"),
        }]
    })?;
    let phrases = list.groups.iter().map(|group| group.phrases.len()).sum::<usize>();
    print(&format!("{}: {} 条规则，{phrases} 条话术\n", path.display(), list.groups.len()), ExitCode::SUCCESS);
    Ok(())
}
