//! Folding and matching as a whole: tables, and properties over random texts.

use proptest::prelude::*;

use super::*;
use crate::engine::rule::syntax::{Boundary, Homophone};

const PLAIN: PhraseOptions = PhraseOptions { homophone: Homophone::Off, boundary: Boundary::Anywhere };

fn sounding(homophone: Homophone) -> PhraseOptions {
    PhraseOptions { homophone, ..PLAIN }
}

fn lexicon(phrases: &[&str], options: PhraseOptions) -> Lexicon {
    let mut builder = LexiconBuilder::new();
    for phrase in phrases {
        builder.add(phrase, options).unwrap();
    }
    builder.build().unwrap()
}

fn scanned(lexicon: &Lexicon, raw: &str, previous: Option<&FoldedText>) -> FoldedText {
    let mut text = FoldedText::new();
    lexicon.scan(raw, previous, &mut text);
    text
}

fn matches(lexicon: &Lexicon, text: &FoldedText) -> Vec<Match> {
    let mut found = Vec::new();
    lexicon.matches(text, &mut found);
    found
}

fn slice(raw: &str, span: std::ops::Range<usize>) -> String {
    raw.chars().skip(span.start).take(span.len()).collect()
}

/// Symbols with their marks: `,` soft, `.` hard, `?` question, `/` join.
fn show(text: &FoldedText) -> String {
    let mut shown = String::new();
    for at in 0..=text.len() {
        match text.break_before(at) {
            Break::None => {}
            Break::Soft => shown.push(','),
            Break::Hard if text.ends_with_question_mark(&(0..at)) => shown.push('?'),
            Break::Hard => shown.push('.'),
            Break::Join => shown.push('/'),
        }
        shown.extend(text.chars().get(at));
    }
    shown
}

mod folding {
    use super::*;

    fn check(raw: &str, expect: &str) {
        assert_eq!(show(&fold(raw)), expect, "{raw}");
    }

    #[test]
    fn characters() {
        for (raw, folded) in [
            ("請問您貴姓", "请问您贵姓"),
            ("ＶＩＰ客户", "vip客户"),
            ("Hello World", "helloworld"),
            ("我 不 知 道", "我不知道"),
            ("不_知*道", "不知道"),
            ("不-知·道", "不知道"),
            ("不\u{200b}知\u{feff}道", "不知道"),
            ("妳好", "你好"),
            ("a\u{301}", "a"),
            ("𠮷野家", "𠮷野家"),
            ("", ""),
        ] {
            check(raw, folded);
        }
    }

    #[test]
    fn marks() {
        for (raw, folded) in [
            ("您好，请问。", "您好,请问."),
            ("在吗？在。", "在吗?在."),
            ("好！\n好", "好.好"),
            ("，，好", ",好"),
            ("好，。的", "好.的"),
            ("3-5天", "3,5天"),
            ("好的.再见", "好的,再见"),
            ("好的😊再见", "好的,再见"),
            ("他说“不知道”", "他说不知道"),
        ] {
            check(raw, folded);
        }
    }

    #[test]
    fn fillers_and_stutter() {
        for (raw, folded) in [
            ("嗯我啊知道", "我知道"),
            ("那个我想问一下那个订单", "我想问1下订单"),
            ("那那个我想问", "我想问"),
            ("那个人说的", "那个人说的"),
            ("那些", "那些"),
            ("额，我看看", ",我看看"),
            ("额度不够", "额度不够"),
            ("不不不知道", "不知道"),
            ("我嗯我不知道", "我不知道"),
            ("我，我不知道", "我,我不知道"),
            ("谢谢您", "谢谢您"),
            ("谢谢谢谢", "谢谢"),
            ("哈哈哈哈", "哈哈"),
            ("看看", "看看"),
            ("hhhh", "hhhh"),
            ("111", "111"),
            ("是是是的", "是的"),
        ] {
            check(raw, folded);
        }
    }

    #[test]
    fn numerals() {
        for (raw, folded) in [
            ("工号零八零幺", "工号0801"),
            ("工号0801", "工号0801"),
            ("百分之十五", "15%"),
            ("百分之一点五", "1.5%"),
            ("百分之百", "100%"),
            ("百分百", "100%"),
            ("百分之几", "百分之几"),
            ("15％", "15%"),
            ("十五天", "15天"),
            ("一百二十块", "120块"),
            ("二十四小时", "24小时"),
            ("24小时", "24小时"),
            ("一点五倍", "1.5倍"),
            ("1.5倍", "1.5倍"),
            ("三点五十", "3点50"),
            ("八点半", "8点半"),
            ("万一", "万1"),
            ("千万不要", "千万不要"),
            ("十分抱歉", "10分抱歉"),
            ("百度", "百度"),
            ("两万五", "25000"),
            ("三五百", "35百"),
            ("晚一点一定", "晚1点1定"),
            ("二 十 四 小 时", "24小时"),
        ] {
            check(raw, folded);
        }
    }

    #[test]
    fn surface_is_what_was_said() {
        for (raw, surface) in [
            ("您一定要等二十四小时", "您一定要等二十四小时"),
            ("嗯不不不知道，工號０８", "不知道工号08"),
            ("百分之 十五", "百分之十五"),
            ("晚一點一定", "晚一点一定"),
        ] {
            let text = fold(raw);
            assert_eq!(text.surface(0..text.len()), surface, "{raw}");
        }
    }

    #[test]
    fn pieces() {
        let text = fold("您好，请问？“不知道”是指什么，好吗？好");
        let at = |needle: &str| {
            let needle: Vec<char> = needle.chars().collect();
            text.chars().windows(needle.len()).position(|window| window == needle).unwrap()
        };
        let sub = |span: std::ops::Range<usize>| text.chars()[span].iter().collect::<String>();
        assert_eq!(sub(text.clause(at("请"))), "请问");
        assert_eq!(sub(text.sentence(at("请"))), "您好请问");
        assert_eq!(sub(text.sentence(at("指"))), "不知道是指什么好吗");
        assert!(text.ends_with_question_mark(&text.sentence(at("指"))));
        assert!(!text.ends_with_question_mark(&text.sentence(text.len() - 1)));
        assert!(text.quoted(&(at("不知道")..at("不知道") + 3)));
        assert!(text.quoted(&(at("知道")..at("知道") + 1)));
        assert!(!text.quoted(&(at("不知道")..at("不知道") + 4)));
        assert!(!text.quoted(&(at("是指")..at("是指") + 1)));
    }

    #[test]
    fn quotes() {
        for (raw, quoted) in [
            ("“不”", true),
            ("\"不\"", true),
            ("「不」", true),
            ("“”不”", false),
            ("“不", false),
            ("“好”不“好”", false),
            ("\"好\"不\"好\"", false),
        ] {
            let text = fold(raw);
            let at = text.chars().iter().position(|&c| c == '不').unwrap();
            assert_eq!(text.quoted(&(at..at + 1)), quoted, "{raw}");
        }
    }

    #[test]
    fn spoken_characters() {
        for (raw, count) in [("嗯您好，请稍等", 6), ("我的iphone plus坏了", 6), ("工号0801", 6), ("", 0)] {
            assert_eq!(fold(raw).spoken_chars(), count, "{raw}");
        }
    }
}

mod matching {
    use super::*;

    /// The raw text of each match, in order.
    fn found(lexicon: &Lexicon, raw: &str) -> Vec<(String, Likeness)> {
        let text = scanned(lexicon, raw, None);
        let own = |m: &Match| m.raw_span(&text).own.expect("there is no other utterance");
        matches(lexicon, &text).iter().map(|m| (slice(raw, own(m)), m.likeness)).collect()
    }

    #[test]
    fn homophones() {
        use Homophone::{Always, Merged, Off, Toneless};
        for (phrase, homophone, raw, likeness) in [
            ("请稍等一下", Off, "请稍等一下", Some(Likeness::Exact)),
            ("请稍等一下", Off, "请稍等以下", None),
            ("请稍等一下", Toneless, "请稍等以下", Some(Likeness::Toneless)),
            ("请稍等一下", Toneless, "请稍等一下", Some(Likeness::Exact)),
            ("请稍等一下", Toneless, "请收等一下", None),
            ("感谢您的等待", Toneless, "敢谢您的等代", Some(Likeness::Toneless)),
            ("您请说", Toneless, "您请缩", None),
            ("请知悉", Merged, "请资悉", Some(Likeness::Merged)),
            ("请知悉", Toneless, "请资悉", None),
            ("能否", Toneless, "能佛", None),
            ("知道", Toneless, "之道", None),
            ("知道", Always, "之道", Some(Likeness::Toneless)),
            ("{name}先生好", Toneless, "王先声好", Some(Likeness::Toneless)),
            ("{name}先生", Toneless, "王先声", None),
        ] {
            let lexicon = lexicon(&[phrase], sounding(homophone));
            let found: Vec<_> = found(&lexicon, raw).into_iter().map(|(_, likeness)| likeness).collect();
            assert_eq!(found, Vec::from_iter(likeness), "{phrase} {homophone:?} in {raw}");
        }
    }

    #[test]
    fn spans_in_the_raw_text() {
        let lexicon = lexicon(&["不知道", "工号{number}", "不行", "哈哈", "/不太?清楚[吧]?/", "24小时"], PLAIN);
        for (raw, expect) in [
            ("嗯不不知，道", vec!["不不知，道"]),
            ("不知道不知道", vec!["不知道", "不知道"]),
            ("工号 零八 零幺，不行", vec!["工号 零八 零幺", "不行"]),
            ("哈哈哈哈", vec!["哈哈"]),
            ("我不太清楚吧", vec!["不太清楚吧"]),
            ("我不。清楚", vec![]),
            ("二十四嗯小时", vec!["二十四嗯小时"]),
            ("请等二十四 小时", vec!["二十四 小时"]),
        ] {
            let found: Vec<_> = found(&lexicon, raw).into_iter().map(|(said, _)| said).collect();
            assert_eq!(found, expect, "{raw}");
        }
    }

    #[test]
    fn what_folding_drops() {
        let lexicon = lexicon(&["嗯", "~", "{emoji}", "那个"], PLAIN);
        for (raw, expect) in [
            ("嗯，好", vec!["嗯"]),
            ("嗯嗯嗯", vec!["嗯嗯嗯"]),
            ("好的~", vec!["~"]),
            ("好的😊👍", vec!["😊👍"]),
            ("那个我", vec!["那个"]),
            ("那个人", vec![]),
        ] {
            let found: Vec<_> = found(&lexicon, raw).into_iter().map(|(said, _)| said).collect();
            assert_eq!(found, expect, "{raw}");
        }
    }

    #[test]
    fn across_a_join() {
        let lexicon = lexicon(&["不知道", "您是说{any:1-20}吗", "不太清楚", "工号{number:4}"], PLAIN);
        for (previous, raw, expect) in [
            ("这个我不", "知道啊", Some(("不", "知道"))),
            ("这个我不。", "知道", Some(("不", "知道"))),
            ("不", "知道了", None),
            ("要不要。不。", "知道了", None),
            ("您是说明天", "下午送吗", Some(("您是说明天", "下午送吗"))),
            ("我不太", "，清楚", Some(("不太", "清楚"))),
            ("工号08", "01", Some(("工号08", "01"))),
            ("我不知道", "好的", None),
            ("", "知道", None),
        ] {
            let previous = scanned(&lexicon, previous, None);
            let text = scanned(&lexicon, raw, Some(&previous));
            let spans: Vec<_> = matches(&lexicon, &text).iter().map(|m| m.raw_span(&text)).collect();
            let said = |raw: &str, span: &Option<std::ops::Range<usize>>| span.clone().map(|span| slice(raw, span));
            let found: Vec<_> =
                spans.iter().map(|span| (said(previous.raw(), &span.previous), said(raw, &span.own))).collect();
            let expect = expect.map(|(a, b)| (Some(a.to_owned()), Some(b.to_owned())));
            assert_eq!(found, Vec::from_iter(expect), "{} | {raw}", previous.raw());
        }
    }

    #[test]
    fn word_boundaries() {
        let options = PhraseOptions { boundary: Boundary::Word, ..PLAIN };
        for (phrase, raw, is_word) in [
            ("日本", "今日本店休息", false),
            ("日本", "我去日本玩", true),
            ("他妈", "他妈妈来取件", false),
            ("不清楚", "这张图我看不清楚", false),
            ("不清楚", "这个我不清楚", true),
            ("不清楚", "您清楚不清楚", false),
            ("不清楚", "我也不清楚呀", true),
            ("不行", "您看行不行", false),
            ("不行", "这样不行的", true),
            ("不行", "不行不行", true),
            ("不可以", "可不可以退", false),
            ("不知道", "您知不知道", false),
            ("不知道", "您知道不知道", false),
            ("不知道", "业主不知道", true),
            ("不明白", "我听不明白", false),
            ("不懂", "弄不懂", false),
            ("不，行", "您看，不行", true),
            ("一定", "您一定要来", true),
            ("二十四小时", "我们二十四小时服务", true),
            ("没有", "您有没有收到", false),
            ("没有", "他没有收到", true),
        ] {
            let lexicon = lexicon(&[phrase], options);
            let text = scanned(&lexicon, raw, None);
            let found = matches(&lexicon, &text);
            assert!(!found.is_empty(), "{phrase} in {raw}");
            assert_eq!(found.iter().any(|m| lexicon.in_words(&text, m)), is_word, "{phrase} in {raw}");
        }
    }

    #[test]
    fn context_phrases_are_found_but_not_scanned_for() {
        let mut builder = LexiconBuilder::new();
        let context = builder.add_context("如果{any:0-4}不", PLAIN).unwrap();
        let filler = builder.add_context("嗯", PLAIN).unwrap();
        let scanned_for = builder.add("不知道", PLAIN).unwrap();
        assert_eq!(builder.add("不知道", PLAIN).unwrap(), scanned_for);
        assert_ne!(builder.add("不知道", sounding(Homophone::Merged)).unwrap(), scanned_for);
        let lexicon = builder.build().unwrap();
        let text = scanned(&lexicon, "嗯如果您不去，如果不", None);
        assert_eq!(matches(&lexicon, &text), []);
        assert!(!scanned(&lexicon, "如果您不去", None).candidates.iter().any(|_| true));
        assert_eq!(lexicon.find(context, &text, 0..text.len()), Some(0..4));
        assert_eq!(lexicon.find(context, &text, 1..text.len()), Some(5..8));
        assert_eq!(lexicon.find(context, &text, 6..text.len()), None);
        assert_eq!(lexicon.find(filler, &text, 0..2), Some(0..0));
        assert_eq!(lexicon.find(scanned_for, &text, 0..text.len()), None);
        assert_eq!(lexicon.phrase_text(context), "如果{any:0-4}不");
    }

    #[test]
    fn no_phrases() {
        let lexicon = LexiconBuilder::new().build().unwrap();
        assert!(!lexicon.has_candidates(&scanned(&lexicon, "您好，请问", None)));
    }
}

mod properties {
    use super::*;

    /// Texts of few characters, so that everything that folding knows meets everything else.
    fn raw_text(len: usize) -> impl Strategy<Value = String> {
        const ALPHABET: &str =
            "不不知知道道我我行清楚是那个人额嗯一二十十百千万点零05.%分之定，，。？ _-~“”\"ab😊哈谢們\u{200b}";
        let chars: Vec<char> = ALPHABET.chars().collect();
        prop::collection::vec(prop::sample::select(chars), 0..len).prop_map(String::from_iter)
    }

    fn phrases() -> impl Strategy<Value = Vec<String>> {
        const ALPHABET: &str = "不不知知道道我行清楚是个人一二十百万点零5定，ab哈";
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
                Break::None => numeral || (letters && text.mark(at).is_none()),
                Break::Join => numeral,
                _ => false,
            }
        };
        !goes_on(at) && !goes_on(end)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

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
                    if !chars.is_empty() && stands_at(&text, chars, &marks, at) && end > text.lead() {
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
}
