//! Which of their numbered events a call's producers have sent before.
//!
//! An event was sent before if its producer sent the same event under the same number. Other words
//! under a number are another event: legs that do not name themselves may each count from 1. So
//! numbers may have gaps, come late, and jump; none of it loses an event.
//!
//! Of each event only its number and a print of it are kept. What is so long ago that it is not
//! known any more is told apart from what is new, so that it is never taken for sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapter::native::{self, Number};
use crate::engine::transcript::{CallInfo, Input};

/// What the numbers of one producer may weigh: so many events in a row, each of 4 bytes.
const WEIGHT_MAX: usize = 65_536;
/// What a row weighs beside its events.
const ROW_WEIGHT: usize = 16;
/// Events of one row; then another begins, so that the oldest can be forgotten.
const ROW_MAX: usize = 1_024;
/// Producers of one call that name themselves.
pub const PRODUCERS_MAX: usize = 16;

/// What is known of an event's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not sent before, or has no number.
    New,
    /// The same event was sent before.
    Before,
    /// Its number is below those that are remembered.
    Forgotten,
    /// The call has as many producers as it may.
    TooManyProducers,
}

/// The numbers of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    producers: BTreeMap<Option<String>, Taken>,
}

/// The numbers of one producer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Taken {
    /// Numbers below are not remembered.
    floor: u64,
    /// The prints of events that are numbered in a row, by the first number.
    rows: BTreeMap<u64, Vec<u32>>,
    /// Further events under a number that has one in a row.
    others: BTreeSet<(u64, u32)>,
    weight: usize,
}

impl Numbers {
    /// What is known of an event with that number and print.
    #[must_use]
    pub fn look(&self, number: &Number, print: u32) -> Seen {
        let Some(seq) = number.seq else { return Seen::New };
        match self.producers.get(&number.producer) {
            Some(taken) => taken.look(seq, print),
            None if number.producer.is_some() && self.producers.len() > PRODUCERS_MAX => Seen::TooManyProducers,
            None => Seen::New,
        }
    }

    /// Remembers an event.
    pub fn take(&mut self, number: &Number, print: u32) {
        let Some(seq) = number.seq else { return };
        match self.producers.get_mut(&number.producer) {
            Some(taken) => taken.take(seq, print),
            None => self.producers.entry(number.producer.clone()).or_default().take(seq, print),
        }
    }

    /// Remembers all that `other` does.
    pub fn absorb(&mut self, other: Self) {
        for (producer, taken) in other.producers {
            let known = self.producers.entry(producer).or_default();
            for (first, prints) in taken.rows {
                (first..).zip(prints).for_each(|(seq, print)| known.take(seq, print));
            }
        }
    }

    /// All that one producer numbered, as far as it is remembered.
    pub fn of<'a>(&'a self, producer: &str) -> impl Iterator<Item = u64> + use<'a> {
        let rows = self.producers.get(&Some(producer.to_owned())).into_iter().flat_map(|taken| &taken.rows);
        rows.flat_map(|(first, prints)| (*first..).take(prints.len()))
    }

    /// The highest number of those that do not name themselves.
    #[must_use]
    pub fn latest(&self) -> Option<u64> {
        let (first, prints) = self.producers.get(&None)?.rows.last_key_value()?;
        Some(first.saturating_add(prints.len().saturating_sub(1) as u64))
    }

    /// Bytes that it takes, nearly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.producers.values().map(|taken| 64 + 4 * taken.weight).sum()
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |number: u64| bytes.extend_from_slice(&number.to_le_bytes());
        for (producer, taken) in &self.producers {
            let name = producer.as_deref().unwrap_or_default().as_bytes();
            put(name.len() as u64);
            name.iter().for_each(|byte| put(u64::from(*byte)));
            put(taken.floor);
            put(taken.rows.len() as u64);
            for (first, prints) in &taken.rows {
                put(*first);
                put(prints.len() as u64);
                let pairs = prints.chunks(2);
                pairs.for_each(|pair| put(pair.iter().rev().fold(0, |all, print| all << 32 | u64::from(*print))));
            }
            put(taken.others.len() as u64);
            for (seq, print) in &taken.others {
                put(*seq);
                put(u64::from(*print));
            }
        }
        bytes
    }

    /// As it was stored; `None` if that is damaged.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mut numbers = Self::default();
        while let Some(name_len) = words.next() {
            let name: Option<Vec<u8>> = (0..name_len).map(|_| u8::try_from(words.next()?).ok()).collect();
            let name = String::from_utf8(name?).ok()?;
            let mut taken = Taken { floor: words.next()?, ..Taken::default() };
            for _ in 0..words.next()? {
                let first = words.next()?;
                let len = usize::try_from(words.next()?).ok().filter(|len| *len <= ROW_MAX)?;
                let mut prints = Vec::with_capacity(len);
                while prints.len() < len {
                    let pair = words.next()?;
                    prints.push((pair & u64::from(u32::MAX)) as u32);
                    if prints.len() < len {
                        prints.push((pair >> 32) as u32);
                    }
                }
                taken.weight += ROW_WEIGHT + len;
                taken.rows.insert(first, prints);
            }
            for _ in 0..words.next()? {
                let seq = words.next()?;
                taken.others.insert((seq, u32::try_from(words.next()?).ok()?));
                taken.weight += ROW_WEIGHT;
            }
            numbers.producers.insert(Some(name).filter(|name| !name.is_empty()), taken);
        }
        rest.is_empty().then_some(numbers)
    }

    /// Numbers of which only the highest is known.
    #[must_use]
    pub fn forgotten_up_to(seq: u64) -> Self {
        let taken = Taken { floor: seq.saturating_add(1), ..Taken::default() };
        Self { producers: BTreeMap::from([(None, taken)]) }
    }
}

impl Taken {
    fn look(&self, seq: u64, print: u32) -> Seen {
        if seq < self.floor {
            return Seen::Forgotten;
        }
        match self.in_row(seq) {
            Some(known) if known == print || self.others.contains(&(seq, print)) => Seen::Before,
            _ => Seen::New,
        }
    }

    /// The print of the event that stands in a row under this number.
    fn in_row(&self, seq: u64) -> Option<u32> {
        let (first, prints) = self.rows.range(..=seq).next_back()?;
        prints.get(usize::try_from(seq - first).ok()?).copied()
    }

    fn take(&mut self, seq: u64, print: u32) {
        if self.in_row(seq).is_some() {
            self.others.insert((seq, print));
            self.weight += ROW_WEIGHT;
        } else {
            let before = self.rows.range_mut(..seq).next_back();
            match before.filter(|(first, prints)| seq - **first == prints.len() as u64 && prints.len() < ROW_MAX) {
                Some((_, prints)) => prints.push(print),
                None => {
                    self.rows.insert(seq, vec![print]);
                    self.weight += ROW_WEIGHT;
                }
            }
            self.weight += 1;
        }
        while self.weight > WEIGHT_MAX && self.rows.len() > 1 {
            self.forget_a_row();
        }
    }

    fn forget_a_row(&mut self) {
        let Some((first, prints)) = self.rows.pop_first() else { return };
        self.floor = first.saturating_add(prints.len() as u64);
        let kept = self.others.split_off(&(self.floor, 0));
        let gone = std::mem::replace(&mut self.others, kept).len();
        self.weight = self.weight.saturating_sub(ROW_WEIGHT + prints.len() + ROW_WEIGHT * gone);
    }
}

/// The print of an event, by which it is known when it comes again.
#[must_use]
pub fn print(call_id: &str, input: &Input) -> u32 {
    fold(&native::to_json(call_id, input))
}

/// The print of a call's start.
#[must_use]
pub fn print_of_start(info: &CallInfo) -> u32 {
    fold(&native::start_to_json(info))
}

/// FNV-1a, folded: it is stored, so no version of the program may come to another.
fn fold(text: &str) -> u32 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash >> 32) as u32 ^ hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(producer: Option<&str>, seq: u64) -> Number {
        Number { producer: producer.map(str::to_owned), seq: Some(seq) }
    }

    #[test]
    fn an_event_is_known_by_its_number_and_its_print() {
        let mut numbers = Numbers::default();
        for seq in [1, u64::MAX, 3, 2] {
            assert_eq!(numbers.look(&number(None, seq), 7), Seen::New, "{seq}");
            numbers.take(&number(None, seq), 7);
            assert_eq!(numbers.look(&number(None, seq), 7), Seen::Before, "{seq}");
        }
        assert_eq!(numbers.look(&number(None, 2), 8), Seen::New, "another leg");
        numbers.take(&number(None, 2), 8);
        assert_eq!(numbers.look(&number(None, 2), 8), Seen::Before);
        assert_eq!(numbers.look(&number(Some("b"), 2), 7), Seen::New, "another producer");
        assert_eq!(numbers.look(&Number::default(), 7), Seen::New);
        assert_eq!(numbers.latest(), Some(u64::MAX));
        numbers.take(&number(Some("b"), 7), 7);
        assert_eq!((numbers.of("b").collect::<Vec<_>>(), numbers.of("c").next()), (vec![7], None));
    }

    #[test]
    fn what_is_forgotten_is_not_taken_for_sent() {
        let mut numbers = Numbers::default();
        for seq in 0..200_000 {
            numbers.take(&number(None, seq), 7);
        }
        assert_eq!(numbers.look(&number(None, 5), 7), Seen::Forgotten);
        assert_eq!(numbers.look(&number(None, 199_000), 7), Seen::Before);
        assert!(numbers.bytes() < 300_000, "{}", numbers.bytes());
        // Numbers without order.
        for seq in (0..200_000_u64).map(|seq| seq.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            numbers.take(&number(Some("b"), seq), 7);
        }
        assert!(numbers.bytes() < 600_000, "{}", numbers.bytes());
        for producer in 0..PRODUCERS_MAX {
            numbers.take(&number(Some(&producer.to_string()), 1), 7);
        }
        assert_eq!(numbers.look(&number(Some("one more"), 1), 7), Seen::TooManyProducers);
        assert_eq!(Numbers::forgotten_up_to(5).look(&number(None, 5), 7), Seen::Forgotten);
        assert_eq!(Numbers::forgotten_up_to(5).look(&number(None, 6), 7), Seen::New);
    }

    #[test]
    fn numbers_are_stored_whole() {
        let mut numbers = Numbers::default();
        for (producer, seq) in [(None, 1), (None, 2), (Some("听"), 3), (None, 9), (Some("b"), u64::MAX)] {
            numbers.take(&number(producer, seq), u32::MAX);
            numbers.take(&number(producer, seq), 1);
        }
        let bytes = numbers.to_bytes();
        assert_eq!(Numbers::from_bytes(&bytes), Some(numbers));
        assert_eq!(Numbers::from_bytes(&bytes[..bytes.len() - 8]), None);
        assert_eq!(Numbers::from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Numbers::from_bytes(&[]), Some(Numbers::default()));
    }
}
