//! What is not wrong in rule files but probably not meant.
//!
//! Works on packs without errors. Every check is one function; each warns at
//! the phrase or rule that its writer would change.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use pinyin::ToPinyin as _;

use self::words::Words;
use super::syntax::{
    Anchor, Body, Context, EventRule, Expression, Extent, PackSource, PhraseSource, RuleSource, Said, TestSource,
    Timing, Window,
};
use super::unit_test;
use crate::diagnostic::{Diagnostic, Faults, Position};
use crate::text::{Boundary, Homophone};

/// Nobody begins to speak so soon after their own words.
const REMEDY_MIN_MS: i64 = 500;

/// Until then an alert that may still be taken back is of no use to anybody.
const REMEDY_MAX_MS: i64 = 60_000;

/// `{any}` that spans more than this is looked at as a slow pattern.
const GAP_MAX: u32 = 30;

/// Looks for what is probably not meant, and tells as much of each file as [`FAULTS_MAX`](crate::diagnostic::FAULTS_MAX). `known_clauses` are the clauses that rules may rest on.
#[must_use]
pub fn lint(packs: &[PackSource], known_clauses: Option<&BTreeSet<String>>) -> Vec<Diagnostic> {
    let mut out = unit_test::script_faults(packs);
    let uses: Vec<Use<'_>> = packs.iter().flat_map(uses_of).collect();
    short_phrases(&uses, &mut out);
    inside_words(&uses, &mut out);
    duplicates(packs, &uses, &mut out);
    overlaps(&uses, &mut out);
    collisions(&uses, &mut out);
    slow_patterns(packs, &mut out);
    tests(packs, &mut out);
    placeholders(packs, &mut out);
    unused_lists(packs, &mut out);
    reminders(packs, &mut out);
    remedies(packs, &uses, &mut out);
    if let Some(known) = known_clauses {
        clauses(packs, known, &mut out);
    }
    // A list is used by several rules; what is wrong with its phrases is said once.
    out.sort_by(|a, b| (&a.at, a.code, &a.en).cmp(&(&b.at, b.code, &b.en)));
    out.dedup_by(|a, b| a.at == b.at && a.code == b.code);
    let mut told = Faults::default();
    told.extend(out);
    told.finish(|a, b| (&a.at, a.code, &a.en).cmp(&(&b.at, b.code, &b.en)))
}

/// What a set of phrases is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Forbidden,
    Required,
    /// Anchors, preconditions, greetings.
    Other,
}

/// Phrases that a rule listens for, lists expanded.
struct Use<'a> {
    rule: &'a RuleSource,
    said: &'a Said,
    purpose: Purpose,
    phrases: Vec<&'a PhraseSource>,
}

impl Use<'_> {
    fn id(&self) -> &str {
        &self.rule.id.value
    }

    fn homophone(&self, phrase: &PhraseSource) -> Homophone {
        let default = if self.purpose == Purpose::Required { Homophone::Toneless } else { Homophone::Off };
        phrase.homophone.or(self.said.homophone).unwrap_or(default)
    }

    /// Whatever is said of its phrases, this rule fires: nothing excuses it.
    fn unconditional(&self) -> bool {
        let Body::Forbid(forbid) = &self.rule.body.value else { return false };
        self.said.unless.is_empty()
            && self.said.only.is_empty()
            && forbid.at_least == 1
            && forbid.window.is_none()
            && self.rule.when.is_none()
            && self.rule.scope == super::syntax::Scope::default()
            && self.rule.from.is_none()
            && self.rule.until.is_none()
    }

    fn shares_a_role(&self, other: &Self) -> bool {
        self.said.roles.iter().any(|role| other.said.roles.contains(role))
    }
}

fn uses_of<'a>(pack: &'a PackSource) -> Vec<Use<'a>> {
    let mut uses = Vec::new();
    for rule in &pack.rules {
        let mut add =
            |said: &'a Said, purpose| uses.push(Use { rule, said, purpose, phrases: expand(pack, &said.any) });
        match &rule.body.value {
            Body::Forbid(forbid) => {
                add(&forbid.said, Purpose::Forbidden);
                if let Some(window) = &forbid.window {
                    window_said(window).into_iter().for_each(|said| add(said, Purpose::Other));
                }
            }
            Body::Require(require) => {
                require.parts.iter().for_each(|part| add(&part.said, Purpose::Required));
                window_said(&require.window).into_iter().for_each(|said| add(said, Purpose::Other));
            }
            Body::Sequence(sequence) => {
                sequence.steps.iter().for_each(|step| add(&step.said, Purpose::Required));
                sequence.after.iter().filter_map(anchor_said).for_each(|said| add(said, Purpose::Other));
            }
            Body::Event(EventRule::Without { said, .. }) => add(said, Purpose::Required),
            Body::Event(_) | Body::Timing(_) => {}
        }
        if let Some(when) = &rule.when {
            let mut found = Vec::new();
            expression_said(when, &mut found);
            found.into_iter().for_each(|said| add(said, Purpose::Other));
        }
    }
    uses
}

fn window_said(window: &Window) -> Option<&Said> {
    match window {
        Window::After(anchor, _) | Window::Before(anchor, _) => anchor_said(anchor),
        Window::First(_) | Window::Last(_) => None,
    }
}

fn anchor_said(anchor: &Anchor) -> Option<&Said> {
    match anchor {
        Anchor::Said(said) => Some(said),
        Anchor::Event(_) => None,
    }
}

fn expression_said<'a>(expression: &'a Expression, found: &mut Vec<&'a Said>) {
    match expression {
        Expression::All(inner) | Expression::Any(inner) => {
            inner.iter().for_each(|inner| expression_said(inner, found));
        }
        Expression::Not(inner) => expression_said(inner, found),
        Expression::Said { said, .. } => found.push(said),
        Expression::Happened { .. } | Expression::Hour(_) | Expression::LastedMs(_) => {}
    }
}

/// The phrases themselves in place of the lists that hold them.
fn expand<'a>(pack: &'a PackSource, any: &'a [PhraseSource]) -> Vec<&'a PhraseSource> {
    let mut phrases = Vec::new();
    let mut opened = BTreeSet::new();
    let mut todo: Vec<&PhraseSource> = any.iter().rev().collect();
    while let Some(phrase) = todo.pop() {
        match phrase.text.value.strip_prefix('$') {
            None => phrases.push(phrase),
            Some(name) if opened.insert(name) => {
                todo.extend(pack.lists.get(name).iter().flat_map(|list| list.value.iter().rev()));
            }
            Some(_) => {}
        }
    }
    phrases
}

/// The characters of a phrase without slots and marks; nothing for patterns that are more than a text.
fn letters(phrase: &PhraseSource) -> Option<String> {
    let text = &phrase.text.value;
    if phrase.is_act || text.starts_with(['/', '$']) || text.contains(['{', '(']) {
        return None;
    }
    Some(text.chars().filter(|c| c.is_alphanumeric()).collect())
}

fn short_phrases(uses: &[Use<'_>], out: &mut Vec<Diagnostic>) {
    for used in uses.iter().filter(|used| !used.said.only.contains(&Context::Alone(true))) {
        for phrase in &used.phrases {
            let text = &phrase.text;
            if letters(phrase).is_some_and(|letters| letters.chars().count() == 1) {
                let (zh, en) = (
                    format!("话术 `{}` 只有一个字", text.value),
                    format!("the phrase `{}` is a single character", text.value),
                );
                out.push(Diagnostic::warning("short-phrase", text.at.clone(), zh, en).help(
                    "一个字几乎到处都有；写长一些，或加 `only: { alone: true }`（整段只有这个字才算）。",
                    "A single character is nearly everywhere; write more of it, or add `only: { alone: true }`.",
                ));
            }
        }
    }
}

fn inside_words(uses: &[Use<'_>], out: &mut Vec<Diagnostic>) {
    let mut words = None;
    let mut seen = BTreeSet::new();
    for used in uses.iter().filter(|used| used.purpose != Purpose::Required) {
        for phrase in &used.phrases {
            // Who writes `word` has thought of it.
            let decided = phrase.boundary.or(used.said.boundary) == Some(Boundary::Word);
            let Some(letters) = letters(phrase).filter(|_| !decided) else { continue };
            // Two words that meet rarely make up three characters that mean something by themselves.
            if letters.chars().count() != 2 || !seen.insert((&phrase.text.at, letters.clone())) {
                continue;
            }
            let words = words.get_or_insert_with(Words::new);
            let Some((longer, word)) = words.around(&letters) else { continue };
            let text = &phrase.text;
            out.push(
                Diagnostic::warning(
                    "inside-words",
                    text.at.clone(),
                    format!("`{}` 也会出现在“{longer}”里（常用词“{word}”）", text.value),
                    format!("`{}` also occurs in “{longer}” (the common word “{word}”)", text.value),
                )
                .help(
                    "写明 `boundary: word`，只在词的边界上命中；或用更长的话术；或用 `unless: [{ around: [...] }]` 排除。",
                    "Write `boundary: word` to match at word boundaries only, use a longer phrase, or exclude it with `unless: [{ around: [...] }]`.",
                ),
            );
        }
    }
}

fn duplicates(packs: &[PackSource], uses: &[Use<'_>], out: &mut Vec<Diagnostic>) {
    let lists = packs.iter().flat_map(|pack| pack.lists.values()).map(|list| list.value.iter().collect());
    let sets: Vec<Vec<&PhraseSource>> = lists.chain(uses.iter().map(|used| used.phrases.clone())).collect();
    for set in sets {
        let mut first: BTreeMap<String, &Position> = BTreeMap::new();
        for phrase in set {
            let text = &phrase.text;
            let key = letters(phrase).unwrap_or_else(|| text.value.clone());
            let Some(earlier) = first.get(&key) else {
                first.insert(key, &text.at);
                continue;
            };
            if **earlier == text.at {
                continue;
            }
            let place = format!("{}:{}", earlier.file, earlier.line);
            out.push(
                Diagnostic::warning(
                    "duplicate-phrase",
                    text.at.clone(),
                    format!("话术 `{}` 重复", text.value),
                    format!("the phrase `{}` is a duplicate", text.value),
                )
                .help(format!("{place} 已经有了，删去一处。"), format!("It is already at {place}; remove one.")),
            );
        }
    }
}

/// Forbidden phrases inside other forbidden ones, or inside required ones: one scan over all of them.
fn overlaps(uses: &[Use<'_>], out: &mut Vec<Diagnostic>) {
    let mut patterns: Vec<String> = Vec::new();
    let mut owners: Vec<(usize, &PhraseSource)> = Vec::new();
    for (index, used) in uses.iter().enumerate().filter(|(_, used)| used.purpose == Purpose::Forbidden) {
        for phrase in &used.phrases {
            if let Some(letters) = letters(phrase).filter(|letters| !letters.is_empty()) {
                patterns.push(letters);
                owners.push((index, phrase));
            }
        }
    }
    let Ok(scan) = AhoCorasick::new(&patterns) else { return };
    let mut hearers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (index, used) in uses.iter().enumerate() {
        match used.purpose {
            Purpose::Forbidden => drop(hearers.insert(index, heard_by(used, &scan, &owners))),
            Purpose::Required => contradicted(used, uses, &scan, &patterns, &owners, out),
            Purpose::Other => {}
        }
    }
    shadowed(uses, &hearers, out);
}

/// The rules that forbid something in every phrase of this one.
fn heard_by(used: &Use<'_>, scan: &AhoCorasick, owners: &[(usize, &PhraseSource)]) -> BTreeSet<usize> {
    let heard = |phrase: &&PhraseSource| -> BTreeSet<usize> {
        let letters = letters(phrase).unwrap_or_default();
        scan.find_overlapping_iter(&letters).map(|found| owners[found.pattern().as_usize()].0).collect()
    };
    let each = used.phrases.iter().map(heard);
    each.reduce(|all, next| all.intersection(&next).copied().collect()).unwrap_or_default()
}

/// Warns if everything that a rule forbids makes another fire already.
fn shadowed(uses: &[Use<'_>], hearers: &BTreeMap<usize, BTreeSet<usize>>, out: &mut Vec<Diagnostic>) {
    for (index, heard) in hearers {
        let used = &uses[*index];
        let covers = |other: &&usize| {
            let covering = &uses[**other];
            // Of two rules that forbid the same, the later one is told.
            let mutual = used.unconditional() && hearers.get(other).is_some_and(|back| back.contains(index));
            covering.id() != used.id()
                && covering.unconditional()
                && used.said.roles.iter().all(|role| covering.said.roles.contains(role))
                && (!mutual || *other < index)
        };
        let Some(other) = heard.iter().find(covers).map(|other| uses[*other].id()) else { continue };
        out.push(
            Diagnostic::warning(
                "shadowed-rule",
                used.rule.id.at.clone(),
                format!("规则 `{}` 禁说的，`{other}` 都已经无条件禁说", used.id()),
                format!("all that `{}` forbids, `{other}` forbids already and unconditionally", used.id()),
            )
            .help(
                "一句话会报两次；合并两条规则，或给其中一条加条件。",
                "One line raises two alerts; merge the rules, or give one of them a condition.",
            ),
        );
    }
}

/// Warns of required phrases that another rule forbids.
fn contradicted(
    used: &Use<'_>,
    uses: &[Use<'_>],
    scan: &AhoCorasick,
    patterns: &[String],
    owners: &[(usize, &PhraseSource)],
    out: &mut Vec<Diagnostic>,
) {
    for phrase in &used.phrases {
        let Some(required) = letters(phrase) else { continue };
        for found in scan.find_overlapping_iter(&required) {
            let (owner, forbidden) = owners[found.pattern().as_usize()];
            let owner = &uses[owner];
            let whole = patterns[found.pattern().as_usize()] == required;
            // A forbidden phrase inside a longer one may be excused by a condition; the same phrase is a contradiction.
            if !owner.shares_a_role(used) || !(whole || owner.unconditional()) {
                continue;
            }
            let (text, inner, id) = (&phrase.text.value, &forbidden.text.value, owner.id());
            let place = format!("{}:{}", forbidden.text.at.file, forbidden.text.at.line);
            out.push(
                Diagnostic::warning(
                    "forbidden-and-required",
                    phrase.text.at.clone(),
                    format!("`{}` 要求说 `{text}`，`{id}` 禁说 `{inner}`", used.id()),
                    format!("`{}` requires `{text}`, `{id}` forbids `{inner}`", used.id()),
                )
                .help(
                    format!("见 {place}；改其中一处，或给禁说加例外。"),
                    format!("See {place}; change one of them, or give the forbidden phrase an exception."),
                ),
            );
        }
    }
}

/// The syllables of a phrase without tones; nothing if a character has none.
fn syllables(letters: &str) -> Option<Vec<&'static str>> {
    letters.chars().map(|c| c.to_pinyin().map(pinyin::Pinyin::plain)).collect()
}

/// As homophone matching with `merged` hears it.
fn merged(syllables: &[&str]) -> String {
    let mut sound = String::new();
    for syllable in syllables {
        let rest = ["zh", "ch", "sh"]
            .iter()
            .find_map(|initial| syllable.strip_prefix(initial).map(|rest| format!("{}{rest}", &initial[..1])));
        let rest = rest.unwrap_or_else(|| (*syllable).to_owned());
        let rest = rest.strip_prefix('n').map_or(rest.clone(), |after| format!("l{after}"));
        let flat = ["ing", "eng", "ang"]
            .iter()
            .find_map(|last| rest.strip_suffix(last).map(|front| format!("{front}{}", &last[..2])));
        sound.push_str(&flat.unwrap_or(rest));
        sound.push(' ');
    }
    sound
}

fn collisions(uses: &[Use<'_>], out: &mut Vec<Diagnostic>) {
    struct Sounding<'a> {
        used: &'a Use<'a>,
        phrase: &'a PhraseSource,
        letters: String,
        exact: String,
        homophone: Homophone,
    }
    let mut by_sound: BTreeMap<String, Vec<Sounding<'_>>> = BTreeMap::new();
    for used in uses.iter().filter(|used| used.purpose != Purpose::Other) {
        for phrase in &used.phrases {
            let Some(letters) = letters(phrase).filter(|letters| !letters.is_empty()) else { continue };
            let Some(syllables) = syllables(&letters) else { continue };
            let asked = used.homophone(phrase);
            let heard = letters.chars().count() >= 3 || asked == Homophone::Always;
            let homophone = if heard { asked } else { Homophone::Off };
            let (sound, exact) = (merged(&syllables), syllables.join(" "));
            by_sound.entry(sound).or_default().push(Sounding { used, phrase, letters, exact, homophone });
        }
    }
    for group in by_sound.values() {
        for (index, one) in group.iter().enumerate() {
            let alike = |two: &&Sounding<'_>| {
                let loosest = one.homophone.max(two.homophone);
                let hears = match (one.homophone, two.homophone) {
                    (Homophone::Merged, _) | (_, Homophone::Merged) => true,
                    _ => loosest != Homophone::Off && one.exact == two.exact,
                };
                hears && one.letters != two.letters && one.used.id() != two.used.id()
            };
            // The later one is told, once.
            let Some(two) = group[..index].iter().find(alike) else { continue };
            let (text, other, id) = (&one.phrase.text.value, &two.phrase.text.value, two.used.id());
            out.push(
                Diagnostic::warning(
                    "pinyin-collision",
                    one.phrase.text.at.clone(),
                    format!("`{text}` 与规则 `{id}` 的 `{other}` 同音"),
                    format!("`{text}` sounds like `{other}` of `{id}`"),
                )
                .help(
                    "同音匹配分不开它们；给其中一条写 `homophone: off`，或换一条话术。",
                    "Homophone matching cannot tell them apart; write `homophone: off` for one, or reword it.",
                ),
            );
        }
    }
}

/// Every phrase of a pack, wherever it stands.
fn all_phrases(pack: &PackSource) -> Vec<&PhraseSource> {
    fn context<'a>(inner: &'a Context, found: &mut Vec<&'a PhraseSource>) {
        match inner {
            Context::Before { any, .. }
            | Context::After { any, .. }
            | Context::Around(any)
            | Context::Clause(any)
            | Context::Sentence(any)
            | Context::Turn(any)
            | Context::Reply(any)
            | Context::Then { any, .. } => found.extend(any),
            Context::All(inner) | Context::Any(inner) => inner.iter().for_each(|inner| context(inner, found)),
            Context::Not(inner) => context(inner, found),
            Context::Negated(_)
            | Context::Question(_)
            | Context::Quoted(_)
            | Context::Conditional(_)
            | Context::Subject(_)
            | Context::Alone(_)
            | Context::Begins(_)
            | Context::Ends(_)
            | Context::VolumeAboveDb(_)
            | Context::PitchAboveHz(_) => {}
        }
    }
    let mut found: Vec<&PhraseSource> = pack.lists.values().flat_map(|list| &list.value).collect();
    for used in uses_of(pack) {
        found.extend(&used.said.any);
        used.said.unless.iter().chain(&used.said.only).for_each(|inner| context(inner, &mut found));
    }
    for rule in &pack.rules {
        match &rule.body.value {
            Body::Timing(Timing::Interruption { unless, .. } | Timing::Repeat { unless, .. }) => found.extend(unless),
            Body::Event(EventRule::Greeting { hours }) => found.extend(hours.iter().flat_map(|(_, any)| any)),
            _ => {}
        }
    }
    found
}

fn slow_patterns(packs: &[PackSource], out: &mut Vec<Diagnostic>) {
    for phrase in packs.iter().flat_map(all_phrases) {
        let text = &phrase.text;
        let regex = text.value.starts_with('/');
        let unbounded = regex && [".*", ".+", ",}"].iter().any(|wide| text.value.contains(wide));
        let wide = text.value.split("{any:").skip(1).any(|rest| {
            let most = rest.split('}').next().and_then(|range| range.rsplit('-').next());
            most.and_then(|most| most.trim().parse().ok()).is_some_and(|most: u32| most > GAP_MAX)
        });
        if !unbounded && (regex || !wide) {
            continue;
        }
        out.push(
            Diagnostic::warning(
                "slow-pattern",
                text.at.clone(),
                format!("`{}` 的空隙没有界限或太宽，又慢又容易误中", text.value),
                format!("`{}` has gaps without bounds, or wide ones: slow, and prone to false hits", text.value),
            )
            .help(
                format!("给空隙一个界限，如 `{{any:0-8}}`、`.{{0,8}}`，不超过 {GAP_MAX} 个字。"),
                format!("Bound the gap, such as `{{any:0-8}}` or `.{{0,8}}`, by {GAP_MAX} characters at most."),
            ),
        );
    }
}

fn tests(packs: &[PackSource], out: &mut Vec<Diagnostic>) {
    for rule in packs.iter().flat_map(|pack| &pack.rules) {
        let sides: Vec<bool> = rule
            .tests
            .iter()
            .filter_map(|test| match test {
                TestSource::Line { fires, .. } => Some(*fires),
                TestSource::Call { script } => unit_test::expects_alerts(script),
            })
            .collect();
        let (id, at) = (&rule.id.value, rule.id.at.clone());
        let (code, (zh, en), (help_zh, help_en)) = if rule.tests.is_empty() {
            (
                "untested-rule",
                (format!("规则 `{id}` 没有测试"), format!("the rule `{id}` has no tests")),
                (
                    "在 `tests:` 下至少写一个该报的、一个不该报的。",
                    "Under `tests:` write one that must fire and one that must not.",
                ),
            )
        } else if !sides.is_empty() && sides.iter().all(|fires| *fires) {
            (
                "one-sided-tests",
                (format!("规则 `{id}` 没有“不该报”的测试"), format!("the rule `{id}` has no test that must not fire")),
                ("加一个 `silent:`，或一通没有预警的 `call:`。", "Add a `silent:`, or a `call:` without alerts."),
            )
        } else if !sides.is_empty() && sides.iter().all(|fires| !fires) {
            (
                "one-sided-tests",
                (format!("规则 `{id}` 没有“该报”的测试"), format!("the rule `{id}` has no test that must fire")),
                ("加一个 `fires:`，或一通写明预警的 `call:`。", "Add a `fires:`, or a `call:` that expects an alert."),
            )
        } else {
            continue;
        };
        out.push(Diagnostic::warning(code, at, zh, en).help(help_zh, help_en));
    }
}

fn placeholders(packs: &[PackSource], out: &mut Vec<Diagnostic>) {
    for rule in packs.iter().flat_map(|pack| &pack.rules) {
        let filled: &[&str] = match &rule.body.value {
            Body::Forbid(_) => &["phrase", "value"],
            Body::Require(_) => &["phrase", "missing", "said", "total", "limit"],
            Body::Sequence(_) => &["phrase", "missing", "said", "total", "step", "before"],
            Body::Timing(_) => &["phrase", "value", "limit"],
            Body::Event(_) => &["phrase"],
        };
        for piece in rule.message.split('{').skip(1) {
            let Some((name, _)) = piece.split_once('}') else { continue };
            if filled.contains(&name) {
                continue;
            }
            let possible = filled.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(" ");
            out.push(
                Diagnostic::warning(
                    "idle-placeholder",
                    rule.id.at.clone(),
                    format!("这类规则的预警文字里，`{{{name}}}` 总是空的"),
                    format!("`{{{name}}}` is always empty in messages of this kind of rule"),
                )
                .help(format!("可以用：{possible}。"), format!("Possible: {possible}.")),
            );
        }
    }
}

/// Warns of reminders that come when the window opens, or would before it.
fn reminders(packs: &[PackSource], out: &mut Vec<Diagnostic>) {
    for rule in packs.iter().flat_map(|pack| &pack.rules) {
        let Body::Require(require) = &rule.body.value else { continue };
        let (Window::After(_, extent) | Window::Before(_, extent)) = &require.window else { continue };
        let (Extent::Ms(within), Some(remind)) = (extent, require.remind_ms) else { continue };
        if remind < *within {
            continue;
        }
        let seconds = |ms: i64| format!("{}s", ms as f64 / 1_000.0);
        let (remind, within) = (seconds(remind), seconds(*within));
        out.push(
            Diagnostic::warning(
                "early-reminder",
                rule.body.at.clone(),
                format!("`remind: {remind}` 不短于 `within: {within}`：时限一开始就会提醒"),
                format!("`remind: {remind}` is no shorter than `within: {within}`: the reminder comes at once"),
            )
            .help(
                "`remind` 是到期前多久提醒，要比 `within` 短，如 `3s`。",
                "`remind` is how long before the deadline; make it shorter than `within`, such as `3s`.",
            ),
        );
    }
}

/// Warns of `then` where nothing waits for it, where nobody can meet it, and where what is forbidden excuses itself.
fn remedies(packs: &[PackSource], uses: &[Use<'_>], out: &mut Vec<Diagnostic>) {
    for used in uses {
        let mut windows = Vec::new();
        used.said.unless.iter().chain(&used.said.only).for_each(|context| thens(context, &mut windows));
        for (any, within_ms) in windows {
            let at = any.first().map_or(&used.rule.id.at, |phrase| &phrase.text.at);
            let mut warn = |code, zh: String, en: String, help_zh: &str, help_en: &str| {
                out.push(Diagnostic::warning(code, at.clone(), zh, en).help(help_zh, help_en));
            };
            let id = used.id();
            if used.purpose != Purpose::Forbidden {
                warn(
                    "idle-then",
                    format!("`{id}` 里这个 `then` 没有人等：只有 `forbid` 的预警会等后面的话"),
                    format!("nothing waits for this `then` of `{id}`: only alerts of `forbid` wait for what follows"),
                    "写进 `forbid`，或改用 `turn`。",
                    "Write it in `forbid`, or use `turn`.",
                );
            } else if within_ms < REMEDY_MIN_MS {
                warn(
                    "early-then",
                    format!("`within` 只有 {within_ms} 毫秒，没有人来得及再开口"),
                    format!("`within` is {within_ms} ms: nobody begins to speak again so soon"),
                    "写几秒，如 `8s`；只看同一句后面的话用 `after`，同一轮的用 `turn`。",
                    "Write some seconds, such as `8s`; for words behind it in the same clause use `after`, in the same turn `turn`.",
                );
            } else if within_ms > REMEDY_MAX_MS {
                warn(
                    "late-then",
                    format!("`within` 有 {} 秒：这么久之后才确认，坐席已经说到别处", within_ms / 1_000),
                    format!("`within` is {} s: when the alert is confirmed, the agent is elsewhere", within_ms / 1_000),
                    "通常 5 到 15 秒就够，最多 `60s`。",
                    "Some 5 to 15 seconds are enough; write `60s` at most.",
                );
            }
            let forbidden: BTreeSet<String> = used.phrases.iter().filter_map(|phrase| letters(phrase)).collect();
            let own = expand_any(packs, used.rule, any);
            let excuse = own.iter().find(|phrase| letters(phrase).is_some_and(|letters| forbidden.contains(&letters)));
            if let Some(excuse) = excuse.filter(|_| used.purpose == Purpose::Forbidden) {
                let text = &excuse.text.value;
                warn(
                    "self-excuse",
                    format!("`{text}` 是 `{id}` 禁说的，又算作补救：再说一遍就不报了"),
                    format!("`{text}` is forbidden by `{id}` and makes it good as well: said twice, it is not told"),
                    "从 `then` 里删去它。",
                    "Remove it from `then`.",
                );
            }
        }
    }
}

/// The windows of remedies in a condition.
fn thens<'a>(context: &'a Context, found: &mut Vec<(&'a [PhraseSource], i64)>) {
    match context {
        Context::Then { any, within_ms } => found.push((any, *within_ms)),
        Context::All(inner) | Context::Any(inner) => inner.iter().for_each(|inner| thens(inner, found)),
        Context::Not(inner) => thens(inner, found),
        _ => {}
    }
}

/// The phrases behind those of a rule, its pack's lists opened.
fn expand_any<'a>(packs: &'a [PackSource], rule: &RuleSource, any: &'a [PhraseSource]) -> Vec<&'a PhraseSource> {
    let pack = packs.iter().find(|pack| pack.rules.iter().any(|own| own.id == rule.id));
    pack.map(|pack| expand(pack, any)).unwrap_or_default()
}

fn unused_lists(packs: &[PackSource], out: &mut Vec<Diagnostic>) {
    for pack in packs {
        let phrases = all_phrases(pack);
        let used: BTreeSet<&str> = phrases.iter().filter_map(|phrase| phrase.text.value.strip_prefix('$')).collect();
        for (name, list) in pack.lists.iter().filter(|(name, _)| !used.contains(name.as_str())) {
            out.push(
                Diagnostic::warning(
                    "unused-list",
                    list.at.clone(),
                    format!("词表 `{name}` 没有人用"),
                    format!("nobody uses the list `{name}`"),
                )
                .help(format!("在规则里写 `${name}`，或删去它。"), format!("Write `${name}` in a rule, or remove it.")),
            );
        }
    }
}

fn clauses(packs: &[PackSource], known: &BTreeSet<String>, out: &mut Vec<Diagnostic>) {
    for clause in packs.iter().flat_map(|pack| &pack.rules).flat_map(|rule| &rule.clauses) {
        if !known.contains(&clause.value) {
            out.push(
                Diagnostic::warning(
                    "unknown-clause",
                    clause.at.clone(),
                    format!("没有条款 `{}`", clause.value),
                    format!("there is no clause `{}`", clause.value),
                )
                .help("改正编号，或把它加进条款表。", "Correct the number, or add it to the table of clauses."),
            );
        }
    }
}
