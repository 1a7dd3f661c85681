//! `tingjian rules explain`: why a rule fired in a call, and why it did not.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use tingjian::adapter::native::{self, Event, EventBody};
use tingjian::engine::alert::{Alert, Evidence};
use tingjian::engine::call::Call;
use tingjian::engine::diagnostic::nearest;
use tingjian::engine::explain::{ExplainedMatch, Explanation, explain};
use tingjian::engine::rule::RuleSet;
use tingjian::session::Session;

use super::super::lines::Lines;
use super::super::source::RuleFlags;
use super::super::{EXIT_UNUSABLE, complain, show};
use super::{print, usable};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const COUNTED: Style = AnsiColor::Green.on_default();
const VETOED: Style = AnsiColor::Yellow.on_default();
/// Names of calls that are listed when none was chosen.
const NAMES_MAX: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// 录音事件文件（JSON Lines），- 为标准输入 / Recorded events (JSON Lines); - is standard input
    #[arg(long, value_name = "FILE")]
    call: PathBuf,
    /// 规则编号 / Id of the rule
    #[arg(long, value_name = "ID")]
    rule: String,
    /// 通话编号；文件里只有一通时可以不写 / Id of the call; not needed if the file holds one
    #[arg(long, value_name = "ID")]
    call_id: Option<String>,
    #[command(flatten)]
    origin: RuleFlags,
}

/// Exits with 0, or with 2 if the rules, the rule, the file or the call cannot be used.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let unusable = ExitCode::from(EXIT_UNUSABLE);
    let (_, loaded) = match usable(&arguments.origin) {
        Ok(usable) => usable,
        Err(code) => return code,
    };
    let rules = loaded.rules;
    if !rules.rules.iter().any(|rule| rule.id == arguments.rule) {
        let rule = show::plain(&arguments.rule);
        match nearest(&arguments.rule, rules.rules.iter().map(|rule| rule.id.as_str())) {
            Some(near) => complain(format_args!(
                "没有规则 {rule}；是不是 {near}？ / there is no rule {rule}; did you mean {near}?"
            )),
            None => complain(format_args!(
                "没有规则 {rule}；`tingjian rules lint` 会检查规则文件 / there is no rule {rule}"
            )),
        }
        return unusable;
    }
    let (events, broken) = match read(arguments) {
        Ok(read) => read,
        Err(fault) => {
            complain(fault);
            return unusable;
        }
    };
    let (session, alerts) = match play(&rules, events) {
        Ok(played) => played,
        Err(fault) => {
            complain(format_args!("{}: {fault}", arguments.call.display()));
            return unusable;
        }
    };
    let Some(explanation) = explain(session.call(), &arguments.rule) else { return unusable };
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    let _ = write(&mut out, session.call(), &explanation, &alerts);
    print(&String::from_utf8_lossy(&out), if broken { unusable } else { ExitCode::SUCCESS })
}

/// The events of the call that was asked for, and whether lines were skipped.
fn read(arguments: &Arguments) -> Result<(Vec<Event>, bool), String> {
    let mut lines = Lines::open(&arguments.call)?;
    let mut events = Vec::new();
    let mut calls: Vec<String> = Vec::new();
    let mut broken = false;
    while let Some(line) = lines.next_line() {
        match line.and_then(|text| native::parse(text).map_err(|error| error.to_string())) {
            Ok(event) => {
                if !calls.contains(&event.call_id) && calls.len() <= NAMES_MAX {
                    calls.push(event.call_id.clone());
                }
                if arguments.call_id.as_ref().is_none_or(|wanted| *wanted == event.call_id) {
                    events.push(event);
                }
            }
            Err(fault) => {
                broken = true;
                complain(format_args!("{}:{}: {fault}", lines.name(), lines.number()));
            }
        }
    }
    let name = lines.name();
    let some = calls.iter().take(NAMES_MAX).map(|call| show::plain(call)).collect::<Vec<_>>().join("、");
    let more = if calls.len() > NAMES_MAX { "……" } else { "" };
    match (&arguments.call_id, calls.len()) {
        (_, 0) => Err(format!("{name}: 没有通话事件 / no events of calls")),
        (None, 2..) => Err(format!(
            "{name}: 有几通通话（{some}{more}），用 --call-id 指明一通 / several calls; choose one with --call-id"
        )),
        (Some(wanted), _) if events.is_empty() => {
            Err(format!("{name}: 没有通话 {0}；有：{some}{more} / there is no call {0}", show::plain(wanted)))
        }
        _ => Ok((events, broken)),
    }
}

/// Plays a call as `check` does, and keeps what `explain` needs.
fn play(rules: &Arc<RuleSet>, events: Vec<Event>) -> Result<(Session, Vec<Alert>), String> {
    let mut events = events.into_iter();
    let Some(Event { body: EventBody::Start(info), number, .. }) = events.next() else {
        return Err(String::from("通话的第一个事件不是 call.start / the first event of the call is no call.start"));
    };
    let mut session = Session::explainable(Arc::clone(rules), *info, &number);
    for event in events {
        if let EventBody::Input(input) = event.body {
            session.take(&event.number, input);
        }
    }
    session.finish();
    let alerts = std::iter::from_fn(|| session.poll_output()).collect();
    Ok((session, alerts))
}

fn write(out: &mut dyn Write, call: &Call, explanation: &Explanation, alerts: &[Alert]) -> io::Result<()> {
    let info = call.info();
    let Explanation { rule_id, rule_name, pack, obstacles, matches, windows, measures } = explanation;
    writeln!(
        out,
        "{BOLD}{rule_id}{BOLD:#} {} {DIM}规则包 {pack} · 通话 {} · 坐席 {}{DIM:#}",
        show::plain(rule_name),
        show::plain(&info.call_id),
        show::plain(&info.agent_id)
    )?;
    if obstacles.is_empty() {
        writeln!(out, "适用于这通通话")?;
    } else {
        writeln!(out, "{VETOED}不适用于这通通话{VETOED:#}")?;
        for obstacle in obstacles {
            writeln!(out, "    {}", show::plain(obstacle))?;
        }
    }
    if !measures.is_empty() {
        writeln!(out, "\n{BOLD}测量{BOLD:#}")?;
        for measure in measures {
            writeln!(out, "    {}", show::plain(measure))?;
        }
    }
    if measures.is_empty() || !matches.is_empty() {
        writeln!(out, "\n{BOLD}话术{BOLD:#}")?;
    }
    if matches.is_empty() && measures.is_empty() {
        writeln!(out, "    这通通话里没有出现规则的话术")?;
    }
    for found in matches {
        write_match(out, found)?;
    }
    if !windows.is_empty() {
        writeln!(out, "\n{BOLD}时间窗{BOLD:#}")?;
        for window in windows {
            writeln!(out, "    {}", show::plain(&window.to_string()))?;
        }
    }
    writeln!(out, "\n{BOLD}预警{BOLD:#}")?;
    let mut own = alerts.iter().filter(|alert| alert.rule.id == *rule_id).peekable();
    if own.peek().is_none() {
        writeln!(out, "    没有")?;
    }
    for alert in own {
        let style = show::style(alert.rule.severity, alert.state);
        let state = alert.state.zh();
        let (at, emitted) = (alert.at, alert.emitted);
        writeln!(
            out,
            "    {emitted} {style}{state}{style:#} {} {DIM}违规时间 {at} · {}{DIM:#}",
            show::plain(&alert.message),
            alert.alert_id
        )?;
    }
    Ok(())
}

fn write_match(out: &mut dyn Write, found: &ExplainedMatch) -> io::Result<()> {
    let ExplainedMatch {
        at, utterance_id, role, text, continued, start, end, phrase, purpose, homophone, words, ..
    } = found;
    let before = if *continued { " · 从上一话段说起" } else { "" };
    let (phrase_shown, purpose) = (show::plain(phrase), show::plain(purpose));
    let utterance = show::plain(utterance_id);
    writeln!(out, "  {DIM}{at}{DIM:#} “{phrase_shown}” {DIM}{purpose} · 话段 {utterance}{before}{DIM:#}")?;
    let evidence = Evidence {
        utterance_id: utterance_id.clone(),
        role: *role,
        text: text.clone(),
        start: *start,
        end: *end,
        phrase: phrase.clone(),
        homophone: *homophone,
        offset: 0,
    };
    let ExplainedMatch { veto, act, second_look, .. } = found;
    let style = if veto.is_some() { VETOED } else { COUNTED };
    show::words(out, &evidence, style)?;
    if !words.is_empty() {
        writeln!(out, "    分词：{}", show::plain(&words.join(" / ")))?;
    }
    if let Some(act) = act {
        writeln!(out, "    动作的把握 {}", show::plain(&act.to_string()))?;
    }
    if let Some((look, needed)) = second_look {
        let look_shown = show::plain(&look.to_string());
        let needed = match (needed, look.confidence < *needed) {
            (0, _) => String::from("这条规则不看"),
            (_, true) => format!("要 {:.2}，只留给质检", f64::from(*needed) / 10_000.0),
            (_, false) => format!("要 {:.2}", f64::from(*needed) / 10_000.0),
        };
        writeln!(out, "    复看的把握 {look_shown} {DIM}（{needed}）{DIM:#}")?;
    }
    match veto {
        Some(veto) => writeln!(out, "    {style}不算{style:#}：{veto}"),
        None => writeln!(out, "    {style}算{style:#}"),
    }
}
