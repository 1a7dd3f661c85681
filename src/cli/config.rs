//! `tingjian config`: the configuration with every key explained, and what is
//! wrong with one.

use std::path::PathBuf;
use std::process::ExitCode;

use tingjian::server::{self, Config};

use super::load::load_rules;
use super::print;
use super::serve::{check_packs, read_config, unusable};
use super::source::Origin;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Arguments {
    /// 打印全部配置项：默认值、单位和说明 / Print every key with its default, unit and purpose
    #[arg(long)]
    print_default: bool,
    /// 检查配置文件，打印加上环境变量后的实际配置（隐去密钥） / Check a file; print what it and the environment amount to, without secrets
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// Exits with 0 if the configuration can be used, 2 if not.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let config = match &arguments.check {
        Some(path) => read_config(path).and_then(|config| {
            server::check(&config, config.listen)?;
            if config.names_packs() {
                let packs =
                    load_rules(&Origin::of(&config))?.packs().into_iter().map(str::to_owned).collect::<Vec<_>>();
                check_packs(path, &config, &packs)?;
            }
            Ok(config)
        }),
        None => Ok(Config::default()),
    };
    match config.and_then(|config| config.to_toml().map_err(|error| error.to_string())) {
        Ok(text) => print(&text, ExitCode::SUCCESS),
        Err(fault) => unusable(fault),
    }
}
