//! `tingjian backup` and `tingjian restore`: all data of a server as one file,
//! and back.

use std::path::PathBuf;
use std::process::ExitCode;

use tingjian::server::{self, BackupError, Config};

use super::progress::Progress;
use super::serve::{ConfigFile, unusable};

#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// 数据目录；服务正在运行也可以 / Data directory; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// 写到哪个文件；已有的会被替换 / Where to; a file of that name is replaced
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// 备份文件 / The backup
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    /// 恢复到哪个目录，里面还没有数据 / Where to; there must be no data yet
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

pub(crate) fn back_up(arguments: &Backup) -> ExitCode {
    let Backup { data, output, file } = arguments;
    let data = match data.clone().map_or_else(|| file.load().and_then(directory_of), Ok) {
        Ok(data) => data,
        Err(fault) => return unusable(fault),
    };
    let copied = watched("备份 backing up", |progress| server::back_up(&data, output, progress));
    finish(copied, |size| {
        format!("已备份 {}（{size}）/ backed up {} to {}\n", data.display(), data.display(), output.display())
    })
}

pub(crate) fn restore(arguments: &Restore) -> ExitCode {
    let Restore { backup, data, file } = arguments;
    let data = match data.clone().map_or_else(|| file.load().map(|config| config.data), Ok) {
        Ok(data) => data,
        Err(fault) => return unusable(fault),
    };
    let copied = watched("恢复 restoring", |progress| server::restore(backup, &data, progress));
    finish(copied, |size| {
        format!("已恢复到 {}（{size}）/ restored {} into {}\n", data.display(), backup.display(), data.display())
    })
}

/// The data directory of a configuration that keeps its data there.
fn directory_of(config: Config) -> Result<PathBuf, String> {
    match config.cluster.postgres {
        None => Ok(config.data),
        Some(_) => {
            Err("数据在 PostgreSQL 里，请用 pg_dump 备份 / the data is in PostgreSQL: back it up with pg_dump"
                .to_owned())
        }
    }
}

/// Does `work` and shows how far it is.
fn watched(
    what: &'static str,
    work: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<u64, BackupError>,
) -> Result<u64, BackupError> {
    let mut progress = Progress::new(what);
    let mut told = None;
    let done = work(&mut |done, total| {
        let percent = done.saturating_mul(100) / total.max(1);
        if told != Some(percent) {
            told = Some(percent);
            progress.tell(format_args!("{} / {} ({percent} %)", size(done), size(total)));
        }
    });
    progress.end();
    done
}

fn finish(copied: Result<u64, BackupError>, success: impl FnOnce(String) -> String) -> ExitCode {
    match copied {
        Ok(bytes) => super::print(&success(size(bytes)), ExitCode::SUCCESS),
        Err(error) => unusable(error.to_string()),
    }
}

fn size(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xF_FFFF) * 10) >> 20)
}
