//! The precision of the rules in use, as metrics and in the log when it falls:
//! measured at the start, after each judgement and after each reload. A rule's figures go on while what decides
//! when it fires is the same, whatever else is edited.

use std::collections::BTreeSet;

use tokio::sync::Mutex;

use crate::server::domain::quality::{Judged, Measured};
use crate::server::rules::digests;
use crate::server::runtime::Shared;
use crate::server::store::StoreError;
use crate::server::telemetry::events::{Happening as _, RuleMeasured};

/// Rules in use that are reported. One measurement at a time, so that an older
/// figure never takes the place of a newer one.
#[derive(Debug, Default)]
pub(crate) struct Precision {
    /// Those below the minimum, and those that have fallen.
    told: Mutex<[BTreeSet<String>; 2]>,
}

/// Shows the precision of the rules that a server begins with. It blocks.
pub(crate) fn begin(shared: &Shared) -> Result<(), StoreError> {
    let judged = shared.readers.judged(digests(&shared.rules.current()))?;
    if let Ok(mut told) = shared.precision.told.try_lock() {
        show(shared, &mut told, judged);
    }
    Ok(())
}

/// Shows the precision of the rules in use, and of no others any more.
pub(crate) async fn measure_all(shared: &Shared) {
    let mut told = shared.precision.told.lock().await;
    let Ok(judged) = shared.store.judged(digests(&shared.rules.current())).await else { return };
    shared.metrics.rule_precision.reset();
    shared.metrics.rules_imprecise.reset();
    shared.metrics.rules_fallen.reset();
    told.iter_mut().for_each(BTreeSet::clear);
    show(shared, &mut told, judged);
}

/// Shows the precision of a rule of which an alert was judged, if it is in use.
pub(crate) async fn measure(shared: &Shared, rule_id: &str) {
    let mut told = shared.precision.told.lock().await;
    let mut rules = digests(&shared.rules.current());
    rules.retain(|(id, _)| id == rule_id);
    let Ok(judged) = shared.store.judged(rules).await else { return };
    show(shared, &mut told, judged);
}

fn show(shared: &Shared, told: &mut [BTreeSet<String>; 2], judged: impl IntoIterator<Item = (String, Measured)>) {
    let [below, fallen] = told;
    for (rule_id, measured) in judged {
        let (is_below, has_fallen) =
            (measured.now.is_below(&shared.config.review), measured.has_fallen(&shared.config.review));
        let is_news = note(below, &rule_id, is_below);
        let fall_is_news = note(fallen, &rule_id, has_fallen);
        if let Some(precision) = measured.now.precision() {
            let Judged { reviewed, upheld } = measured.now;
            let before = measured.before.precision();
            let rule_id = rule_id.as_str();
            RuleMeasured { rule_id, precision, reviewed, upheld, is_below, is_news, before, has_fallen, fall_is_news }
                .report(&shared.metrics);
        }
    }
}

/// Notes whether something is so, and tells whether that is news.
fn note(told: &mut BTreeSet<String>, rule_id: &str, is: bool) -> bool {
    if is {
        return told.insert(rule_id.to_owned());
    }
    told.remove(rule_id);
    false
}
