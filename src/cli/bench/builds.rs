//! Two builds in turn: the open loop on this program and on another one, round after round, because
//! on a shared machine only what ran side by side can be compared. The one that goes first changes
//! with each round, so that a machine that slows down favours neither.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::report::{Report, Verdict};

/// A figure of a run; the less, the better.
struct Figure {
    key: &'static str,
    name: &'static str,
    of: fn(&Report<'_>) -> Option<f64>,
}

const FIGURES: [Figure; 6] = [
    Figure {
        key: "event_to_alert_p50_ms", name: "事件→预警 event → alert p50, ms", of: |run| run.alert_ms(0.5)
    },
    Figure {
        key: "event_to_alert_p99_ms", name: "事件→预警 event → alert p99, ms", of: |run| run.alert_ms(0.99)
    },
    Figure { key: "event_to_ack_p99_ms", name: "事件→确认 event → ack p99, ms", of: |run| run.ack_ms(0.99) },
    Figure { key: "server_cpu_us_per_event", name: "CPU an event, µs", of: |run| run.server_micros_per_event() },
    Figure { key: "server_kib_per_call", name: "每通 a call, KiB", of: |run| run.running_kib_per_call() },
    Figure { key: "server_rss_mib", name: "内存 server memory, MiB", of: |run| run.running_mib() },
];

/// The figures of one run, in the order of [`FIGURES`].
type Sample = [Option<f64>; FIGURES.len()];

/// The runs of one build.
#[derive(Debug, Default)]
struct Build {
    samples: Vec<Sample>,
    verdicts: Vec<Verdict>,
}

/// The runs of both builds, round by round.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    this: Build,
    other: Build,
}

/// Runs `rounds` rounds. `run` measures the named program, or this one, and gives its report to the function.
pub(super) async fn run(
    rounds: u32,
    other: &Path,
    mut run: impl AsyncFnMut(Option<&Path>, &mut dyn FnMut(&Report<'_>)) -> io::Result<()>,
) -> io::Result<Comparison> {
    let mut comparison = Comparison::default();
    for round in 0..rounds {
        for turn in 0..2 {
            let (build, binary) = match (round + turn) % 2 {
                0 => (&mut comparison.this, None),
                _ => (&mut comparison.other, Some(other)),
            };
            run(binary, &mut |report| {
                build.samples.push(FIGURES.map(|figure| (figure.of)(report)));
                build.verdicts.push(report.verdict());
            })
            .await?;
        }
    }
    Ok(comparison)
}

impl Comparison {
    /// The gravest verdict of all runs.
    pub(super) fn verdict(&self) -> Verdict {
        let verdicts = self.this.verdicts.iter().chain(&self.other.verdicts);
        verdicts.copied().max().unwrap_or(Verdict::Good)
    }

    /// Gives each figure with the median of this program, the median of the other, and the median of the ratios of the rounds.
    fn rows(&self) -> impl Iterator<Item = (&'static Figure, [Option<f64>; 3])> {
        FIGURES.iter().enumerate().map(|(at, figure)| {
            let of = |build: &Build| median(build.samples.iter().filter_map(|sample| sample[at]).collect());
            let rounds = self.this.samples.iter().zip(&self.other.samples);
            let ratios = rounds.filter_map(|(this, other)| Some(this[at]? / other[at].filter(|&other| other > 0.0)?));
            (figure, [of(&self.this), of(&self.other), median(ratios.collect())])
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let rows = self.rows().map(|(figure, [this, other, ratio])| {
            json!({ "figure": figure.key, "this": this, "other": other, "ratio": ratio })
        });
        let verdicts = |build: &Build| build.verdicts.iter().map(|verdict| verdict.name()).collect::<Vec<_>>();
        json!({
            "rounds": self.this.samples.len(),
            "figures": rows.collect::<Vec<_>>(),
            "verdicts": { "this": verdicts(&self.this), "other": verdicts(&self.other) },
        })
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{:<36} {:>10} {:>10} {:>10}\n", "", "this", "other", "ratio");
        for (figure, values) in self.rows() {
            let [this, other, ratio] =
                values.map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}")));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:<36} {this:>10} {other:>10} {ratio:>10}", figure.name);
        }
        let of = |verdict: Verdict| {
            let all = self.this.verdicts.iter().chain(&self.other.verdicts);
            all.filter(|&&one| one == verdict).count()
        };
        let runs = self.this.verdicts.len() + self.other.verdicts.len();
        if of(Verdict::Late) > 0 {
            let late = of(Verdict::Late);
            let _ = writeln!(
                text,
                "无效 not valid: 压测端跟不上 {late}/{runs} 次 / the generator did not keep its schedule in {late} of {runs} runs"
            );
        }
        if of(Verdict::Wrong) > 0 {
            let wrong = of(Verdict::Wrong);
            let _ = writeln!(
                text,
                "不对 wrong: {wrong}/{runs} 次有丢失、重复或被拒 / something is missing, came twice or was refused in {wrong} of {runs} runs"
            );
        }
        text
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
