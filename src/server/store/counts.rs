//! Which alerts count: against a score, in a sum of deductions, in the figures of the pages. The
//! one definition, as a question to the store and as a value.

use crate::engine::alert::AlertState;
use crate::server::domain::review::ReviewState;
use crate::server::domain::terms::Display;

/// An alert that people let stand.
pub(super) const UPHELD: &str = "latest.verdict <> 'dismissed' AND latest.appeal IS DISTINCT FROM 'granted'";

/// An alert that counts: confirmed, neither on trial nor held back, and upheld.
pub(super) const COUNTS: &str = "(latest.state = 'confirmed' AND latest.display NOT IN ('shadow', 'held') \
     AND latest.verdict <> 'dismissed' AND latest.appeal IS DISTINCT FROM 'granted')";

/// Whether an alert counts that stands so.
pub(crate) fn counts(state: AlertState, display: Display, standing: ReviewState) -> bool {
    state == AlertState::Confirmed && display.is_told() && standing.is_upheld()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::server::domain::review::{Appeal, Verdict};

    #[test]
    fn the_store_and_the_value_agree_on_every_course() {
        let connection = Connection::open_in_memory().unwrap();
        let question = format!(
            "SELECT {COUNTS}, {UPHELD} FROM (SELECT ?1 AS state, ?2 AS display, ?3 AS verdict, ?4 AS appeal) AS latest"
        );
        let mut question = connection.prepare(&question).unwrap();
        let appeals = Appeal::ALL.map(Some).into_iter().chain([None]);
        for appeal in appeals {
            for verdict in Verdict::ALL {
                for (state, display) in AlertState::ALL.into_iter().flat_map(|state| Display::ALL.map(|to| (state, to)))
                {
                    let standing = ReviewState { verdict, appeal };
                    let told: (bool, bool) = question
                        .query_row((state.name(), display.name(), verdict.name(), appeal.map(Appeal::name)), |row| {
                            Ok((row.get(0)?, row.get(1)?))
                        })
                        .unwrap();
                    let expected = (counts(state, display, standing), standing.is_upheld());
                    assert_eq!(told, expected, "{state:?} {display:?} {standing:?}");
                }
            }
        }
    }
}
