//! Figures over all calls: how many alerts came within the last while, how many calls are silent, and whether that is
//! to be told. Pure: the time is an argument.
//!
//! Deliberately absent: rates, averages and trends. The statistics have them.

use std::collections::{HashMap, VecDeque};

use crate::engine::severity::Severity;
use crate::server::config::{COUNTED_MAX, Counted, Threshold};

/// Names an alert over all calls.
pub(crate) type AlertKey = (i64, u64);

/// An alert that was confirmed, or is no longer in force.
#[derive(Clone, Debug)]
pub(crate) struct CountedAlert {
    pub(crate) key: AlertKey,
    pub(crate) severity: Severity,
    pub(crate) rule_id: String,
    pub(crate) pack: String,
    pub(crate) queue: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) site: Option<String>,
    /// Whether it stands.
    pub(crate) stands: bool,
}

/// A call in progress, as far as thresholds count it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedCall<'a> {
    pub(crate) queue: Option<&'a str>,
    pub(crate) team: Option<&'a str>,
    pub(crate) site: Option<&'a str>,
    /// How long nobody has spoken; 0 where somebody does.
    pub(crate) silent_ms: i64,
    pub(crate) held_ms: i64,
    pub(crate) unheard_ms: i64,
}

/// Alerts of the last while, the earliest first. It remembers at most [`COUNTED_MAX`]; the earliest go first.
#[derive(Debug, Default)]
struct Window {
    /// When each came, and its number among all that came.
    came: VecDeque<(i64, AlertKey, u64)>,
    /// The numbers of those that stand.
    standing: HashMap<AlertKey, u64>,
    next: u64,
}

impl Window {
    /// An alert came at `at_ms`, which is not before the one that came last.
    fn add(&mut self, key: AlertKey, at_ms: i64) {
        if self.standing.contains_key(&key) {
            return;
        }
        self.standing.insert(key, self.next);
        self.came.push_back((at_ms, key, self.next));
        self.next += 1;
        while self.standing.len() > COUNTED_MAX as usize {
            self.pop();
        }
        // Those that were taken back leave gaps.
        if self.came.len() > 2 * COUNTED_MAX as usize {
            let standing = &self.standing;
            self.came.retain(|(_, key, number)| standing.get(key) == Some(number));
        }
    }

    fn take_back(&mut self, key: AlertKey) {
        self.standing.remove(&key);
    }

    fn pop(&mut self) {
        if let Some((_, key, number)) = self.came.pop_front()
            && self.standing.get(&key) == Some(&number)
        {
            self.standing.remove(&key);
        }
    }

    /// How many stand that came after `after_ms`.
    fn count(&mut self, after_ms: i64) -> u64 {
        while self.came.front().is_some_and(|(at_ms, ..)| *at_ms <= after_ms) {
            self.pop();
        }
        self.standing.len() as u64
    }
}

/// How a threshold stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) value: u64,
    pub(crate) is_reached: bool,
    /// When it was told last.
    pub(crate) told_ms: Option<i64>,
}

/// All thresholds of a server.
#[derive(Debug)]
pub(crate) struct Figures {
    figures: Vec<Figure>,
    /// The latest time so far: a clock that is set back moves nothing.
    now_ms: i64,
}

#[derive(Debug)]
struct Figure {
    threshold: Threshold,
    window: Window,
    standing: Standing,
}

impl Figures {
    /// `told` is when each was told last.
    pub(crate) fn new(thresholds: &[Threshold], told: impl Fn(&str) -> Option<i64>) -> Self {
        let figure = |threshold: &Threshold| Figure {
            threshold: threshold.clone(),
            window: Window::default(),
            standing: Standing { value: 0, is_reached: false, told_ms: told(&threshold.name) },
        };
        Self { figures: thresholds.iter().map(figure).collect(), now_ms: i64::MIN }
    }

    /// Counts an alert, or takes it back.
    pub(crate) fn see(&mut self, alert: &CountedAlert, at_ms: i64) {
        self.now_ms = self.now_ms.max(at_ms);
        for figure in self.figures.iter_mut().filter(|figure| figure.counts(alert)) {
            match alert.stands {
                true => figure.window.add(alert.key, self.now_ms),
                false => figure.window.take_back(alert.key),
            }
        }
    }

    /// Counts all calls in progress anew.
    pub(crate) fn measure<'a>(&mut self, calls: impl Iterator<Item = CountedCall<'a>> + Clone) {
        for Figure { threshold, standing, .. } in &mut self.figures {
            let lasting_ms = i64::from(threshold.lasting_s.get()) * 1_000;
            let fits = |call: &CountedCall<'_>| match threshold.count {
                Counted::Alerts => false,
                Counted::Silence => call.silent_ms >= lasting_ms,
                Counted::Hold => call.held_ms >= lasting_ms,
                Counted::Unheard => call.unheard_ms >= lasting_ms,
                Counted::Calls => true,
            };
            if threshold.count != Counted::Alerts {
                let looks_at = |call: &CountedCall<'_>| is_there(threshold, call.queue, call.team, call.site);
                standing.value = calls.clone().filter(|call| looks_at(call) && fits(call)).count() as u64;
            }
        }
    }

    /// Moves to `now_ms`; the places of the thresholds that are to be told: those that are reached, and were not told
    /// within their cooldown.
    pub(crate) fn tick(&mut self, now_ms: i64) -> Vec<usize> {
        self.now_ms = self.now_ms.max(now_ms);
        let mut told = Vec::new();
        for (place, Figure { threshold, window, standing }) in self.figures.iter_mut().enumerate() {
            if threshold.count == Counted::Alerts {
                standing.value = window.count(self.now_ms - i64::from(threshold.within_s.get()) * 1_000);
            }
            standing.is_reached = standing.value >= u64::from(threshold.at_least.get());
            let cooldown_ms = i64::from(threshold.cooldown_s.get()) * 1_000;
            let is_due = standing.told_ms.is_none_or(|told_ms| self.now_ms.saturating_sub(told_ms) >= cooldown_ms);
            if standing.is_reached && is_due {
                standing.told_ms = Some(self.now_ms);
                told.push(place);
            }
        }
        told
    }

    /// All of them, as they stand, in the order of the configuration.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Threshold, &Standing)> {
        self.figures.iter().map(|figure| (&figure.threshold, &figure.standing))
    }
}

impl Figure {
    fn counts(&self, alert: &CountedAlert) -> bool {
        let Threshold { count, severity_min, rule, pack, .. } = &self.threshold;
        *count == Counted::Alerts
            && alert.severity >= *severity_min
            && is(rule, Some(&alert.rule_id))
            && is(pack, Some(&alert.pack))
            && is_there(&self.threshold, alert.queue.as_deref(), alert.team.as_deref(), alert.site.as_deref())
    }
}

fn is(wanted: &Option<String>, has: Option<&str>) -> bool {
    wanted.as_deref().is_none_or(|wanted| has == Some(wanted))
}

/// Whether a threshold looks at that queue, that team and that site.
fn is_there(threshold: &Threshold, queue: Option<&str>, team: Option<&str>, site: Option<&str>) -> bool {
    is(&threshold.queue, queue) && is(&threshold.team, team) && is(&threshold.site, site)
}

/// What a threshold says, for people.
pub(crate) fn sentence(threshold: &Threshold, value: u64) -> String {
    let Threshold { count, at_least, within_s, lasting_s, severity_min, queue, team, site, rule, pack, .. } = threshold;
    let scope: Vec<&str> = [site, team, queue, rule, pack].into_iter().filter_map(Option::as_deref).collect();
    let scope = if scope.is_empty() { String::new() } else { format!("{}：", scope.join(" · ")) };
    let figure = match count {
        Counted::Alerts => format!("{}内{}{value} 条", span(within_s.get()), above(*severity_min)),
        Counted::Silence => format!("{value} 通静默满 {}", span(lasting_s.get())),
        Counted::Hold => format!("{value} 通保持满 {}", span(lasting_s.get())),
        Counted::Unheard => format!("{value} 通满 {}没有识别结果", span(lasting_s.get())),
        Counted::Calls => format!("{value} 通进行中"),
    };
    format!("{scope}{figure}（达到 {at_least} 就报）")
}

fn above(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "严重预警 ",
        Severity::Warning => "警告以上预警 ",
        Severity::Info => "预警 ",
    }
}

fn span(seconds: u32) -> String {
    match seconds {
        seconds if seconds.is_multiple_of(3_600) => format!("{} 小时", seconds / 3_600),
        seconds if seconds.is_multiple_of(60) => format!("{} 分钟", seconds / 60),
        seconds => format!("{seconds} 秒"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server::config::Config;

    fn thresholds(keys: &str) -> Vec<Threshold> {
        Config::from_toml(keys).unwrap().thresholds
    }

    /// What happens to the figures.
    #[derive(Clone, Debug)]
    enum Step {
        /// An alert of that number is confirmed or taken back.
        Alert { number: u64, stands: bool },
        /// So many calls are silent for so long.
        Calls { silent: usize, silent_s: i64 },
        /// The clock goes on, or is set back.
        Pass { ms: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => (0..12_u64, prop::bool::weighted(0.7)).prop_map(|(number, stands)| Step::Alert { number, stands }),
            1 => (0..6_usize, 0..90_i64).prop_map(|(silent, silent_s)| Step::Calls { silent, silent_s }),
            4 => (-3_000..9_000_i64).prop_map(|ms| Step::Pass { ms }),
        ]
    }

    fn is_critical(number: u64) -> bool {
        number.is_multiple_of(2)
    }

    fn is_of_queue(number: u64) -> bool {
        number.is_multiple_of(3)
    }

    /// All that one threshold was told: when each alert came, and whether it was taken back.
    struct Oracle {
        span_ms: i64,
        fits: fn(u64) -> bool,
        came: Vec<(u64, i64, bool)>,
    }

    impl Oracle {
        fn see(&mut self, number: u64, stands: bool, now: i64) {
            let since = now - self.span_ms;
            let open = self.came.iter_mut().find(|(one, at, is_back)| *one == number && *at > since && !is_back);
            match open {
                Some((.., is_back)) => *is_back = !stands,
                None if stands && (self.fits)(number) => self.came.push((number, now, false)),
                None => {}
            }
        }

        fn count(&self, now: i64) -> u64 {
            self.came.iter().filter(|(_, at, is_back)| *at > now - self.span_ms && !is_back).count() as u64
        }
    }

    proptest! {
        #[test]
        fn figures_are_those_of_an_oracle_that_forgets_nothing(steps in prop::collection::vec(step(), 1..120)) {
            let thresholds = thresholds(
                "[[thresholds]]\nname = \"all\"\ncount = \"alerts\"\nat_least = 3\nwithin_s = 20\nseverity_min = \"info\"\ncooldown_s = 15\n\
                 [[thresholds]]\nname = \"queue\"\ncount = \"alerts\"\nat_least = 2\nwithin_s = 30\nqueue = \"q\"\ncooldown_s = 1\n\
                 [[thresholds]]\nname = \"silent\"\ncount = \"silence\"\nat_least = 2\nlasting_s = 60\ncooldown_s = 5\n",
            );
            let mut figures = Figures::new(&thresholds, |_| None);
            let mut oracles = [
                Oracle { span_ms: 20_000, fits: |_| true, came: Vec::new() },
                Oracle { span_ms: 30_000, fits: |number| is_critical(number) && is_of_queue(number), came: Vec::new() },
            ];
            let (mut clock, mut latest, mut silent) = (0_i64, 0_i64, 0_u64);
            let mut told: [Option<i64>; 3] = [None; 3];
            figures.tick(0);
            for step in steps {
                match step {
                    Step::Alert { number, stands } => {
                        let severity = if is_critical(number) { Severity::Critical } else { Severity::Info };
                        let queue = is_of_queue(number).then(|| "q".to_owned());
                        let (rule_id, pack) = ("r".to_owned(), "p".to_owned());
                        figures.see(&CountedAlert { key: (1, number), severity, rule_id, pack, queue, team: None, site: None, stands }, clock);
                        oracles.iter_mut().for_each(|oracle| oracle.see(number, stands, latest));
                    }
                    Step::Calls { silent: count, silent_s } => {
                        let silent_ms = silent_s * 1_000;
                        let call = CountedCall { queue: None, team: None, site: None, silent_ms, held_ms: 0, unheard_ms: 0 };
                        figures.measure(std::iter::repeat_n(call, count));
                        silent = if silent_s >= 60 { count as u64 } else { 0 };
                    }
                    Step::Pass { ms } => {
                        clock += ms;
                        latest = latest.max(clock);
                    }
                }
                let due = figures.tick(clock);
                let values = [oracles[0].count(latest), oracles[1].count(latest), silent];
                let mut expected = Vec::new();
                for (place, (least, cooldown_ms)) in [(3, 15_000), (2, 1_000), (2, 5_000)].into_iter().enumerate() {
                    if values[place] >= least && told[place].is_none_or(|told_ms| latest - told_ms >= cooldown_ms) {
                        told[place] = Some(latest);
                        expected.push(place);
                    }
                }
                prop_assert_eq!(figures.all().map(|(_, standing)| standing.value).collect::<Vec<_>>(), values);
                prop_assert_eq!(due, expected);
            }
        }
    }

    #[test]
    fn a_window_remembers_no_more_than_it_counts_to() {
        let mut window = Window::default();
        let most = u64::from(COUNTED_MAX);
        for number in 0..3 * most {
            window.add((1, number), 0);
            // Taken back at once, it leaves a gap.
            window.add((2, number), 0);
            window.take_back((2, number));
            assert!(window.came.len() as u64 <= 2 * most + 1);
        }
        assert_eq!(window.count(-1), most - 1, "the last one that was taken back had pushed one out");
        assert_eq!((window.count(0), window.came.len()), (0, 0));
    }

    #[test]
    fn a_threshold_says_what_it_counted() {
        let said =
            |keys: &str, value| sentence(&thresholds(&format!("[[thresholds]]\nname = \"n\"\n{keys}"))[0], value);
        assert_eq!(
            said("count = \"alerts\"\nat_least = 6\nqueue = \"投诉\"", 7),
            "投诉：10 分钟内严重预警 7 条（达到 6 就报）"
        );
        assert_eq!(said("count = \"silence\"\nat_least = 10", 11), "11 通静默满 1 分钟（达到 10 就报）");
        assert_eq!(
            said("count = \"unheard\"\nat_least = 2\nlasting_s = 45", 2),
            "2 通满 45 秒没有识别结果（达到 2 就报）"
        );
    }
}
