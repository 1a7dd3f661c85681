//! Rules tried out on a dialogue that was typed or pasted: how the engine
//! folds and cuts it, what it finds, why that counts or not, and the alerts
//! that `check` would give. The dialogue is kept nowhere.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::adapter::alert_json::AlertJson;
use crate::adapter::dialogue;
use crate::adapter::native::{self, Event, EventBody, Number};
use crate::adapter::schema;
use crate::engine::act::{Part, Reasons};
use crate::engine::inspect::{self, Candidate, Inspected, InspectedWindow};
use crate::engine::rule::RuleSet;
use crate::engine::rule::parse::SourceFile;
use crate::engine::transcript::{CallInfo, Input, Role};
use crate::server::clock;
use crate::server::config::TRIAL_EVENTS_MAX;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::http::api::rules::edit::{Edited, EditedFile, Fields, TrialPermit, bad, in_turn};
use crate::server::net::reply::Unanswered;
use crate::server::rules::{Remark, Written};
use crate::server::runtime::Shared;
use crate::session::{self, Session, last_states};

/// A dialogue, and edited rule files to try on it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct TryRequest {
    /// Lines such as `坐席：…`, `[00:12] 客户：…`; or call events as JSON Lines.
    dialogue: Option<String>,
    /// Call events, instead of a dialogue.
    #[schema(value_type = Option<Vec<Object>>)]
    events: Option<Vec<Value>>,
    /// Fields of `call.start`, where a dialogue needs them: `started_at`, `queue`, `channel`, `packs` …
    #[schema(value_type = Option<Object>)]
    call: Option<Value>,
    files: Option<Vec<EditedFile>>,
}

/// The results of the rules on a dialogue.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Tried {
    /// Whether the rules can be used; if not, there is nothing but diagnostics.
    ok: bool,
    version: String,
    /// In the order they were said.
    utterances: Vec<UtteranceView>,
    /// The windows of rules that require something, in the order of the rules.
    windows: Vec<WindowView>,
    /// The final alerts, in the order of time.
    #[schema(value_type = Vec<AlertJson<'static>>)]
    alerts: Vec<Value>,
    /// Faults and warnings of the edited files.
    diagnostics: Vec<Remark>,
}

/// One utterance as the engine sees it. Offsets count Unicode scalar values.
#[derive(Debug, Serialize, ToSchema)]
struct UtteranceView {
    utterance_id: String,
    #[schema(value_type = schema::Role)]
    role: Role,
    text: String,
    start_ms: i64,
    end_ms: i64,
    #[serde(rename = "final")]
    is_final: bool,
    /// The folded text, which the phrases are matched against.
    folded: String,
    /// Where each symbol of `folded` stands in `text`: start, end (exclusive).
    offsets: Vec<[usize; 2]>,
    /// The text, cut into words.
    words: Vec<String>,
    candidates: Vec<CandidateView>,
    /// Of an agent's words: how sure the second look is that a reviewer marks them, and why.
    second_look: Option<ReasonsView>,
}

/// A score of the model taken apart: `parts`, `before` and `rest` add up to it.
#[derive(Debug, Serialize, ToSchema)]
struct ReasonsView {
    /// 0 to 1.
    confidence: f64,
    /// The words that speak most for it and against it, the weightiest first.
    parts: Vec<PartOfScore>,
    /// What stood before adds this.
    before: f64,
    /// Everything else adds this.
    rest: f64,
}

/// Words and what they add to a score.
#[derive(Debug, Serialize, ToSchema)]
struct PartOfScore {
    text: String,
    start: u32,
    end: u32,
    adds: f64,
}

/// A phrase of a rule where it stands.
#[derive(Debug, Serialize, ToSchema)]
struct CandidateView {
    rule_id: String,
    rule_name: String,
    /// The phrase as the rule words it.
    phrase: String,
    start: usize,
    end: usize,
    /// It began in the speaker's utterance before.
    continued: bool,
    homophone: bool,
    /// Why it does not count; null if it does.
    veto: Option<String>,
    /// `veto` in English.
    veto_en: Option<String>,
    /// The part of the rule that the hit serves.
    purpose: String,
    /// Of an act: how sure the model is that it was done, and why.
    act: Option<ReasonsView>,
}

/// A window of a rule.
#[derive(Debug, Serialize, ToSchema)]
struct WindowView {
    rule_id: String,
    rule_name: String,
    /// Null: from the beginning of everything.
    from_ms: Option<i64>,
    /// When it is due; null while that is not known.
    until_ms: Option<i64>,
    parts: Vec<PartView>,
    /// The call ended inside it: not applicable.
    cut_short: bool,
}

/// A part of what is required.
#[derive(Debug, Serialize, ToSchema)]
struct PartView {
    name: String,
    /// Null: not in this window.
    said_ms: Option<i64>,
}

/// Plays a dialogue to the rules in use, or to edited ones over them.
#[utoipa::path(post, path = "/v1/rules/try", tag = "operate", request_body = TryRequest, responses(
    (status = 200, description = "What the rules make of it / 试验结果", body = Tried),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 408, description = "It takes too long / 太久", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn try_out(
    State(shared): State<Arc<Shared>>,
    Extension(turn): Extension<TrialPermit>,
    body: Result<String, StringRejection>,
) -> Result<Json<Tried>, Unanswered> {
    let fields = Fields::read(body, &["dialogue", "events", "call", "files"])?;
    let files = fields.files()?;
    let call = Conversation::read(&fields, || clock::wall_now(shared.config.utc_offset).to_rfc3339())?;
    let written = shared.rules.written();
    // Edited files may have packs of their own.
    if files.is_empty()
        && let Some(message) = session::unknown_packs(&written.rules, &call.info)
    {
        return Err(bad("call.packs", message));
    }
    Ok(Json(in_turn(&shared, turn, move |over| tried(&written, &files, call, over)).await?))
}

/// One call: how it began and what it was told.
struct Conversation {
    info: CallInfo,
    number: Number,
    told: Vec<(Number, Input)>,
}

impl Conversation {
    fn read(fields: &Fields, started_at: impl FnOnce() -> String) -> Result<Self, Unanswered> {
        let dialogue = fields.text("dialogue")?;
        match (dialogue, fields.get("events")) {
            (Some(text), None) if text.trim_start().starts_with('{') => {
                let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
                Self::of_events(
                    "dialogue",
                    lines.map(|(place, line)| (format!("第 {0} 行 / line {0}", place + 1), line.to_owned())),
                )
            }
            (Some(text), None) => Self::of_dialogue(text, fields.get("call"), started_at),
            (None, Some(Value::Array(events))) => {
                let events = events.iter().enumerate();
                Self::of_events("events", events.map(|(place, event)| (format!("events[{place}]"), event.to_string())))
            }
            (None, Some(_)) => Err(bad("events", "events 要是数组 / must be an array of call events")),
            (Some(_), Some(_)) => {
                Err(bad("events", "dialogue 和 events 只能有一个 / give dialogue or events, not both"))
            }
            (None, None) => Err(bad("dialogue", "缺少 dialogue 或 events / dialogue or events is missing")),
        }
    }

    fn of_dialogue(text: &str, call: Option<&Value>, started_at: impl FnOnce() -> String) -> Result<Self, Unanswered> {
        let told = dialogue::parse(text).map_err(|faults| {
            let zh =
                faults.iter().map(|fault| format!("第 {} 行：{}", fault.line, fault.zh)).collect::<Vec<_>>().join("\n");
            let en =
                faults.iter().map(|fault| format!("line {}: {}", fault.line, fault.en)).collect::<Vec<_>>().join("\n");
            bad("dialogue", format!("{zh} / {en}"))
        })?;
        let mut start = Map::new();
        if let Some(call) = call {
            let Value::Object(call) = call else {
                return Err(bad(
                    "call",
                    "call 要是对象，字段同 call.start / must be an object with fields of call.start",
                ));
            };
            start.clone_from(call);
        }
        start.insert("type".to_owned(), json!("call.start"));
        for (name, value) in [("call_id", "try"), ("agent_id", "agent")] {
            start.entry(name).or_insert_with(|| json!(value));
        }
        start.entry("started_at").or_insert_with(|| json!(started_at()));
        let event = native::parse(&Value::Object(start).to_string());
        match event.map_err(|error| bad(format!("call.{}", error.field.unwrap_or_default()), error.to_string()))? {
            Event { body: EventBody::Start(info), number, .. } => {
                let told = told.into_iter().map(|input| (Number::default(), input)).collect();
                Ok(Self { info: *info, number, told })
            }
            Event { .. } => Err(bad("call", "call 要是 call.start / must be a call.start")),
        }
    }

    /// Each event has a name, by which a fault can be found.
    fn of_events(field: &str, events: impl Iterator<Item = (String, String)>) -> Result<Self, Unanswered> {
        let mut conversation: Option<Self> = None;
        for (place, (name, text)) in events.enumerate() {
            if place >= TRIAL_EVENTS_MAX {
                let message = format!("最多 {TRIAL_EVENTS_MAX} 个事件 / at most {TRIAL_EVENTS_MAX} events are allowed");
                return Err(bad(field, message));
            }
            let event = native::parse(&text).map_err(|error| bad(field, format!("{name}: {error}")))?;
            let Event { call_id, number, body } = event;
            match (&mut conversation, body) {
                (None, EventBody::Start(info)) => {
                    conversation = Some(Self { info: *info, number, told: Vec::new() });
                }
                (None, EventBody::Input(_)) => {
                    let message = format!("{name}: 第一个事件要是 call.start / the first event must be call.start");
                    return Err(bad(field, message));
                }
                (Some(known), _) if known.info.call_id != call_id => {
                    return Err(bad(field, format!("{name}: 只能有一通通话 / one call only")));
                }
                (Some(known), EventBody::Input(input)) => known.told.push((number, input)),
                // A second start of a call changes nothing, as in `check`.
                (Some(_), EventBody::Start(_)) => {}
            }
        }
        conversation.ok_or_else(|| bad(field, "没有事件 / there are no events"))
    }
}

fn tried(written: &Written, files: &[SourceFile], call: Conversation, over: &CancellationToken) -> Option<Tried> {
    if files.is_empty() {
        return play(&written.rules, call, over);
    }
    let edited = Edited::new(written, files);
    let tried = match &edited.loaded {
        Some(loaded) => play(&loaded.rules, call, over)?,
        None => Tried { version: edited.version.clone(), ..Tried::default() },
    };
    Some(Tried { diagnostics: edited.remarks(), ..tried })
}

/// Nothing, if `over` is told before the end.
fn play(rules: &Arc<RuleSet>, call: Conversation, over: &CancellationToken) -> Option<Tried> {
    let Conversation { info, number, told } = call;
    let mut session = Session::explainable(Arc::clone(rules), info, &number);
    for (number, input) in told {
        if over.is_cancelled() {
            return None;
        }
        session.take(&number, input);
    }
    session.finish();
    let alerts = last_states(std::iter::from_fn(|| session.poll_output()));
    let alerts = alerts.iter().filter_map(|alert| serde_json::to_value(session.to_wire(alert)).ok()).collect();
    Some(Tried {
        ok: true,
        version: rules.version.clone(),
        utterances: inspect::utterances(session.call()).into_iter().map(UtteranceView::from).collect(),
        windows: inspect::windows(session.call()).into_iter().map(WindowView::from).collect(),
        alerts,
        diagnostics: Vec::new(),
    })
}

impl From<Inspected> for UtteranceView {
    fn from(seen: Inspected) -> Self {
        let Inspected {
            utterance_id,
            role,
            text,
            start,
            end,
            is_final,
            folded,
            offsets,
            words,
            candidates,
            second_look,
        } = seen;
        Self {
            utterance_id,
            role,
            text,
            start_ms: start.0,
            end_ms: end.0,
            is_final,
            folded,
            offsets: offsets.into_iter().map(|(start, end)| [start, end]).collect(),
            words,
            candidates: candidates.into_iter().map(CandidateView::from).collect(),
            second_look: second_look.map(ReasonsView::from),
        }
    }
}

impl From<Candidate> for CandidateView {
    fn from(seen: Candidate) -> Self {
        let Candidate { rule_id, rule_name, phrase, start, end, continued, homophone, veto, veto_en, purpose, act } =
            seen;
        let act = act.map(ReasonsView::from);
        Self { rule_id, rule_name, phrase, start, end, continued, homophone, veto, veto_en, purpose, act }
    }
}

impl From<Reasons> for ReasonsView {
    fn from(Reasons { confidence, parts, before, rest }: Reasons) -> Self {
        let adds = |adds: i32| f64::from(adds) / 10_000.0;
        let part = |Part { text, start, end, adds: of }: Part| PartOfScore { text, start, end, adds: adds(of) };
        Self {
            confidence: f64::from(confidence) / 10_000.0,
            parts: parts.into_iter().map(part).collect(),
            before: adds(before),
            rest: adds(rest),
        }
    }
}

impl From<InspectedWindow> for WindowView {
    fn from(InspectedWindow { rule_id, rule_name, window }: InspectedWindow) -> Self {
        let part = |(name, said): (String, Option<crate::engine::time::CallTime>)| PartView {
            name,
            said_ms: said.map(|at| at.0),
        };
        Self {
            rule_id,
            rule_name,
            // Before the call there is nothing that could be said.
            from_ms: window.from.map(|at| at.0.max(0)),
            until_ms: window.until.map(|at| at.0),
            parts: window.parts.into_iter().map(part).collect(),
            cut_short: window.cut_short,
        }
    }
}
