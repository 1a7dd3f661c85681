//! The five kinds of rules.

use super::decoder::{Decoder, Fields};
use super::said::Inherited;
use super::yaml::{Content, Node};
use crate::diagnostic::{Diagnostic, Located, Position};
use crate::rule::surface;
use crate::rule::syntax::{Body, EventRule, Forbid, Part, Require, Sequence, Step, Timing};
use crate::transcript::Role;

impl Decoder {
    /// The kind of a rule. Which keys there are has been checked; all that are there are read.
    pub(super) fn body(&mut self, fields: &mut Fields<'_>) -> Option<Located<Body>> {
        let mut bodies = Vec::new();
        for kind in ["forbid", "require", "sequence", "timing", "event"] {
            let Some(node) = fields.get(kind) else { continue };
            let body = match kind {
                "forbid" => self.forbid(node).map(Body::Forbid),
                "require" => self.require(node).map(Body::Require),
                "sequence" => self.sequence(node).map(Body::Sequence),
                "timing" => self.timing(node).map(Body::Timing),
                _ => self.event_rule(node).map(Body::Event),
            };
            let at = fields.key_at(kind).unwrap_or(&node.at).clone();
            bodies.extend(body.map(|body| Located::new(body, at)));
        }
        bodies.into_iter().next()
    }

    fn forbid(&mut self, node: &Node) -> Option<Forbid> {
        let mut fields = self.fields(node, &surface::FORBID)?;
        let said = self.said(&mut fields, &Inherited::default());
        let at_least = fields.get("at_least").and_then(|node| self.count(node, 1)).unwrap_or(1);
        let window = fields.get("window").and_then(|node| self.window(node));
        Some(Forbid { said, at_least, window })
    }

    fn require(&mut self, node: &Node) -> Option<Require> {
        let mut fields = self.fields(node, &surface::REQUIRE)?;
        let manner = self.manner(&mut fields);
        let any = fields.get("any").map(|node| self.phrases(node));
        let all = fields.get("all");
        let parts = match (any, all) {
            (Some(any), _) => vec![Part { name: None, say: None, said: manner.said(any) }],
            (None, Some(node)) => {
                let items = self.list(node).unwrap_or_default();
                items.iter().filter_map(|item| self.part(item, &manner)).collect()
            }
            (None, None) => Vec::new(),
        };
        let window = self.anchored(&mut fields);
        let remind_ms = fields.get("remind").and_then(|node| self.duration(node));
        let reminder = fields.get("reminder").and_then(|node| self.text(node));
        if let Some(reminder) = &reminder {
            self.placeholders(reminder);
            if remind_ms.is_none() {
                self.reminder_without_time(&reminder.at);
            }
        }
        let count_hold = fields.get("count_hold").and_then(|node| self.boolean(node)).unwrap_or(false);
        let even_if_cut_short = fields.get("even_if_cut_short").and_then(|node| self.boolean(node)).unwrap_or(false);
        let reminder = reminder.map(|text| text.value);
        Some(Require { parts, window: window?, remind_ms, reminder, count_hold, even_if_cut_short })
    }

    /// Nobody is reminded unless it is said how long before.
    fn reminder_without_time(&mut self, at: &Position) {
        self.report(
            Diagnostic::error(
                "idle-reminder",
                at.clone(),
                "有 `reminder` 而没有 `remind`",
                "`reminder` without `remind`",
            )
            .help("写明到期前多久提醒，如 `remind: 3s`。", "Say how long before the deadline, such as `remind: 3s`."),
        );
    }

    fn part(&mut self, node: &Node, inherited: &Inherited) -> Option<Part> {
        if !matches!(node.content, Content::Map(_)) {
            let said = inherited.said(self.phrases(node));
            return Some(Part { name: None, say: None, said });
        }
        let mut fields = self.fields(node, &surface::PART)?;
        let name = fields.get("name").and_then(|node| self.text(node));
        let say = fields.get("say").and_then(|node| self.text(node));
        let said = self.said(&mut fields, inherited);
        Some(Part { name: name.map(|name| name.value), say: say.map(|say| say.value), said })
    }

    fn sequence(&mut self, node: &Node) -> Option<Sequence> {
        let mut fields = self.fields(node, &surface::SEQUENCE)?;
        let after = self.anchor_of(&mut fields);
        let steps_node = fields.get("steps");
        let items = steps_node.and_then(|node| self.list(node)).unwrap_or_default();
        let steps: Vec<Step> = items.iter().filter_map(|item| self.step(item)).collect();
        if let (1, Some(node)) = (items.len(), steps_node) {
            self.report(
                Diagnostic::error("lone-step", node.at.clone(), "只有一步，谈不上顺序", "one step alone has no order")
                    .help("至少写两步，或改用 `require`。", "Write two steps or more, or use `require`."),
            );
        }
        let within_ms = fields.get("within").and_then(|node| self.duration(node));
        Some(Sequence { after, steps, within_ms })
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        let mut fields = self.fields(node, &surface::STEP)?;
        let name = fields.get("name").and_then(|node| self.text(node));
        let say = fields.get("say").and_then(|node| self.text(node));
        let said = self.said(&mut fields, &Inherited::default());
        let optional = fields.get("optional").and_then(|node| self.boolean(node)).unwrap_or(false);
        Some(Step { name: name?.value, say: say.map(|say| say.value), said, optional })
    }

    fn timing(&mut self, node: &Node) -> Option<Timing> {
        let mut fields = self.fields(node, &surface::TIMING)?;
        let silence = fields.get("silence").and_then(|node| self.silence(node));
        let listening = fields.get("listening").and_then(|node| {
            let mut fields = self.fields(node, &surface::LISTENING)?;
            let by = self.party(&mut fields, "by");
            Some(Timing::Listening { by, over_ms: self.over(&mut fields)? })
        });
        let hold = fields.get("hold").and_then(|node| {
            let mut fields = self.fields(node, &surface::HOLD)?;
            Some(Timing::Hold { over_ms: self.over(&mut fields)? })
        });
        let rate = fields.get("rate").and_then(|node| self.rate(node));
        let interruption = fields.get("interruption").and_then(|node| self.interruption(node));
        let monologue = fields.get("monologue").and_then(|node| {
            let mut fields = self.fields(node, &surface::MONOLOGUE)?;
            let role = self.party(&mut fields, "role");
            Some(Timing::Monologue { role, over_ms: self.over(&mut fields)? })
        });
        let reply = fields.get("reply").and_then(|node| {
            let mut fields = self.fields(node, &surface::REPLY)?;
            let by = self.party(&mut fields, "by");
            Some(Timing::Reply { by, over_ms: self.over(&mut fields)? })
        });
        let rings = fields.get("rings").and_then(|node| {
            let mut fields = self.fields(node, &surface::RINGS)?;
            let over = fields.get("over").and_then(|node| self.count(node, 0))?;
            Some(Timing::Rings { over })
        });
        let repeat = fields.get("repeat").and_then(|node| self.repeat(node));
        let volume = fields.get("volume").and_then(|node| {
            let (role, below, above) = self.levels(node, &surface::VOLUME)?;
            Some(Timing::Volume { role, below, above })
        });
        let pitch = fields.get("pitch").and_then(|node| {
            let (role, below, above) = self.levels(node, &surface::PITCH)?;
            Some(Timing::Pitch { role, below, above })
        });
        let timings = [silence, listening, hold, rate, interruption, monologue, reply, rings, repeat, volume, pitch];
        timings.into_iter().flatten().next()
    }

    fn over(&mut self, fields: &mut Fields<'_>) -> Option<i64> {
        fields.get("over").and_then(|node| self.duration(node))
    }

    /// Whose speech is measured; the agent's unless said.
    fn party(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Role {
        fields.get(key).and_then(|node| self.choice(node, surface::EITHER_PARTY)).unwrap_or(Role::Agent)
    }

    fn silence(&mut self, node: &Node) -> Option<Timing> {
        let mut fields = self.fields(node, &surface::SILENCE)?;
        let of = match fields.get("of").and_then(|node| self.word(node, surface::SILENT)) {
            Some("agent") => Some(Role::Agent),
            Some("customer") => Some(Role::Customer),
            _ => None,
        };
        Some(Timing::Silence { of, over_ms: self.over(&mut fields)? })
    }

    fn rate(&mut self, node: &Node) -> Option<Timing> {
        let mut fields = self.fields(node, &surface::RATE)?;
        let role = self.party(&mut fields, "role");
        let below = fields.get("below").and_then(|node| self.count(node, 1));
        let above = fields.get("above").and_then(|node| self.count(node, 1));
        let window_ms = fields.get("window").and_then(|node| self.duration(node)).unwrap_or(30_000);
        let at_least_ms = fields.get("at_least").and_then(|node| self.duration(node)).unwrap_or(5_000);
        self.bounds(&fields, below.map(f64::from), above.map(f64::from));
        if at_least_ms > window_ms {
            self.report(
                Diagnostic::error(
                    "empty-range",
                    fields.at.clone(),
                    "`at_least` 比 `window` 长，永远下不了结论",
                    "`at_least` is longer than `window`: there is never a verdict",
                )
                .help("把 `window` 加长或把 `at_least` 缩短。", "Lengthen `window` or shorten `at_least`."),
            );
        }
        Some(Timing::Rate { role, below, above, window_ms, at_least_ms })
    }

    fn interruption(&mut self, node: &Node) -> Option<Timing> {
        let mut fields = self.fields(node, &surface::INTERRUPTION)?;
        let by = self.party(&mut fields, "by");
        let overlap_ms = fields.get("overlap").and_then(|node| self.duration(node)).unwrap_or(800);
        let after_ms = fields.get("after").and_then(|node| self.duration(node)).unwrap_or(500);
        let min_chars = fields.get("min_chars").and_then(|node| self.count(node, 1)).unwrap_or(4);
        let unless = fields.get("unless").map(|node| self.phrases(node)).unwrap_or_default();
        Some(Timing::Interruption { by, overlap_ms, after_ms, min_chars, unless })
    }

    fn repeat(&mut self, node: &Node) -> Option<Timing> {
        let mut fields = self.fields(node, &surface::REPEAT)?;
        let role = self.party(&mut fields, "role");
        let times = fields.get("times").and_then(|node| self.count(node, 2)).unwrap_or(2);
        let min_chars = fields.get("min_chars").and_then(|node| self.count(node, 1)).unwrap_or(6);
        let unless = fields.get("unless").map(|node| self.phrases(node)).unwrap_or_default();
        Some(Timing::Repeat { role, times, min_chars, unless })
    }

    fn levels(&mut self, node: &Node, shape: &'static surface::Shape) -> Option<(Role, Option<f32>, Option<f32>)> {
        let mut fields = self.fields(node, shape)?;
        let role = self.party(&mut fields, "role");
        let below = fields.get("below").and_then(|node| self.number(node));
        let above = fields.get("above").and_then(|node| self.number(node));
        self.bounds(&fields, below.map(f64::from), above.map(f64::from));
        Some((role, below, above))
    }

    /// Reports bounds that are both left out, or that leave nothing allowed between them.
    fn bounds(&mut self, fields: &Fields<'_>, below: Option<f64>, above: Option<f64>) {
        if fields.first_of(&["below", "above"]).is_none() {
            self.report(
                Diagnostic::error(
                    "missing-choice",
                    fields.at.clone(),
                    "`below` 和 `above` 至少要写一个",
                    "`below` or `above` is needed",
                )
                .help(
                    "写上限 `above`、下限 `below`，或都写。",
                    "Write the upper bound `above`, the lower bound `below`, or both.",
                ),
            );
        }
        if let (Some(below), Some(above)) = (below, above)
            && below >= above
        {
            self.report(
                Diagnostic::error(
                    "empty-range",
                    fields.at.clone(),
                    format!("低于 {below} 和高于 {above} 都算违规，怎样都不对"),
                    format!("below {below} and above {above} are both violations: nothing is allowed"),
                )
                .help("`below` 要小于 `above`。", "`below` must be less than `above`."),
            );
        }
    }

    fn event_rule(&mut self, node: &Node) -> Option<EventRule> {
        let mut fields = self.fields(node, &surface::EVENT_RULE)?;
        let hangup_by = fields.get("hangup_by").and_then(|node| self.choice(node, surface::ROLE));
        let without = fields.get("without").and_then(|node| self.without(node));
        let unanswered = fields.get("transfer_unanswered").and_then(|node| {
            let value = self.boolean(node)?;
            if !value {
                self.bad_value(&node.at, "false", " `true`；不要这条规则就整条删去", "`true`, or remove the rule");
            }
            value.then_some(EventRule::TransferUnanswered)
        });
        let greeting = fields.get("greeting").and_then(|node| self.greeting(node));
        hangup_by.map(EventRule::HangupBy).or(without).or(unanswered).or(greeting)
    }

    fn without(&mut self, node: &Node) -> Option<EventRule> {
        let mut fields = self.fields(node, &surface::WITHOUT)?;
        let event = fields.get("event").and_then(|node| self.choice(node, surface::LEAVING));
        let said = self.said(&mut fields, &Inherited::default());
        let within_ms = fields.get("within").and_then(|node| self.duration(node)).unwrap_or(30_000);
        Some(EventRule::Without { event: event?, said, within_ms })
    }

    fn greeting(&mut self, node: &Node) -> Option<EventRule> {
        let entries = self.entries(node, "\"时段\": [问候语, …]", "\"hours\": [greeting, …]")?;
        if entries.is_empty() {
            self.wrong_type(node, "至少一个 `\"时段\": [问候语, …]`", "at least one `\"hours\": [greeting, …]`");
        }
        let mut hours = Vec::new();
        for (range, greetings) in entries {
            let greetings = self.phrases(greetings);
            hours.extend(self.hour_range(&range).map(|range| (range, greetings)));
        }
        Some(EventRule::Greeting { hours })
    }
}
