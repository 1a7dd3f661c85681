//! Which case each reviewer has open, so that two need not work on the same one. In memory only:
//! a case that is not told again is soon forgotten, and a restart forgets all of them.
//!
//! Deliberately absent: locks. Who comes second with a step is refused by the steps that they saw.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// A case that is not told again for so long is closed.
const OPEN_MS: i64 = 45_000;
/// Reviewers whose cases are known; beyond, the one told longest ago is forgotten.
const REVIEWERS_MAX: usize = 1_000;

/// An alert, as its list names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) alert_id: String,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
}

/// A case that somebody has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenCase {
    pub(crate) case: Case,
    pub(crate) since_ms: i64,
    told_ms: i64,
}

/// The open cases, by who has them.
#[derive(Debug, Default)]
pub(crate) struct Cases {
    open: Mutex<BTreeMap<String, OpenCase>>,
}

impl Cases {
    /// Notes that `by` has `case` open now, or none; tells the cases of all others.
    pub(crate) fn open(&self, by: &str, case: Option<Case>, now_ms: i64) -> Vec<(String, OpenCase)> {
        let Ok(mut open) = self.open.lock() else { return Vec::new() };
        open.retain(|_, open| now_ms.saturating_sub(open.told_ms) < OPEN_MS);
        let before = open.remove(by);
        let others = open.iter().map(|(by, open)| (by.clone(), open.clone())).collect();
        if let Some(case) = case {
            let since_ms = before.filter(|before| before.case == case).map_or(now_ms, |before| before.since_ms);
            if open.len() >= REVIEWERS_MAX {
                let oldest = open.iter().min_by_key(|(_, open)| open.told_ms).map(|(by, _)| by.clone());
                oldest.map(|by| open.remove(&by));
            }
            open.insert(by.to_owned(), OpenCase { case, since_ms, told_ms: now_ms });
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_what_the_others_have_open_for_as_long_as_they_say_so() {
        let cases = Cases::default();
        let case = |id: &str| {
            Some(Case {
                alert_id: id.to_owned(),
                call_id: "c".to_owned(),
                started_at: "2026-11-21T10:00:00+08:00".to_owned(),
            })
        };
        let open = |by: &str, alert: &str, now_ms| {
            let others = cases.open(by, Some(alert).filter(|id| !id.is_empty()).and_then(case), now_ms);
            others
                .into_iter()
                .map(|(by, open)| format!("{by} {} {}", open.case.alert_id, open.since_ms))
                .collect::<Vec<_>>()
        };
        assert_eq!(open("李", "x", 0), Vec::<String>::new());
        assert_eq!(open("王", "y", 10), ["李 x 0"]);
        assert_eq!(open("李", "x", 30_000), ["王 y 10"], "told again, it stays open");
        assert_eq!(open("王", "", 40_000), ["李 x 0"]);
        assert_eq!(open("李", "z", 50_000), Vec::<String>::new(), "who has none open is not told");
        assert_eq!(open("王", "", 60_000), ["李 z 50000"]);
        assert_eq!(open("王", "", 50_000 + OPEN_MS), Vec::<String>::new());
        for n in 0..=REVIEWERS_MAX {
            open(&format!("r{n}"), "x", 100_000);
        }
        assert_eq!(cases.open.lock().unwrap().len(), REVIEWERS_MAX);
    }
}
