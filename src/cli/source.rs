//! Where the rules of a run come from: flags, the configuration, or what is there.

use std::path::{Path, PathBuf};

use tingjian::engine::rule::sources::Sources;
use tingjian::engine::rule::thresholds::Thresholds;
pub(crate) use tingjian::rule_files::PARAMETERS;
use tingjian::rule_files::{self, SourceError};
use tingjian::server::Config;

use super::serve::ConfigFile;

/// The directory of rules unless another is given.
const DIRECTORY: &str = "rules";

/// The flags that say where the rules of a run come from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RuleFlags {
    /// 规则目录；默认配置里的 rules，再默认 rules 目录，没有则用内置规则包 / Rules; default: those of the configuration, else ./rules, else the built-in packs
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// 参数文件；默认配置里的，再默认规则目录里的 parameters.yaml / Values of parameters; default: those of the configuration, else parameters.yaml among the rules
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) file: ConfigFile,
}

impl RuleFlags {
    /// The configuration, with the flags over it.
    ///
    /// # Errors
    /// It cannot be used; the message is ready to print.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let mut config = self.file.load()?;
        config.rules = self.rules.clone().or(config.rules);
        config.parameters = self.parameters.clone().or(config.parameters);
        Ok(config)
    }

    /// Where the rules come from.
    ///
    /// # Errors
    /// The configuration cannot be used; the message is ready to print.
    pub(crate) fn origin(&self) -> Result<Origin, String> {
        self.config().map(|config| Origin::of(&config))
    }
}

/// Where the rules of a run come from, and how sure the second look must be where they do not say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) rules: Option<PathBuf>,
    pub(crate) parameters: Option<PathBuf>,
    pub(crate) thresholds: Thresholds,
}

impl Origin {
    /// The rules that a configuration names.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            rules: config.rules.clone(),
            parameters: config.parameters.clone(),
            thresholds: config.confidence.thresholds(),
        }
    }

    /// The directory that the rules come from; `None` if they are built in.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match &self.rules {
            Some(directory) => Some(directory),
            None => Some(Path::new(DIRECTORY)).filter(|directory| directory.is_dir()),
        }
    }
}

/// Reads the rules that `origin` names.
pub(crate) fn read(origin: &Origin) -> Result<Sources, SourceError> {
    rule_files::read(origin.directory(), origin.parameters.as_deref(), origin.thresholds)
}
