//! `tingjian token`: a token for one agent, as the backend of a CRM may make
//! them for itself.

use std::process::ExitCode;
use std::time::Duration;

use tingjian::server;

use super::print;
use super::serve::{ConfigFile, unusable};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 坐席的工号 / Whose alerts it is for
    #[arg(long, value_name = "ID")]
    agent: String,
    /// 有效几小时，最多一年 / How many hours it is good for, at most a year
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=24 * 366))]
    hours: u32,
    #[command(flatten)]
    file: ConfigFile,
}

/// Prints the token. Exits with 2 if there is no secret to sign it with.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let lifetime = Duration::from_secs(u64::from(arguments.hours) * 60 * 60);
    let token = arguments.file.load().and_then(|config| server::agent_token(&config, &arguments.agent, lifetime));
    match token {
        Ok(token) => print(&format!("{token}\n"), ExitCode::SUCCESS),
        Err(fault) => unusable(fault),
    }
}
