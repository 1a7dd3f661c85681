//! Draws the samples of the week that is over, and gives them to reviewers in turn.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, FixedOffset, NaiveTime, TimeDelta, TimeZone as _};
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

/// Draws for the last week, once it is over. Ends with the server.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        let zone = shared.config.utc_offset;
        let Some(week) = last_week(clock::wall_now(zone) - SETTLE) else { continue };
        for plan in &shared.config.review.plans {
            if let Err(refusal) = draw(&shared, plan, week, Who::server()).await {
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
    let midnight = |day: chrono::NaiveDate| {
        zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).single().map(|time| time.timestamp_millis())
    };
    Some(Span { from_ms: Some(midnight(monday)?), to_ms: Some(midnight(monday.checked_add_days(Days::new(7))?)?) })
}

/// Draws for a plan and a week, unless that was done; says how many samples there are, the second looks among them.
pub(crate) async fn draw(shared: &Shared, plan: &Plan, week: Span, who: Who) -> Result<Option<usize>, Refusal> {
    let week_ms = week.from_ms.unwrap_or_default();
    if shared.store.was_drawn(plan.name.clone(), week_ms).await? {
        return Ok(None);
    }
    let by = match plan.by {
        SampledBy::Rule => Division::Rule,
        SampledBy::Severity => Division::Severity,
        SampledBy::Agent => Division::Agent,
        SampledBy::Team => Division::Team,
        SampledBy::Queue => Division::Queue,
    };
    let mut samples = Vec::new();
    for (sampled, wanted) in [(Sampled::Alert, plan.alerts), (Sampled::Held, plan.held), (Sampled::Call, plan.calls)] {
        let (plan_name, teams) = (plan.name.clone(), plan.teams.clone());
        let draw = Draw { plan: plan_name, week, sampled, by, teams, wanted: wanted.into(), seed: plan.seed };
        let drawn = if wanted > 0 { shared.store.draw(draw).await? } else { Vec::new() };
        // Each week and each sort begins with another reviewer.
        let first = rank(plan.seed, &[&plan.name, sampled.name(), &week_ms.to_string()]);
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
    let (count, drawn_ms) = (samples.len(), clock::unix_ms());
    let due_ms = drawn_ms + i64::from(plan.due_days.get()) * DAY_MS;
    let new = NewDraw { plan: plan.name.clone(), week_ms, due_ms, drawn_ms, who, samples };
    let is_kept = shared.journal.keep_draw(new).await?.map_err(Refusal::store)?;
    Ok(is_kept.then_some(count))
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
