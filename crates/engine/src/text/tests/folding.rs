//! What texts fold to, by tables.

use super::borders::Borders;
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
        ("十分抱歉", "十分抱歉"),
        ("百度", "百度"),
        ("两万五", "25000"),
        ("三五百", "三五百"),
        ("晚一点一定", "晚一点1定"),
        ("二 十 四 小 时", "24小时"),
    ] {
        check(raw, folded);
    }
}

/// Texts that shall fold to the same symbols, and texts that shall not.
#[test]
fn writings_that_are_one_and_writings_that_are_two() {
    for (a, b, same) in [
        // What words decide in traditional writing, and the variants of Taiwan and Hong Kong.
        ("你自己看著辦", "你自己看着办", true),
        ("你急甚麼呀", "你急什么呀", true),
        ("這塊我不瞭解", "这块我不了解", true),
        ("你給我聽著", "你给我听着", true),
        ("帳號", "账号", true),
        ("帐号", "账号", true),
        ("祇能這樣", "只能这样", true),
        ("衹能這樣", "只能这样", true),
        ("別找藉口", "别找借口", true),
        ("覆核", "复核", true),
        ("回覆", "回复", true),
        ("答覆您", "答复您", true),
        ("計畫", "计划", true),
        ("傢俱", "家具", true),
        ("手鍊", "手链", true),
        ("諮詢", "咨询", true),
        ("彷彿", "仿佛", true),
        ("擡頭", "抬头", true),
        ("櫃枱", "柜台", true),
        ("沈默", "沉默", true),
        ("儍偪", "傻逼", true),
        // Characters in disguise.
        ("ⓋⒾⓅ", "VIP", true),
        ("𝐕𝐈𝐏", "vip", true),
        ("🅥🅘🅟", "vip", true),
        ("①②③", "123", true),
        ("⑫号", "十二号", true),
        ("Ⅷ", "viii", true),
        ("\u{f967}知道", "不知道", true),
        ("不\u{3164}知\u{ffa0}道\u{115f}", "不知道", true),
        ("１５万", "十五万", true),
        // Signs between characters, and signs of amounts.
        ("傻￥逼", "傻逼", true),
        ("傻@#￥%逼", "傻逼", true),
        ("傻$ €逼", "傻逼", true),
        ("傻°逼", "傻逼", true),
        ("付￥100", "付100", false),
        ("几%的利息", "几的利息", false),
        ("100%赚", "100赚", false),
        // Words that are written like numbers.
        ("10分", "十分", false),
        ("10分抱歉", "十分抱歉", true),
        ("给10分", "给十分", true),
        ("10分钟", "十分钟", true),
        ("三点10分", "三点十分", true),
        ("10分之1", "十分之一", true),
        ("250", "二百五", false),
        ("250元", "二百五元", true),
        ("共250", "共二百五", true),
        ("38", "三八", false),
        ("38元", "三八元", true),
        ("38节", "三八节", true),
        ("工号38", "工号三八", true),
        ("13点", "十三点", false),
        ("今天13点", "今天十三点", true),
        ("13点半", "十三点半", true),
        ("1点", "一点", false),
        ("快1点", "快一点", true),
        ("下午1点", "下午一点", true),
        ("51", "五一", false),
        ("51元", "五一元", true),
        ("11说明", "一一说明", false),
        ("11点", "一一点", true),
        ("11", "幺幺", true),
        // Approximate numbers are none.
        ("34天", "三四天", false),
        ("23天", "两三天", false),
        ("35个", "三五个", false),
        ("78个", "七八个", false),
        ("1万2", "一万二", true),
        ("工号三四", "工号34", true),
        // Prices, and what they are for.
        ("1.5万", "15000", true),
        ("一点五万", "一万五", true),
        ("1.2亿", "一亿两千万", true),
        ("31000天", "三万一天", false),
        ("31000", "三万一", true),
        ("两千五一个月", "2500一个月", true),
        ("101个", "一百零一个", true),
    ] {
        let (folded_a, folded_b) = (fold(a), fold(b));
        assert_eq!(folded_a.chars() == folded_b.chars(), same, "{} {}", show(&folded_a), show(&folded_b));
    }
}

#[test]
fn surface_is_what_was_said() {
    for (raw, surface) in [
        ("您一定要等二十四小时", "您一定要等二十四小时"),
        ("嗯不不不知道，工號０８", "不知道工号08"),
        ("百分之 十五", "百分之十五"),
        ("晚一點一定", "晚一点一定"),
        ("看著辦，著名的覆蓋", "看著办著名的覆盖"),
        ("三八二十四", "三八二十四"),
        ("两三天", "两三天"),
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
    assert!(Borders::of(&text).quoted(&(at("不知道")..at("不知道") + 3)));
    assert!(Borders::of(&text).quoted(&(at("知道")..at("知道") + 1)));
    assert!(!Borders::of(&text).quoted(&(at("不知道")..at("不知道") + 4)));
    assert!(!Borders::of(&text).quoted(&(at("是指")..at("是指") + 1)));
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
        assert_eq!(Borders::of(&text).quoted(&(at..at + 1)), quoted, "{raw}");
    }
}

#[test]
fn spoken_characters() {
    for (raw, count) in [("嗯您好，请稍等", 6), ("我的iphone plus坏了", 6), ("工号0801", 6), ("", 0)] {
        assert_eq!(fold(raw).spoken_chars(), count, "{raw}");
    }
}
