//! What names a person without being a number: addresses of e-mail, names of
//! accounts, number plates.

use super::digits::digit;

/// Masks each of them in `chars`; whether there was one.
pub(super) fn mask(chars: &mut [char]) -> bool {
    let mut hidden = Vec::new();
    for at in 0..chars.len() {
        plate(chars, at, &mut hidden);
        mailbox(chars, at, &mut hidden);
        account(chars, at, &mut hidden);
    }
    for &at in &hidden {
        chars[at] = '*';
    }
    !hidden.is_empty()
}

/// The characters by which provinces name their plates.
const PROVINCES: &str = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新";

/// 京A12345, 粤B·D12345: province, letter and the last two stay.
fn plate(chars: &[char], start: usize, hidden: &mut Vec<usize>) {
    let Some([province, letter]) = chars.get(start..start + 2) else { return };
    if !PROVINCES.contains(*province) || !letter.is_ascii_alphabetic() {
        return;
    }
    let is_gap = |c: char| "·•・.- ".contains(c);
    let is_sign = |c: char| c.is_ascii_alphanumeric() || digit(c).is_some();
    let mut signs = Vec::new();
    let mut at = start + 2;
    while let Some(&c) = chars.get(at) {
        if is_sign(c) {
            signs.push(at);
        } else if !is_gap(c) {
            break;
        }
        at += 1;
    }
    let digits = signs.iter().filter(|&&at| digit(chars[at]).is_some()).count();
    if matches!(signs.len(), 5 | 6) && digits >= 3 {
        hidden.extend(&signs[..signs.len() - 2]);
    }
}

/// The words that people say for @.
const AT_SIGNS: [&str; 5] = ["@", "＠", "艾特", "圈a", "圈A"];
/// Mailboxes of a business.
const OFFICES: [&str; 12] = [
    "service", "services", "support", "kefu", "info", "help", "contact", "admin", "sales", "hr", "noreply", "no-reply",
];

/// zhangsan@example.com: the first three stay.
fn mailbox(chars: &[char], at: usize, hidden: &mut Vec<usize>) {
    let Some(sign) = AT_SIGNS.iter().find(|sign| begins_with(&chars[at..], sign)) else { return };
    let domain = &chars[at + sign.chars().count()..];
    let domain: String = domain.iter().take_while(|&&c| c.is_ascii_alphanumeric() || ".-点".contains(c)).collect();
    if !domain.contains(['.', '点']) || !domain.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return;
    }
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c) || digit(c).is_some();
    let length = chars[..at].iter().rev().take_while(|&&c| is_sign(c)).count();
    let name: String = chars[at - length..at].iter().map(char::to_ascii_lowercase).collect();
    let is_masked = chars[..at - length].ends_with(&['*']);
    if !OFFICES.contains(&name.as_str()) && !is_masked {
        hide_rest(at - length..at, hidden);
    }
}

/// The names that people give to accounts of chats.
const ACCOUNTS: [&str; 21] = [
    "微信号码",
    "微信号",
    "微信ID",
    "微信id",
    "加我微信",
    "我的微信",
    "我微信",
    "微信",
    "QQ号码",
    "QQ号",
    "qq号",
    "QQ",
    "qq",
    "扣扣号",
    "vx",
    "VX",
    "Vx",
    "v信",
    "V信",
    "wechat",
    "WeChat",
];

/// 微信号zhangsan88, QQ号12345678: the first three stay.
fn account(chars: &[char], at: usize, hidden: &mut Vec<usize>) {
    let Some(word) = ACCOUNTS.iter().find(|word| begins_with(&chars[at..], word)) else { return };
    if at > 0 && chars[at - 1].is_ascii_alphanumeric() {
        return;
    }
    let mut start = at + word.chars().count();
    while chars.get(start).is_some_and(|&c| "是为叫：: ，,".contains(c)) {
        start += 1;
    }
    let is_sign = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || digit(c).is_some();
    let length = chars[start..].iter().take_while(|&&c| is_sign(c)).count();
    let name = &chars[start..start + length];
    let digits = name.iter().filter(|&&c| digit(c).is_some()).count();
    let is_number = digits == length;
    let is_named =
        word.contains('号') || word.contains('我') || !word.starts_with(['微', 'Q', 'q']) || word.ends_with(['D', 'd']);
    let (shortest, longest) = if is_number { (5, 11) } else { (6, 20) };
    // A pay code is no account: 微信 alone does not name a number.
    let is_account = if is_number { is_named || !word.starts_with('微') } else { is_named || digits > 0 };
    if (shortest..=longest).contains(&length) && is_account && chars[start..].get(length).is_none_or(|&c| c != '*') {
        hide_rest(start..start + length, hidden);
    }
}

/// Hides a name but for its first three characters, or the first of a short one.
fn hide_rest(name: std::ops::Range<usize>, hidden: &mut Vec<usize>) {
    let shown = if name.len() > 3 { 3 } else { 1 };
    hidden.extend(name.skip(shown));
}

fn begins_with(chars: &[char], word: &str) -> bool {
    let mut rest = chars.iter();
    word.chars().all(|letter| rest.next() == Some(&letter))
}
