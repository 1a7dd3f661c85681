#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}
pub(super) fn run(_a: &Arguments) -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
