//! `tingjian report`: the weekly report out of a data directory, to be looked at or sent by hand. A server may be running on it.

use std::path::PathBuf;
use std::process::ExitCode;

use tingjian::server::PreparedReport;

use super::export::query_of;
use super::print;
use super::serve::{ConfigFile, runtime, unusable};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 数据目录；服务正在运行也可以 / Data directory; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// 从哪天起，默认上一周 / From this day on; the last week unless said
    #[arg(long, value_name = "DAY", requires = "to")]
    from: Option<String>,
    /// 到哪天（含）为止 / To the end of this day
    #[arg(long, value_name = "DAY", requires = "from")]
    to: Option<String>,
    /// 输出 HTML，就是邮件的样子 / Print HTML, as it is mailed
    #[arg(long)]
    html: bool,
    /// 发给配置里 [report] 的收件人 / Send it to whom [report] names
    #[arg(long, conflicts_with = "html")]
    send: bool,
    #[command(flatten)]
    file: ConfigFile,
}

/// Exits with 0 if it was printed, or sent to all; 1 if somebody did not get it; 2 if there is none.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.run() {
        Ok((text, code)) => print(&text, code),
        Err(fault) => unusable(fault),
    }
}

impl Arguments {
    fn run(&self) -> Result<(String, ExitCode), String> {
        let config = self.file.load()?;
        let data = self.data.as_ref().unwrap_or(&config.data);
        let query = query_of(&[("from", self.from.as_deref()), ("to", self.to.as_deref())]);
        let report = PreparedReport::gather(data, &query, &config)?;
        if !self.send {
            let text = if self.html { report.html(&config) } else { report.text(&config) };
            return Ok((text, ExitCode::SUCCESS));
        }
        let sent = runtime().map_err(|error| error.to_string())?.block_on(report.send(&config))?;
        let code = if sent.iter().all(|(_, result)| result.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let lines = sent.into_iter().map(|(recipient, result)| match result {
            Ok(()) => format!("{recipient}: 已发送 / sent\n"),
            Err(fault) => format!("{recipient}: 没有发出 / not sent: {fault}\n"),
        });
        Ok((lines.collect(), code))
    }
}
