//! The command line: one file a subcommand.

mod audit;
mod backtest;
mod backup;
mod bench;
mod check;
mod config;
mod demo;
mod eval;
mod export;
mod fixtures;
mod forms;
mod learn;
mod lines;
mod load;
mod migrate;
mod progress;
mod ready;
mod replay;
mod report;
mod rules;
mod serve;
mod sheet;
mod show;
mod source;
mod token;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Input or rules were unusable; 0 and 1 are verdicts.
const EXIT_UNUSABLE: u8 = 2;

#[derive(Debug, Parser)]
#[command(
    name = "tingjian",
    version,
    about = "听检：旁听进行中的客服通话，客户还在线时就提醒坐席\nListens in on live calls and warns the agent while the customer is still on the line",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 启动服务：接收实时转写，推送预警 / Serve: live transcripts in, alerts out
    Serve(serve::Arguments),
    /// 服务是否就绪，供容器的健康检查用 / Whether the server is ready, for health checks of containers
    Ready(ready::Arguments),
    /// 演示：启动服务，按语速播放内置通话，打印每条预警 / Serve, play the built-in calls and print each alert
    Demo(demo::Arguments),
    /// 检查录下的通话（JSON Lines），输出预警 / Check recorded calls (JSON Lines), print their alerts
    Check(check::Arguments),
    /// 规则文件：检查、测试、JSON Schema / Rule files: check, test, JSON Schema
    Rules(rules::Arguments),
    /// 评分表：检查 / Scoring forms: check
    Forms(forms::Arguments),
    /// 配置：全部配置项和默认值，检查配置文件 / The configuration: every key and its default; check a file
    Config(config::Arguments),
    /// 签发坐席令牌 / Make a token for an agent
    Token(token::Arguments),
    /// 导出预警：CSV、Excel、JSON Lines、Parquet / Alerts as a file: CSV, Excel, JSON Lines, Parquet
    Export(export::Arguments),
    /// 周报：查看，或发给收件人 / The weekly report: look at it, or send it
    Report(report::Arguments),
    /// 审计：列出、校验 / The audit: list it, check it
    Audit(audit::Arguments),
    /// 备份全部数据，服务不用停 / All data as one file; the server may run on
    Backup(backup::Backup),
    /// 从备份恢复到空目录 / A backup into an empty directory
    Restore(backup::Restore),
    /// 迁移全部数据：数据目录到 PostgreSQL，或反过来 / All data from the data directory into PostgreSQL, or back
    Migrate(migrate::Arguments),
    /// 回测：用存下的通话或录音对比两套规则 / What other rules would have said of stored or recorded calls
    Backtest(backtest::Arguments),
    /// 回放：把录音按语速送进服务 / Play recordings into a server at speaking pace
    Replay(replay::Arguments),
    /// 用标注数据衡量规则：准确率、召回率、误报 / Measure rules on labelled data: precision, recall, false alarms
    Eval(eval::Arguments),
    /// 学习：从语料和标注学出动作与复看的模型 / Learn the model of acts and of the second look
    Learn(learn::Arguments),
    /// 压测：通话容量、预警延迟、每条消息的开销 / Load: calls held, latency of alerts, cost of a message
    Bench(bench::Arguments),
    /// 压测用的纯回声服务 / The bare echo that `bench` compares with
    #[command(hide = true)]
    BenchEcho,
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Ready(arguments) => ready::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Forms(arguments) => forms::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Backup(arguments) => backup::back_up(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Migrate(arguments) => migrate::run(&arguments),
        Command::Backtest(arguments) => backtest::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Learn(arguments) => learn::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::BenchEcho => bench::run_echo(),
    }
}

/// Tells on standard error what went wrong. A closed standard error is no
/// reason to fail.
fn complain(message: impl fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{message}");
}

/// Writes `text`, in colour on a terminal, and exits with `code`. A reader that has seen enough
/// (`… | head`) is a normal end.
fn print(text: &str, code: ExitCode) -> ExitCode {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
        Err(error) => {
            complain(error);
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
