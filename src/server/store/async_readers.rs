//! What the tasks of the server ask the store. Each question is a named method, runs on a thread that
//! may block, and waits while [`QUESTIONS_MAX`] others are answered.
//!
//! Everything a task may ask is here; a new question is a method of [`Readers`] and one of the same
//! name here. Code that may block (start, commands, long replays) uses [`Readers`] itself.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::server::config::QUESTIONS_MAX;
use crate::server::domain::quality::Measured;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::score::Deduction;
use crate::server::store::calibrations::Calibration;
use crate::server::store::clips::{Clip, Collection};
use crate::server::store::drafts::{FoundDraft, ListedDraft};
use crate::server::store::forms::{FilledForm, FormFilter, FoundFormStep, ScoredForm};
use crate::server::store::overview::{Overview, OverviewFilter};
use crate::server::store::query::{
    AlertFilter, CallFilter, CallQuery, CallRecord, FoundAlert, FoundCall, Order, Place, Span, TotalledCall,
};
use crate::server::store::reader::{Backlog, Letter, StoredAlert};
use crate::server::store::reports::ReportState;
use crate::server::store::review::{FiguresOfDay, RuleFigures};
use crate::server::store::rules::{FoundVersion, VersionFiles};
use crate::server::store::sampling::{Assignment, AssignmentFilter, Draw, Drawn, Judgement, Progress};
use crate::server::store::spoken::{FoundWords, SpokenQuery};
use crate::server::store::statistics::{Statistics, StatisticsFilter};
use crate::server::store::supervision::{FlaggedCall, Help, Supervision};
use crate::server::store::views::FoundView;
use crate::server::store::{AuditEntry, AuditFilter, OwnCall, Position, Readers, StoreError};

/// [`Readers`] for tasks of the runtime, which must not block.
#[derive(Debug)]
pub(crate) struct AsyncReaders {
    readers: Arc<Readers>,
    /// Bounds the questions that are answered at once.
    permits: Semaphore,
}

impl AsyncReaders {
    pub(crate) fn new(readers: Arc<Readers>) -> Self {
        Self { readers, permits: Semaphore::new(QUESTIONS_MAX) }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Readers) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _permit = self.permits.acquire().await.map_err(|_| Refusal::Stopping)?;
        let readers = Arc::clone(&self.readers);
        let answer = tokio::task::spawn_blocking(move || question(&readers)).await.map_err(|_| Refusal::Stopping)?;
        answer.map_err(Refusal::store)
    }

    /// See [`Readers::alerts`].
    pub(crate) async fn alerts(
        &self,
        filter: Arc<AlertFilter>,
        order: Order,
        behind: Option<Place>,
        no_max: Option<i64>,
        count_max: usize,
    ) -> Result<Vec<FoundAlert>, Refusal> {
        self.ask(move |readers| readers.alerts(&filter, order, behind, no_max, count_max)).await
    }

    /// See [`Readers::count_alerts`].
    pub(crate) async fn count_alerts(&self, filter: Arc<AlertFilter>) -> Result<(i64, i64), Refusal> {
        self.ask(move |readers| readers.count_alerts(&filter)).await
    }

    /// See [`Readers::calls`].
    pub(crate) async fn calls(
        &self,
        filter: CallFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<(FoundCall, Vec<Deduction>)>, Refusal> {
        self.ask(move |readers| readers.calls(&filter, behind, count_max)).await
    }

    /// See [`Readers::count_calls`].
    pub(crate) async fn count_calls(&self, filter: CallFilter) -> Result<u64, Refusal> {
        self.ask(move |readers| readers.count_calls(&filter)).await
    }

    /// See [`Readers::positions`].
    pub(crate) async fn positions(&self, source: String, topic: String) -> Result<Vec<Position>, Refusal> {
        self.ask(move |readers| readers.positions(&source, &topic)).await
    }

    /// See [`Readers::call_record`].
    pub(crate) async fn call_record(&self, query: CallQuery) -> Result<Option<CallRecord>, Refusal> {
        self.ask(move |readers| readers.call_record(&query)).await
    }

    /// Gives the calls that a filter finds to `take`, in the order in which they were answered, and
    /// returns what `take` gathered.
    pub(crate) async fn totals<T: Default + Send + 'static>(
        &self,
        filter: CallFilter,
        mut take: impl FnMut(&mut T, &TotalledCall) + Send + 'static,
    ) -> Result<T, Refusal> {
        self.ask(move |readers| {
            let mut gathered = T::default();
            readers.totals(&filter, |call| take(&mut gathered, call))?;
            Ok(gathered)
        })
        .await
    }

    /// See [`Readers::statistics`].
    pub(crate) async fn statistics(&self, filter: StatisticsFilter, count_max: usize) -> Result<Statistics, Refusal> {
        self.ask(move |readers| readers.statistics(&filter, count_max)).await
    }

    /// See [`Readers::overview`].
    pub(crate) async fn overview(&self, filter: OverviewFilter, count_max: usize) -> Result<Overview, Refusal> {
        self.ask(move |readers| readers.overview(&filter, count_max)).await
    }

    /// See [`Readers::report_states`].
    pub(crate) async fn report_states(&self, until_ms: i64) -> Result<Vec<ReportState>, Refusal> {
        self.ask(move |readers| readers.report_states(until_ms)).await
    }

    /// See [`Readers::views`].
    pub(crate) async fn views(&self, page: String, owner: String, count_max: usize) -> Result<Vec<FoundView>, Refusal> {
        self.ask(move |readers| readers.views(&page, &owner, count_max)).await
    }

    /// See [`Readers::figures`].
    pub(crate) async fn figures(&self, filter: AlertFilter, count_max: usize) -> Result<Vec<RuleFigures>, Refusal> {
        self.ask(move |readers| readers.figures(&filter, count_max)).await
    }

    /// See [`Readers::judged`].
    pub(crate) async fn judged(&self, rules: Vec<(String, String)>) -> Result<Vec<(String, Measured)>, Refusal> {
        self.ask(move |readers| readers.judged(rules)).await
    }

    /// See [`Readers::figures_by_day`].
    pub(crate) async fn figures_by_day(
        &self,
        filter: AlertFilter,
        offset_ms: i64,
        count_max: usize,
    ) -> Result<Vec<FiguresOfDay>, Refusal> {
        self.ask(move |readers| readers.figures_by_day(&filter, offset_ms, count_max)).await
    }

    /// See [`Readers::digests_of_rule`].
    pub(crate) async fn digests_of_rule(&self, rule_id: String) -> Result<Vec<(String, i64, String)>, Refusal> {
        self.ask(move |readers| readers.digests_of_rule(&rule_id)).await
    }

    /// See [`Readers::draft`].
    pub(crate) async fn draft(&self, draft_no: i64) -> Result<Option<FoundDraft>, Refusal> {
        self.ask(move |readers| readers.draft(draft_no)).await
    }

    /// See [`Readers::drafts`].
    pub(crate) async fn drafts(&self, count_max: usize) -> Result<Vec<ListedDraft>, Refusal> {
        self.ask(move |readers| readers.drafts(count_max)).await
    }

    /// See [`Readers::audit_entries`].
    pub(crate) async fn audit_entries(
        &self,
        filter: AuditFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<AuditEntry>, Refusal> {
        self.ask(move |readers| readers.audit_entries(&filter, behind, count_max)).await
    }

    /// See [`Readers::rule_versions`].
    pub(crate) async fn rule_versions(
        &self,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<FoundVersion>, Refusal> {
        self.ask(move |readers| readers.rule_versions(behind, count_max)).await
    }

    /// The version of that name with its files and those before it.
    pub(crate) async fn rule_version(&self, name: String) -> Result<Option<(FoundVersion, VersionFiles)>, Refusal> {
        self.ask(move |readers| {
            let Some(found) = readers.rule_version(&name)? else { return Ok(None) };
            let files = readers.version_files(&found)?;
            Ok(Some((found, files)))
        })
        .await
    }

    /// See [`Readers::draw`].
    pub(crate) async fn draw(&self, draw: Draw) -> Result<Vec<Drawn>, Refusal> {
        self.ask(move |readers| readers.draw(&draw)).await
    }

    /// See [`Readers::draw_size`].
    pub(crate) async fn draw_size(&self, draw: Draw) -> Result<u64, Refusal> {
        self.ask(move |readers| readers.draw_size(&draw)).await
    }

    /// See [`Readers::drawn_until`].
    pub(crate) async fn drawn_until(&self, plan: String, week_ms: i64) -> Result<Option<i64>, Refusal> {
        self.ask(move |readers| readers.drawn_until(&plan, week_ms)).await
    }

    /// See [`Readers::assignments`].
    pub(crate) async fn assignments(
        &self,
        filter: AssignmentFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<Assignment>, Refusal> {
        self.ask(move |readers| readers.assignments(&filter, behind, count_max)).await
    }

    /// See [`Readers::sampling_progress`].
    pub(crate) async fn sampling_progress(&self, weeks: Span, now_ms: i64) -> Result<Vec<Progress>, Refusal> {
        self.ask(move |readers| readers.sampling_progress(weeks, now_ms)).await
    }

    /// See [`Readers::judgement`].
    pub(crate) async fn judgement(&self, weeks: Span) -> Result<Judgement, Refusal> {
        self.ask(move |readers| readers.judgement(weeks)).await
    }

    /// See [`Readers::spoken`].
    pub(crate) async fn spoken(
        &self,
        query: SpokenQuery,
        before: Option<i64>,
        count_max: usize,
    ) -> Result<Option<FoundWords>, Refusal> {
        self.ask(move |readers| readers.spoken(&query, before, count_max)).await
    }

    /// See [`Readers::collections`].
    pub(crate) async fn collections(&self, clip_no: Option<i64>) -> Result<Vec<Collection>, Refusal> {
        self.ask(move |readers| readers.collections(clip_no)).await
    }

    /// See [`Readers::clips`].
    pub(crate) async fn clips(&self, clip_no: i64) -> Result<Vec<Clip>, Refusal> {
        self.ask(move |readers| readers.clips(clip_no)).await
    }

    /// See [`Readers::calibrations`].
    pub(crate) async fn calibrations(&self, calibration_no: Option<i64>) -> Result<Vec<Calibration>, Refusal> {
        self.ask(move |readers| readers.calibrations(calibration_no)).await
    }

    /// See [`Readers::filled_forms`].
    pub(crate) async fn filled_forms(
        &self,
        filter: FormFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<FilledForm>, Refusal> {
        self.ask(move |readers| readers.filled_forms(&filter, behind, count_max)).await
    }

    /// See [`Readers::form_steps`].
    pub(crate) async fn form_steps(&self, form_no: i64) -> Result<Vec<FoundFormStep>, Refusal> {
        self.ask(move |readers| readers.form_steps(form_no)).await
    }

    /// See [`Readers::form_scores`].
    pub(crate) async fn form_scores(&self, filter: FormFilter) -> Result<Vec<ScoredForm>, Refusal> {
        self.ask(move |readers| readers.form_scores(&filter)).await
    }

    /// See [`Readers::own_calls`].
    pub(crate) async fn own_calls(
        &self,
        agent_id: String,
        span: Span,
        count_max: usize,
    ) -> Result<Vec<OwnCall>, Refusal> {
        self.ask(move |readers| readers.own_calls(&agent_id, span, count_max)).await
    }

    /// See [`Readers::supervision`].
    pub(crate) async fn supervision(&self, call_no: i64) -> Result<Supervision, Refusal> {
        self.ask(move |readers| readers.supervision(call_no)).await
    }

    /// See [`Readers::helps_of`].
    pub(crate) async fn helps_of(&self, agent_id: String, span: Span, count_max: usize) -> Result<Vec<Help>, Refusal> {
        self.ask(move |readers| readers.helps_of(&agent_id, span, count_max)).await
    }

    /// See [`Readers::unread_helps`].
    pub(crate) async fn unread_helps(&self, agent_id: String) -> Result<Vec<Help>, Refusal> {
        self.ask(move |readers| readers.unread_helps(&agent_id)).await
    }

    /// See [`Readers::flagged_calls`].
    pub(crate) async fn flagged_calls(&self, is_done: bool, count_max: usize) -> Result<Vec<FlaggedCall>, Refusal> {
        self.ask(move |readers| readers.flagged_calls(is_done, count_max)).await
    }

    /// See [`Readers::before_live_cards`].
    pub(crate) async fn before_live_cards(&self, agent_id: String, count_max: usize) -> Result<i64, Refusal> {
        self.ask(move |readers| readers.before_live_cards(&agent_id, count_max)).await
    }

    /// See [`Readers::cards_after`].
    pub(crate) async fn cards_after(
        &self,
        agent_id: String,
        cursor: i64,
        count_max: usize,
    ) -> Result<Vec<StoredAlert>, Refusal> {
        self.ask(move |readers| readers.cards_after(&agent_id, cursor, count_max)).await
    }

    /// See [`Readers::letter_after`].
    pub(crate) async fn letter_after(&self, webhook: Arc<str>, after: i64) -> Result<Option<Letter>, Refusal> {
        self.ask(move |readers| readers.letter_after(&webhook, after)).await
    }

    /// See [`Readers::backlogs`].
    pub(crate) async fn backlogs(&self) -> Result<Vec<Backlog>, Refusal> {
        self.ask(Readers::backlogs).await
    }
}
