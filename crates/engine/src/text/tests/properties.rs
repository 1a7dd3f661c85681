//! What must hold of any text.

use proptest::prelude::*;

use super::*;

/// Texts of few characters, so that everything that folding knows meets everything else.
fn raw_text(len: usize) -> impl Strategy<Value = String> {
    const ALPHABET: &str = "不不知知道道我我行清楚是那个人额嗯一二三五八两十十百千万点零05.%￥分之定钟天，，。？ _-~“”\"ab😊哈谢們著Ⓐ⑫\u{200b}";
    let chars: Vec<char> = ALPHABET.chars().collect();
    prop::collection::vec(prop::sample::select(chars), 0..len).prop_map(String::from_iter)
}

fn phrases() -> impl Strategy<Value = Vec<String>> {
    const ALPHABET: &str = "不不知知道道我行清楚是个人一二三八十百万点分零5定天，ab哈";
    let chars: Vec<char> = ALPHABET.chars().collect();
    let phrase = prop::collection::vec(prop::sample::select(chars), 1..5).prop_map(String::from_iter);
    prop::collection::vec(phrase, 1..8)
}

fn build(phrases: &[String], options: PhraseOptions) -> Lexicon {
    let mut builder = LexiconBuilder::new();
    for phrase in phrases {
        // Phrases of nothing but marks, or a stutter, are not for searching.
        let _ = builder.add(phrase, options);
    }
    builder.build().unwrap()
}

/// Everything that a text says, in one value that can be compared.
fn state(text: &FoldedText) -> impl PartialEq + std::fmt::Debug + use<> {
    let FoldedText { raw, chars, segments, marks, dropped, candidates, cursors, .. } = text.clone();
    let cursors: Vec<_> = cursors.iter().map(|cursor| (cursor.state, cursor.byte)).collect();
    let rest = (text.lead, text.lead_state, text.state, text.raw_len, text.lead_raw.clone());
    (raw, chars, segments, marks, dropped, candidates, cursors, rest)
}

/// Where in the symbols of a phrase three and more of a character end.
fn runs(phrase: &FoldedText) -> Vec<usize> {
    (0..phrase.len())
        .filter(|&at| phrase.ends_run(at) && phrase.chars().get(at + 1) != Some(&phrase.chars()[at]))
        .collect()
}

/// Whether the phrase `chars`, marks at `marks`, stands at `at`; written without looking at the matcher.
fn stands_at(text: &FoldedText, chars: &[char], marks: &[usize], at: usize) -> bool {
    let end = at + chars.len();
    if end > text.len() || text.chars()[at..end] != *chars {
        return false;
    }
    let answers = ["不", "是", "行", "不行", "不是"];
    for inner in at + 1..end {
        if marks.contains(&(inner - at)) {
            continue;
        }
        match text.break_before(inner) {
            Break::None => {}
            Break::Hard => return false,
            Break::Soft | Break::Join => {
                let before = (0..inner).rev().find(|&i| i == 0 || text.break_before(i) != Break::None).unwrap_or(0);
                // A piece of the phrase between its own marks is judged for itself.
                let begin = marks.iter().map(|mark| at + mark).filter(|&mark| mark < inner).max().unwrap_or(at);
                let said: String = text.chars()[before..inner].iter().collect();
                if before >= begin && answers.contains(&said.as_str()) {
                    return false;
                }
            }
        }
    }
    let goes_on = |at: usize| {
        if at == 0 || at >= text.len() {
            return false;
        }
        let c = |i: usize| text.chars().get(i).copied().unwrap_or(' ');
        let digit = |i: usize| c(i).is_ascii_digit() && !(c(i) == '1' && c(i + 1) == '定');
        let numeral = (digit(at - 1) && digit(at))
            || (c(at - 1).is_ascii_digit() && c(at) == '.' && c(at + 1).is_ascii_digit())
            || (at > 1 && c(at - 2).is_ascii_digit() && c(at - 1) == '.' && c(at).is_ascii_digit());
        let letters = c(at - 1).is_ascii_alphabetic() && c(at).is_ascii_alphabetic();
        match text.break_before(at) {
            Break::None => (numeral && !text.has_gap(at)) || (letters && text.mark(at).is_none()),
            Break::Join => numeral,
            _ => false,
        }
    };
    !goes_on(at) && !goes_on(end)
}

/// A phrase of alternations with an `{any}` between two of them: the alternatives of each, and the most that `{any}` takes.
fn alternations() -> impl Strategy<Value = Vec<(Vec<String>, u8)>> {
    let word = prop::collection::vec(prop::sample::select("不知道我行清楚是".chars().collect::<Vec<_>>()), 0..3)
        .prop_map(String::from_iter);
    prop::collection::vec((prop::collection::vec(word, 3..6), 1..4_u8), 4..5)
}

/// All that a phrase of alternations can say, one phrase each.
fn said_by(parts: &[(Vec<String>, u8)]) -> Vec<String> {
    let mut said = vec![String::new()];
    for (at, (words, most)) in parts.iter().enumerate() {
        let slot = if at + 1 < parts.len() { format!("{{any:0-{most}}}") } else { String::new() };
        said = said.iter().flat_map(|so_far| words.iter().map(move |word| so_far.clone() + word)).collect();
        said.iter_mut().for_each(|so_far| so_far.push_str(&slot));
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A phrase of many variants stands where one of them does, and nowhere else.
    #[test]
    fn alternations_match_what_each_of_their_variants_matches(parts in alternations(), raw in raw_text(40)) {
        let options = PhraseOptions { homophone: Homophone::Off, boundary: Boundary::Anywhere };
        let together: String = parts.iter().enumerate().map(|(at, (words, most))| {
            let slot = if at + 1 < parts.len() { format!("{{any:0-{most}}}") } else { String::new() };
            format!("({}){slot}", words.join("|"))
        }).collect();
        let mut builder = LexiconBuilder::new();
        // A phrase of which nothing is surely said is none.
        let of_parts = parts.iter().all(|(words, _)| words.iter().any(String::is_empty));
        prop_assert_eq!(builder.add(&together, options).is_err(), of_parts, "{}", together);
        prop_assume!(!of_parts);
        let together = builder.build().unwrap();
        let apart = build(&said_by(&parts), options);
        let spans = |lexicon: &Lexicon| {
            let mut text = FoldedText::default();
            lexicon.scan(&raw, None, &mut text);
            let mut found = Vec::new();
            lexicon.matches(&text, &mut found);
            found.into_iter().map(|one| (one.start, one.end)).collect::<std::collections::BTreeSet<_>>()
        };
        let (together, apart) = (spans(&together), spans(&apart));
        // In those words, or in more or fewer of them.
        let meet = |one: &(usize, usize), all: &std::collections::BTreeSet<(usize, usize)>| {
            all.iter().any(|other| one.0 < other.1 && other.0 < one.1)
        };
        prop_assert!(together.iter().all(|one| meet(one, &apart)), "{:?} {:?}", together, apart);
        prop_assert!(apart.iter().all(|one| meet(one, &together)), "{:?} {:?}", together, apart);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(raw in any::<String>(), phrase in any::<String>(), previous in any::<String>()) {
        let mut builder = LexiconBuilder::new();
        let id = builder.add(&phrase, sounding(Homophone::Merged));
        let lexicon = builder.build().unwrap();
        let previous = scanned(&lexicon, &previous, None);
        for raw in [&raw, &phrase] {
            let text = scanned(&lexicon, raw, Some(&previous));
            for m in matches(&lexicon, &text) {
                let _ = m.raw_span(&text);
                let _ = lexicon.in_words(&text, &m);
            }
            if let Ok(id) = id {
                let _ = lexicon.find(id, &text, 0..text.len());
            }
            let _ = text.surface(0..text.len());
        }
    }

    #[test]
    fn changed_hypotheses_are_scanned_as_if_afresh(
        phrases in phrases(),
        hypotheses in prop::collection::vec((raw_text(12), 0usize..6, any::<bool>()), 1..8),
        previous in raw_text(40),
    ) {
        let mut lexicon_phrases = phrases;
        lexicon_phrases.push("嗯".to_owned());
        let lexicon = build(&lexicon_phrases, sounding(Homophone::Merged));
        let previous = scanned(&lexicon, &previous, None);
        let previous = previous.len().is_multiple_of(2).then_some(&previous);
        let mut text = FoldedText::new();
        let mut raw = String::new();
        for (more, cut, settles) in hypotheses {
            for _ in 0..cut {
                raw.pop();
            }
            raw.push_str(&more);
            lexicon.scan(&raw, previous, &mut text);
            let fresh = scanned(&lexicon, &raw, previous);
            if !text.is_settled {
                prop_assert_eq!(state(&text), state(&fresh));
            }
            prop_assert_eq!(matches(&lexicon, &text), matches(&lexicon, &fresh));
            if settles {
                text.settle();
                prop_assert_eq!(matches(&lexicon, &text), matches(&lexicon, &fresh));
            }
        }
    }

    #[test]
    fn a_changed_previous_utterance_is_noticed(a in raw_text(40), b in raw_text(40), raw in raw_text(10)) {
        let lexicon = lexicon(&["不知道", "我不行"], PLAIN);
        let mut previous = scanned(&lexicon, &a, None);
        let mut text = scanned(&lexicon, &raw, Some(&previous));
        lexicon.scan(&b, None, &mut previous);
        lexicon.scan(&raw, Some(&previous), &mut text);
        prop_assert_eq!(state(&text), state(&scanned(&lexicon, &raw, Some(&previous))));
    }

    #[test]
    fn one_scan_finds_what_a_naive_search_finds(phrases in phrases(), raw in raw_text(30), previous in raw_text(20)) {
        let lexicon = build(&phrases, PLAIN);
        let previous = scanned(&lexicon, &previous, None);
        let text = scanned(&lexicon, &raw, Some(&previous));
        let mut found: Vec<_> = matches(&lexicon, &text).iter().map(|m| (m.start, m.end, m.phrase)).collect();
        found.retain(|(start, end, _)| start < end);
        let mut naive = Vec::new();
        for at in 0..text.len() {
            for id in (0..lexicon.len()).map(|id| PhraseId(id as u32)) {
                let phrase = fold(lexicon.phrase_text(id));
                let chars = phrase.chars();
                let marks: Vec<_> = (1..chars.len()).filter(|&i| phrase.break_before(i) != Break::None).collect();
                let end = at + chars.len();
                let has_runs = || runs(&phrase).iter().all(|run| text.ends_run(at + run));
                if !chars.is_empty() && stands_at(&text, chars, &marks, at) && end > text.lead() && has_runs() {
                    naive.push((at, end, id));
                }
            }
        }
        naive.sort_unstable();
        prop_assert_eq!(found, naive);
    }

    #[test]
    fn evidence_folds_to_its_phrase(phrases in phrases(), raw in raw_text(30)) {
        let lexicon = build(&phrases, PLAIN);
        let text = scanned(&lexicon, &raw, None);
        for m in matches(&lexicon, &text) {
            let Some(own) = m.raw_span(&text).own else { continue };
            let evidence = fold(&slice(&raw, own));
            let phrase = fold(lexicon.phrase_text(m.phrase));
            if m.dropped.is_none() {
                prop_assert_eq!(evidence.chars(), phrase.chars());
                prop_assert_eq!(lexicon.find(m.phrase, &text, m.start..m.end), Some(m.start..m.end));
            }
        }
    }
}
