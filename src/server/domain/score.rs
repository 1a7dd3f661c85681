//! A call's score: what its confirmed alerts deduct, from a base, with caps and
//! one-vote vetoes (一票否决) by pack. Why it is so: `docs/adr/0008-scores.md`.
//!
//! A score is computed when it is asked for and stored nowhere: it always
//! follows the alerts as they stand and `[score]` as it is configured.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::server::config::Score;

/// The deduction of one pack's confirmed alerts from one agent in one call; shadow packs are left
/// out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deduction {
    pub(crate) agent_id: String,
    pub(crate) pack: String,
    pub(crate) deduct: u32,
}

/// How a score came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Scoring {
    /// The base minus the deductions; 0 after a veto.
    pub(crate) score: u32,
    /// Where counting began.
    base: u32,
    /// The deduction of each pack.
    packs: Vec<PackScore>,
    /// Packs that took all by one vote.
    pub(crate) vetoed_by: Vec<String>,
}

/// The deduction of one pack from a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct PackScore {
    pack: String,
    /// Confirmed alerts.
    alerts: usize,
    /// The sum of the rules' deductions.
    deduct: u32,
    /// The most that the pack may take.
    cap: Option<u32>,
    /// The deduction that counts, after the cap.
    counted: u32,
}

/// The score that these deductions leave.
pub(crate) fn score<'a>(config: &Score, deductions: impl IntoIterator<Item = &'a Deduction>) -> Scoring {
    let mut packs: BTreeMap<&str, (usize, u32)> = BTreeMap::new();
    for Deduction { pack, deduct, .. } in deductions {
        let (alerts, total) = packs.entry(pack).or_default();
        *alerts += 1;
        *total = total.saturating_add(*deduct);
    }
    let vetoed_by: Vec<String> = packs
        .keys()
        .filter(|pack| config.veto_packs.iter().any(|veto| veto == *pack))
        .map(ToString::to_string)
        .collect();
    let packs: Vec<PackScore> = packs
        .into_iter()
        .map(|(pack, (alerts, deduct))| {
            let cap = config.pack_caps.get(pack).copied();
            PackScore { pack: pack.to_owned(), alerts, deduct, cap, counted: cap.map_or(deduct, |cap| deduct.min(cap)) }
        })
        .collect();
    let counted = packs.iter().fold(0, |sum: u32, pack| sum.saturating_add(pack.counted));
    let score = if vetoed_by.is_empty() { config.base.get().saturating_sub(counted) } else { 0 };
    Scoring { score, base: config.base.get(), packs, vetoed_by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Config;

    #[test]
    fn caps_and_vetoes_by_pack() {
        let config = "[score]\npack_caps = { manners = 10 }\nveto_packs = [\"law\"]\n";
        let config = Config::from_toml(config).unwrap().score;
        type Case<'a> = (&'a [(&'a str, u32)], u32, &'a [&'a str]);
        let cases: [Case<'_>; 7] = [
            (&[], 100, &[]),
            (&[("a", 5), ("a", 2), ("b", 3)], 90, &[]),
            (&[("manners", 6), ("manners", 6), ("a", 1)], 89, &[]),
            (&[("manners", 6)], 94, &[]),
            (&[("a", 60), ("b", 60)], 0, &[]),
            (&[("law", 0)], 0, &["law"]),
            (&[("a", u32::MAX), ("a", 1)], 0, &[]),
        ];
        for (deductions, expected, vetoes) in cases {
            let deductions: Vec<Deduction> = deductions
                .iter()
                .map(|&(pack, deduct)| Deduction { agent_id: "a7".into(), pack: pack.into(), deduct })
                .collect();
            let scoring = score(&config, &deductions);
            assert_eq!(
                (scoring.score, scoring.vetoed_by.as_slice()),
                (expected, &vetoes.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{deductions:?}"
            );
        }
    }
}
