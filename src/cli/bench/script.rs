//! The script of the simulated calls: a pure function of call and event, so that sender and
//! receivers agree without talking to each other.
//!
//! An utterance is 27 characters out of three pieces. It grows by two characters a hypothesis and
//! is settled by a final; speakers take turns. In one utterance of ten the agent's second piece
//! ends in a forbidden phrase, for which the server owes two alerts: provisional with the first
//! hypothesis that has it, confirmed with the final.

use std::fmt::Write as _;
use std::time::Duration;

/// Messages of one utterance: the hypotheses and the final.
const MESSAGES: u64 = 14;
/// The message of an utterance that has the whole phrase first.
const PHRASE_MESSAGE: u64 = 8;
/// One utterance in so many has a phrase. Even, so that it is always the agent's.
const HIT_PERIOD: u64 = 10;
const PIECE_CHARS: usize = 9;
/// All characters used here have so many bytes.
const CHAR_BYTES: usize = 3;
const GROWTH_CHARS: usize = 2;

/// Nine characters each, without a phrase that is listened for.
const PIECES: [&str; 16] = [
    "那个订单昨天就发出",
    "快递现在到杭州中转",
    "地址写的是滨江长河",
    "上个月账单金额有误",
    "会员积分周三会到账",
    "发票抬头填公司名称",
    "套餐从十二月起生效",
    "电话后四位是八六三",
    "仓库周末有同事值班",
    "退货运费由商家承担",
    "宽带安装约明天上午",
    "优惠券在首页能领取",
    "型号和颜色跟图一样",
    "手机左上角显示数字",
    "系统提示付款已成功",
    "师傅下午两点会上门",
];
/// Nine characters that end in a phrase of the bench's own rules, which the packs
/// that come with the program forbid too, and that no second look holds back.
const HIT: &str = "问我干嘛我又不知道";
const PHRASE: &str = "不知道";

/// The simulated calls of one run.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// Tells the calls of this run from those of another on the same server.
    pub(super) run: String,
    pub(super) calls: u64,
    /// Between two events of one call.
    pub(super) interval: Duration,
    /// Events of each call, without its start.
    pub(super) events: u64,
}

/// The state of an alert that is expected, or came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Provisional,
    Confirmed,
}

impl Script {
    /// Events of all calls.
    pub(super) const fn total(&self) -> u64 {
        self.calls * self.events
    }

    /// The time at which event `number`, counted over all calls, is due, from the start of the run.
    /// The calls take turns, so that events are spread evenly.
    pub(super) fn due(&self, number: u64) -> Duration {
        let nanos = self.interval.as_nanos() * u128::from(number) / u128::from(self.calls);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The number over all calls of the `event`-th of `call`.
    pub(super) const fn number(&self, call: u64, event: u64) -> u64 {
        event * self.calls + call
    }

    pub(super) fn call_id(&self, call: u64) -> String {
        format!("{}-{call}", self.run)
    }

    /// The call of an id of this run.
    pub(super) fn call_of(&self, call_id: &str) -> Option<u64> {
        call_id.strip_prefix(self.run.as_str())?.strip_prefix('-')?.parse().ok().filter(|call| *call < self.calls)
    }

    pub(super) fn agent_id(&self, call: u64) -> String {
        format!("{}-agent-{call}", self.run)
    }

    /// The `call.start` of a call; its `seq` is 1.
    pub(super) fn start(&self, call: u64) -> String {
        format!(
            r#"{{"type":"call.start","call_id":"{}","seq":1,"agent_id":"{}","started_at":"2026-11-21T10:00:00+08:00"}}"#,
            self.call_id(call),
            self.agent_id(call),
        )
    }

    /// The `event`-th message of a call; its `seq` is two more.
    pub(super) fn event(&self, call: u64, event: u64) -> String {
        let place = first_place(call) + event;
        let (utterance, message) = (place / MESSAGES, place % MESSAGES);
        let pieces = pieces(call, utterance);
        let is_final = message == MESSAGES - 1;
        let mut chars_left = if is_final { usize::MAX } else { (usize_of(message) + 1) * GROWTH_CHARS };
        let ms = |event: u64| (self.interval * u32::try_from(event).unwrap_or(u32::MAX)).as_millis();
        let began = ms(event.saturating_sub(message));
        let mut frame = String::with_capacity(320);
        // Writing to a string cannot fail.
        let _ = write!(
            frame,
            r#"{{"type":"utterance","call_id":"{}","seq":{},"utterance_id":"u{utterance}","role":"{}","text":""#,
            self.call_id(call),
            event + 2,
            if is_agents(call, utterance) { "agent" } else { "customer" },
        );
        for piece in pieces {
            let chars = chars_left.min(PIECE_CHARS);
            frame.push_str(&piece[..chars * CHAR_BYTES]);
            chars_left -= chars;
        }
        let _ = write!(frame, r#"","start_ms":{began},"end_ms":{},"final":{is_final}}}"#, ms(event + 1));
        frame
    }

    /// The number over all calls of the event that owes the alert of an utterance; `None` if no
    /// event of this run does.
    pub(super) fn owing(&self, call: u64, utterance: u64, state: State) -> Option<u64> {
        let message = match state {
            State::Provisional => PHRASE_MESSAGE,
            State::Confirmed => MESSAGES - 1,
        };
        let event = (utterance * MESSAGES + message).checked_sub(first_place(call))?;
        (is_hit(call, utterance) && event < self.events).then(|| self.number(call, event))
    }

    /// How many alerts the whole run owes.
    pub(super) fn alerts_owed(&self) -> u64 {
        let owed = |call: u64| {
            let last = (first_place(call) + self.events) / MESSAGES;
            let utterances = 0..=last;
            let states = [State::Provisional, State::Confirmed];
            utterances
                .map(|utterance| states.iter().filter(|state| self.owing(call, utterance, **state).is_some()).count())
                .sum::<usize>()
        };
        (0..self.calls).map(|call| owed(call) as u64).sum()
    }
}

/// Calls are in the middle of their first utterance when the run begins, each elsewhere, so that
/// their phrases do not all come at once.
const fn first_place(call: u64) -> u64 {
    (call * 5) % MESSAGES
}

const fn is_agents(call: u64, utterance: u64) -> bool {
    (call + utterance).is_multiple_of(2)
}

/// The first utterance may lack its beginning and has none.
const fn is_hit(call: u64, utterance: u64) -> bool {
    utterance > 0 && (call / MESSAGES * 2 + call % 2 + utterance).is_multiple_of(HIT_PERIOD)
}

fn pieces(call: u64, utterance: u64) -> [&'static str; 3] {
    let pick = |salt: u64| PIECES[usize_of((call * 7 + utterance * 3 + salt * 5) % PIECES.len() as u64)];
    let second = if is_hit(call, utterance) { HIT } else { pick(1) };
    [pick(0), second, pick(2)]
}

/// Numbers here are small.
fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Phrases of the bench's own rules: the one that is said, and others that never are.
pub(super) fn phrases(count: usize) -> impl Iterator<Item = String> {
    const FIRST: [&str; 20] = [
        "别再", "少来", "懒得", "不准", "休想", "凭啥", "谁让", "活该", "爱咋", "随便", "没空", "不管", "少跟", "甭想",
        "哪敢", "偏要", "硬要", "赖着", "死活", "白白",
    ];
    const SECOND: [&str; 25] = [
        "烦我", "催我", "理你", "多嘴", "插话", "抱怨", "投诉", "废话", "啰嗦", "纠缠", "挑刺", "吵闹", "发火", "顶嘴",
        "讲价", "磨蹭", "装傻", "糊弄", "推脱", "搪塞", "敷衍", "嚷嚷", "瞎说", "胡闹", "折腾",
    ];
    const THIRD: [&str; 20] = [
        "", "了吧", "去吧", "算了", "好不", "试试", "看看", "没完", "到底", "一天", "半天", "整天", "两回", "三回",
        "多少", "干嘛", "什么", "才好", "最好", "就行",
    ];
    let made = THIRD.iter().flat_map(|third| {
        SECOND.iter().flat_map(move |second| FIRST.iter().map(move |first| format!("{first}{second}{third}")))
    });
    std::iter::once(PHRASE.to_owned()).chain(made).take(count)
}

/// A rule file that forbids them.
pub(super) fn rules(count: usize) -> String {
    let phrases: Vec<String> = phrases(count).collect();
    format!(
        "pack: bench\ntitle: 压测\nrules:\n  - id: bench.forbidden\n    name: 压测禁语\n    severity: warning\n    \
         forbid:\n      any: [{}]\n    message: 不要说“{{phrase}}”\n    suggestion: 我帮您确认一下\n",
        phrases.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use tingjian::adapter::native::{self, EventBody, Number};
    use tingjian::engine::alert::AlertState;
    use tingjian::engine::rule;
    use tingjian::engine::rule::parse::SourceFile;
    use tingjian::session::Session;

    use super::*;

    fn script(calls: u64, events: u64) -> Script {
        Script { run: "r".into(), calls, interval: Duration::from_millis(300), events }
    }

    /// The alerts that the engine gives are those that the script says are owed.
    #[test]
    fn every_alert_owed_comes_and_no_other() {
        let script = script(40, 300);
        let rules = SourceFile { name: "bench.yaml".into(), text: rules(1_000) };
        let rules = rule::load(&[rules], "v".into()).unwrap().rules;
        let mut came = 0;
        for call in 0..script.calls {
            let EventBody::Start(info) = native::parse(&script.start(call)).unwrap().body else { panic!() };
            let mut session = Session::new(Arc::clone(&rules), *info, &Number { producer: None, seq: Some(1) });
            let mut owing = BTreeMap::new();
            for event in 0..script.events {
                let parsed = native::parse(&script.event(call, event)).unwrap();
                assert_eq!((script.call_of(&parsed.call_id), parsed.number.seq), (Some(call), Some(event + 2)));
                let EventBody::Input(input) = parsed.body else { panic!() };
                let now = session.hear(&parsed.number, &input);
                session.handle(now, input);
                while let Some(alert) = session.poll_output() {
                    let state = match alert.state {
                        AlertState::Provisional => State::Provisional,
                        AlertState::Confirmed => State::Confirmed,
                        other => panic!("{other:?}"),
                    };
                    let utterance = alert.evidence[0].utterance_id[1..].parse().unwrap();
                    assert_eq!(script.owing(call, utterance, state), Some(script.number(call, event)));
                    *owing.entry((utterance, state as u8)).or_insert(0) += 1;
                }
            }
            assert!(owing.values().all(|count| *count == 1));
            came += owing.len() as u64;
        }
        assert_eq!(came, script.alerts_owed());
        assert!(came > 0);
    }

    #[test]
    fn the_calls_take_turns() {
        let script = script(3, 2);
        let due: Vec<u128> = (0..script.total()).map(|number| script.due(number).as_millis()).collect();
        assert_eq!(due, [0, 100, 200, 300, 400, 500]);
        assert_eq!(script.number(1, 1), 4);
    }

    #[test]
    fn the_phrases_differ() {
        let mut all: Vec<String> = phrases(10_000).collect();
        assert_eq!(all.len(), 10_000);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 10_000);
    }
}
