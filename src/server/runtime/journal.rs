//! The journal's thread: it commits the shards' decisions, and only then sends acknowledgements and
//! alerts. Nothing else sends them.
//!
//! All batches that wait are one transaction. Two transactions begin at least a millisecond apart:
//! under load a commit serves many batches, without load none waits. When the store refuses, the
//! same batches are tried again until it takes them: the shards, and with them the producers, wait;
//! nothing is dropped and nothing is shown.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::adapter::alert_json::with_cursor;
use crate::server::clock;
use crate::server::config::{COMMIT_BATCHES_MAX, JOURNAL_QUEUE_MAX};
use crate::server::domain::draft::DraftRefusal;
use crate::server::domain::principal::{Reading, Who};
use crate::server::domain::refusal::{NotGiven, Refusal, Uncalibrated, Uncollected, Unfilled};
use crate::server::domain::review::Step;
use crate::server::domain::roster::Agent;
use crate::server::domain::threshold::CountedAlert;
use crate::server::runtime::Shared;
use crate::server::runtime::live::Look;
use crate::server::runtime::shard::{Joined, Reply, Whereabouts};
use crate::server::runtime::subscription::{Push, Since, Subscription, Watchers};
use crate::server::store::{
    AlertRow, AnsweredCall, Attempt, CalibrationStep, ClipChange, Crossing, Fact, Flag, Forgotten, FoundDraft, Head,
    Help, HelpBounds, Horizon, Json, KeptHelp, LoadRow, NewCalibration, NewDraftStep, NewDraw, NewFeedback,
    NewFormStep, NewHelp, NewMark, NewVerdict, NewView, Position, Record, ReportState, StoreError, Taken, Target,
    Untaken, Writer,
};
use crate::server::telemetry::events::{Committed, Happening as _, StoreFailed, StoreMended};

/// The minimum time between two commits. Jobs that arrive in between share the next commit; a job
/// after a pause is committed at once.
const GATHER: Duration = Duration::from_millis(1);
/// How often the files of the store are looked at when nothing is to be kept.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Indexing takes no longer at once: acknowledgements wait for it.
const INDEXING_MAX: Duration = Duration::from_millis(10);
/// How long to wait before a store that refused is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The records and effects of one step of a shard, in order. No effect happens before all records
/// are stored.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    deeds: Vec<Deed>,
}

#[derive(Debug)]
enum Deed {
    Keep(Record),
    /// Stores an alert, then sends the messages about it.
    KeepAlert(Record, Box<AlertEffect>),
    Tell(Effect),
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.deeds.is_empty()
    }

    /// Adds a record to store.
    pub(crate) fn keep(&mut self, record: Record) {
        self.deeds.push(Deed::Keep(record));
    }

    /// Adds an alert to store, and the messages to send once it is stored.
    pub(crate) fn keep_alert(&mut self, row: AlertRow, tell: AlertEffect) {
        let record = Record::Alert { row: Box::new(row), cursor: None };
        self.deeds.push(Deed::KeepAlert(record, Box::new(tell)));
    }

    /// Adds an effect.
    pub(crate) fn tell(&mut self, effect: Effect) {
        self.deeds.push(Deed::Tell(effect));
    }

    fn records(&mut self) -> impl Iterator<Item = &mut Record> {
        self.deeds.iter_mut().filter_map(|deed| match deed {
            Deed::Keep(record) | Deed::KeepAlert(record, _) => Some(record),
            Deed::Tell(_) => None,
        })
    }
}

/// A message that is sent and not stored.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A producer's event was taken, or refused.
    Reply { to: mpsc::Sender<Reply>, reply: Reply },
    /// A recogniser's connection has its place.
    Joined { to: oneshot::Sender<Result<Joined, Refusal>>, joined: Joined },
    /// A notice to an agent.
    Notice { agent_id: String, text: Utf8Bytes },
    /// A supervisor subscribes to a call; everything before is stored.
    Watching { to: oneshot::Sender<Result<(Push, Subscription), Refusal>>, hello: Push, subscription: Subscription },
    /// Rows of calls for the sampler, sent after the records before them are stored.
    Looked { to: oneshot::Sender<Vec<Look>>, looks: Vec<Look> },
    /// Where a call stands, sent after the records before it are stored.
    Found { to: oneshot::Sender<Option<Whereabouts>>, found: Option<Whereabouts> },
    /// A message to the watchers of a call.
    Watched { watchers: Arc<Watchers>, text: Utf8Bytes },
}

/// An alert on its way to its receivers.
#[derive(Debug)]
pub(crate) struct AlertEffect {
    /// The agent who gets the alert; `None` if the agent must not see it.
    pub(crate) agent_id: Option<String>,
    /// The JSON for the agent, without its cursor.
    pub(crate) json: String,
    /// The JSON for others who listen to the agent's alerts, without its cursor.
    pub(crate) masked: Json,
    /// The JSON for supervisors, and the call's watchers.
    pub(crate) watched: Option<(Arc<Watchers>, Utf8Bytes)>,
    /// Whether webhooks get it.
    pub(crate) has_webhooks: bool,
    /// What thresholds count of it.
    pub(crate) counted: Option<CountedAlert>,
    /// When the frame behind it was received, or the deadline passed.
    pub(crate) since: Instant,
}

/// A job for the journal's thread.
pub(crate) enum Job {
    /// Commit this.
    Batch(Batch),
    /// Do something else on the one connection that writes.
    Task(Box<dyn FnOnce(&mut Writer) + Send>),
    /// No more jobs follow.
    Stop,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch(batch) => f.debug_tuple("Batch").field(batch).finish(),
            Self::Task(_) => f.write_str("Task"),
            Self::Stop => f.write_str("Stop"),
        }
    }
}

/// The outcome of work on the journal's thread: [`Refusal::Stopping`] if the thread is at its end,
/// else what the store says.
pub(crate) type Performed<T> = Result<Result<T, StoreError>, Refusal>;

/// The way to the thread. Each of its methods waits for its turn among the commits.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    queue: mpsc::Sender<Job>,
}

impl Journal {
    /// The queue, and its other end for [`run`].
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (queue, jobs) = mpsc::channel(JOURNAL_QUEUE_MAX);
        (Self { queue }, jobs)
    }

    /// Queues a batch, waiting for room. A batch that comes after the end of
    /// the thread is lost, as is all that was never acknowledged.
    pub(crate) async fn commit(&self, batch: Batch) {
        let _ = self.queue.send(Job::Batch(batch)).await;
    }

    /// Has the thread do `work` between two commits; fails if the thread is at its end.
    async fn perform<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Performed<T> {
        let (reply, done) = oneshot::channel();
        let task = Box::new(move |writer: &mut Writer| {
            let _ = reply.send(work(writer));
        });
        self.queue.send(Job::Task(task)).await.map_err(|_| Refusal::Stopping)?;
        done.await.map_err(|_| Refusal::Stopping)
    }

    /// See [`Writer::review`].
    pub(crate) async fn review(
        &self,
        targets: Vec<Target>,
        step: Step,
        who: Who,
        appeal_ms: i64,
    ) -> Performed<Vec<Result<Taken, Untaken>>> {
        self.perform(move |writer| writer.review(&targets, &step, &who, appeal_ms)).await
    }

    /// See [`Writer::mark`].
    pub(crate) async fn mark(&self, mark: NewMark) -> Performed<Result<(), Untaken>> {
        self.perform(move |writer| writer.mark(&mark)).await
    }

    /// See [`Writer::keep_draw`].
    pub(crate) async fn keep_draw(&self, draw: NewDraw) -> Performed<bool> {
        self.perform(move |writer| writer.keep_draw(&draw)).await
    }

    /// See [`Writer::decide_sample`].
    pub(crate) async fn decide_sample(&self, verdict: NewVerdict) -> Performed<Result<(), NotGiven>> {
        self.perform(move |writer| writer.decide_sample(&verdict)).await
    }

    /// See [`Writer::keep_report_state`].
    pub(crate) async fn keep_report_state(&self, state: ReportState) -> Performed<()> {
        self.perform(move |writer| writer.keep_report_state(&state)).await
    }

    /// See [`Writer::keep_view`].
    pub(crate) async fn keep_view(&self, view: NewView, count_max: usize) -> Performed<Option<i64>> {
        self.perform(move |writer| writer.keep_view(&view, count_max)).await
    }

    /// See [`Writer::drop_view`].
    pub(crate) async fn drop_view(&self, view_no: i64, owner: Option<String>) -> Performed<bool> {
        self.perform(move |writer| writer.drop_view(view_no, owner.as_deref())).await
    }

    /// See [`Writer::keep_feedback`].
    pub(crate) async fn keep_feedback(&self, feedback: NewFeedback) -> Performed<Option<AnsweredCall>> {
        self.perform(move |writer| writer.keep_feedback(&feedback)).await
    }

    /// See [`Writer::keep_help`].
    pub(crate) async fn keep_help(&self, help: NewHelp, bounds: HelpBounds) -> Performed<KeptHelp> {
        self.perform(move |writer| writer.keep_help(&help, bounds)).await
    }

    /// See [`Writer::read_help`].
    pub(crate) async fn read_help(&self, agent_id: String, help_no: i64, at_ms: i64) -> Performed<Option<Help>> {
        self.perform(move |writer| writer.read_help(&agent_id, help_no, at_ms)).await
    }

    /// See [`Writer::take_call`].
    pub(crate) async fn take_call(
        &self,
        call_no: i64,
        who: Who,
        instead_of: Option<String>,
        at_ms: i64,
    ) -> Performed<Attempt> {
        self.perform(move |writer| writer.take_call(call_no, &who, instead_of.as_deref(), at_ms)).await
    }

    /// See [`Writer::release_call`].
    pub(crate) async fn release_call(&self, call_no: i64, by: String, who: Who, at_ms: i64) -> Performed<bool> {
        self.perform(move |writer| writer.release_call(call_no, &by, &who, at_ms)).await
    }

    /// See [`Writer::flag_call`].
    pub(crate) async fn flag_call(&self, call_no: i64, who: Who, note: Option<String>, at_ms: i64) -> Performed<Flag> {
        self.perform(move |writer| writer.flag_call(call_no, &who, note.as_deref(), at_ms)).await
    }

    /// See [`Writer::settle_flag`].
    pub(crate) async fn settle_flag(&self, flag_no: i64, who: Who, at_ms: i64) -> Performed<Option<i64>> {
        self.perform(move |writer| writer.settle_flag(flag_no, &who, at_ms)).await
    }

    /// See [`Writer::keep_crossing`].
    pub(crate) async fn keep_crossing(
        &self,
        crossing: Crossing,
        webhooks: Vec<Arc<str>>,
        message: String,
    ) -> Performed<()> {
        self.perform(move |writer| writer.keep_crossing(&crossing, &webhooks, &message)).await
    }

    /// See [`Writer::audit`].
    pub(crate) async fn audit(&self, fact: Fact) -> Performed<Head> {
        self.perform(move |writer| writer.audit(&fact)).await
    }

    /// See [`Writer::keep_clips`].
    pub(crate) async fn keep_clips(&self, change: ClipChange) -> Performed<Result<i64, Uncollected>> {
        self.perform(move |writer| writer.keep_clips(&change)).await
    }

    /// See [`Writer::make_calibration`].
    pub(crate) async fn make_calibration(&self, new: NewCalibration) -> Performed<i64> {
        self.perform(move |writer| writer.make_calibration(&new)).await
    }

    /// See [`Writer::calibrate`].
    pub(crate) async fn calibrate(
        &self,
        calibration_no: i64,
        step: CalibrationStep,
        who: Who,
        at_ms: i64,
    ) -> Performed<Result<(), Uncalibrated>> {
        self.perform(move |writer| writer.calibrate(calibration_no, &step, &who, at_ms)).await
    }

    /// See [`Writer::form_step`].
    pub(crate) async fn form_step(&self, new: NewFormStep) -> Performed<Result<i64, Unfilled>> {
        self.perform(move |writer| writer.form_step(&new)).await
    }

    /// See [`Writer::keep_roster`].
    pub(crate) async fn keep_roster(&self, of_file: Vec<(String, Agent)>) -> Performed<()> {
        self.perform(move |writer| writer.keep_roster(&of_file)).await
    }

    /// See [`Writer::load_rules`].
    pub(crate) async fn load_rules(&self, row: LoadRow) -> Performed<()> {
        self.perform(move |writer| writer.load_rules(&row)).await
    }

    /// See [`Writer::draft_step`].
    pub(crate) async fn draft_step(&self, step: NewDraftStep) -> Performed<Result<FoundDraft, DraftRefusal>> {
        self.perform(move |writer| writer.draft_step(&step)).await
    }

    /// See [`Writer::forget`].
    pub(crate) async fn forget(&self, horizon: Horizon) -> Performed<Forgotten> {
        self.perform(move |writer| writer.forget(horizon)).await
    }

    /// See [`Writer::tell_forgotten`].
    pub(crate) async fn tell_forgotten(&self, horizon: Horizon, at_ms: i64) -> Performed<()> {
        self.perform(move |writer| writer.tell_forgotten(horizon, at_ms)).await
    }

    /// See [`Writer::keep_positions`].
    pub(crate) async fn keep_positions(
        &self,
        source: String,
        topic: String,
        positions: Vec<Position>,
    ) -> Performed<()> {
        self.perform(move |writer| writer.keep_positions(&source, &topic, &positions)).await
    }

    /// Ends the thread once all that was queued before is done.
    pub(crate) async fn stop(&self) {
        let _ = self.queue.send(Job::Stop).await;
    }

    /// How many jobs wait.
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// Runs until it is told to stop, or the server's grace is over.
pub(crate) fn run(shared: &Shared, runtime: &Handle, mut writer: Writer, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(COMMIT_BATCHES_MAX);
    let mut batches = Vec::with_capacity(COMMIT_BATCHES_MAX);
    // False at the end of the queue, or when the server is killed.
    let mut receive = |jobs: &mut Vec<Job>| {
        runtime.block_on(async {
            tokio::select! {
                biased;
                count = queue.recv_many(jobs, COMMIT_BATCHES_MAX) => count > 0,
                () = shared.killed.cancelled() => false,
                // Nothing came; the files are looked at all the same.
                () = tokio::time::sleep(LOOK_PERIOD) => true,
            }
        })
    };
    let mut is_stopped = false;
    let mut sealed = clock::now();
    while !is_stopped && receive(&mut jobs) {
        let begun = clock::now();
        for job in jobs.drain(..) {
            match job {
                Job::Batch(batch) => batches.push(batch),
                Job::Task(work) => {
                    // In its turn: what came before it is kept before it.
                    if !settle(shared, &mut writer, &mut batches) {
                        return;
                    }
                    work(&mut writer);
                }
                Job::Stop => is_stopped = true,
            }
        }
        if !settle(shared, &mut writer, &mut batches) {
            return;
        }
        // Under load, commits of a handful each would leave the cores to nothing else.
        if clock::now().saturating_duration_since(sealed) >= LOOK_PERIOD {
            sealed = clock::now();
            seal(&mut writer, false);
            index(&mut writer);
        }
        std::thread::sleep(GATHER.saturating_sub(clock::now().saturating_duration_since(begun)));
    }
    while seal(&mut writer, true) {}
    writer.close();
}

/// Has the audit seal calls that were closed; says whether there may be more. What fails is tried again later.
fn seal(writer: &mut Writer, all: bool) -> bool {
    writer.seal(clock::unix_ms(), all).unwrap_or_else(|error| {
        tracing::warn!(%error, "closed calls could not be sealed");
        false
    })
}

/// Has closed calls indexed for searches, for as long as nobody notices. What fails is tried again later.
fn index(writer: &mut Writer) {
    let begun = clock::now();
    loop {
        match writer.index_spoken() {
            Ok(true) if clock::now().saturating_duration_since(begun) < INDEXING_MAX => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "closed calls could not be indexed");
                return;
            }
        }
    }
}

/// Commits the batches and does what follows from them, however long the store
/// refuses. False when the server is killed before it took them.
fn settle(shared: &Shared, writer: &mut Writer, batches: &mut Vec<Batch>) -> bool {
    let mut has_failed = false;
    while let Err(error) = try_settle(shared, writer, batches) {
        StoreFailed { error: &error, first: !has_failed }.report(&shared.metrics);
        shared.health.set_store(Some(error.to_string()));
        has_failed = true;
        if shared.killed.is_cancelled() {
            return false;
        }
        std::thread::sleep(RETRY_PAUSE);
    }
    if has_failed {
        StoreMended.report(&shared.metrics);
        shared.health.set_store(None);
    }
    true
}

/// Commits the batches and does what follows from them; if the store refuses, or
/// its files are gone, neither.
pub(crate) fn try_settle(shared: &Shared, writer: &mut Writer, batches: &mut Vec<Batch>) -> Result<(), StoreError> {
    writer.check_files()?;
    if batches.is_empty() {
        return Ok(());
    }
    let begun = clock::now();
    let mut records = 0;
    writer.commit(batches.iter_mut().flat_map(Batch::records).inspect(|_| records += 1))?;
    let kept = clock::now();
    Committed { records, took: kept.saturating_duration_since(begun) }.report(&shared.metrics);
    for deed in batches.drain(..).flat_map(|batch| batch.deeds) {
        match deed {
            Deed::KeepAlert(Record::Alert { cursor, .. }, alert) => tell_alert(shared, *alert, cursor, kept),
            Deed::Keep(_) | Deed::KeepAlert(..) => {}
            Deed::Tell(effect) => tell(shared, effect),
        }
    }
    Ok(())
}

fn tell_alert(shared: &Shared, alert: AlertEffect, cursor: Option<i64>, kept: Instant) {
    let AlertEffect { agent_id, json, masked, watched, has_webhooks, counted, since } = alert;
    if let Some(counted) = counted {
        shared.thresholds.see(&counted);
    }
    if has_webhooks {
        shared.outbox.wake();
    }
    if let Some((watchers, text)) = watched {
        watchers.publish(&Push { text, cursor: None, since: None });
    }
    if let Some(agent_id) = agent_id {
        let text = |json: String| match cursor {
            Some(number) => Utf8Bytes::from(with_cursor(json, &shared.cursor(number).to_string())),
            None => Utf8Bytes::from(json),
        };
        let (plain, masked) = (text(json), text(masked.to_string()));
        let since = Some(Since { received: since, kept });
        shared.agents.publish(&agent_id, |reading| {
            let text = if reading == Reading::Plain { &plain } else { &masked };
            Push { text: text.clone(), cursor, since }
        });
    }
}

fn tell(shared: &Shared, effect: Effect) {
    match effect {
        // A full queue cannot be, and a closed one has nobody to tell.
        Effect::Reply { to, reply } => drop(to.try_send(reply)),
        Effect::Joined { to, joined } => drop(to.send(Ok(joined))),
        Effect::Watching { to, hello, subscription } => drop(to.send(Ok((hello, subscription)))),
        Effect::Looked { to, looks } => drop(to.send(looks)),
        Effect::Found { to, found } => drop(to.send(found)),
        Effect::Notice { agent_id, text } => {
            shared.agents.publish(&agent_id, |_| Push { text: text.clone(), cursor: None, since: None });
        }
        Effect::Watched { watchers, text } => watchers.publish(&Push { text, cursor: None, since: None }),
    }
}
