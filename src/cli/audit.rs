//! `tingjian audit …`: what was done on a data directory, and whether the
//! record of it is whole. A server may be running on the directory.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, FixedOffset, SecondsFormat};
use clap::{Subcommand, ValueEnum};
use tingjian::server::{self, Verified};

use super::export::query_of;
use super::print;
use super::serve::{ConfigFile, unusable};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 列出审计记录：谁在什么时候做了什么 / List entries: who did what, when
    List(ListArguments),
    /// 校验审计：有没有改动、缺失、换序、截断 / Check that no entry was changed, moved, taken out or cut off
    Verify(VerifyArguments),
}

/// Which data directory.
#[derive(Debug, clap::Args)]
struct DataDirectory {
    /// 数据目录；服务正在运行也可以 / Data directory; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    #[command(flatten)]
    place: DataDirectory,
    /// 从哪天或什么时间起 / From this day or time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// 到什么时间（不含）或哪天（含）为止 / Up to this time, or to the end of this day
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// 做了什么，可用逗号写多个：start、reload、confirm、dismiss、appeal、grant、reject、undo、mark、sample、look、export、report、forget / One action or several
    #[arg(long)]
    action: Option<String>,
    /// 最近多少条，最多 1000 / So many of the latest, at most 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    /// 输出格式 / Format of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Jsonl,
}

#[derive(Debug, clap::Args)]
struct VerifyArguments {
    #[command(flatten)]
    place: DataDirectory,
    /// 以前记下的一条（日志里或上次校验时的）；不给就查不出末尾被截断 / An entry noted before, in the log or by an earlier check; without it a tail that was cut off cannot be seen
    #[arg(long, value_name = "NO:HASH")]
    head: Option<String>,
}

/// Exits with 0 if all is well, 1 if the audit is not whole, 2 if it cannot be read.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.command {
        Command::List(arguments) => list(arguments),
        Command::Verify(arguments) => verify(arguments),
    };
    match done {
        Ok((text, code)) => print(&text, code),
        Err(fault) => unusable(fault),
    }
}

fn list(arguments: &ListArguments) -> Result<(String, ExitCode), String> {
    let ListArguments { place, from, to, action, limit, format } = arguments;
    let config = place.file.load()?;
    let data = place.data.as_ref().unwrap_or(&config.data);
    let limit = limit.to_string();
    let query = query_of(&[
        ("from", from.as_deref()),
        ("to", to.as_deref()),
        ("action", action.as_deref()),
        ("limit", Some(&limit)),
    ]);
    let entries = server::read_audit(data, &query, &config).map_err(|error| error.to_string())?;
    let mut text = String::new();
    for entry in entries {
        let _ = match format {
            Format::Jsonl => writeln!(text, "{entry}"),
            Format::Text => {
                let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                let at = in_zone(&field("at"), config.utc_offset);
                let (by, role) = (field("by"), field("role"));
                let (action, subject) = (field("action"), field("subject"));
                writeln!(text, "{}  {at}  {by} ({role})  {action}  {subject}  {}", entry["no"], entry["detail"])
            }
        };
    }
    Ok((text, ExitCode::SUCCESS))
}

/// A time as people read it, in the time zone of the configuration, as the history of the rules has it.
fn in_zone(at: &str, zone: FixedOffset) -> String {
    let parsed = DateTime::parse_from_rfc3339(at);
    parsed
        .map_or_else(|_| at.to_owned(), |time| time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false))
}

fn verify(arguments: &VerifyArguments) -> Result<(String, ExitCode), String> {
    let VerifyArguments { place, head } = arguments;
    let config = place.file.load()?;
    let data = place.data.as_ref().unwrap_or(&config.data);
    let verified = server::verify_audit(data, head.as_deref(), &config).map_err(|error| error.to_string())?;
    let Verified { entries, head, faults, more } = verified;
    let mut text = String::new();
    for fault in &faults {
        let _ = writeln!(text, "{fault}");
    }
    if more > 0 {
        let _ = writeln!(text, "还有 {more} 处 / {more} more");
    }
    let count = faults.len() + more;
    let _ = if count == 0 {
        writeln!(text, "审计完整：{entries} 条 / whole: {entries} entries\nhead {head}")
    } else {
        writeln!(text, "审计有 {count} 处问题，共 {entries} 条 / {count} faults in {entries} entries\nhead {head}")
    };
    let code = if count == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) };
    Ok((text, code))
}
