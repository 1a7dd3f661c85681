//! What one rule finds in stored calls: sentences that it tells, before and after an edit, and those that it
//! nearly tells, with the reason why not. The rule is compiled alone, which makes it quick; what packs yield
//! to one another is a question for the backtest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::adapter::schema;
use crate::backtest::{Hit, Recorded, look, said_before};
use crate::engine::inspect::NearMiss;
use crate::engine::privacy;
use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::{RuleSet, load_alone};
use crate::engine::transcript::Role;
use crate::server::clock::wall_time;
use crate::server::config::{BACKTEST_CALLS_MAX, HITS_EXAMPLES, HITS_KEPT_MAX};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::http::api::rules::backtest::{Selection, pages, recorded};
use crate::server::http::api::rules::edit::{EditedFile, Fields, TrialPermit, bad, in_turn};
use crate::server::net::reply::Unanswered;
use crate::server::rules::Written;
use crate::server::runtime::Shared;
use crate::server::store::{StoreError, Stored};

/// A rule in edited files, and the calls to look through.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct HitsRequest {
    files: Vec<EditedFile>,
    rule_id: String,
    /// A day, or a time with its offset.
    from: Option<String>,
    to: Option<String>,
    /// The agent who answered.
    agent_id: Option<String>,
}

/// What a rule finds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct RuleHits {
    /// Calls that were looked through, and those whose words are no longer kept.
    pub(crate) calls: u64,
    pub(crate) skipped: u64,
    /// Whether there are more calls than were looked through.
    pub(crate) partial: bool,
    /// Whether the rule is in use, so that there is something to compare with.
    pub(crate) compared: bool,
    /// Alerts of the rule in use, and of the edited one.
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) gained: u64,
    pub(crate) lost: u64,
    /// Calls and agents with alerts of the edited rule.
    pub(crate) calls_hit: u64,
    pub(crate) agents_hit: u64,
    /// Over different agents and calls; what differs first.
    pub(crate) examples: Vec<RuleExample>,
    /// Forbidden words that something keeps from counting, and those that the second look holds back: how many,
    /// why, and examples.
    pub(crate) near: u64,
    pub(crate) vetoes: Vec<VetoCount>,
    pub(crate) near_examples: Vec<RuleExample>,
}

/// A reason, and how often it was the reason.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct VetoCount {
    veto: String,
    veto_en: String,
    count: u64,
}

/// A sentence of a call. Personal data is masked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RuleExample {
    /// `gained`, `lost`, `kept` or `near`.
    sort: String,
    /// How often this was said alike, marks and spaces aside, this time among them.
    #[serde(default = "once")]
    times: u64,
    call_id: String,
    agent_id: String,
    started_at: Option<String>,
    at_ms: i64,
    /// Null: nothing was said, such as what was required.
    #[schema(value_type = Option<schema::Role>)]
    role: Option<String>,
    text: String,
    /// Unicode scalar values of `text`, the end exclusive.
    start: usize,
    end: usize,
    phrase: String,
    /// What the other party said before.
    reply_to: Option<String>,
    /// Of what is near: why it does not count.
    veto: Option<String>,
    veto_en: Option<String>,
    /// Of an alert: what it says; of one that is held back: how sure the second look is.
    message: Option<String>,
}

/// Looks through stored calls for what one rule finds, nearly finds, and finds no longer.
#[utoipa::path(post, path = "/v1/rules/hits", tag = "qa", request_body = HitsRequest, responses(
    (status = 200, description = "Sentences, over different calls and agents / 不同通话、不同坐席的例句", body = RuleHits),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 408, description = "It takes too long / 太久", body = ErrorMessage),
    (status = 409, description = "Another one is running / 已有一个在运行", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn hits(
    State(shared): State<Arc<Shared>>,
    Extension(turn): Extension<TrialPermit>,
    body: Result<String, StringRejection>,
) -> Result<Json<RuleHits>, Unanswered> {
    let fields = Fields::read(body, &["files", "rule_id", "from", "to", "agent_id"])?;
    let files = fields.files()?;
    let rule_id = fields.text("rule_id")?.ok_or_else(|| bad("rule_id", "缺少 rule_id / rule_id is missing"))?;
    let selection =
        Selection { from: fields.text("from")?, to: fields.text("to")?, agent_id: fields.text("agent_id")? };
    let wanted = selection.read(shared.config.utc_offset).map_err(Unanswered::Field)?;
    let rule_id = rule_id.to_owned();
    let found = looked(&shared, turn, files, rule_id, wanted).await?;
    found.map(Json).ok_or_else(|| {
        bad("rule_id", "这条规则有误，或不在这些文件里：先看表单上的错误 / the rule has faults, or is not in these files: see the faults in the form")
    })
}

/// What a rule finds in the calls that are wanted; `None` if it cannot be used.
pub(crate) async fn looked(
    shared: &Arc<Shared>,
    turn: TrialPermit,
    files: Vec<SourceFile>,
    rule_id: String,
    wanted: Stored,
) -> Result<Option<RuleHits>, Unanswered> {
    let server = Arc::clone(shared);
    let found = in_turn(shared, turn, move |over| Some(find(&server, &files, &rule_id, &wanted, over)));
    Ok(found.await?.map_err(Refusal::store)?)
}

fn find(
    shared: &Shared,
    files: &[SourceFile],
    rule_id: &str,
    wanted: &Stored,
    over: &CancellationToken,
) -> Result<Option<RuleHits>, StoreError> {
    let written: Arc<Written> = shared.rules.written();
    let edited = written.sources.edited(files);
    let thresholds = edited.thresholds;
    let Some((after, _)) = load_alone(&edited.files, rule_id, thresholds) else { return Ok(None) };
    let before = load_alone(&written.sources.files, rule_id, thresholds).map(|(before, _)| before);
    let mut gathered =
        Gathered { hits: RuleHits { compared: before.is_some(), ..RuleHits::default() }, ..Gathered::default() };
    for (count, place) in pages(&shared.readers, wanted).enumerate() {
        if over.is_cancelled() {
            break;
        }
        if count >= BACKTEST_CALLS_MAX {
            gathered.hits.partial = true;
            break;
        }
        match recorded(&shared.readers, place?)? {
            Some(call) => gathered.add(before.as_ref(), &after, &call, shared),
            None => gathered.hits.skipped += 1,
        }
    }
    Ok(Some(gathered.finish()))
}

/// What was found so far.
#[derive(Default)]
struct Gathered {
    hits: RuleHits,
    agents: BTreeSet<String>,
    told: Examples,
    near: Examples,
    vetoes: BTreeMap<String, VetoCount>,
}

impl Gathered {
    fn add(&mut self, before: Option<&Arc<RuleSet>>, after: &Arc<RuleSet>, call: &Recorded, shared: &Shared) {
        let Some(looked) = look(before, after, call) else { return };
        self.hits.calls += 1;
        if looked.hits.iter().any(|hit| hit.is_after) {
            self.hits.calls_hit += 1;
            self.agents.insert(call.info.agent_id.to_string());
        }
        for Hit { alert, is_before, is_after } in looked.hits {
            self.hits.before += u64::from(is_before);
            self.hits.after += u64::from(is_after);
            let sort = match (is_before, is_after) {
                (false, _) => "gained",
                (true, false) => "lost",
                (true, true) => "kept",
            };
            self.hits.gained += u64::from(sort == "gained");
            self.hits.lost += u64::from(sort == "lost");
            let first = alert.evidence.first();
            let text = first.map_or_else(String::new, |evidence| privacy::mask(&evidence.text).into_owned());
            let reply_to = first.and_then(|evidence| said_before(call, &evidence.utterance_id));
            self.told.push(RuleExample {
                sort: sort.to_owned(),
                role: first.map(|evidence| evidence.role.name().to_owned()),
                start: first.map_or(0, |evidence| evidence.start),
                end: first.map_or(0, |evidence| evidence.end),
                phrase: first.map_or_else(String::new, |evidence| evidence.phrase.to_string()),
                message: Some(privacy::mask(&alert.message).into_owned()),
                ..RuleExample::of_call(call, shared, alert.at.0, text, reply_to)
            });
        }
        for alert in looked.held {
            let Some(first) = alert.evidence.first() else { continue };
            let sure = alert.confidence.map_or(0.0, |share| f64::from(share / 100) / 100.0);
            let veto = "复看的把握不够，只留给质检；要都报，把“要多有把握才报”设为 0".to_owned();
            let veto_en =
                "the second look is not sure enough: kept for QA; to tell all, set the confidence to 0".to_owned();
            let text = privacy::mask(&first.text).into_owned();
            let example = RuleExample {
                role: Some(first.role.name().to_owned()),
                start: first.start,
                end: first.end,
                phrase: first.phrase.to_string(),
                message: Some(format!("{sure:.2}")),
                ..RuleExample::of_call(call, shared, alert.at.0, text, said_before(call, &first.utterance_id))
            };
            self.add_near(veto, veto_en, example);
        }
        for NearMiss { utterance_id, role, text, start, candidate } in looked.near {
            let (veto, veto_en) = (candidate.veto.unwrap_or_default(), candidate.veto_en.unwrap_or_default());
            let masked = privacy::mask(&text).into_owned();
            let example = RuleExample {
                role: Some(Role::name(role).to_owned()),
                start: candidate.start,
                end: candidate.end,
                phrase: candidate.phrase,
                ..RuleExample::of_call(call, shared, start.0, masked, said_before(call, &utterance_id))
            };
            self.add_near(veto, veto_en, example);
        }
    }

    /// Counts what is nearly told, and keeps it as an example.
    fn add_near(&mut self, veto: String, veto_en: String, example: RuleExample) {
        self.hits.near += 1;
        let counted = || VetoCount { veto: veto.clone(), veto_en: veto_en.clone(), count: 0 };
        self.vetoes.entry(veto.clone()).or_insert_with(counted).count += 1;
        let (veto, veto_en) = (Some(veto), Some(veto_en));
        self.near.push(RuleExample { sort: "near".to_owned(), veto, veto_en, ..example });
    }

    fn finish(self) -> RuleHits {
        let Self { mut hits, agents, told, near, vetoes } = self;
        hits.agents_hit = agents.len() as u64;
        let rank = |example: &RuleExample| match example.sort.as_str() {
            "gained" => 0,
            "lost" => 1,
            _ => 2,
        };
        hits.examples = varied(told.kept, rank);
        hits.near_examples = varied(near.kept, |_| 0);
        hits.vetoes = vetoes.into_values().collect();
        hits.vetoes.sort_by_key(|veto| std::cmp::Reverse(veto.count));
        hits.vetoes.truncate(HITS_EXAMPLES);
        hits
    }
}

/// Examples, those that say the same in the same way once.
#[derive(Default)]
struct Examples {
    kept: Vec<RuleExample>,
    places: BTreeMap<[String; 4], usize>,
}

impl Examples {
    fn push(&mut self, example: RuleExample) {
        let words: String = example.text.chars().filter(|c| c.is_alphanumeric()).collect();
        let is_silence = words.is_empty();
        let key = [example.sort.clone(), words, example.phrase.clone(), example.veto.clone().unwrap_or_default()];
        if let Some(like) = self.places.get(&key).and_then(|place| self.kept.get_mut(*place)) {
            like.times += 1;
        } else if self.kept.len() < HITS_KEPT_MAX {
            // Where nothing was said, each is for itself.
            if !is_silence {
                self.places.insert(key, self.kept.len());
            }
            self.kept.push(example);
        }
    }
}

const fn once() -> u64 {
    1
}

/// Some of the examples: of each rank in turn first one an agent, then one a call, then the others.
fn varied(mut examples: Vec<RuleExample>, rank: impl Fn(&RuleExample) -> u8) -> Vec<RuleExample> {
    let (mut agents, mut calls) = (BTreeMap::new(), BTreeMap::new());
    let mut keyed: Vec<_> = examples
        .drain(..)
        .map(|example| {
            let of_agent: &mut u32 = agents.entry(example.agent_id.clone()).or_default();
            let of_call: &mut u32 = calls.entry(example.call_id.clone()).or_default();
            (*of_agent, *of_call) = (*of_agent + 1, *of_call + 1);
            ((rank(&example), *of_call, *of_agent), example)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().take(HITS_EXAMPLES).map(|(_, example)| example).collect()
}

impl RuleExample {
    fn of_call(call: &Recorded, shared: &Shared, at_ms: i64, text: String, reply_to: Option<&str>) -> Self {
        let started_ms = call.info.started_at.timestamp_millis();
        Self {
            sort: String::new(),
            times: 1,
            call_id: call.info.call_id.to_string(),
            agent_id: call.info.agent_id.to_string(),
            started_at: wall_time(started_ms, shared.config.utc_offset),
            at_ms,
            role: None,
            text,
            start: 0,
            end: 0,
            phrase: String::new(),
            reply_to: reply_to.map(|text| privacy::mask(text).into_owned()),
            veto: None,
            veto_en: None,
            message: None,
        }
    }
}
