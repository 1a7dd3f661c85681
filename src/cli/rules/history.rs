//! `tingjian rules history`: which rules a data directory saw, who loaded them
//! and what each version changed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use tingjian::server::{self, RuleLoad};

use crate::cli::print;
use crate::cli::serve::{ConfigFile, unusable};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 数据目录；服务正在运行也可以 / Data directory; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// 最近多少个版本 / So many of the latest versions
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    /// 不显示改了什么 / Without what changed
    #[arg(long)]
    no_diff: bool,
    #[command(flatten)]
    file: ConfigFile,
}

/// Exits with 2 if the directory cannot be read.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.tell() {
        Ok(text) => print(&text, ExitCode::SUCCESS),
        Err(fault) => unusable(fault),
    }
}

impl Arguments {
    fn tell(&self) -> Result<String, String> {
        let config = self.file.load()?;
        let data = self.data.as_ref().unwrap_or(&config.data);
        let loads = server::rule_history(data, &config, usize::from(self.limit), !self.no_diff)
            .map_err(|error| error.to_string())?;
        let mut text = String::new();
        for (load, diff) in loads {
            let RuleLoad { version, loaded_at, by, trigger, previous, files, current } = load;
            let unknown = |text: String| if text.is_empty() { "?".to_owned() } else { text };
            let mark = if current { "  正在使用 / in use" } else { "" };
            let (at, by, trigger) = (loaded_at.unwrap_or_default(), unknown(by), unknown(trigger));
            let previous = previous.unwrap_or_else(|| "-".to_owned());
            let count = files.len();
            let _ = writeln!(
                text,
                "{version}  {at}  {by}  {trigger}  上一版 / previous: {previous}  {count} 个文件 / files{mark}"
            );
            if self.no_diff {
                continue;
            }
            match diff {
                Some(diff) => text.push_str(&diff),
                None => text.push_str("上一版已不再保留 / the previous version is no longer kept\n"),
            }
            text.push('\n');
        }
        Ok(text)
    }
}
