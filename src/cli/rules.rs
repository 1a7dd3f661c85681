//! `tingjian rules …`: look after rule files.

mod coverage;
mod explain;
mod history;
mod import;
mod init;
mod suggest;

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use tingjian::engine::diagnostic::{Diagnostic, Language, Level};
use tingjian::engine::rule::Loaded;
use tingjian::engine::rule::lint::lint;
use tingjian::engine::rule::render::render;
use tingjian::engine::rule::schema::schema;
use tingjian::engine::rule::sources::Sources;
use tingjian::engine::unit_test;

use super::source::{self, RuleFlags};
use super::{EXIT_UNUSABLE, complain, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 检查规则文件：一次列出全部错误和提醒 / Check rule files: all errors and warnings at once
    Lint(LintArguments),
    /// 运行规则文件里的测试 / Run the tests that live in the rule files
    Test(SourceArguments),
    /// 打印规则文件的 JSON Schema，供编辑器补全和检查 / Print the JSON Schema of rule files, for editors
    Schema,
    /// 生成参数文件：列出规则包的全部参数和默认值 / Write a starter file with all parameters and their defaults
    Init(init::Arguments),
    /// 条款覆盖表：条款、要求、规则、测试 / Table of clauses, requirements, rules and tests
    Coverage(coverage::Arguments),
    /// 把 Excel 或 CSV 话术表变成规则包 / Turn a phrase list from Excel or CSV into a pack
    Import(import::Arguments),
    /// 说明一条规则在一通通话里为什么报了、为什么没报 / Tell why a rule fired in a call, or did not
    Explain(explain::Arguments),
    /// 建议：从误报得出例外，从漏报得出话术，附依据、效果和可以粘贴的 YAML / Suggest exceptions from false alarms and phrases from misses
    Suggest(suggest::Arguments),
    /// 用过的规则版本：谁、何时、为什么加载，改了什么 / Versions in use so far: who loaded them, when, why, and what changed
    History(history::Arguments),
}

#[derive(Debug, clap::Args)]
struct SourceArguments {
    #[command(flatten)]
    origin: RuleFlags,
    /// 输出的语言 / Language of the output
    #[arg(long, value_enum, default_value_t = Tongue::Zh)]
    lang: Tongue,
}

#[derive(Debug, clap::Args)]
struct LintArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// 有提醒也以 1 退出 / Exit with 1 on warnings, too
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tongue {
    /// 中文
    Zh,
    /// English
    En,
}

impl From<Tongue> for Language {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::Zh => Self::Zh,
            Tongue::En => Self::En,
        }
    }
}

/// Exits with 0 if all is well, 1 if tests fail or warnings are denied, 2 if the rules are unusable.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Lint(arguments) => run_lint(arguments),
        Command::Test(arguments) => run_tests(arguments),
        Command::Schema => {
            let text = format!("{:#}\n", schema());
            print(&text, ExitCode::SUCCESS)
        }
        Command::Init(arguments) => init::run(arguments),
        Command::Coverage(arguments) => coverage::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Suggest(arguments) => suggest::run(arguments),
        Command::History(arguments) => history::run(arguments),
    }
}

/// Rule files and what is wrong with them.
struct Checked {
    source: Sources,
    /// Nothing, if the rules cannot be used.
    loaded: Option<Loaded>,
    diagnostics: Vec<Diagnostic>,
}

fn check(flags: &RuleFlags) -> Result<Checked, ExitCode> {
    let source = flags.origin().and_then(|origin| source::read(&origin).map_err(|error| error.to_string()));
    let source = source.map_err(|fault| {
        complain(fault);
        ExitCode::from(EXIT_UNUSABLE)
    })?;
    let (loaded, diagnostics) = match source.load() {
        Ok(mut loaded) => {
            let warnings = std::mem::take(&mut loaded.warnings);
            (Some(loaded), warnings)
        }
        Err(faults) => (None, faults),
    };
    Ok(Checked { source, loaded, diagnostics })
}

/// The rule files, if they have no errors; otherwise prints the errors.
fn usable(flags: &RuleFlags) -> Result<(Sources, Loaded), ExitCode> {
    let Checked { source, loaded, diagnostics } = check(flags)?;
    let Some(loaded) = loaded else {
        complain(render(&diagnostics, &source.files, Language::Zh, true));
        return Err(ExitCode::from(EXIT_UNUSABLE));
    };
    Ok((source, loaded))
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.level == Level::Error
}

fn run_lint(arguments: &LintArguments) -> ExitCode {
    let mut checked = match check(&arguments.source.origin) {
        Ok(checked) => checked,
        Err(code) => return code,
    };
    // Only rules that were understood can be linted.
    if let Some(loaded) = &checked.loaded {
        checked.diagnostics.extend(lint(loaded, checked.source.clause_names().as_ref()));
    }
    let language = arguments.source.lang.into();
    let errors = checked.diagnostics.iter().filter(|diagnostic| is_error(diagnostic)).count();
    let warnings = checked.diagnostics.len() - errors;
    let mut text = render(&checked.diagnostics, &checked.source.files, language, true);
    let files = checked.source.files.len();
    text.push_str(&match language {
        Language::Zh => format!("{files} 个文件：{errors} 个错误，{warnings} 个提醒\n"),
        Language::En => format!("{files} files: {errors} errors, {warnings} warnings\n"),
    });
    let code = match (errors, warnings) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) if !arguments.deny_warnings => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(EXIT_UNUSABLE),
    };
    print(&text, code)
}

fn run_tests(arguments: &SourceArguments) -> ExitCode {
    let checked = match check(&arguments.origin) {
        Ok(checked) => checked,
        Err(code) => return code,
    };
    let language = arguments.lang.into();
    let Some(loaded) = &checked.loaded else {
        let text = render(&checked.diagnostics, &checked.source.files, language, true);
        return print(&text, ExitCode::from(EXIT_UNUSABLE));
    };
    let report = unit_test::run(&loaded.rules, &loaded.packs);
    let code = if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(1) };
    print(&report.render(language), code)
}
