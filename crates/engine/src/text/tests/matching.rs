//! What is found where, by tables.

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
        // Every reading of a character counts, and so does every reading of what was heard.
        ("请按时还款", Toneless, "请按时环款", Some(Likeness::Toneless)),
        ("我们银行", Toneless, "我们银航", Some(Likeness::Toneless)),
        ("请重新拨打", Toneless, "请虫新拨打", Some(Likeness::Toneless)),
        ("您别着急", Toneless, "您别找急", Some(Likeness::Toneless)),
        ("长度多少", Toneless, "常度多少", Some(Likeness::Toneless)),
        ("听听音乐", Toneless, "听听音月", Some(Likeness::Toneless)),
        ("我是会计", Toneless, "我是快计", Some(Likeness::Toneless)),
        ("请您换车", Toneless, "请您还车", Some(Likeness::Toneless)),
        ("请您稍等", Toneless, "请您手等", None),
        ("航空公司", Toneless, "形空公司", None),
        ("长度", Always, "常度", Some(Likeness::Toneless)),
        // A number does not sound like a word.
        ("三四天到", Toneless, "34天到", None),
        ("三四天到", Toneless, "三四天道", Some(Likeness::Toneless)),
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
fn three_stay_three_where_the_phrase_has_three() {
    for (phrase, raw, found) in [
        ("好好好", "好好处理", false),
        ("好好好", "好好好", true),
        ("好好好", "好好好好好，行", true),
        ("好好好", "好，好，好", false),
        ("好好好处理", "好好处理", false),
        ("好好好处理", "好好好处理", true),
        ("您好好好说", "您好好好说", true),
        ("您好好好说", "您好好说", false),
        ("好好", "好好好", true),
        ("对对对", "对吗", false),
        ("对对对", "对对对", true),
        ("对对对您说", "对您说", false),
        ("不知道", "不不不知道", true),
        ("哈哈", "哈哈哈哈", true),
    ] {
        let lexicon = lexicon(&[phrase], PLAIN);
        assert_eq!(!super::matches(&lexicon, &scanned(&lexicon, raw, None)).is_empty(), found, "{phrase} in {raw}");
    }
}

#[test]
fn numbers_read_out() {
    for (phrase, raw, found) in [
        ("工号{number:4}", "工号零八，零一", Some("工号零八，零一")),
        ("工号{number:4}", "工号0、8、0、1", Some("工号0、8、0、1")),
        ("工号{number:4}", "工号0801，24小时", Some("工号0801")),
        ("工号{number:4}", "工号零八，零一，九", Some("工号零八，零一")),
        ("工号{number:4}", "工号零八。零一", None),
        ("工号{number:4}", "工号080，1234", None),
        ("工号{number:4}", "工号08012", None),
        ("{number:4}号为您服务", "零八，零一号为您服务", Some("零八，零一号为您服务")),
        ("{number}天", "三四天", None),
        ("{number}个月", "两千五一个月", Some("一个月")),
        ("{number}个月", "2500一个月", Some("一个月")),
        ("{number}元", "1.5万元", Some("1.5万元")),
        ("31000天", "三万一天", None),
        ("15000", "1.5万", Some("1.5万")),
        ("10分", "十分抱歉", None),
        ("38元", "三八", None),
        ("三八", "38元", None),
        ("二百五", "250元", None),
        ("十三点", "13点", None),
        ("傻逼", "傻@#￥%逼", Some("傻@#￥%逼")),
        ("vip", "我是𝐕𝐈𝐏", Some("𝐕𝐈𝐏")),
        ("12号", "⑫号", Some("⑫号")),
        ("看着办", "你看著辦", Some("看著辦")),
    ] {
        let lexicon = lexicon(&[phrase], PLAIN);
        let said: Vec<_> = self::found(&lexicon, raw).into_iter().map(|(said, _)| said).collect();
        assert_eq!(said, Vec::from_iter(found), "{phrase} in {raw}");
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
