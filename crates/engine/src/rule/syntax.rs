//! Rule files as they are written: one pack a file, in YAML.
//!
//! These types say what can be written; `docs/rules.md` says what it means.
//! They hold places, not meaning: lists are not yet expanded, phrases not yet
//! parsed. `parse` builds them, `compile` turns them into a `RuleSet`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;

use crate::diagnostic::{Located, Position};
use crate::severity::Severity;
use crate::text::{Boundary, Homophone};
use crate::transcript::{Channel, Direction, EventKind, Party, Role};

/// One rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct PackSource {
    /// Its name, unique among all files.
    pub pack: Located<String>,
    /// Its name for people.
    pub title: String,
    /// The document it comes from.
    pub source: Option<String>,
    /// Whether calls that do not name packs use it.
    pub enabled: bool,
    /// Whether the second look takes a hit of it as a feature.
    pub feature: bool,
    /// Packs that tell instead of this one where both forbid the same words.
    pub yields_to: Vec<Located<String>>,
    /// The values that a company sets; they are already filled in where they are used.
    pub parameters: Vec<Parameter>,
    /// The nouns by which this trade calls people.
    pub subjects: SubjectWords,
    /// Named lists of phrases, used as `$name`.
    pub lists: BTreeMap<String, Located<Vec<PhraseSource>>>,
    /// The rules.
    pub rules: Vec<RuleSource>,
}

/// A value that a company sets for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, used as `${name}`.
    pub name: Located<String>,
    /// Its effect, for the person who sets it.
    pub description: String,
    /// The value unless a company sets another, as YAML writes it.
    pub default: String,
    /// The value in force, and where it was written.
    pub value: Located<String>,
    /// The scalars that it was put into.
    pub used_at: Vec<Position>,
}

/// A phrase, a reference to a list, a phrase with options of its own, or an act.
#[derive(Clone, Debug, PartialEq)]
pub struct PhraseSource {
    /// The text: a phrase, `/regex/` or `$list`; the name of an act, if it is one.
    pub text: Located<String>,
    /// Whether an act is meant: what is done, in whatever words (see [`crate::act`]).
    pub is_act: bool,
    /// Overrides what the rule says for all its phrases.
    pub homophone: Option<Homophone>,
    /// Overrides what the rule says for all its phrases.
    pub boundary: Option<Boundary>,
}

/// One rule. Exactly one of the five kinds is in `body`.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSource {
    /// Unique among all files, such as `hold.thank-after`.
    pub id: Located<String>,
    /// Its name for people.
    pub name: String,
    /// How grave a violation is.
    pub severity: Severity,
    /// Points a violation costs.
    pub deduct: u32,
    /// What the alert says. Placeholders: `{phrase}`, `{missing}`, `{said}`, `{total}`, `{value}`, `{limit}`, `{step}`, `{before}`.
    pub message: String,
    /// The words to say instead.
    pub suggestion: Option<String>,
    /// The clauses it rests on.
    pub clauses: Vec<Located<String>>,
    /// The first day on which it applies.
    pub from: Option<NaiveDate>,
    /// The last day on which it applies.
    pub until: Option<NaiveDate>,
    /// The calls it applies to.
    pub scope: Scope,
    /// Precondition, as of the moment of the violation.
    pub when: Option<Expression>,
    /// How often one call may be told of it.
    pub limit: Limit,
    /// The treatment of hypotheses.
    pub hypotheses: Hypotheses,
    /// How sure the second look must be of a forbidden hit before the agent is told, 0 to 1;
    /// `None` is the default of the severity, 0 waives the look.
    pub confidence: Option<f64>,
    /// Whether it is on trial: its alerts are kept, not shown and not counted.
    pub shadow: bool,
    /// How long a deadline waits for late utterances, in milliseconds.
    pub grace_ms: i64,
    /// The kind.
    pub body: Located<Body>,
    /// Its tests.
    pub tests: Vec<TestSource>,
    /// Names what decides when it fires, lists and parameters filled in: an edit elsewhere leaves it as it is.
    pub digest: String,
}

/// Which calls a rule applies to. Empty lists apply to all.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Scope {
    pub direction: Option<Direction>,
    pub channel: Option<Channel>,
    pub queue: Vec<String>,
    /// Attribute name to the values allowed, compared as text.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// How often one call may be told of a rule's violations, in the order they were said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// Each time.
    #[default]
    Each,
    /// The first only.
    Once,
    /// The first `n`.
    Max(u32),
    /// Not again within so many milliseconds of the last one told.
    CooldownMs(i64),
}

/// The treatment of hits in hypotheses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hypotheses {
    /// Shows them at once, as provisional.
    #[default]
    Show,
    /// Stays silent until the final.
    Final,
    /// Shows them once they have survived so many revisions.
    Revisions(u32),
    /// Shows them once they have stood for so many milliseconds.
    StableMs(i64),
}

/// The five kinds of rules.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Body {
    Forbid(Forbid),
    Require(Require),
    Sequence(Sequence),
    Timing(Timing),
    Event(EventRule),
}

/// Something said: any of these phrases, by these mouths, under these conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Whose mouth; agent unless said.
    pub roles: Vec<Role>,
    /// The phrases.
    pub any: Vec<PhraseSource>,
    /// It does not count if one of these holds.
    pub unless: Vec<Context>,
    /// It only counts if all of these hold.
    pub only: Vec<Context>,
    /// For phrases that do not say themselves; `None` is the default of the kind.
    pub homophone: Option<Homophone>,
    /// For phrases that do not say themselves; `None` is `word` for phrases of up to three characters.
    pub boundary: Option<Boundary>,
}

/// A condition on the words around a hit or before it, over phrases as written or as compiled.
#[derive(Clone, Debug, PartialEq)]
pub enum Context<P = PhraseSource> {
    /// One of these stands before the hit in its clause, at most `within` characters away.
    Before {
        /// The phrases.
        any: Vec<P>,
        /// Characters between; `None` is the whole clause.
        within: Option<u32>,
    },
    /// One of these stands after the hit in its clause, at most `within` characters away.
    After {
        /// The phrases.
        any: Vec<P>,
        /// Characters between; `None` is the whole clause.
        within: Option<u32>,
    },
    /// The hit is part of one of these longer phrases.
    Around(Vec<P>),
    /// One of these stands in the same clause (between any two marks).
    Clause(Vec<P>),
    /// One of these stands in the same sentence (between full stops, question or exclamation marks).
    Sentence(Vec<P>),
    /// One of these stands in the speaker's same turn.
    Turn(Vec<P>),
    /// The other party's preceding turn holds one of these.
    Reply(Vec<P>),
    /// The speaker goes on to say one of these: behind the hit in its utterance, or in one that begins at
    /// most `within_ms` after its end.
    Then {
        /// The phrases.
        any: Vec<P>,
        /// Milliseconds.
        within_ms: i64,
    },
    /// The hit is under a negation.
    Negated(bool),
    /// The sentence is a question.
    Question(bool),
    /// The hit is quoted, or named as a word (“您说的…”, 所谓…).
    Quoted(bool),
    /// The clause is a condition (如果…, …的话).
    Conditional(bool),
    /// The party that does it.
    Subject(Vec<Subject>),
    /// The hit is all that its utterance says, but for particles.
    Alone(bool),
    /// Nothing but particles precedes the hit in its clause (不行，没有了, unlike 这个不行).
    Begins(bool),
    /// Nothing but particles follows the hit in its clause (没办法了, unlike 没办法修改).
    Ends(bool),
    /// The utterance is louder than so many dB. False where loudness is not sent.
    VolumeAboveDb(f32),
    /// The utterance is higher than so many Hz. False where pitch is not sent.
    PitchAboveHz(f32),
    /// All hold.
    All(Vec<Self>),
    /// One holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
}

impl<P> Context<P> {
    /// Maps the phrases of a condition with `each`; its shape stays.
    pub(crate) fn map<Q>(&self, each: &mut impl FnMut(&[P]) -> Vec<Q>) -> Context<Q> {
        match self {
            Self::Before { any, within } => Context::Before { any: each(any), within: *within },
            Self::After { any, within } => Context::After { any: each(any), within: *within },
            Self::Around(any) => Context::Around(each(any)),
            Self::Clause(any) => Context::Clause(each(any)),
            Self::Sentence(any) => Context::Sentence(each(any)),
            Self::Turn(any) => Context::Turn(each(any)),
            Self::Reply(any) => Context::Reply(each(any)),
            Self::Then { any, within_ms } => Context::Then { any: each(any), within_ms: *within_ms },
            Self::Negated(is) => Context::Negated(*is),
            Self::Question(is) => Context::Question(*is),
            Self::Quoted(is) => Context::Quoted(*is),
            Self::Conditional(is) => Context::Conditional(*is),
            Self::Subject(subjects) => Context::Subject(subjects.clone()),
            Self::Alone(is) => Context::Alone(*is),
            Self::Begins(is) => Context::Begins(*is),
            Self::Ends(is) => Context::Ends(*is),
            Self::VolumeAboveDb(db) => Context::VolumeAboveDb(*db),
            Self::PitchAboveHz(hz) => Context::PitchAboveHz(*hz),
            Self::All(all) => Context::All(all.iter().map(|part| part.map(each)).collect()),
            Self::Any(any) => Context::Any(any.iter().map(|part| part.map(each)).collect()),
            Self::Not(part) => Context::Not(Box::new(part.map(each))),
        }
    }

    /// Whether it looks at utterances other than the one that hit.
    pub(crate) fn looks_around(&self) -> bool {
        match self {
            Self::Turn(_) | Self::Reply(_) | Self::Then { .. } => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::looks_around),
            Self::Not(part) => part.looks_around(),
            _ => false,
        }
    }

    /// How long after the end of its utterance a hit may still be taken back; `None` if it never is.
    pub(crate) fn open_ms(&self) -> Option<i64> {
        match self {
            Self::Then { within_ms, .. } => Some(*within_ms),
            Self::All(parts) | Self::Any(parts) => parts.iter().filter_map(Self::open_ms).max(),
            Self::Not(part) => part.open_ms(),
            _ => None,
        }
    }

    /// The phrases that it looks for in turns.
    pub(crate) fn around(&self) -> Vec<P>
    where
        P: Copy,
    {
        match self {
            Self::Turn(any) | Self::Reply(any) | Self::Then { any, .. } => any.clone(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::around).collect(),
            Self::Not(part) => part.around(),
            _ => Vec::new(),
        }
    }

    /// Its name in rule files, for explanations.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Before { .. } => "before",
            Self::After { .. } => "after",
            Self::Around(_) => "around",
            Self::Clause(_) => "clause",
            Self::Sentence(_) => "sentence",
            Self::Turn(_) => "turn",
            Self::Reply(_) => "reply",
            Self::Then { .. } => "then",
            Self::Negated(_) => "negated",
            Self::Question(_) => "question",
            Self::Quoted(_) => "quoted",
            Self::Conditional(_) => "conditional",
            Self::Subject(_) => "subject",
            Self::Alone(_) => "alone",
            Self::Begins(_) => "begins",
            Self::Ends(_) => "ends",
            Self::VolumeAboveDb(_) => "volume_above",
            Self::PitchAboveHz(_) => "pitch_above",
            Self::All(_) => "all",
            Self::Any(_) => "any_of",
            Self::Not(_) => "not",
        }
    }
}

/// The subject of the clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// 我, 我们, 这边, 客服 …
    Own,
    /// 您, 你 …
    Customer,
    /// Anybody or anything else: 他, 业主, 系统, 快递 …
    Other,
    /// Nobody is named.
    Unnamed,
}

/// Words that a pack adds to those that name who acts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubjectWords {
    /// The speaker's own side.
    pub own: Vec<Located<String>>,
    /// The one spoken to.
    pub customer: Vec<Located<String>>,
    /// Anybody and anything else that acts.
    pub other: Vec<Located<String>>,
}

impl SubjectWords {
    /// Every word with whom it names, in the order of the lists.
    pub(crate) fn words(&self) -> impl Iterator<Item = (Subject, &Located<String>)> {
        let lists = [(Subject::Own, &self.own), (Subject::Customer, &self.customer), (Subject::Other, &self.other)];
        lists.into_iter().flat_map(|(subject, words)| words.iter().map(move |word| (subject, word)))
    }
}

/// A precondition of a rule: of words as written, or of the detectors that hear them.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Expression<S = Said> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// It was said, by then, no longer than `within_ms` ago.
    Said {
        said: S,
        within_ms: Option<i64>,
    },
    /// It happened, by then, no longer than `within_ms` ago.
    Happened {
        event: EventKind,
        within_ms: Option<i64>,
    },
    /// The hour of the day, in the time zone of `started_at`.
    Hour(HourRange),
    /// The call has lasted at least so long.
    LastedMs(i64),
}

impl<S> Expression<S> {
    /// Maps the words of an expression; its shape stays.
    pub(crate) fn map<T>(&self, each: &mut impl FnMut(&S) -> T) -> Expression<T> {
        match self {
            Self::All(all) => Expression::All(all.iter().map(|part| part.map(each)).collect()),
            Self::Any(any) => Expression::Any(any.iter().map(|part| part.map(each)).collect()),
            Self::Not(part) => Expression::Not(Box::new(part.map(each))),
            Self::Said { said, within_ms } => Expression::Said { said: each(said), within_ms: *within_ms },
            Self::Happened { event, within_ms } => Expression::Happened { event: *event, within_ms: *within_ms },
            Self::Hour(range) => Expression::Hour(*range),
            Self::LastedMs(ms) => Expression::LastedMs(*ms),
        }
    }

    /// Whether late news of an event can change it.
    pub(crate) fn asks_for_events(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_for_events),
            Self::Not(part) => part.asks_for_events(),
            Self::Happened { .. } => true,
            Self::Said { .. } | Self::Hour(_) | Self::LastedMs(_) => false,
        }
    }
}

/// A span of the day in minutes since midnight; `until` exclusive, may lie past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct HourRange {
    pub from_minute: u32,
    pub until_minute: u32,
}

/// Forbidden words.
#[derive(Clone, Debug, PartialEq)]
pub struct Forbid {
    /// The forbidden words.
    pub said: Said,
    /// How many different phrases of `said` make a violation.
    pub at_least: u32,
    /// Where in the call.
    pub window: Option<Window>,
}

/// A part of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// From the answer on.
    First(Extent),
    /// Up to the end of the call.
    Last(Extent),
    /// From an anchor on.
    After(Anchor, Extent),
    /// Up to an anchor.
    Before(Anchor, Extent),
}

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Milliseconds of the call's clock.
    Ms(i64),
    /// Turns of the rule's speaker.
    Turns(u32),
    /// The window lasts as long as the call.
    Unbounded,
}

/// The moment that a window is measured from.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Anchor {
    Event(EventKind),
    Said(Box<Said>),
}

/// Required words.
#[derive(Clone, Debug, PartialEq)]
pub struct Require {
    /// The required parts, in any order and across utterances.
    pub parts: Vec<Part>,
    /// Where the window lies: `After` or `Before` an anchor.
    pub window: Window,
    /// How long before the deadline the agent is reminded, in milliseconds.
    pub remind_ms: Option<i64>,
    /// The text of the reminder; by default the name of the rule and the missing parts.
    pub reminder: Option<String>,
    /// Whether the clock runs while the customer is on hold.
    pub count_hold: bool,
    /// Whether a call that ends inside the window violates the rule.
    pub even_if_cut_short: bool,
}

/// One thing that must be said.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name in alerts; by default the first phrase.
    pub name: Option<String>,
    /// Words that do it; by default the first phrase that can be said as it stands.
    pub say: Option<String>,
    /// Its paraphrases.
    pub said: Said,
}

/// Steps in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The moment that the steps follow; by default the answer.
    pub after: Option<Anchor>,
    /// The steps.
    pub steps: Vec<Step>,
    /// By when all must be done; without it, the end of the call.
    pub within_ms: Option<i64>,
}

/// One step of a sequence.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Step {
    pub name: String,
    /// Words that do it; by default the first phrase that can be said as it stands.
    pub say: Option<String>,
    pub said: Said,
    /// May be left out, but not come out of order.
    pub optional: bool,
}

/// Things that are measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Timing {
    /// Nobody, or one party, says anything for longer than `over_ms`. Holds do not count.
    Silence {
        /// `None` is both.
        of: Option<Role>,
        /// Milliseconds.
        over_ms: i64,
    },
    /// The other party has talked for longer than `over_ms` since the role last said anything. Holds do not count.
    Listening {
        /// The party that listens.
        by: Role,
        /// Milliseconds of the other party's speech.
        over_ms: i64,
    },
    /// A hold lasts longer than `over_ms`.
    Hold {
        /// Milliseconds.
        over_ms: i64,
    },
    /// Characters a minute, over the last `window_ms` of the role's speech.
    Rate {
        /// Whose speech.
        role: Role,
        /// Characters a minute; slower is a violation.
        below: Option<u32>,
        /// Characters a minute; faster is a violation.
        above: Option<u32>,
        /// Milliseconds of speech looked at.
        window_ms: i64,
        /// Milliseconds of speech needed for a verdict.
        at_least_ms: i64,
    },
    /// The role begins while the other party has been speaking for `after_ms`, and both go on for `overlap_ms`.
    Interruption {
        /// The party that interrupts.
        by: Role,
        /// Milliseconds both speak at once.
        overlap_ms: i64,
        /// Milliseconds the other party had been speaking.
        after_ms: i64,
        /// Shorter utterances are backchannels (嗯, 好的), not interruptions; characters.
        min_chars: u32,
        /// Words that excuse it (不好意思打断一下).
        unless: Vec<PhraseSource>,
    },
    /// The role speaks on for longer than `over_ms` without the other party.
    Monologue {
        /// Whose speech.
        role: Role,
        /// Milliseconds.
        over_ms: i64,
    },
    /// The role answers the other party's message later than `over_ms`.
    Reply {
        /// The party that answers.
        by: Role,
        /// Milliseconds.
        over_ms: i64,
    },
    /// It rang more than `over` times.
    Rings {
        /// Rings.
        over: u32,
    },
    /// The role asks the same question again after it was answered.
    Repeat {
        /// The party that asks.
        role: Role,
        /// How often the same question makes a violation, at least 2.
        times: u32,
        /// Questions shorter than this do not count; characters.
        min_chars: u32,
        /// The other party's words that excuse it (没听清, 什么).
        unless: Vec<PhraseSource>,
    },
    /// The utterance is louder or softer than allowed, where loudness is sent.
    Volume {
        /// Whose speech.
        role: Role,
        /// dB.
        below: Option<f32>,
        /// dB.
        above: Option<f32>,
    },
    /// The utterance is higher or lower than allowed, where pitch is sent.
    Pitch {
        /// Whose speech.
        role: Role,
        /// Hz.
        below: Option<f32>,
        /// Hz.
        above: Option<f32>,
    },
}

/// Things that happen.
#[derive(Clone, Debug, PartialEq)]
pub enum EventRule {
    /// This party hung up.
    HangupBy(Party),
    /// The call was transferred, or put on hold, though none of these had been said shortly before.
    Without {
        /// The event.
        event: EventKind,
        /// The words that should have been said.
        said: Said,
        /// How long before, in milliseconds.
        within_ms: i64,
    },
    /// The call ended, or the agent left it, before the transfer was answered.
    TransferUnanswered,
    /// A greeting was said outside its hours.
    Greeting {
        /// Hours to the greetings that fit them.
        hours: Vec<(HourRange, Vec<PhraseSource>)>,
    },
}

/// A test in a rule file.
#[derive(Clone, Debug, PartialEq)]
pub enum TestSource {
    /// A line that must raise this rule's alert, or must not.
    Line {
        /// The words.
        text: Located<String>,
        /// Whether the rule must fire.
        fires: bool,
        /// The speaker of the line; by default the agent.
        role: Role,
        /// The other party's line before it.
        reply_to: Option<String>,
    },
    /// A little call with times, and the alerts expected at theirs.
    Call {
        /// The lines, as written.
        script: Located<String>,
    },
}
