//! The pure engine of tingjian: call events and the time go in, alerts come out.
//!
//! Deliberately absent: files, sockets, clocks, threads, the environment,
//! logging, randomness and the order of hash maps. `clippy.toml` of this crate
//! forbids them. The same rules with the same inputs give the same outputs,
//! byte for byte.
//!
//! # What it does
//!
//! A rule file says what an agent must not say ([`forbid`](rule::syntax::Body::Forbid)),
//! must say ([`require`](rule::syntax::Body::Require)), in which order, and how
//! long silences, holds and the like may last. [`rule::load`] reads such files
//! and compiles them into one immutable [`RuleSet`](rule::RuleSet), which all
//! calls share. A [`Call`](call::Call) takes what is said and what happens in
//! one call and puts out [`Alert`](alert::Alert)s: as soon as a hypothesis holds
//! the words, again when the final bears them out or does not, and when the time
//! for required words is nearly or wholly over.
//!
//! # Rules
//!
//! Loading is all or nothing. Every fault has its file, line and column, and
//! says in Chinese and in English what to do.
//!
//! ```
//! use tingjian_engine::rule::{self, parse::SourceFile};
//!
//! let text = "
//! pack: greeting
//! title: 开头语
//! rules:
//!   - id: greeting.hello
//!     name: 开头语
//!     message: 开头没有问候
//!     require: { any: [您好], after: answered, within: 10s }
//!     severty: critical
//! ";
//! let file = SourceFile { name: "greeting.yaml".into(), text: text.into() };
//! let faults = rule::load(&[file], "v1".into()).unwrap_err();
//! assert_eq!((faults[0].code, faults[0].at.to_string()), ("unknown-key", "greeting.yaml:9:5".into()));
//! ```
//!
//! # The law of the run loop
//!
//! All times are the call's own: milliseconds since it was answered
//! ([`CallTime`](time::CallTime)). Whoever embeds the engine tells it the time and wakes it:
//!
//! 1. Give each input to [`Call::handle`](call::Call::handle), with the time at which it arrived.
//! 2. **After every `handle`, `handle_timeout` and `finish`, and after `new`, drain
//!    [`Call::poll_output`](call::Call::poll_output) until it gives `None`.** An
//!    alert that is left in the queue is late by one input, and nobody is told.
//! 3. Then ask [`Call::poll_timeout`](call::Call::poll_timeout) when the call wants to be
//!    woken, and call [`Call::handle_timeout`](call::Call::handle_timeout) then, unless an
//!    input comes first. Every call may move that time; a timeout that comes too early or
//!    twice changes nothing.
//! 4. When nothing more will come, call [`Call::finish`](call::Call::finish): it decides
//!    what is still open.
//!
//! The engine never compares its times with a clock. A recording is replayed by passing the
//! latest moment that was spoken of; a live server passes that plus the wall time since. Both
//! get the same verdicts, as a verdict depends on when a thing was *said*; when it *arrived*
//! only decides how early it is known.
//!
//! ```
//! use std::collections::BTreeMap;
//! use tingjian_engine::alert::{Alert, AlertState};
//! use tingjian_engine::call::Call;
//! use tingjian_engine::rule::{self, parse::SourceFile};
//! use tingjian_engine::time::CallTime;
//! use tingjian_engine::transcript::{CallInfo, Channel, Direction, Input, Party, Role, Utterance};
//!
//! fn drain(call: &mut Call, alerts: &mut Vec<Alert>) {
//!     while let Some(alert) = call.poll_output() {
//!         alerts.push(alert);
//!     }
//! }
//!
//! let text = "
//! pack: example
//! title: 示例
//! rules:
//!   - id: example.ignorance
//!     name: 推诿
//!     message: 请不要说“{phrase}”
//!     forbid: { any: [不知道] }
//!   - id: example.hello
//!     name: 开头语
//!     message: 开头没有问候
//!     require: { any: [您好], after: answered, within: 10s }
//! ";
//! let file = SourceFile { name: "example.yaml".into(), text: text.into() };
//! let rules = rule::load(&[file], "v1".into()).unwrap().rules;
//! let info = CallInfo {
//!     call_id: "c1".into(),
//!     agent_id: "8001".into(),
//!     started_at: "2026-11-27T10:00:00+08:00".parse().unwrap(),
//!     direction: Direction::Inbound,
//!     channel: Channel::Voice,
//!     queue: None,
//!     rings: None,
//!     customer_name: None,
//!     packs: None,
//!     attributes: BTreeMap::new(),
//! };
//! let says = |text: &str, start: i64, end: i64| {
//!     Input::Utterance(Utterance {
//!         utterance_id: format!("u{start}"),
//!         role: Role::Agent,
//!         text: text.into(),
//!         start: CallTime(start),
//!         end: CallTime(end),
//!         is_final: true,
//!         confidence: None,
//!         volume_db: None,
//!         pitch_hz: None,
//!         agent_id: None,
//!     })
//! };
//!
//! let mut call = Call::new(rules, info);
//! let mut alerts = Vec::new();
//! drain(&mut call, &mut alerts);
//!
//! call.handle(CallTime(3_000), says("这个我不知道。", 1_000, 3_000));
//! drain(&mut call, &mut alerts);
//! assert_eq!(alerts[0].message, "请不要说“不知道”");
//! let words = &alerts[0].evidence[0];
//! assert_eq!((words.text.as_str(), words.start, words.end), ("这个我不知道。", 3, 6));
//!
//! // Nothing else is said: the call asks to be woken when the greeting is overdue.
//! while let Some(due) = call.poll_timeout() {
//!     call.handle_timeout(due);
//!     drain(&mut call, &mut alerts);
//! }
//! let last = alerts.last().unwrap();
//! assert_eq!((last.rule.id.as_str(), last.state), ("example.hello", AlertState::Confirmed));
//! assert_eq!((last.at, last.emitted), (CallTime(10_000), CallTime(12_000)));
//!
//! call.handle(CallTime(20_000), Input::End { at: CallTime(20_000), by: Party::Customer });
//! call.finish();
//! drain(&mut call, &mut alerts);
//! assert!(call.poll_timeout().is_none());
//! ```
//!
//! # How to embed it
//!
//! - One [`RuleSet`](rule::RuleSet) behind an `Arc`, any number of calls. A call keeps the rules
//!   that it began with; a new version concerns new calls only.
//! - A call is owned by one thread at a time and may move between threads.
//! - An alert is told in *transitions* with a stable `alert_id`: a pure function of the call, the
//!   rule and the occurrence. Whoever sees the same id again replaces what is shown.
//! - Inputs may be given twice, late and out of order. A final replaces its hypotheses by
//!   `utterance_id`; holds and transfers are known by kind and time. Producers' numbering,
//!   acknowledgement and storage are not the engine's.
//! - No input makes it panic, and what one call keeps has a bound.
//!
//! # Where to look
//!
//! - [`rule`]: how rules are written, read, checked and compiled; [`unit_test`] runs the tests in them;
//! - [`text`]: folding, phrases and the one scan over all of them;
//! - [`call`], [`transcript`], [`alert`], [`time`]: one call, what goes in and what comes out;
//! - [`pauses`]: its holds and silences;
//! - [`status`]: the state of a call now, for pages that show it;
//! - [`explain`], [`inspect`]: why a rule fired and why it did not;
//! - [`privacy`]: masks personal numbers.
// Tests of the crate read rule files and may write the table of simplified characters anew.
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod act;
mod agents;
pub mod alert;
pub mod call;
mod closed;
mod context;
mod detect;
pub mod diagnostic;
pub mod explain;
pub mod inspect;
mod monitor;
pub mod pauses;
pub mod privacy;
pub mod rule;
pub mod severity;
pub mod status;
pub mod text;
pub mod time;
mod timeline;
pub mod transcript;
pub mod unit_test;
mod work;
