//! The precision of the rules in use, as metrics and in the log when it falls:
//! measured at the start, after each judgement and after each reload.

use std::collections::BTreeSet;

use tokio::sync::Mutex;

use crate::engine::rule::RuleSet;
use crate::server::domain::quality::Judged;
use crate::server::runtime::Shared;
use crate::server::store::StoreError;
use crate::server::telemetry::events::{Happening as _, RuleMeasured};

/// Rules in use that are reported. One measurement at a time, so that an older
/// figure never takes the place of a newer one.
#[derive(Debug, Default)]
pub(crate) struct Precision {
    below: Mutex<BTreeSet<String>>,
}

/// Shows the precision of the rules that a server begins with. It blocks.
pub(crate) fn begin(shared: &Shared) -> Result<(), StoreError> {
    let rules = shared.rules.current();
    let judged = shared.readers.judged(ids(&rules), &rules.version)?;
    if let Ok(mut below) = shared.precision.below.try_lock() {
        show(shared, &mut below, judged);
    }
    Ok(())
}

/// Shows the precision of the rules in use, and of no others any more.
pub(crate) async fn measure_all(shared: &Shared) {
    let mut below = shared.precision.below.lock().await;
    let rules = shared.rules.current();
    let Ok(judged) = shared.store.judged(ids(&rules), rules.version.clone()).await else { return };
    shared.metrics.rule_precision.reset();
    shared.metrics.rules_imprecise.reset();
    below.clear();
    show(shared, &mut below, judged);
}

/// Shows the precision of a rule of which an alert was judged.
pub(crate) async fn measure(shared: &Shared, rule_id: &str, rules_version: &str) {
    let mut below = shared.precision.below.lock().await;
    // The gauge is of the version in use.
    if shared.rules.current().version != rules_version {
        return;
    }
    let judged = shared.store.judged(vec![rule_id.to_owned()], rules_version.to_owned());
    let Ok(judged) = judged.await else { return };
    show(shared, &mut below, judged);
}

fn ids(rules: &RuleSet) -> Vec<String> {
    rules.rules.iter().map(|rule| rule.id.clone()).collect()
}

fn show(shared: &Shared, below: &mut BTreeSet<String>, judged: impl IntoIterator<Item = (String, Judged)>) {
    for (rule_id, judged) in judged {
        let is_below = judged.is_below(&shared.config.review);
        let is_news = is_below && !below.contains(&rule_id);
        if let Some(precision) = judged.precision() {
            let Judged { reviewed, upheld } = judged;
            RuleMeasured { rule_id: &rule_id, precision, reviewed, upheld, is_below, is_news }.report(&shared.metrics);
        }
        if is_below {
            below.insert(rule_id);
        } else {
            below.remove(&rule_id);
        }
    }
}
