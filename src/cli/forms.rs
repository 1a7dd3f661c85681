//! `tingjian forms …`: look after files of scoring forms.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use tingjian::engine::diagnostic::{Diagnostic, Language, Level, nearest};
use tingjian::engine::rule::parse;
use tingjian::engine::rule::render::render;
use tingjian::rule_files;

use super::rules::Tongue;
use super::source::RuleFlags;
use super::{EXIT_UNUSABLE, complain, load, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 检查评分表：一次列出全部错误，和规则里没有的编号 / Check scoring forms: all errors at once, and rules that there are not
    Lint(LintArguments),
}

#[derive(Debug, clap::Args)]
struct LintArguments {
    /// 评分表的目录；默认配置里的，没有则检查内置的 / Directory of forms; default: that of the configuration, else the form that ships
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    rules: RuleFlags,
    /// 输出的语言 / Language of the output
    #[arg(long, value_enum, default_value_t = Tongue::Zh)]
    lang: Tongue,
    /// 有提醒也以 1 退出 / Exit with 1 on warnings, too
    #[arg(long)]
    deny_warnings: bool,
}

/// Exits with 0 if all is well, 1 if warnings are denied, 2 if the forms are unusable.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Command::Lint(arguments) = &arguments.command;
    lint(arguments).unwrap_or_else(|fault| {
        complain(fault);
        ExitCode::from(EXIT_UNUSABLE)
    })
}

fn lint(arguments: &LintArguments) -> Result<ExitCode, String> {
    let directory = match &arguments.directory {
        Some(directory) => Some(directory.clone()),
        None => arguments.rules.config()?.forms.directory,
    };
    let files = rule_files::forms(directory.as_deref()).map_err(|error| error.to_string())?;
    let parse::ReadForms { forms, references, mut diagnostics } = parse::forms(&files);
    let rules = load::load_named(&arguments.rules)?;
    let (mut ids, mut packs) = (Vec::new(), Vec::new());
    for rule in &rules.rules {
        ids.push(rule.id.as_str());
        packs.push(rule.pack.as_str());
    }
    for parse::Reference { is_pack, name } in references {
        let known = if is_pack { &packs } else { &ids };
        let stands_for = |id: &&str| {
            id.strip_prefix(name.value.as_str())
                .is_some_and(|rest| rest.is_empty() || (!is_pack && rest.starts_with('.')))
        };
        if known.iter().any(stands_for) {
            continue;
        }
        let (zh, en) = if is_pack { ("规则包", "pack") } else { ("规则", "rule") };
        let (zh, en) = (format!("没有{zh} `{}`", name.value), format!("no such {en}: `{}`", name.value));
        let fault = Diagnostic::warning("unknown-rule", name.at, zh, en);
        diagnostics.push(match nearest(&name.value, known.iter().copied()) {
            Some(near) => fault.help(format!("是不是 `{near}`？"), format!("Did you mean `{near}`?")),
            None => fault,
        });
    }
    diagnostics.sort_by(|a, b| a.at.cmp(&b.at));
    let language = arguments.lang.into();
    let errors = diagnostics.iter().filter(|fault| fault.level == Level::Error).count();
    let warnings = diagnostics.len() - errors;
    let mut text = render(&diagnostics, &files, language, true);
    let items: usize = forms.iter().map(|form| form.items().count()).sum();
    let count = forms.len();
    text.push_str(&match language {
        Language::Zh => format!("{count} 份评分表，{items} 项：{errors} 个错误，{warnings} 个提醒\n"),
        Language::En => format!("{count} forms, {items} items: {errors} errors, {warnings} warnings\n"),
    });
    let code = match (errors, warnings) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) if !arguments.deny_warnings => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(EXIT_UNUSABLE),
    };
    Ok(print(&text, code))
}
