//! `tingjian rules suggest`: from alerts that were dismissed the exceptions, from violations that no rule
//! tells the phrases that would pay; each with its support, its effect on stored calls, and YAML to paste.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tingjian::backtest::{Control, Counts, Plan, all_cores};
use tingjian::engine::act::Model;
use tingjian::engine::diagnostic::Located;
use tingjian::engine::privacy;
use tingjian::engine::rule::compile::compile;
use tingjian::engine::rule::parse::{SourceFile, is_model_file, parse};
use tingjian::engine::rule::sources::Sources;
use tingjian::engine::rule::syntax::{Body, Context, PackSource, PhraseSource};
use tingjian::engine::rule::{Loaded, RuleSet, quote};
use tingjian::learning::Row;
use tingjian::learning::suggest::{Exceptions, Phrase, Suggestions, TURNS_MAX, suggest};
use tingjian::server::{Config, ReviewedTurns, Selection, StoredCalls};

use super::super::learn::site;
use super::super::source::RuleFlags;
use super::super::{EXIT_UNUSABLE, complain, show};
use super::{print, usable};

/// Stored calls that a suggestion is tried on; the first count.
const CALLS_MAX: usize = 20_000;

/// Characters of an example that are shown.
const EXAMPLE_CHARS_MAX: usize = 60;

/// The pack of the phrases.
const PACK: &str = "suggested";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// 标注过的话（.jsonl、.csv、.xlsx），同 tingjian learn；漏报从这里来 / Labelled turns, as tingjian learn reads them: misses come from here
    #[arg(value_name = "FILE", required_unless_present = "data")]
    files: Vec<PathBuf>,
    /// 也用这个数据目录里复核过的禁语预警，并在存下的通话上试；服务正在运行也可以 / Also the reviewed alerts of this data directory, and a trial on its calls; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// 从哪天或什么时间说的起 / What was said from this day or time on
    #[arg(long, value_name = "TIME", requires = "data")]
    from: Option<String>,
    /// 到什么时间（不含）或哪天（含）为止 / Up to this time, or to the end of this day
    #[arg(long, value_name = "TIME", requires = "data")]
    to: Option<String>,
    #[command(flatten)]
    origin: RuleFlags,
}

/// Exits with 0, with 2 if rules, turns or the store cannot be used.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (sources, loaded) = match usable(&arguments.origin) {
        Ok(usable) => usable,
        Err(code) => return code,
    };
    match arguments.tell(&sources, &loaded) {
        Ok(text) => print(&text, ExitCode::SUCCESS),
        Err(faults) => {
            faults.iter().for_each(complain);
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

impl Arguments {
    fn tell(&self, sources: &Sources, loaded: &Loaded) -> Result<String, Vec<String>> {
        let config = self.origin.config().map_err(|fault| vec![fault])?;
        let rows = self.rows(&config)?;
        let found = suggest(&loaded.rules, &rows);
        if found.turns == 0 {
            return Err(vec![String::from(
                "没有能看的话：先在 /qa 复核禁语预警，或给出标注过的话（见 tingjian learn --help） / nothing to look at: review alerts about forbidden words on /qa, or name a file of labelled turns",
            )]);
        }
        let effects = self.effects(&config, sources, loaded, &found).map_err(|fault| vec![fault])?;
        Ok(report(&found, loaded, effects.as_ref(), rows.len() > TURNS_MAX))
    }

    fn rows(&self, config: &Config) -> Result<Vec<Row>, Vec<String>> {
        let (mut rows, mut faults) = (Vec::new(), Vec::new());
        for path in &self.files {
            match site::rows(path) {
                Ok((more, notes)) => {
                    notes.iter().for_each(|note| complain(format_args!("提醒 / note: {note}")));
                    rows.extend(more);
                }
                Err(more) => faults.extend(more),
            }
        }
        if let Some(data) = &self.data {
            match ReviewedTurns::read(data, self.from.as_deref(), self.to.as_deref(), config) {
                Ok(reviewed) => rows.extend(site::reviewed(reviewed)),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(rows) } else { Err(faults) }
    }

    /// What all suggestions together would change in stored calls, by rule; `None` without calls.
    fn effects(
        &self,
        config: &Config,
        sources: &Sources,
        loaded: &Loaded,
        found: &Suggestions,
    ) -> Result<Option<Effects>, String> {
        let Some(data) = &self.data else { return Ok(None) };
        if found.exceptions.is_empty() && found.phrases.is_empty() {
            return Ok(None);
        }
        let selection = Selection { from: self.from.as_deref(), to: self.to.as_deref(), agent_id: None };
        let stored = StoredCalls::open(data, selection, config)?.at_most(CALLS_MAX);
        let plan = Plan {
            before: Arc::clone(&loaded.rules),
            after: edited(sources, loaded, found)?,
            shadow_packs: Vec::new(),
        };
        let report = stored.backtest(&plan, all_cores(), &Control::default()).map_err(|error| error.to_string())?;
        if report.calls == 0 {
            return Ok(None);
        }
        let by_rule = report.rules.into_iter().map(|rule| (rule.rule_id, rule.counts)).collect();
        Ok(Some(Effects { calls: report.calls, by_rule }))
    }
}

/// What a trial on stored calls came to.
struct Effects {
    calls: u64,
    by_rule: BTreeMap<String, Counts>,
}

/// The rules with all suggestions in them.
fn edited(sources: &Sources, loaded: &Loaded, found: &Suggestions) -> Result<Arc<RuleSet>, String> {
    let mut packs: Vec<PackSource> = loaded.packs.clone();
    for rule in packs.iter_mut().flat_map(|pack| &mut pack.rules) {
        let own = found.exceptions.iter().find(|one| one.rule_id == rule.id.value);
        if let (Some(own), Body::Forbid(forbid)) = (own, &mut rule.body.value) {
            let words = own.words.iter().map(|word| PhraseSource {
                text: Located::new(word.text.clone(), rule.id.at.clone()),
                is_act: false,
                homophone: None,
                boundary: None,
            });
            forbid.said.unless.push(Context::Turn(words.collect()));
        }
    }
    if !found.phrases.is_empty() {
        let file = SourceFile { name: format!("{PACK}.yaml"), text: pack(&found.phrases) };
        packs.extend(parse(&[file]).0);
    }
    let model = sources.files.iter().find(|file| is_model_file(&file.name));
    let model = model.and_then(|file| Model::from_text(&file.text).ok()).map(Arc::new);
    compile(&packs, model, sources.thresholds, String::from(PACK)).map(Arc::new).map_err(|faults| {
        let faults: Vec<&str> = faults.iter().map(|fault| fault.zh.as_str()).collect();
        format!("建议编译不了 / the suggestions cannot be compiled: {}", faults.join("；"))
    })
}

fn report(found: &Suggestions, loaded: &Loaded, effects: Option<&Effects>, is_cut: bool) -> String {
    let Suggestions { turns, violations, missed, false_alarms, exceptions, phrases } = found;
    let mut text = format!(
        "{turns} 句（违规 {violations}）：现用规则误报 {false_alarms}，漏报 {missed} / turns: {turns} (violations {violations}); told falsely {false_alarms}, missed {missed}\n"
    );
    if is_cut {
        let _ = writeln!(text, "只看了前 {TURNS_MAX} 句 / the first {TURNS_MAX} turns only");
    }
    if let Some(effects) = effects {
        let _ = writeln!(text, "在存下的 {} 通通话上试过 / tried on {0} stored calls", effects.calls);
    }
    if exceptions.is_empty() && phrases.is_empty() {
        text.push_str(
            "没有值得建议的：同样的说法至少要在两句不同的话里出现，又几乎不在另一边出现 / nothing to suggest: words must stand in two different turns at least, and in nearly none of the other side\n",
        );
        return text;
    }
    for one in exceptions {
        exception(&mut text, one, loaded, effects);
    }
    if phrases.is_empty() {
        return text;
    }
    text.push_str("\n话术 / phrases\n");
    for (number, phrase) in (1..).zip(phrases) {
        let _ = writeln!(
            text,
            "  {}：漏报 {} 句，不违规 {} 句 / missed turns {1}, harmless {2}；{}",
            phrase.text,
            phrase.support,
            phrase.against,
            shown(&phrase.example)
        );
        effect(&mut text, effects, &id(number), "多报", "more", |counts| counts.gained);
    }
    let _ = write!(text, "\n  # {PACK}.yaml\n{}", indented(&pack(phrases)));
    text
}

fn exception(text: &mut String, one: &Exceptions, loaded: &Loaded, effects: Option<&Effects>) {
    let Exceptions { rule_id, words, dismissed, removed, upheld, lost } = one;
    let rule = loaded.packs.iter().flat_map(|pack| &pack.rules).find(|rule| rule.id.value == *rule_id);
    let place = rule.map(|rule| format!("{}:{}", rule.id.at.file, rule.id.at.line)).unwrap_or_default();
    let _ = writeln!(
        text,
        "\n例外 / exceptions: {rule_id} ({place})\n  误报 {dismissed} 句里去掉 {removed} 句，报对的 {upheld} 句里去掉 {lost} 句 / takes away {removed} of {dismissed} false alarms, {lost} of {upheld} right ones"
    );
    effect(text, effects, rule_id, "少报", "fewer", |counts| counts.lost);
    for Phrase { text: words, support, against, example } in words {
        let _ = writeln!(
            text,
            "  {words}：误报 {support} 句，报对 {against} 句 / false {support}, right {against}；{}",
            shown(example)
        );
    }
    let words: Vec<String> = words.iter().map(|word| quote::scalar(&word.text)).collect();
    let _ =
        writeln!(text, "\n  # 加到这条规则的 unless 下 / under unless of this rule\n  - turn: [{}]", words.join(", "));
}

fn effect(
    text: &mut String,
    effects: Option<&Effects>,
    rule_id: &str,
    zh: &str,
    en: &str,
    of: impl Fn(&Counts) -> u64,
) {
    if let Some(effects) = effects {
        let many = effects.by_rule.get(rule_id).map_or(0, of);
        let _ = writeln!(text, "  存下的通话：{zh} {many} 条 / on stored calls: {many} {en}");
    }
}

fn id(number: usize) -> String {
    format!("{PACK}.{number}")
}

/// A pack with a rule for each phrase.
fn pack(phrases: &[Phrase]) -> String {
    let mut text = format!("pack: {PACK}\ntitle: 从漏报来的话术\nrules:\n");
    for (number, Phrase { text: words, example, .. }) in (1..).zip(phrases) {
        let _ = write!(
            text,
            "  - id: {}\n    name: {}\n    # 话术来自本单位的标注，不再复看 / from the site's own labels: no second look\n    confidence: 0\n    message: {}\n    forbid: {{ any: [{}] }}\n    tests:\n      - fires: {}\n",
            id(number),
            quote::scalar(&format!("不说“{words}”")),
            quote::scalar("不要说“{phrase}”"),
            quote::scalar(words),
            quote::quoted(&privacy::mask(example)),
        );
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Words on one line, without what is personal.
fn shown(text: &str) -> String {
    let line: String = show::plain(&privacy::mask(text)).chars().take(EXAMPLE_CHARS_MAX).collect();
    if text.chars().count() > EXAMPLE_CHARS_MAX { format!("“{line}…”") } else { format!("“{line}”") }
}
