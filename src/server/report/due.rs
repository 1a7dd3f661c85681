//! Which week a report is about, and when it is due.

use chrono::{DateTime, Datelike as _, Days, FixedOffset, NaiveDate, Weekday};

use crate::server::clock::begin_ms;
use crate::server::store::Span;

/// The seven days before the last `weekday` on which `hour` has come, by `now`.
pub(super) fn due(now: DateTime<FixedOffset>, weekday: Weekday, hour: u32) -> Option<Span> {
    let begun = now.naive_local().checked_sub_signed(chrono::TimeDelta::hours(hour.into()))?;
    before(latest(begun.date(), weekday)?, *now.offset())
}

/// The seven days before the last `weekday`.
pub(crate) fn last_week(now: DateTime<FixedOffset>, weekday: Weekday) -> Option<Span> {
    due(now, weekday, 0)
}

/// The last such day up to `day`.
fn latest(day: NaiveDate, weekday: Weekday) -> Option<NaiveDate> {
    let back = day.weekday().num_days_from_monday() + 7 - weekday.num_days_from_monday();
    day.checked_sub_days(Days::new(u64::from(back % 7)))
}

fn before(day: NaiveDate, zone: FixedOffset) -> Option<Span> {
    let first = day.checked_sub_days(Days::new(7))?;
    Some(Span { from_ms: Some(begin_ms(first, zone)?), to_ms: Some(begin_ms(day, zone)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock::wall_time;

    #[test]
    fn a_report_is_due_on_its_day_from_its_hour_on_and_about_the_seven_days_before() {
        let zone = FixedOffset::east_opt(8 * 3_600).unwrap();
        for (now, weekday, hour, first) in [
            ("2026-11-23T07:59:59+08:00", Weekday::Mon, 8, "2026-11-09"),
            ("2026-11-23T08:00:00+08:00", Weekday::Mon, 8, "2026-11-16"),
            ("2026-11-28T12:00:00+08:00", Weekday::Mon, 8, "2026-11-16"),
            ("2026-11-29T23:59:59+08:00", Weekday::Mon, 8, "2026-11-16"),
            ("2026-11-28T17:00:00+08:00", Weekday::Fri, 17, "2026-11-20"),
            ("2026-11-27T16:59:00+08:00", Weekday::Fri, 17, "2026-11-13"),
            ("2026-11-22T00:00:00+08:00", Weekday::Sun, 0, "2026-11-15"),
        ] {
            let Span { from_ms, to_ms } = due(DateTime::parse_from_rfc3339(now).unwrap(), weekday, hour).unwrap();
            assert_eq!(wall_time(from_ms.unwrap(), zone).unwrap()[..10], *first, "{now}");
            assert_eq!(to_ms.unwrap() - from_ms.unwrap(), 7 * 24 * 3_600_000, "{now}");
        }
    }
}
