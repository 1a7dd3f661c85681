//! Personal data is masked in whatever form it is said, and nothing else is.

use std::borrow::Cow;

use proptest::prelude::*;
use tingjian::engine::privacy::{Running, mask, mask_all};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{Role, Utterance};

#[test]
fn numbers_are_masked_and_other_words_are_not() {
    let mut wrong = Vec::new();
    for line in include_str!("../privacy/cases.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (said, expected) = line.split_once('\t').unwrap_or((line, line));
        let masked = mask(said);
        if masked != expected {
            wrong.push(format!("{said}\n  masked:   {masked}\n  expected: {expected}"));
        }
        assert_eq!(matches!(masked, Cow::Borrowed(_)), masked == said, "{said}: copied without need");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_number_over_several_texts_is_masked_in_each() {
    let masked = mask_all(&["我记一下，138", "0013", "8000对吗", ""]);
    assert_eq!(masked.unwrap(), ["我记一下，138", "****", "8000对吗", ""]);
    assert_eq!(mask_all(&["138", "这个不知道"]), None);
}

fn said(role: Role, id: &str, text: &str, is_final: bool) -> Utterance {
    Utterance {
        utterance_id: id.to_owned(),
        role,
        text: text.to_owned(),
        start: CallTime(0),
        end: CallTime(0),
        is_final,
        confidence: None,
        volume_db: None,
        pitch_hz: None,
        agent_id: None,
    }
}

/// What is shown when each of these is said: earlier finals that read otherwise, then the utterance itself.
fn shown(running: &mut Running, utterance: &Utterance) -> Vec<String> {
    let earlier = running.say(utterance).into_iter().map(|said| said.text);
    earlier.chain([running.read(utterance).text]).collect()
}

#[test]
fn digits_are_held_back_until_a_number_is_decided() {
    let mut running = Running::default();
    let mut customer = |id: &str, text: &str, is_final| shown(&mut running, &said(Role::Customer, id, text, is_final));
    assert_eq!(customer("u1", "我手机号是1391234567", false), ["我手机号是**********"]);
    assert_eq!(customer("u1", "我手机号是13912345678", true), ["我手机号是139****5678"]);
    assert_eq!(customer("u2", "好了", true), ["好了"]);
    // Each digit in an utterance of its own; the last four are shown once the number is decided.
    assert_eq!(customer("a1", "1", true), ["1"]);
    assert_eq!(customer("a2", "3", true), ["3"]);
    assert_eq!(customer("a3", "9", true), ["9"]);
    assert_eq!(customer("a4", "1", true), ["*"]);
    for (id, digit) in [("a5", "2"), ("a6", "3"), ("a7", "4"), ("a8", "5"), ("a9", "6"), ("a10", "7")] {
        assert_eq!(customer(id, digit, true), ["*"], "{id}");
    }
    assert_eq!(customer("a11", "8", true), ["5", "6", "7", "8"]);
    // A correction replaces what was said.
    assert_eq!(customer("b1", "不说了，1391234", true), ["不说了，139****"]);
    assert_eq!(customer("b1", "不说了，1391235", true), ["不说了，139****"]);
    assert_eq!(customer("b2", "5678", true), ["5678"]);
    // What another number would begin with is held back, too: eleven digits may be the first of eighteen.
    assert_eq!(customer("c1", "另外，13010219900", true), ["另外，130********"]);
    assert_eq!(customer("c2", "1011237", true), ["***1237"]);
}

#[test]
fn what_one_asks_for_another_reads_out() {
    let mut running = Running::default();
    running.say(&said(Role::Agent, "u1", "麻烦报一下您的身份证号码", true));
    let misheard = said(Role::Customer, "u2", "110105194912310021", true);
    assert_eq!(shown(&mut running, &misheard), ["110***********0021"]);
    let mut running = Running::default();
    running.say(&said(Role::Agent, "u1", "麻烦报一下您的订单号", true));
    let order = said(Role::Customer, "u2", "202411210001380013，谢谢老板", true);
    assert_eq!(shown(&mut running, &order), ["202411210001380013，谢谢老板"]);
}

/// The ways to say or write each digit.
const FORMS: [&str; 10] =
    ["0０零〇", "1１一幺", "2２二两", "3３三", "4４四", "5５五", "6６六", "7７七", "8８八", "9９九"];

/// What recognisers leave between the groups of a number.
const GAPS: &[&str] = &[
    "，",
    "、",
    " ",
    "  ",
    "-",
    "·",
    "。",
    "嗯",
    "，嗯，",
    "那个",
    "然后",
    "hm ",
    " um ",
    "…",
    "啊，",
    "－",
    "，然后是",
];

fn digits(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..10u8, len)
}

fn mobile() -> impl Strategy<Value = (Vec<u8>, usize, usize)> {
    (3..10u8, digits(9)).prop_map(|(second, rest)| ([vec![1, second], rest].concat(), 3, 4))
}

fn birthday() -> impl Strategy<Value = (u32, u32, u32)> {
    (1900..2030u32, 1..13u32, 1..29u32)
}

fn to_digits(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| byte - b'0').collect()
}

const PROVINCES: &[&str] = &["11", "13", "15", "21", "31", "37", "44", "51", "62", "65"];

/// An ID card; a check of 10 is left to the table, because it ends with a letter.
fn id_card() -> impl Strategy<Value = (Vec<u8>, usize, usize)> {
    (prop::sample::select(PROVINCES), 0..10_000u32, birthday(), 0..1000u32).prop_filter_map(
        "the check is X",
        |(province, county, (year, month, day), order)| {
            let mut id = to_digits(&format!("{province}{county:04}{year}{month:02}{day:02}{order:03}"));
            // GB 11643 by its other definition: weights are powers of two.
            let sum: u64 = id.iter().enumerate().map(|(i, &digit)| u64::from(digit) * (1 << (17 - i))).sum();
            let check = (12 - sum % 11) % 11;
            id.push(u8::try_from(check).ok().filter(|&check| check < 10)?);
            Some((id, 3, 4))
        },
    )
}

fn old_id_card() -> impl Strategy<Value = (Vec<u8>, usize, usize)> {
    (prop::sample::select(PROVINCES), 0..10_000u32, birthday(), 0..1000u32).prop_map(
        |(province, county, (year, month, day), order)| {
            (to_digits(&format!("{province}{county:04}{:02}{month:02}{day:02}{order:03}", year % 100)), 3, 3)
        },
    )
}

fn bank_card() -> impl Strategy<Value = (Vec<u8>, usize, usize)> {
    (prop::sample::select(&["62", "4", "5", "35", "9558"][..]), digits(18), 16..20usize).prop_map(
        |(beginning, rest, len)| {
            let mut card = to_digits(beginning);
            card.extend(&rest[..len - 1 - card.len()]);
            let valid = (0..10u8).find(|&check| {
                let odd =
                    card.iter().rev().step_by(2).map(|&digit| u32::from(digit) * 2 / 10 + u32::from(digit) * 2 % 10);
                let even = card.iter().rev().skip(1).step_by(2).map(|&digit| u32::from(digit));
                (odd.sum::<u32>() + even.sum::<u32>() + u32::from(check)).is_multiple_of(10)
            });
            card.push(valid.expect("one of ten digits makes the sum a multiple of ten"));
            (card, 0, 4)
        },
    )
}

/// A number in some spoken form: its text, and which characters must be masked.
fn spoken(number: impl Strategy<Value = (Vec<u8>, usize, usize)>) -> impl Strategy<Value = (String, Vec<bool>)> {
    let forms = prop::collection::vec(0..4usize, 19);
    // Between two digits there is mostly nothing.
    let gap = prop_oneof![3 => Just(""), 1 => prop::sample::select(GAPS)];
    (number, forms, prop::collection::vec(gap, 19)).prop_map(|((digits, first, last), forms, gaps)| {
        let (mut text, mut hidden) = (String::new(), Vec::new());
        for (i, &digit) in digits.iter().enumerate() {
            if i > 0 {
                text.push_str(gaps[i]);
                hidden.extend(gaps[i].chars().map(|_| false));
            }
            let shapes: Vec<char> = FORMS[usize::from(digit)].chars().collect();
            text.push(shapes[forms[i] % shapes.len()]);
            hidden.push(i >= first && i < digits.len() - last);
        }
        (text, hidden)
    })
}

fn is_digit(c: char) -> bool {
    "0123456789０１２３４５６７８９零〇○洞一幺壹二两兩贰貳三叁參四肆五伍六陆陸七柒拐八捌九玖勾十百千".contains(c)
}

/// Texts made of what numbers are made of.
fn any_text() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "1",
        "3",
        "8",
        "０",
        "幺",
        "八",
        "零",
        "两",
        "138",
        "0013",
        "8000",
        "6222",
        "11010519491231",
        "002X",
        "x",
        "叉",
        "要",
        "三个",
        "个",
        "嗯",
        "，",
        " ",
        "-",
        ".",
        "元",
        "*",
        "****",
        "我",
        "hm",
        "百",
        "年",
        "。",
        "\n",
        "86",
        "😊",
        "是",
        "不对",
        "等一下",
        "一千",
        "十",
        "洞",
        "/",
        "身份证",
        "卡号",
        "护照",
        "1990年1月1日",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_number_is_masked_however_it_is_said(
        (said, hidden) in prop_oneof![
            spoken(mobile()).boxed(), spoken(id_card()).boxed(), spoken(old_id_card()).boxed(), spoken(bank_card()).boxed(),
        ],
        before in prop::sample::select(&["", "我的号码是", "工号：", "嗯，您记一下", "tel"][..]),
        after in prop::sample::select(&["", "您记一下", "，对吗", "。", "一个人", "吧"][..]),
    ) {
        let text = format!("{before}{said}{after}");
        let masked: Vec<char> = mask(&text).chars().collect();
        let offset = before.chars().count();
        for (i, &hidden) in hidden.iter().enumerate() {
            prop_assert!(!hidden || masked[offset + i] == '*', "{} of {}", i, text);
        }
    }

    #[test]
    fn only_digits_change_and_only_once(text in any_text()) {
        let masked = mask(&text);
        prop_assert_eq!(masked.chars().count(), text.chars().count());
        for (was, is) in text.chars().zip(masked.chars()) {
            prop_assert!(was == is || (is == '*' && is_digit(was)), "{} became {} in {}", was, is, text);
        }
        prop_assert_eq!(mask(&masked), masked.clone(), "masking again changed {}", text);
    }

    #[test]
    fn amounts_dates_and_other_numbers_stay(
        yuan in 0..10_000_000_000u64, cents in 0..100u32, (year, month, day) in birthday(),
        (hour, minute, second) in (0..24u32, 0..60u32, 0..60u32), code in digits(9), order in digits(25), order_len in 20..25usize,
    ) {
        let digits = |digits: &[u8]| digits.iter().map(|&digit| char::from(b'0' + digit)).collect::<String>();
        let texts = [
            format!("一共{yuan}.{cents:02}元，请您确认"),
            format!("¥{yuan}，{cents}"),
            format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            format!("{year}年{month}月{day}日{hour}点{minute}分到{}", year + 1),
            format!("{year}{month:02}{day:02}{hour:02}{minute:02}{second:02}"),
            format!("验证码{}，工号{}", digits(&code[..6]), digits(&code[..4])),
            format!("订单号{}，已经发出", digits(&code)),
            format!("订单号{}，已经发出", digits(&order[..order_len])),
        ];
        for text in texts {
            prop_assert_eq!(mask(&text), Cow::Borrowed(text.as_str()));
        }
    }
}
