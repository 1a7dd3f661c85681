//! Which alerts and calls of a week are looked at, and by whom: a stratified random sample that the seed alone decides, so
//! that anybody may draw it again. Pure.
//!
//! A place in the order of a draw is a digest of the seed and of what is drawn; each stratum gives its first ones. How many
//! it gives follows its size, but two at least, so that its spread can be told. Strata of which there are too many for that
//! are one, the rest.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// The stratum of all those that are too small for one of their own.
pub(crate) const REST: &str = "…";
/// What each stratum gives at least, if it has so many.
const STRATUM_MIN: u64 = 2;

/// A stratum of a draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stratum {
    pub(crate) name: String,
    /// How many there are.
    pub(crate) population: u64,
    /// How many of them are drawn.
    pub(crate) drawn: u64,
}

/// The strata of a draw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strata {
    pub(crate) strata: Vec<Stratum>,
    places: BTreeMap<String, usize>,
}

impl Strata {
    /// Divides `wanted` among strata of these sizes.
    pub(crate) fn new(mut sizes: Vec<(String, u64)>, wanted: u64) -> Self {
        sizes.retain(|(_, size)| *size > 0);
        // The largest first; of equals, by name.
        sizes.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let own = usize::try_from((wanted / STRATUM_MIN).max(1)).unwrap_or(usize::MAX);
        let own = if sizes.len() <= own { sizes.len() } else { own - 1 };
        let mut strata: Vec<Stratum> = Vec::new();
        let mut places = BTreeMap::new();
        for (index, (name, population)) in sizes.into_iter().enumerate() {
            places.insert(name.clone(), index.min(own));
            match strata.get_mut(own).filter(|_| index >= own) {
                Some(rest) => rest.population += population,
                None => {
                    let name = if index >= own { REST.to_owned() } else { name };
                    strata.push(Stratum { name, population, drawn: 0 });
                }
            }
        }
        let populations: Vec<u64> = strata.iter().map(|stratum| stratum.population).collect();
        for (stratum, drawn) in strata.iter_mut().zip(allocate(&populations, wanted)) {
            stratum.drawn = drawn;
        }
        Self { strata, places }
    }

    /// The place among the strata of what is called so.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

/// How many of `wanted` each population gives: [`STRATUM_MIN`] first, then by size, never more than there are.
fn allocate(populations: &[u64], wanted: u64) -> Vec<u64> {
    let mut given: Vec<u64> = Vec::with_capacity(populations.len());
    let mut left = wanted.min(populations.iter().sum());
    for &population in populations {
        let least = population.min(STRATUM_MIN).min(left);
        given.push(least);
        left -= least;
    }
    // By size: each goes where the share of those drawn is smallest, so it stays proportional.
    while left > 0 {
        let open = populations.iter().zip(&given).enumerate().filter(|(_, (population, given))| given < population);
        let next = open.min_by(|(_, (m, a)), (_, (n, b))| (*a * *n).cmp(&(*b * *m))).map(|(index, _)| index);
        let Some(next) = next else { break };
        given[next] += 1;
        left -= 1;
    }
    given
}

/// The place of something in the order of a draw.
pub(crate) fn rank(seed: u64, parts: &[&str]) -> u64 {
    let mut hash = Sha256::new().chain_update(seed.to_le_bytes());
    for part in parts {
        hash = hash.chain_update((part.len() as u64).to_le_bytes()).chain_update(part);
    }
    let digest = hash.finalize();
    u64::from_be_bytes(digest[..8].try_into().unwrap_or_default())
}

/// The first ones of each stratum, by rank.
#[derive(Debug)]
pub(crate) struct Picker<T> {
    picked: Vec<BTreeMap<(u64, i64), T>>,
    most: Vec<usize>,
}

impl<T> Picker<T> {
    pub(crate) fn new(strata: &Strata) -> Self {
        let most: Vec<usize> =
            strata.strata.iter().map(|stratum| usize::try_from(stratum.drawn).unwrap_or(usize::MAX)).collect();
        Self { picked: most.iter().map(|_| BTreeMap::new()).collect(), most }
    }

    /// Offers something of a stratum; `no` tells it from others of the same rank.
    pub(crate) fn offer(&mut self, stratum: usize, rank: u64, no: i64, thing: T) {
        let (Some(picked), Some(&most)) = (self.picked.get_mut(stratum), self.most.get(stratum)) else { return };
        picked.insert((rank, no), thing);
        if picked.len() > most {
            picked.pop_last();
        }
    }

    /// All of them in the order of the draw, each with its stratum and rank.
    pub(crate) fn into_order(self) -> Vec<(usize, u64, T)> {
        let of_stratum = |(stratum, picked): (usize, BTreeMap<(u64, i64), T>)| {
            picked.into_iter().map(move |((rank, no), thing)| ((rank, no), stratum, thing))
        };
        let mut order: Vec<_> = self.picked.into_iter().enumerate().flat_map(of_stratum).collect();
        order.sort_by_key(|(place, ..)| *place);
        order.into_iter().map(|((rank, _), stratum, thing)| (stratum, rank, thing)).collect()
    }
}

/// Who of so many reviewers looks at the first, second, … of a draw: one after the other, each week from another one on.
pub(crate) fn turn(reviewers: usize, first: u64, index: usize) -> usize {
    let reviewers = reviewers.max(1);
    (usize::try_from(first % reviewers as u64).unwrap_or_default() + index) % reviewers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_divided_by_size_and_no_stratum_is_left_out() {
        let cases: [(&[u64], u64, &[u64]); 8] = [
            (&[100], 10, &[10]),
            (&[900, 100], 10, &[8, 2]),
            (&[50, 30, 20], 10, &[5, 3, 2]),
            (&[1_000, 3, 1], 10, &[7, 2, 1]),
            (&[3, 2], 10, &[3, 2]),
            (&[5, 5], 0, &[0, 0]),
            (&[7], 1, &[1]),
            (&[], 10, &[]),
        ];
        for (populations, wanted, expected) in cases {
            assert_eq!(allocate(populations, wanted), expected, "{populations:?} {wanted}");
        }
    }

    #[test]
    fn strata_too_many_for_two_each_are_one() {
        let sizes = [("a", 50), ("b", 20), ("c", 2), ("d", 3), ("e", 0), ("f", 1)];
        let sizes = || sizes.map(|(name, size)| (name.to_owned(), size)).to_vec();
        let strata = Strata::new(sizes(), 6);
        let told: Vec<_> = strata.strata.iter().map(|one| (one.name.as_str(), one.population, one.drawn)).collect();
        assert_eq!(told, [("a", 50, 2), ("b", 20, 2), (REST, 6, 2)]);
        assert_eq!(["a", "b", "c", "d", "f"].map(|name| strata.place(name)), [0, 1, 2, 2, 2].map(Some));
        assert_eq!(strata.place("e"), None);
        let whole = Strata::new(sizes(), 1);
        assert_eq!((whole.strata.len(), whole.strata[0].population, whole.strata[0].drawn), (1, 76, 1));
        assert_eq!(Strata::new(Vec::new(), 5), Strata::default());
    }

    #[test]
    fn each_is_drawn_as_often_as_any_other_and_the_seed_alone_decides() {
        let strata = Strata::new(vec![("s".to_owned(), 20)], 5);
        let draw = |seed: u64| -> Vec<i64> {
            let mut picker = Picker::new(&strata);
            for no in 0..20_i64 {
                picker.offer(0, rank(seed, &["w", &no.to_string()]), no, no);
            }
            picker.into_order().into_iter().map(|(_, _, no)| no).collect()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mut times = [0_u32; 20];
        for seed in 0..2_000 {
            draw(seed).into_iter().for_each(|no| times[usize::try_from(no).unwrap()] += 1);
        }
        // 500 each is expected, with a deviation of about 19.
        assert!(times.iter().all(|times| (420..580).contains(times)), "{times:?}");
    }

    #[test]
    fn reviewers_take_turns() {
        let turns: Vec<usize> = (0..5).map(|index| turn(3, 7, index)).collect();
        assert_eq!(turns, [1, 2, 0, 1, 2]);
    }
}
