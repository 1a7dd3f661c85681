//! `tingjian migrate`: all data from the data directory into PostgreSQL, or back.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use tingjian::server::{self, MoveTo, MovedTable};

use super::print;
use super::progress::Progress;
use super::serve::{ConfigFile, unusable};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 迁到哪里：postgres（配置里的 [cluster] postgres），或 sqlite（数据目录） / Where to: postgres, of [cluster] postgres, or sqlite, the data directory
    #[arg(long, value_enum)]
    to: To,
    /// 数据目录；服务要先停下 / Data directory; no server may run on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    Postgres,
    Sqlite,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { to, data, file } = arguments;
    let config = match file.load() {
        Ok(config) => config,
        Err(fault) => return unusable(fault),
    };
    let data = data.as_ref().unwrap_or(&config.data);
    let to = if *to == To::Postgres { MoveTo::Postgres } else { MoveTo::Sqlite };
    let mut progress = Progress::new("迁移 moving");
    let moved = server::migrate(&config, data, to, |table, rows| progress.tell(format_args!("{table} {rows}")));
    progress.end();
    match moved {
        Ok(moved) => {
            let mut text = String::new();
            for MovedTable { name, rows, digest } in &moved {
                let _ = writeln!(text, "{name:<22} {rows:>12}  {digest}");
            }
            text.push_str("两边的行数和校验值一致；原来的数据没有动，请不要再用它启动服务 / both sides agree in rows and digests; what was moved from is as it was: start no server on it again\n");
            print(&text, ExitCode::SUCCESS)
        }
        Err(error) => unusable(error.to_string()),
    }
}
