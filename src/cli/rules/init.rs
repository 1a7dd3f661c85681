//! `tingjian rules init`: a starter file of parameters.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tingjian::engine::rule::quote;
use tingjian::engine::rule::syntax::PackSource;

use super::super::source::{PARAMETERS, RuleFlags};
use super::super::{EXIT_UNUSABLE, complain};
use super::{print, usable};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    origin: RuleFlags,
    /// 写到哪个目录；默认规则目录，用内置规则包时为当前目录 / Where to write; default: the rules directory, or here for the built-in packs
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Exits with 0 if the file was written, 2 if not.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (_, loaded) = match usable(&arguments.origin) {
        Ok(usable) => usable,
        Err(code) => return code,
    };
    // A configuration that cannot be read had no usable rules.
    let origin = arguments.origin.origin().unwrap_or_default();
    let directory = arguments.out.as_deref().or(origin.directory()).unwrap_or(Path::new("."));
    let path = directory.join(PARAMETERS);
    let text = starter(&loaded.packs);
    let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        let path = path.display();
        complain(match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{path}: 已经有了，不覆盖；改名或移走它，或用 --out 写到别处 / already exists and is kept; move it, or write elsewhere with --out"
            ),
            _ => format!("{path}: 无法写入 / cannot be written: {error}"),
        });
        return ExitCode::from(EXIT_UNUSABLE);
    }
    let count = loaded.packs.iter().map(|pack| pack.parameters.len()).sum::<usize>();
    let shown = path.display();
    let mut told = match count {
        0 => format!("{shown}: 这些规则包没有参数，文件里没有可改的\n"),
        _ => format!("{shown}: {count} 个参数。去掉要改的行首的 `# `，写上本公司的值\n"),
    };
    let elsewhere = origin.directory().is_none_or(|rules| rules != directory);
    if count > 0 && elsewhere {
        let _ = writeln!(told, "使用时加上 --parameters {shown}");
    }
    print(&told, ExitCode::SUCCESS)
}

/// Every parameter as a comment: what it decides, and its default.
fn starter(packs: &[PackSource]) -> String {
    let mut text = String::from(
        "# 听检的参数：本公司的名称、工号、时限等。\n\
         # 每个参数都列出了说明和默认值；要改哪个，就去掉它行首的 `# `，写上本公司的值。\n\
         # 没有改的参数用默认值。改完运行 `tingjian rules lint` 检查。\n",
    );
    for pack in packs.iter().filter(|pack| !pack.parameters.is_empty()) {
        let off = if pack.enabled { "" } else { "（默认关闭）" };
        let _ = write!(text, "\n# {}{off}\n{}:\n", one_line(&pack.title), quote::scalar(&pack.pack.value));
        for parameter in &pack.parameters {
            let name = quote::scalar(&parameter.name.value);
            let _ = write!(text, "  # {}\n  # {name}: {}\n", one_line(&parameter.description), parameter.default);
        }
    }
    if packs.iter().all(|pack| pack.parameters.is_empty()) {
        text.push_str("\n# 这些规则包没有参数。\n");
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
