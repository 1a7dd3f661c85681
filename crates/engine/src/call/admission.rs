//! Which rules apply to a call: those with nothing in their way.

use std::fmt;

use chrono::NaiveDate;
use serde_json::Value;

use crate::rule::program::Program;
use crate::transcript::{CallInfo, Channel, Direction};

/// Something that keeps a rule from a call; shown in Chinese.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Obstacle<'a> {
    /// Its pack is off until a call asks for it.
    PackOff(&'a str),
    /// The call asks for other packs.
    OtherPacks {
        asked: &'a [String],
        pack: &'a str,
    },
    NotYet {
        from: NaiveDate,
        day: NaiveDate,
    },
    NoLonger {
        until: NaiveDate,
        day: NaiveDate,
    },
    Direction(Direction),
    Channel(Channel),
    Queue {
        wanted: &'a [String],
        queue: Option<&'a str>,
    },
    Attribute {
        name: &'a str,
        allowed: &'a [String],
        value: Option<&'a Value>,
    },
}

/// Lists the obstacles that keep a rule of `pack` from a call; without one the rule applies. A call that asks for a
/// pack that is not there (`misnamed`) gets all that are on, beside those that it asks for.
pub(crate) fn obstacles<'a>(
    program: &'a Program,
    pack: &'a str,
    info: &'a CallInfo,
    misnamed: bool,
) -> impl Iterator<Item = Obstacle<'a>> {
    let chosen = match &info.packs {
        None => (!program.pack_enabled).then_some(Obstacle::PackOff(pack)),
        Some(asked) if misnamed => {
            let is_on = program.pack_enabled || asked.iter().any(|name| name == pack);
            (!is_on).then_some(Obstacle::PackOff(pack))
        }
        Some(asked) => (!asked.iter().any(|name| name == pack)).then_some(Obstacle::OtherPacks { asked, pack }),
    };
    let day = info.started_at.date_naive();
    let from = program.from.filter(|from| day < *from).map(|from| Obstacle::NotYet { from, day });
    let until = program.until.filter(|until| *until < day).map(|until| Obstacle::NoLonger { until, day });
    let scope = &program.scope;
    let other_way = scope.direction.is_some_and(|direction| direction != info.direction);
    let direction = other_way.then_some(Obstacle::Direction(info.direction));
    let other_channel = scope.channel.is_some_and(|channel| channel != info.channel);
    let channel = other_channel.then_some(Obstacle::Channel(info.channel));
    let is_wanted = scope.queue.is_empty() || info.queue.as_ref().is_some_and(|queue| scope.queue.contains(queue));
    let queue = (!is_wanted).then_some(Obstacle::Queue { wanted: &scope.queue, queue: info.queue.as_deref() });
    let attributes = scope.attributes.iter().filter_map(|(name, allowed)| {
        let value = info.attributes.get(name);
        let is_allowed = value.is_some_and(|value| match value.as_str() {
            Some(text) => allowed.iter().any(|allowed| allowed == text),
            None => allowed.contains(&value.to_string()),
        });
        (!is_allowed).then_some(Obstacle::Attribute { name, allowed, value })
    });
    [chosen, from, until, direction, channel, queue].into_iter().flatten().chain(attributes)
}

impl fmt::Display for Obstacle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PackOff(pack) => write!(f, "规则包 {pack} 默认关闭，通话也没有点名要它"),
            Self::OtherPacks { asked, pack } => write!(f, "通话只用规则包 {}，没有 {pack}", asked.join("、")),
            Self::NotYet { from, day } => write!(f, "规则从 {from} 起生效，通话在 {day}"),
            Self::NoLonger { until, day } => write!(f, "规则到 {until} 为止，通话在 {day}"),
            Self::Direction(Direction::Inbound) => f.write_str("规则只管呼出，这是呼入"),
            Self::Direction(Direction::Outbound) => f.write_str("规则只管呼入，这是呼出"),
            Self::Channel(Channel::Voice) => f.write_str("规则只管文字，这是语音"),
            Self::Channel(Channel::Chat) => f.write_str("规则只管语音，这是文字"),
            Self::Queue { wanted, queue } => {
                write!(f, "规则只管队列 {}，这通的队列：{}", wanted.join("、"), queue.unwrap_or("没有写"))
            }
            Self::Attribute { name, allowed, value } => {
                write!(f, "规则只管属性 {name} 为 {} 的通话，这通的 {name}：", allowed.join("、"))?;
                match value {
                    None => f.write_str("没有写"),
                    Some(Value::String(text)) => f.write_str(text),
                    Some(value) => write!(f, "{value}"),
                }
            }
        }
    }
}
