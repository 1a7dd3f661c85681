//! What texts fold to, by tables.

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
