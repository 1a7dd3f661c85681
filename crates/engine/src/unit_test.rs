//! The tests that live in rule files, run on a virtual clock.
//!
//! A line test says that one line must fire, or must not. What that means
//! depends on the kind of the rule: a `forbid` or `greeting` rule fires if its
//! alert is confirmed; a `require`, `sequence` or `without` rule fires if the
//! line counts as (one of) the words that it asks for. Rules that only measure
//! time have nothing to say about one line and need a call.
//!
//! A call test is a script (see `rule/script.rs`). The call runs up to the last time
//! that is written; if it ends, everything that is still due is decided.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeZone as _};

use crate::alert::{Alert, AlertState};
use crate::call::Call;
use crate::diagnostic::{Diagnostic, Language, Located, Position};
use crate::explain;
use crate::monitor;
use crate::rule::RuleSet;
use crate::rule::program::{BodyProgram, DetectorIx, RequireProgram, SequenceProgram};
use crate::rule::script::{self, Expected, Script, Start, StartedAt, What};
use crate::rule::syntax::{Body, EventRule, PackSource, RuleSource, TestSource};
use crate::time::CallTime;
use crate::transcript::{CallInfo, Input, Party, Role, Utterance};

/// When a test call was answered, unless its rule or its `start` line says otherwise.
const STARTED_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 6, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
const STARTED_HOUR: NaiveTime = match NaiveTime::from_hms_opt(10, 0, 0) {
    Some(hour) => hour,
    None => NaiveTime::MIN,
};
/// China Standard Time.
const ZONE: FixedOffset = match FixedOffset::east_opt(8 * 3_600) {
    Some(zone) => zone,
    None => panic!("eight hours are an offset"),
};
/// A test whose call wants to be woken more often than this is stopped.
const TIMEOUTS_MAX: usize = 100_000;

/// How the tests of rule files went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestReport {
    /// How many there are.
    pub total: usize,
    /// The failed tests, in the order of files and lines.
    pub failures: Vec<Failure>,
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The rule whose test it is.
    pub rule_id: String,
    /// Where the test stands.
    pub at: Position,
    /// Why.
    pub reason: Reason,
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The line should have fired and did not.
    Silent {
        /// The line.
        line: String,
        /// The obstacles that kept it from firing.
        why: Vec<Obstacle>,
    },
    /// The line should not have fired and did.
    Fired {
        /// The line.
        line: String,
        /// The phrases that it fired on.
        phrases: Vec<String>,
    },
    /// The rule has nothing to say about one line.
    NotAboutLines,
    /// Lines of the script that were not understood.
    Script(Vec<Diagnostic>),
    /// The alerts differ from those expected.
    Alerts {
        /// Both, side by side.
        rows: Vec<Row>,
        /// The obstacles of the rule's words, if an alert is missing.
        why: Vec<Obstacle>,
    },
    /// The call wanted to be woken again and again.
    Restless,
}

/// Something that kept a rule from firing, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Obstacle {
    pub zh: String,
    pub en: String,
}

/// The most obstacles that are told of one test.
const OBSTACLES_TOLD: usize = 5;

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line of the file, where something was expected.
    pub line: Option<u32>,
    /// The expected alert.
    pub expected: Option<String>,
    /// The actual alert.
    pub actual: Option<String>,
}

impl TestReport {
    /// Whether all tests passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// The report for the writer of the rules.
    #[must_use]
    pub fn render(&self, language: Language) -> String {
        let zh = language == Language::Zh;
        let mut text = String::new();
        for failure in &self.failures {
            text.push_str(&failure.render(language));
            text.push('\n');
        }
        let (total, failed) = (self.total, self.failures.len());
        let passed = total - failed;
        // Writing to a string cannot fail.
        let _ = if zh {
            writeln!(text, "共 {total} 个测试，通过 {passed} 个，失败 {failed} 个")
        } else {
            writeln!(text, "{total} tests, {passed} passed, {failed} failed")
        };
        text
    }
}

impl Failure {
    /// The test, and why it failed.
    #[must_use]
    pub fn render(&self, language: Language) -> String {
        let zh = language == Language::Zh;
        let Self { rule_id, at, reason } = self;
        let failed = if zh { "失败" } else { "FAILED" };
        let mut text = format!("{failed}: {at}: {rule_id}: {}\n", reason.title(zh));
        // Writing to a string cannot fail.
        match reason {
            Reason::Alerts { rows, why } => {
                table(&mut text, rows, zh);
                obstacles(&mut text, why, zh);
            }
            Reason::Script(faults) => {
                for fault in faults {
                    let (what, help) = if zh { (&fault.zh, &fault.help_zh) } else { (&fault.en, &fault.help_en) };
                    let _ = writeln!(text, "    {}: {what}\n        {help}", fault.at);
                }
            }
            Reason::Silent { line, why } => {
                let _ = writeln!(text, "    {line}");
                obstacles(&mut text, why, zh);
            }
            Reason::Fired { line, phrases } => {
                let phrases = phrases.join(if zh { "、" } else { ", " });
                let _ = writeln!(text, "    {line}\n    {}: {phrases}", if zh { "命中" } else { "fired on" });
            }
            Reason::NotAboutLines | Reason::Restless => {}
        }
        text
    }
}

impl Reason {
    fn title(&self, zh: bool) -> &'static str {
        match (self, zh) {
            (Self::Silent { .. }, true) => "应当命中，却没有",
            (Self::Silent { .. }, false) => "should have fired and did not",
            (Self::Fired { .. }, true) => "不应命中，却命中了",
            (Self::Fired { .. }, false) => "should not have fired and did",
            (Self::NotAboutLines, true) => "这种规则看不出一句话的对错，请改用 `call: |` 写一通小对话",
            (Self::NotAboutLines, false) => "one line says nothing about this kind of rule; write a `call: |` instead",
            (Self::Script(_), true) => "对话里有看不明白的行",
            (Self::Script(_), false) => "the script has lines that are not understood",
            (Self::Alerts { .. }, true) => "预警与预期不符",
            (Self::Alerts { .. }, false) => "alerts differ from what was expected",
            (Self::Restless, true) => "规则反复要求唤醒，测试已中止",
            (Self::Restless, false) => "the rule wants to be woken again and again; the test was stopped",
        }
    }
}

fn obstacles(text: &mut String, why: &[Obstacle], zh: bool) {
    for obstacle in why {
        // Writing to a string cannot fail.
        let _ = match zh {
            true => writeln!(text, "    因为：{}", obstacle.zh),
            false => writeln!(text, "    because: {}", obstacle.en),
        };
    }
}

/// Expected and actual side by side; `-` did not come, `+` was not expected.
fn table(text: &mut String, rows: &[Row], zh: bool) {
    let (number, left, right) = if zh { ("行", "预期", "实际") } else { ("line", "expected", "actual") };
    let width = rows.iter().filter_map(|row| row.expected.as_ref()).map(String::len).max().unwrap_or(0).max(8);
    let digits = rows.iter().filter_map(|row| row.line).max().unwrap_or(0).to_string().len().max(4);
    // A Chinese character is as wide as two letters.
    let pad = |word: &str, width: usize| width.saturating_sub(if zh { word.chars().count() * 2 } else { word.len() });
    let (a, b) = (pad(number, digits), pad(left, width));
    let _ = writeln!(text, "      {:a$}{number}  {left}{:b$}  {right}", "", "");
    for row in rows {
        let mark = match (&row.expected, &row.actual) {
            (Some(_), None) => '-',
            (None, Some(_)) => '+',
            _ => ' ',
        };
        let line = row.line.map(|line| line.to_string()).unwrap_or_default();
        let expected = row.expected.as_deref().unwrap_or_default();
        let actual = row.actual.as_deref().unwrap_or_default();
        let written = format!("    {mark} {line:>digits$}  {expected:<width$}  {actual}");
        let _ = writeln!(text, "{}", written.trim_end());
    }
}

/// Runs the tests of all rules of `packs`, which `rules` was compiled from.
#[must_use]
pub fn run(rules: &Arc<RuleSet>, packs: &[PackSource]) -> TestReport {
    let mut report = TestReport::default();
    for pack in packs {
        for rule in &pack.rules {
            for test in &rule.tests {
                report.total += 1;
                let bench = Bench { rules, pack, rule };
                let (at, outcome) = match test {
                    TestSource::Line { text, fires, role, reply_to } => {
                        (&text.at, bench.line(text, *fires, *role, reply_to.as_deref()))
                    }
                    TestSource::Call { script } => (&script.at, bench.call(script)),
                };
                if let Err(reason) = outcome {
                    report.failures.push(Failure { rule_id: rule.id.value.clone(), at: at.clone(), reason });
                }
            }
        }
    }
    report
}

/// One rule under test.
struct Bench<'a> {
    rules: &'a Arc<RuleSet>,
    pack: &'a PackSource,
    rule: &'a RuleSource,
}

impl Bench<'_> {
    fn line(&self, text: &Located<String>, fires: bool, role: Role, reply_to: Option<&str>) -> Result<(), Reason> {
        let line = text.value.clone();
        let script = line_script(text, role, reply_to);
        let alerts = match &self.rule.body.value {
            Body::Require(_) | Body::Sequence(_) | Body::Event(EventRule::Without { .. }) => {
                return match (fires, self.counts(&script)?) {
                    (true, false) => Err(Reason::Silent { line, why: self.why(&script) }),
                    (false, true) => Err(Reason::Fired { line, phrases: Vec::new() }),
                    _ => Ok(()),
                };
            }
            Body::Forbid(_) | Body::Event(EventRule::Greeting { .. }) => self.play(&script)?,
            Body::Timing(_) | Body::Event(_) => return Err(Reason::NotAboutLines),
        };
        let own = alerts.iter().filter(|alert| alert.rule.id == self.rule.id.value);
        // What was confirmed and then taken back did not fire.
        let standing = own.clone().filter(|alert| {
            let last = own.clone().rfind(|other| other.alert_id == alert.alert_id);
            alert.state == AlertState::Confirmed && last.is_some_and(|last| last.state == AlertState::Confirmed)
        });
        let fired: Vec<&Alert> = standing.collect();
        if fired.is_empty() == fires {
            let phrases = fired.iter().flat_map(|alert| &alert.evidence).map(|evidence| evidence.phrase.clone());
            return Err(if fires {
                Reason::Silent { line, why: self.why(&script) }
            } else {
                Reason::Fired { line, phrases: phrases.collect() }
            });
        }
        Ok(())
    }

    fn call(&self, script: &Located<String>) -> Result<(), Reason> {
        let script = script::parse(script).map_err(Reason::Script)?;
        let alerts = self.play(&script)?;
        let seen: Vec<Seen> = alerts.iter().map(Seen::of).collect();
        let rows = compare(&self.rule.id.value, &script.expected, &seen);
        if rows.iter().all(|row| row.expected.is_some() == row.actual.is_some()) {
            return Ok(());
        }
        let lacks = rows.iter().any(|row| row.expected.is_some() && row.actual.is_none());
        Err(Reason::Alerts { why: if lacks { self.why(&script) } else { Vec::new() }, rows })
    }

    /// The obstacles that kept the rule from firing on a script: conditions, window, precondition.
    fn why(&self, script: &Script) -> Vec<Obstacle> {
        let call = Call::explainable(Arc::clone(self.rules), self.info(&script.start));
        let (Some(ix), Ok((call, _))) = (self.rules.rule_ix(&self.rule.id.value), play(call, script)) else {
            return Vec::new();
        };
        let program = &self.rules.programs[ix as usize];
        let view = call.view();
        let anchor_or_when = explain::OTHER_PURPOSE;
        let mut why = Vec::new();
        let mut told = |zh: String, en: String| {
            let obstacle = Obstacle { zh, en };
            if why.len() < OBSTACLES_TOLD && !why.contains(&obstacle) {
                why.push(obstacle);
            }
        };
        let mut counted = Vec::new();
        let mut heard = false;
        for considered in call.considered(ix) {
            let own = explain::purpose(program, considered.detector) != anchor_or_when;
            heard |= own;
            let spoken = view.timeline.get(considered.utterance);
            let phrase = self.rules.lexicon.phrase_text(considered.matched.phrase);
            match &considered.veto {
                Some(veto) => told(
                    format!("“{phrase}”不算：{}", explain::reason(veto, spoken.role)),
                    format!("`{phrase}` does not count: {}", explain::reason_en(veto, spoken.role)),
                ),
                None if own => counted.push((phrase, spoken.start)),
                None => {}
            }
        }
        if !heard {
            told("没有说出规则的话术".to_owned(), "none of the rule's phrases is said".to_owned());
        }
        let windows = monitor::explain_windows(&view, program);
        for &(phrase, at) in &counted {
            if program.when.as_ref().is_some_and(|when| !monitor::holds(&view, when, at)) {
                told(
                    format!("“{phrase}”在 {at} 说出时，前提 `when` 不成立"),
                    format!("the precondition `when` does not hold at {at}, when `{phrase}` is said"),
                );
            }
            if matches!(&program.body, BodyProgram::Forbid(forbid) if forbid.window.is_some()) {
                let shown = windows.iter().map(ToString::to_string).collect::<Vec<_>>().join("；");
                let (zh, en) = match windows.is_empty() {
                    true => (
                        "没有时间窗：起点没有出现".to_owned(),
                        "there is no window: its anchor did not come".to_owned(),
                    ),
                    false => (format!("时间窗是 {shown}"), format!("the window is {shown}")),
                };
                told(format!("“{phrase}”在 {at} 说出，{zh}"), format!("`{phrase}` is said at {at}; {en}"));
            }
        }
        why
    }

    /// Plays a script to a call and collects all that comes out.
    fn play(&self, script: &Script) -> Result<Vec<Alert>, Reason> {
        play(Call::new(Arc::clone(self.rules), self.info(&script.start)), script).map(|(_, alerts)| alerts)
    }

    /// Whether the last thing said in a script counts as (one of) the words that the rule asks for.
    fn counts(&self, script: &Script) -> Result<bool, Reason> {
        let call = Call::explainable(Arc::clone(self.rules), self.info(&script.start));
        let (call, _) = play(call, script)?;
        let Some(ix) = self.rules.rule_ix(&self.rule.id.value) else { return Ok(false) };
        // Anchors and preconditions are the rule's too, but nobody is asked to say them.
        let asked: Vec<DetectorIx> = match &self.rules.programs[ix as usize].body {
            BodyProgram::Require(RequireProgram { parts, .. })
            | BodyProgram::Sequence(SequenceProgram { steps: parts, .. }) => {
                parts.iter().map(|part| part.detector).collect()
            }
            BodyProgram::Without(without) => vec![without.detector],
            _ => Vec::new(),
        };
        let said = script.arrivals.iter().rev().find_map(|arrival| match &arrival.input {
            Input::Utterance(utterance) => Some(utterance.utterance_id.as_str()),
            _ => None,
        });
        let counts = call.considered(ix).into_iter().any(|considered| {
            let id = &call.view().timeline.get(considered.utterance).id;
            considered.veto.is_none() && asked.contains(&considered.detector) && said == Some(&**id)
        });
        Ok(counts)
    }

    /// A call that the rule applies to, as far as the script leaves it open.
    fn info(&self, start: &Start) -> CallInfo {
        let scope = &self.rule.scope;
        let mut day = STARTED_DAY;
        day = self.rule.from.map_or(day, |from| day.max(from));
        day = self.rule.until.map_or(day, |until| day.min(until));
        let moment = |hour: NaiveTime| -> DateTime<FixedOffset> {
            // China has had no summer time since 1991: every local time is one moment. At the ends of
            // the calendar, where a moment may not exist, the call began at the epoch.
            ZONE.from_local_datetime(&day.and_time(hour)).single().unwrap_or_default()
        };
        let started_at = match start.started_at {
            Some(StartedAt::Moment(moment)) => moment,
            Some(StartedAt::Hour(hour)) => moment(hour),
            None => moment(STARTED_HOUR),
        };
        let scoped = scope.attributes.iter().filter_map(|(name, values)| Some((name.clone(), values.first()?.clone())));
        let mut attributes: std::collections::BTreeMap<String, String> = scoped.collect();
        attributes.extend(start.attributes.clone());
        CallInfo {
            call_id: "test".to_owned(),
            agent_id: "agent".to_owned(),
            started_at,
            direction: start.direction.or(scope.direction).unwrap_or_default(),
            channel: start.channel.or(scope.channel).unwrap_or_default(),
            queue: start.queue.clone().or_else(|| scope.queue.first().cloned()),
            rings: start.rings,
            customer_name: start.customer_name.clone(),
            packs: Some(vec![self.pack.pack.value.clone()]),
            attributes: attributes.into_iter().map(|(name, value)| (name, value.into())).collect(),
        }
    }
}

/// Plays a script to a call and collects all that comes out.
fn play(mut call: Call, script: &Script) -> Result<(Call, Vec<Alert>), Reason> {
    let mut alerts: Vec<Alert> = std::iter::from_fn(|| call.poll_output()).collect();
    let mut timeouts = 0;
    for arrival in &script.arrivals {
        wake(&mut call, arrival.at, &mut alerts, &mut timeouts)?;
        call.handle(arrival.at, arrival.input.clone());
        alerts.extend(std::iter::from_fn(|| call.poll_output()));
    }
    // Without an end the call is still going on when the script stops.
    let until = if script.ended { CallTime::MAX } else { script.last };
    wake(&mut call, until, &mut alerts, &mut timeouts)?;
    if script.ended {
        call.finish();
        alerts.extend(std::iter::from_fn(|| call.poll_output()));
    }
    Ok((call, alerts))
}

/// Wakes the call at every moment that it asks for, up to `until`.
fn wake(call: &mut Call, until: CallTime, alerts: &mut Vec<Alert>, timeouts: &mut usize) -> Result<(), Reason> {
    while let Some(due) = call.poll_timeout().filter(|due| *due <= until) {
        *timeouts += 1;
        if *timeouts > TIMEOUTS_MAX {
            return Err(Reason::Restless);
        }
        call.handle_timeout(due);
        alerts.extend(std::iter::from_fn(|| call.poll_output()));
    }
    Ok(())
}

/// The call of a line test: the other party's line if there is one, the line, and the end.
fn line_script(text: &Located<String>, role: Role, reply_to: Option<&str>) -> Script {
    let other = if role == Role::Agent { Role::Customer } else { Role::Agent };
    let lines = reply_to.map(|reply_to| (other, reply_to)).into_iter().chain([(role, text.value.as_str())]);
    let mut script = Script { ended: true, ..Script::default() };
    let mut clock = CallTime(1_000);
    for (index, (role, text)) in lines.enumerate() {
        let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let end = clock.plus(chars.saturating_mul(250));
        let utterance = Utterance {
            utterance_id: format!("line-{}", index + 1),
            role,
            text: text.to_owned(),
            start: clock,
            end,
            is_final: true,
            confidence: None,
            volume_db: None,
            pitch_hz: None,
            agent_id: None,
        };
        script.arrivals.push(script::Arrival { at: end, input: Input::Utterance(utterance) });
        clock = end.plus(500);
    }
    script.arrivals.push(script::Arrival { at: clock, input: Input::End { at: clock, by: Party::Customer } });
    script.last = clock;
    script
}

/// A transition that came out, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    rule: String,
    at: CallTime,
    state: What,
    kind: What,
}

impl Seen {
    fn of(alert: &Alert) -> Self {
        Self {
            rule: alert.rule.id.clone(),
            at: alert.emitted,
            state: What::State(alert.state),
            kind: What::Kind(alert.kind),
        }
    }

    fn is(&self, what: What) -> bool {
        match what {
            What::State(_) => self.state == what,
            What::Kind(_) => self.state == What::State(AlertState::Confirmed) && self.kind == what,
        }
    }

    fn words(&self, under_test: &str) -> String {
        let what = if self.state == What::State(AlertState::Confirmed) { self.kind } else { self.state };
        let rule = if self.rule == under_test { String::new() } else { format!(" {}", self.rule) };
        format!("{} ! {}{rule}", self.at, what.name())
    }
}

/// What was expected and what came out, in the order of time. Alerts of other rules than the one
/// under test only count where they are expected.
fn compare(rule_id: &str, expected: &[Expected], seen: &[Seen]) -> Vec<Row> {
    let mut left: Vec<Option<&Seen>> = seen.iter().map(Some).collect();
    let mut rows: Vec<(CallTime, Row)> = Vec::new();
    for line in expected {
        let rule = line.rule.as_deref().unwrap_or(rule_id);
        let fits = |seen: &&Seen| seen.rule == rule && seen.is(line.what) && line.time.covers(seen.at);
        let found = left.iter_mut().find(|seen| seen.as_ref().is_some_and(fits)).and_then(Option::take);
        let other = line.rule.as_ref().map(|rule| format!(" {rule}")).unwrap_or_default();
        let row = Row {
            line: Some(line.at.line),
            expected: Some(format!("{} ! {}{other}", written(line), line.what.name())),
            actual: found.map(|seen| seen.words(rule_id)),
        };
        rows.push((found.map_or(line.time.from, |seen| seen.at), row));
    }
    for seen in left.into_iter().flatten().filter(|seen| seen.rule == rule_id) {
        let row = Row { line: None, expected: None, actual: Some(seen.words(rule_id)) };
        rows.push((seen.at, row));
    }
    rows.sort_by_key(|(time, _)| *time);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The time of an expectation with the digits that it was written with.
fn written(line: &Expected) -> String {
    let full = line.time.from.to_string();
    let cut = match line.time.precision_ms {
        1_000 => 4,
        100 => 2,
        10 => 1,
        _ => 0,
    };
    full[..full.len() - cut].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::script::Moment;
    use crate::severity::AlertKind;

    fn expected(ms: i64, precision_ms: i64, what: What, line: u32) -> Expected {
        let at = Position { file: Arc::from("t.yaml"), line, column: 1, length: 1 };
        Expected { time: Moment { from: CallTime(ms), precision_ms }, what, rule: None, at }
    }

    fn seen(rule: &str, ms: i64, state: AlertState) -> Seen {
        Seen {
            rule: rule.to_owned(),
            at: CallTime(ms),
            state: What::State(state),
            kind: What::Kind(AlertKind::Missing),
        }
    }

    #[test]
    fn alerts_are_compared_in_the_order_of_time() {
        let lines = [
            expected(52_000, 100, What::Kind(AlertKind::Missing), 7),
            expected(47_000, 1_000, What::State(AlertState::Reminder), 6),
            expected(60_000, 1, What::State(AlertState::Resolved), 8),
        ];
        let came = [
            seen("a", 47_200, AlertState::Reminder),
            seen("a", 52_040, AlertState::Confirmed),
            seen("b", 53_000, AlertState::Confirmed),
            seen("a", 61_000, AlertState::Retracted),
        ];
        let reason = Reason::Alerts { rows: compare("a", &lines, &came), why: Vec::new() };
        let at = Position { file: Arc::from("t.yaml"), line: 5, column: 9, length: 0 };
        let failure = Failure { rule_id: "a".to_owned(), at, reason };
        let report = TestReport { total: 3, failures: vec![failure] };
        insta::assert_snapshot!(report.render(Language::Zh), @r"
        失败: t.yaml:5:9: a: 预警与预期不符
                行  预期                  实际
                 6  00:47 ! reminder      00:47.200 ! reminder
                 7  00:52.0 ! missing     00:52.040 ! missing
            -    8  01:00.000 ! resolved
            +                             01:01.000 ! retracted

        共 3 个测试，通过 2 个，失败 1 个
        ");
        insta::assert_snapshot!(report.render(Language::En), @r"
        FAILED: t.yaml:5:9: a: alerts differ from what was expected
              line  expected              actual
                 6  00:47 ! reminder      00:47.200 ! reminder
                 7  00:52.0 ! missing     00:52.040 ! missing
            -    8  01:00.000 ! resolved
            +                             01:01.000 ! retracted

        3 tests, 2 passed, 1 failed
        ");
    }

    #[test]
    fn nothing_expected_and_nothing_seen_is_no_difference() {
        assert_eq!(compare("a", &[], &[seen("b", 1, AlertState::Confirmed)]), []);
    }

    #[test]
    fn a_line_test_is_a_reply_a_line_and_an_end() {
        let text = Located::new("不知道".to_owned(), Position::default());
        let script = line_script(&text, Role::Agent, Some("你知道吗"));
        let roles: Vec<Option<Role>> = script
            .arrivals
            .iter()
            .map(|arrival| match &arrival.input {
                Input::Utterance(utterance) => Some(utterance.role),
                _ => None,
            })
            .collect();
        assert_eq!(roles, [Some(Role::Customer), Some(Role::Agent), None]);
        assert!(script.arrivals.is_sorted_by_key(|arrival| arrival.at));
    }
}
