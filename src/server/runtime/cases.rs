//! Which case each reviewer has open, an alert and a form to fill, so that two need not work on the same one. In memory only:
//! a case that is not told again is soon forgotten, and a restart forgets all of them.
//!
//! Deliberately absent: locks. Who comes second with a step is refused by the steps that they saw.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// A case that is not told again for so long is closed.
const OPEN_MS: i64 = 45_000;
/// Reviewers whose cases are known; beyond, the one told longest ago is forgotten.
const REVIEWERS_MAX: usize = 1_000;

/// What is open in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) of: Opened,
}

/// An alert, or a form about an agent. A reviewer may have one of each open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Alert { alert_id: String },
    Form { form: String, agent_id: String },
}

/// A case that somebody has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenCase {
    pub(crate) case: Case,
    pub(crate) since_ms: i64,
    told_ms: i64,
}

/// The open cases, by who has them and whether it is a form.
#[derive(Debug, Default)]
pub(crate) struct Cases {
    open: Mutex<BTreeMap<(String, bool), OpenCase>>,
}

impl Cases {
    /// Notes that `by` has `case` open now, or none of its sort; tells the cases of all others.
    pub(crate) fn open(&self, by: &str, is_form: bool, case: Option<Case>, now_ms: i64) -> Vec<(String, OpenCase)> {
        let Ok(mut open) = self.open.lock() else { return Vec::new() };
        open.retain(|_, open| now_ms.saturating_sub(open.told_ms) < OPEN_MS);
        let key = (by.to_owned(), is_form);
        let before = open.remove(&key);
        let others = open.iter().filter(|((other, _), _)| other != by);
        let others = others.map(|((by, _), open)| (by.clone(), open.clone())).collect();
        if let Some(case) = case {
            let since_ms = before.filter(|before| before.case == case).map_or(now_ms, |before| before.since_ms);
            if open.len() >= REVIEWERS_MAX {
                let oldest = open.iter().min_by_key(|(_, open)| open.told_ms).map(|(key, _)| key.clone());
                oldest.map(|key| open.remove(&key));
            }
            open.insert(key, OpenCase { case, since_ms, told_ms: now_ms });
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
            let of = match id.strip_prefix("form ") {
                Some(form) => Opened::Form { form: form.to_owned(), agent_id: "a7".to_owned() },
                None => Opened::Alert { alert_id: id.to_owned() },
            };
            Some(Case { call_id: "c".to_owned(), started_at: "2026-11-21T10:00:00+08:00".to_owned(), of })
        };
        let open = |by: &str, alert: &str, now_ms| {
            let opened = Some(alert).filter(|id| !id.is_empty()).and_then(case);
            let others = cases.open(by, alert.starts_with("form "), opened, now_ms);
            let told = |(by, open): (String, OpenCase)| match open.case.of {
                Opened::Alert { alert_id } => format!("{by} {alert_id} {}", open.since_ms),
                Opened::Form { form, agent_id } => format!("{by} {form} {agent_id} {}", open.since_ms),
            };
            others.into_iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(open("李", "x", 0), Vec::<String>::new());
        assert_eq!(open("王", "y", 10), ["李 x 0"]);
        assert_eq!(open("李", "x", 30_000), ["王 y 10"], "told again, it stays open");
        assert_eq!(open("王", "", 40_000), ["李 x 0"]);
        assert_eq!(open("李", "z", 50_000), Vec::<String>::new(), "who has none open is not told");
        assert_eq!(open("王", "", 60_000), ["李 z 50000"]);
        // A form may be open beside an alert, and each is told for itself.
        assert_eq!(open("李", "form service", 60_000), Vec::<String>::new(), "one's own is no news");
        assert_eq!(open("王", "", 70_000), ["李 z 50000", "李 service a7 60000"]);
        assert_eq!(open("王", "", 50_000 + OPEN_MS), ["李 service a7 60000"]);
        for n in 0..=REVIEWERS_MAX {
            open(&format!("r{n}"), "x", 100_000);
        }
        assert_eq!(cases.open.lock().unwrap().len(), REVIEWERS_MAX);
    }
}
