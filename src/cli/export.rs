//! `tingjian export`: alerts as a file, out of a data directory or from a
//! server. The file is there when it is whole, or not at all.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use http_body_util::{BodyExt as _, Empty};
use hyper::header::AUTHORIZATION;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tempfile::NamedTempFile;
use tingjian::engine::diagnostic::nearest;
use tingjian::server::{self, ExportError};

use super::progress::Progress;
use super::serve::{ConfigFile, runtime, unusable};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 数据目录；服务正在运行也可以 / Data directory; a server may be running on it
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    data: Option<PathBuf>,
    /// 从服务导出 / Export from a server
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// 质检令牌 / Token of role qa, for --server
    #[arg(long, value_name = "TOKEN", env = "TINGJIAN_TOKEN", hide_env_values = true, requires = "server")]
    token: Option<String>,
    /// 写到哪个文件；- 为标准输出 / Where to; - is standard output
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// 格式，默认看文件名，否则 csv / Format; by default as the file's name says, else csv
    #[arg(long, value_parser = server::FORMATS)]
    format: Option<String>,
    /// 从哪天或什么时间起 / From this day or time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// 到什么时间（不含）或哪天（含）为止 / Up to this time, or to the end of this day
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// 坐席 / Of this agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// 班组 / Of agents of this team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// 通话 / Of this call
    #[arg(long, value_name = "ID")]
    call_id: Option<String>,
    /// 规则 / Of this rule
    #[arg(long, value_name = "ID")]
    rule_id: Option<String>,
    /// 队列 / Of calls of this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// 级别，可用逗号写多个 / One severity or several, commas between them
    #[arg(long)]
    severity: Option<String>,
    /// 状态，可用逗号写多个 / One state or several, commas between them
    #[arg(long)]
    state: Option<String>,
    /// 复核结论，可用逗号写多个 / One verdict of review or several, commas between them
    #[arg(long)]
    review: Option<String>,
    /// 申诉，可用逗号写多个 / One state of appeals or several, commas between them
    #[arg(long)]
    appeal: Option<String>,
    #[command(flatten)]
    file: ConfigFile,
}

/// Exits with 2 if the file could not be made.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => unusable(fault),
    }
}

impl Arguments {
    fn run(&self) -> Result<(), String> {
        self.check_name()?;
        if self.output == Path::new("-") {
            let mut out = io::stdout();
            return match self.write(&mut out) {
                // A reader that has seen enough is a normal end.
                Err(ExportError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written.map_err(|error| error.to_string()),
            };
        }
        whole_file(&self.output, |file| self.write(file).map_err(|error| error.to_string()))?;
        Progress::new("").conclude(format_args!("已导出到 {0} / exported to {0}", self.output.display()));
        Ok(())
    }

    /// Refuses a name that promises a format that there is not.
    fn check_name(&self) -> Result<(), String> {
        let Some(extension) = self.extension() else { return Ok(()) };
        if self.format.is_some() || server::FORMATS.contains(&extension.as_str()) {
            return Ok(());
        }
        let formats = server::FORMATS.join(", ");
        let meant = match extension.as_str() {
            "xls" | "xlsm" => Some("xlsx"),
            "json" | "ndjson" => Some("jsonl"),
            "tsv" | "txt" => Some("csv"),
            other => nearest(other, server::FORMATS.into_iter()),
        };
        let (zh, en) = match meant {
            Some(meant) => (format!("是不是 .{meant}？"), format!("did you mean .{meant}? ")),
            None => (String::new(), String::new()),
        };
        let output = self.output.display();
        Err(format!(
            "{output}: 不能导出成 .{extension}；{zh}文件名以 {formats} 之一结尾，或用 --format 指明格式 / cannot be exported as .{extension}; {en}end the name in one of {formats}, or give --format"
        ))
    }

    /// What the name of the file ends in, in small letters.
    fn extension(&self) -> Option<String> {
        let extension = self.output.extension().and_then(|extension| extension.to_str());
        extension.map(str::to_ascii_lowercase)
    }

    fn write(&self, out: &mut (impl Write + Send)) -> Result<(), ExportError> {
        let mut progress = Progress::new("导出 exporting");
        let written = match &self.server {
            Some(url) => fetch(url, &self.query(), self.token.as_deref(), out, &mut progress),
            None => {
                let config = self.file.load().map_err(ExportError::BadQuery)?;
                let data = self.data.as_ref().unwrap_or(&config.data);
                let mut told = 0;
                let progress = |rows: u64, total: u64| {
                    let percent = rows.saturating_mul(100) / total.max(1);
                    if percent > told {
                        told = percent;
                        progress.tell(format_args!("{rows} / {total} 行 rows ({percent} %)"));
                    }
                };
                server::export_store(data, &self.query(), &config, &mut *out, progress).map(|_| ())
            }
        };
        progress.end();
        written?;
        Ok(out.flush()?)
    }

    /// The query of `GET /v1/export`.
    fn query(&self) -> String {
        let named = self.extension().filter(|extension| server::FORMATS.contains(&extension.as_str()));
        let parameters = [
            ("format", self.format.as_deref().or(named.as_deref())),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("agent_id", self.agent_id.as_deref()),
            ("team", self.team.as_deref()),
            ("call_id", self.call_id.as_deref()),
            ("rule_id", self.rule_id.as_deref()),
            ("queue", self.queue.as_deref()),
            ("severity", self.severity.as_deref()),
            ("state", self.state.as_deref()),
            ("review", self.review.as_deref()),
            ("appeal", self.appeal.as_deref()),
        ];
        query_of(&parameters)
    }
}

/// The query of an address: what is given of `parameters`.
pub(crate) fn query_of(parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = String::new();
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        let between = if query.is_empty() { "" } else { "&" };
        let _ = write!(query, "{between}{name}=");
        for byte in value.bytes() {
            let _ = match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                    query.write_char(char::from(byte))
                }
                byte => write!(query, "%{byte:02X}"),
            };
        }
    }
    query
}

/// Makes the file at `path`: whole, or not at all.
///
/// # Errors
/// The error of `write`, or the reason why the file cannot be made, ready to print.
pub(crate) fn whole_file(path: &Path, write: impl FnOnce(&mut File) -> Result<(), String>) -> Result<(), String> {
    let place = path.display();
    let fault = |error: &dyn std::fmt::Display| format!("{place}: 无法写出 / cannot be written: {error}");
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let mut file = NamedTempFile::new_in(directory).map_err(|error| fault(&error))?;
    write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(|error| fault(&error))?;
    file.persist(path).map_err(|error| fault(&error.error))?;
    Ok(())
}

/// Writes what the server at `url` answers.
fn fetch(
    url: &str,
    query: &str,
    token: Option<&str>,
    out: &mut impl Write,
    progress: &mut Progress,
) -> Result<(), ExportError> {
    let address = format!("{}/v1/export?{query}", url.trim_end_matches('/'));
    let failed = |error: &dyn std::fmt::Display| {
        ExportError::Store(format!("{url}: 无法从服务导出 / cannot export from the server: {error}"))
    };
    runtime()?.block_on(async {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| failed(&error))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build::<_, Empty<&'static [u8]>>(connector);
        let mut request = Request::get(&address);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::new()).map_err(|error| failed(&error))?;
        let response = client.request(request).await.map_err(|error| failed(&Causes(&error)))?;
        let status = response.status();
        let mut body = response.into_body();
        if status != StatusCode::OK {
            let answer = body.collect().await.map_err(|error| failed(&Causes(&error)))?.to_bytes();
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
            let why = answer["message"].as_str().map_or_else(|| status.to_string(), ToOwned::to_owned);
            return Err(failed(&why));
        }
        let (mut bytes, mut told) = (0_u64, 0);
        while let Some(frame) = body.frame().await {
            // What breaks off is not whole, and must not look so.
            let frame = frame.map_err(|error| failed(&Causes(&error)))?;
            let Ok(piece) = frame.into_data() else { continue };
            out.write_all(&piece)?;
            bytes += piece.len() as u64;
            if bytes >> PROGRESS_BYTES_LOG2 > told {
                told = bytes >> PROGRESS_BYTES_LOG2;
                progress.tell(format_args!("{} KiB", bytes >> 10));
            }
        }
        Ok(())
    })
}

/// Progress is shown every 256 KiB.
const PROGRESS_BYTES_LOG2: u32 = 18;

/// An error with what is behind it.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
