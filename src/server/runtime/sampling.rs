//! Draws the samples of the week that is over, and gives them to reviewers in turn. Calls that come in after a draw are drawn
//! from by another one.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, FixedOffset, TimeDelta};
use tokio::time::MissedTickBehavior;

use crate::server::clock;
use crate::server::config::{Plan, SampledBy};
use crate::server::domain::principal::Who;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::sampling::{rank, turn};
use crate::server::runtime::Shared;
use crate::server::store::{Division, Draw, NewDraw, NewSample, Sampled, Span};

/// How often it is looked for a week that is over.
const PERIOD: Duration = Duration::from_secs(10 * 60);
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Calls of a week's last minutes are over by then.
const SETTLE: TimeDelta = TimeDelta::hours(1);
/// A call that was closed so long ago is in the store, or the store takes nothing at all.
const WRITTEN_MS: i64 = 60 * 1_000;

/// Draws for the last week, once it is over, and again from what came in late. Ends with the server.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let known = shared.config.tokens.reviewers();
    for plan in &shared.config.review.plans {
        for name in plan.reviewers.iter().filter(|name| !known.is_empty() && !known.contains(name.as_str())) {
            tracing::warn!(
                plan = plan.name,
                name,
                "a reviewer of the plan has no token, and cannot do what is given to them"
            );
        }
    }
    loop {
        period.tick().await;
        let zone = shared.config.utc_offset;
        let Some(week) = last_week(clock::wall_now(zone) - SETTLE) else { continue };
        for plan in &shared.config.review.plans {
            // What was closed before is in the store by now.
            let until_ms = clock::unix_ms() - WRITTEN_MS;
            if let Err(refusal) = draw(&shared, plan, week, until_ms, Who::server()).await {
                tracing::warn!(plan = plan.name, error = refusal.message(), "no sample could be drawn");
            }
        }
    }
}

/// The week before the one that `now` is in, from Monday on.
fn last_week(now: DateTime<FixedOffset>) -> Option<Span> {
    week_of(now.date_naive().checked_sub_days(Days::new(7))?, *now.offset())
}

/// The week from Monday on that a day is in.
pub(crate) fn week_of(day: chrono::NaiveDate, zone: FixedOffset) -> Option<Span> {
    let monday = day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()))?;
    let next = monday.checked_add_days(Days::new(7))?;
    Some(Span { from_ms: Some(clock::begin_ms(monday, zone)?), to_ms: Some(clock::begin_ms(next, zone)?) })
}

/// What a plan wants of one sort, and from how much it is drawn.
struct Wanted {
    sampled: Sampled,
    count: u64,
    /// Those that earlier draws of the week were from.
    earlier: u64,
}

/// Draws for a plan and a week from the calls that were closed until then and not drawn from before. Says how many samples
/// there are, the second looks among them; `None`: nothing came in since the draw before that would make one at the rate of
/// the plan. A draw from nothing is as good as none, and may be made again.
pub(crate) async fn draw(
    shared: &Shared,
    plan: &Plan,
    week: Span,
    until_ms: i64,
    who: Who,
) -> Result<Option<usize>, Refusal> {
    let week_ms = week.from_ms.unwrap_or_default();
    let before_ms = shared.store.drawn_until(plan.name.clone(), week_ms).await?;
    let by = match plan.by {
        SampledBy::Rule => Division::Rule,
        SampledBy::Severity => Division::Severity,
        SampledBy::Agent => Division::Agent,
        SampledBy::Team => Division::Team,
        SampledBy::Queue => Division::Queue,
    };
    let closed = Span { from_ms: before_ms.map(|ms| ms + 1), to_ms: Some(until_ms + 1) };
    let of = |sampled, wanted| {
        let (plan_name, teams) = (plan.name.clone(), plan.teams.clone());
        Draw { plan: plan_name, week, closed, sampled, by, teams, wanted, seed: plan.seed }
    };
    let Some(wanted) = wanted(shared, plan, before_ms.is_some(), of).await? else { return Ok(None) };
    let mut samples = Vec::new();
    for Wanted { sampled, count, earlier } in wanted {
        let drawn = if count > 0 { shared.store.draw(of(sampled, count)).await? } else { Vec::new() };
        // Each week, each sort and each draw begins with another reviewer.
        let first = rank(plan.seed, &[&plan.name, sampled.name(), &week_ms.to_string(), &earlier.to_string()]);
        let seconds = if sampled == Sampled::Call { 0 } else { seconds(drawn.len(), plan.second) };
        for (index, drawn) in drawn.into_iter().enumerate() {
            let given = turn(plan.reviewers.len(), first, index);
            // The order of a draw is one of chance, so its first ones are as good as any.
            if index < seconds {
                let second =
                    (given + 1 + index / plan.reviewers.len() % (plan.reviewers.len() - 1)) % plan.reviewers.len();
                let reviewer = plan.reviewers[second].clone();
                samples.push(NewSample { sampled, drawn: drawn.clone(), reviewer, is_second: true });
            }
            samples.push(NewSample { sampled, drawn, reviewer: plan.reviewers[given].clone(), is_second: false });
        }
    }
    if samples.is_empty() {
        return Ok(Some(0));
    }
    let (count, drawn_ms) = (samples.len(), clock::unix_ms());
    let due_ms = drawn_ms + i64::from(plan.due_days.get()) * DAY_MS;
    let new = NewDraw { plan: plan.name.clone(), week_ms, before_ms, due_ms, until_ms, drawn_ms, who, samples };
    let is_kept = shared.journal.keep_draw(new).await?.map_err(Refusal::store)?;
    Ok(is_kept.then_some(count))
}

/// How much a draw takes of each sort. What came in late is drawn from at the rate of the week, once that makes one sample.
async fn wanted(
    shared: &Shared,
    plan: &Plan,
    is_late: bool,
    of: impl Fn(Sampled, u64) -> Draw,
) -> Result<Option<Vec<Wanted>>, Refusal> {
    let sorts = [(Sampled::Alert, plan.alerts), (Sampled::Held, plan.held), (Sampled::Call, plan.calls)];
    let sorts = sorts.into_iter().map(|(sampled, count)| (sampled, u64::from(count))).filter(|(_, count)| *count > 0);
    if !is_late {
        return Ok(Some(sorts.map(|(sampled, count)| Wanted { sampled, count, earlier: 0 }).collect()));
    }
    let (mut wanted, mut is_one) = (Vec::new(), false);
    for (sampled, count) in sorts {
        let new = of(sampled, count);
        let whole = Draw { closed: Span { from_ms: None, ..new.closed }, ..new.clone() };
        let (late, all) = (shared.store.draw_size(new).await?, shared.store.draw_size(whole).await?);
        let share = count * late;
        is_one |= late > 0 && share >= all;
        wanted.push(Wanted { sampled, count: share.div_ceil(all.max(1)), earlier: all - late.min(all) });
    }
    Ok(is_one.then_some(wanted))
}

/// How many of `count` are judged twice.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "at most 10 000"
)]
fn seconds(count: usize, share: f64) -> usize {
    (count as f64 * share).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_in_the_zone_of_the_centre() {
        let week = |now: &str| {
            let Span { from_ms, to_ms } = last_week(DateTime::parse_from_rfc3339(now).unwrap()).unwrap();
            let zone = FixedOffset::east_opt(8 * 3_600).unwrap();
            [from_ms, to_ms].map(|ms| clock::wall_time(ms.unwrap(), zone).unwrap()[..16].to_owned())
        };
        for now in ["2026-11-23T00:00:00+08:00", "2026-11-28T12:00:00+08:00", "2026-11-29T23:59:59+08:00"] {
            assert_eq!(week(now), ["2026-11-16T00:00", "2026-11-23T00:00"], "{now}");
        }
        assert_eq!(week("2026-11-30T00:00:00+08:00"), ["2026-11-23T00:00", "2026-11-30T00:00"]);
    }

    #[test]
    fn a_share_of_the_alerts_is_judged_twice() {
        assert_eq!(
            [(10, 0.0), (10, 0.25), (10, 1.0), (0, 0.5)].map(|(count, share)| seconds(count, share)),
            [0, 3, 10, 0]
        );
    }
}
