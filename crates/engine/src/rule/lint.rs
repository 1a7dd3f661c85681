//! What is not wrong in rule files but probably not meant.
//!
//! Works on rules without errors. What a phrase matches is asked of the compiled program: its lexicon
//! scans the phrases themselves, with the options that the compiler gave them. Every check is one
//! function; each warns at the phrase or rule that its writer would change.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use self::words::Words;
use super::origins::{DetectorOrigins, Origins, PhraseOrigin};
use super::program::{BodyProgram, Detector, DetectorIx, Program};
use super::script;
use super::syntax::{Body, Context, Extent, PackSource, PhraseSource, RuleSource, Scope, TestSource, Window};
use super::{Loaded, RuleSet};
use crate::diagnostic::{Diagnostic, Faults, Position};
use crate::text::{Boundary, FoldedText, Likeness, Match, PhraseId};

/// Nobody begins to speak so soon after their own words.
const REMEDY_MIN_MS: i64 = 500;

/// Until then an alert that may still be taken back is of no use to anybody.
const REMEDY_MAX_MS: i64 = 60_000;

/// `{any}` that spans more than this is looked at as a slow pattern.
const GAP_MAX: u32 = 30;

/// Looks for what is probably not meant, and tells as much of each file as [`FAULTS_MAX`](crate::diagnostic::FAULTS_MAX). `known_clauses` are the clauses that rules may rest on.
#[must_use]
pub fn lint(loaded: &Loaded, known_clauses: Option<&BTreeSet<String>>) -> Vec<Diagnostic> {
    let Loaded { rules, packs, origins, .. } = loaded;
    let mut out = script::faults(packs);
    let uses = uses_of(rules, packs, origins);
    short_phrases(&uses, &mut out);
    inside_words(&uses, &mut out);
    duplicates(packs, &uses, &mut out);
    let heard = PhraseHits::new(rules, &uses);
    shadowed(&uses, &heard, &mut out);
    contradicted(&uses, &heard, &mut out);
    collisions(&uses, &heard, &mut out);
    slow_patterns(packs, origins, &mut out);
    tests(packs, &mut out);
    placeholders(packs, &mut out);
    unused_lists(packs, origins, &mut out);
    reminders(packs, &mut out);
    remedies(&uses, &mut out);
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

/// The purpose of a set of phrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Forbidden,
    Required,
    /// Anchors, preconditions, greetings.
    Other,
}

/// One use of phrases in a rule.
struct Use<'a> {
    rule: &'a RuleSource,
    program: &'a Program,
    detector: &'a Detector,
    purpose: Purpose,
    phrases: &'a [PhraseOrigin],
    /// The phrases of its conditions.
    conditions: &'a [PhraseOrigin],
}

impl Use<'_> {
    fn id(&self) -> &str {
        &self.rule.id.value
    }

    /// Whether this rule fires whenever its phrases are said: nothing excuses them.
    fn unconditional(&self) -> bool {
        let Detector { unless, only, yields_to, .. } = self.detector;
        let Program { scope, from, until, .. } = self.program;
        self.program.always_forbids().is_some()
            && unless.is_empty()
            && only.is_empty()
            && yields_to.is_empty()
            && from.is_none()
            && until.is_none()
            && *scope == Scope::default()
    }

    fn shares_a_role(&self, other: &Self) -> bool {
        self.detector.roles.iter().any(|role| other.detector.roles.contains(role))
    }
}

/// The uses of all rules, in their order.
fn uses_of<'a>(rules: &'a RuleSet, packs: &'a [PackSource], origins: &'a Origins) -> Vec<Use<'a>> {
    let sources = packs.iter().flat_map(|pack| &pack.rules);
    let each = sources.zip(&rules.programs).flat_map(|(rule, program)| {
        program.detectors.iter().map(move |&ix| {
            let DetectorOrigins { phrases, conditions } = &origins.detectors[ix as usize];
            Use {
                rule,
                program,
                detector: &rules.detectors[ix as usize],
                purpose: purpose(program, ix),
                phrases,
                conditions,
            }
        })
    });
    each.collect()
}

fn purpose(program: &Program, ix: DetectorIx) -> Purpose {
    let is_required = match &program.body {
        BodyProgram::Forbid(forbid) if forbid.detector == ix => return Purpose::Forbidden,
        BodyProgram::Require(require) => require.parts.iter().any(|part| part.detector == ix),
        BodyProgram::Sequence(sequence) => sequence.steps.iter().any(|step| step.detector == ix),
        BodyProgram::Without(without) => without.detector == ix,
        _ => false,
    };
    if is_required { Purpose::Required } else { Purpose::Other }
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
    for used in uses.iter().filter(|used| !used.detector.only.contains(&Context::Alone(true))) {
        for PhraseOrigin { source, .. } in used.phrases {
            let text = &source.text;
            if letters(source).is_some_and(|letters| letters.chars().count() == 1) {
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
        for PhraseOrigin { source, options, .. } in used.phrases {
            // At word boundaries it is not found inside words.
            let Some(letters) = letters(source).filter(|_| options.boundary == Boundary::Anywhere) else { continue };
            // Two words that meet rarely make up three characters that mean something by themselves.
            if letters.chars().count() != 2 || !seen.insert((&source.text.at, letters.clone())) {
                continue;
            }
            let words = words.get_or_insert_with(Words::new);
            let Some((longer, word)) = words.around(&letters) else { continue };
            let text = &source.text;
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
    let sets: Vec<Vec<&PhraseSource>> =
        lists.chain(uses.iter().map(|used| used.phrases.iter().map(|origin| &origin.source).collect())).collect();
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

/// The matches of the compiled program in the phrases that rules forbid or require.
struct PhraseHits {
    /// The phrases of the uses, by use and place: what is heard in each, the phrase itself left out.
    found: BTreeMap<(usize, usize), Vec<Match>>,
    /// The uses that ask for a phrase, and its place in each.
    askers: BTreeMap<PhraseId, Vec<(usize, usize)>>,
}

impl PhraseHits {
    fn new(rules: &RuleSet, uses: &[Use<'_>]) -> Self {
        let (mut found, mut askers) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        let (mut text, mut matches) = (FoldedText::new(), Vec::new());
        for (index, used) in uses.iter().enumerate().filter(|(_, used)| used.purpose != Purpose::Other) {
            for (place, origin) in used.phrases.iter().enumerate() {
                askers.entry(origin.id).or_default().push((index, place));
                let Some(letters) = letters(&origin.source) else { continue };
                rules.lexicon.scan(&letters, None, &mut text);
                rules.lexicon.matches(&text, &mut matches);
                matches.retain(|m| rules.lexicon.in_words(&text, m));
                found.insert((index, place), matches.clone());
            }
        }
        Self { found, askers }
    }

    /// The uses that hear a phrase, each with the place of the phrase that hears it, as `wanted` says how.
    fn hearers(&self, at: (usize, usize), wanted: impl Fn(&Match) -> bool) -> impl Iterator<Item = (usize, usize)> {
        let found = self.found.get(&at).into_iter().flatten().filter(move |m| wanted(m));
        found.flat_map(|m| self.askers.get(&m.phrase).into_iter().flatten().copied())
    }
}

fn is_exact(m: &Match) -> bool {
    m.likeness == Likeness::Exact
}

/// Warns if everything that a rule forbids makes another fire already.
fn shadowed(uses: &[Use<'_>], heard: &PhraseHits, out: &mut Vec<Diagnostic>) {
    let is_forbidden = |index: &usize| uses[*index].purpose == Purpose::Forbidden;
    let heard_whole = |(index, used): (usize, &Use<'_>)| {
        let by = |place| -> BTreeSet<usize> { heard.hearers((index, place), is_exact).map(|(by, _)| by).collect() };
        let each = (0..used.phrases.len()).map(by);
        let whole = each.reduce(|all, next| all.intersection(&next).copied().collect()).unwrap_or_default();
        (index, whole.into_iter().filter(is_forbidden).collect::<BTreeSet<usize>>())
    };
    let forbidding = uses.iter().enumerate().filter(|(index, _)| is_forbidden(index));
    let hearers: BTreeMap<usize, BTreeSet<usize>> = forbidding.map(heard_whole).collect();
    for (index, heard) in &hearers {
        let used = &uses[*index];
        let covers = |other: &&usize| {
            let covering = &uses[**other];
            // Of two rules that forbid the same, the later one is told.
            let mutual = used.unconditional() && hearers.get(other).is_some_and(|back| back.contains(index));
            covering.id() != used.id()
                && covering.unconditional()
                && used.detector.roles.iter().all(|role| covering.detector.roles.contains(role))
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
fn contradicted(uses: &[Use<'_>], heard: &PhraseHits, out: &mut Vec<Diagnostic>) {
    let required = uses.iter().enumerate().filter(|(_, used)| used.purpose == Purpose::Required);
    for (index, used, place) in
        required.flat_map(|(index, used)| (0..used.phrases.len()).map(move |at| (index, used, at)))
    {
        let phrase = &used.phrases[place].source;
        for (by, at) in heard.hearers((index, place), is_exact) {
            let (owner, forbidden) = (&uses[by], &uses[by].phrases[at].source);
            let whole = letters(forbidden) == letters(phrase);
            // A forbidden phrase inside a longer one may be excused by a condition; the same phrase is a contradiction.
            if owner.purpose != Purpose::Forbidden || !owner.shares_a_role(used) || !(whole || owner.unconditional()) {
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

/// Warns of texts of two rules that only their writing tells apart, where one is matched by sound.
fn collisions(uses: &[Use<'_>], heard: &PhraseHits, out: &mut Vec<Diagnostic>) {
    let origin = |(index, place): (usize, usize)| &uses[index].phrases[place].source;
    // The later one is told, once.
    let mut earlier: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
    for (&one, found) in &heard.found {
        let end = found.iter().map(|m| m.end).max().unwrap_or_default();
        for two in heard.hearers(one, |m| !is_exact(m) && (m.start, m.end) == (0, end)) {
            if uses[one.0].id() != uses[two.0].id() && letters(origin(two)).is_some() {
                let first = earlier.entry(one.max(two)).or_insert(one.min(two));
                *first = (*first).min(one.min(two));
            }
        }
    }
    for (later, first) in earlier {
        let (at, text, other) = (&origin(later).text.at, &origin(later).text.value, &origin(first).text.value);
        let id = uses[first.0].id();
        out.push(
            Diagnostic::warning(
                "pinyin-collision",
                at.clone(),
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

fn slow_patterns(packs: &[PackSource], origins: &Origins, out: &mut Vec<Diagnostic>) {
    let listed = packs.iter().flat_map(|pack| pack.lists.values()).flat_map(|list| &list.value);
    let compiled =
        origins.detectors.iter().flat_map(|one| one.phrases.iter().chain(&one.conditions)).chain(&origins.beside);
    for phrase in listed.chain(compiled.map(|origin| &origin.source)) {
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
                TestSource::Call { script } => script::expects_alerts(script),
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
fn remedies(uses: &[Use<'_>], out: &mut Vec<Diagnostic>) {
    for used in uses {
        let mut windows = Vec::new();
        used.detector.unless.iter().chain(&used.detector.only).for_each(|context| thens(context, &mut windows));
        // Its phrases stand together among those of the conditions, in the same order.
        let mut rest = used.conditions;
        for (any, within_ms) in windows {
            let first = rest.iter().position(|origin| any.contains(&origin.id)).unwrap_or(rest.len());
            let (own, behind) = rest[first..].split_at(any.len().min(rest.len() - first));
            rest = behind;
            let at = own.first().map_or(&used.rule.id.at, |origin| &origin.source.text.at);
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
            let forbidden: BTreeSet<String> =
                used.phrases.iter().filter_map(|origin| letters(&origin.source)).collect();
            let excuse = own
                .iter()
                .map(|origin| &origin.source)
                .find(|phrase| letters(phrase).is_some_and(|letters| forbidden.contains(&letters)));
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
fn thens<'a>(context: &'a Context<PhraseId>, found: &mut Vec<(&'a [PhraseId], i64)>) {
    match context {
        Context::Then { any, within_ms } => found.push((any, *within_ms)),
        Context::All(inner) | Context::Any(inner) => inner.iter().for_each(|inner| thens(inner, found)),
        Context::Not(inner) => thens(inner, found),
        _ => {}
    }
}

fn unused_lists(packs: &[PackSource], origins: &Origins, out: &mut Vec<Diagnostic>) {
    for pack in packs {
        let is_used = |name: &String| origins.lists.contains(&(pack.pack.value.clone(), name.clone()));
        for (name, list) in pack.lists.iter().filter(|(name, _)| !is_used(name)) {
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
