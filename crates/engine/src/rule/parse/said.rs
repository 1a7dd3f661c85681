//! What is said, around what, and when: phrases, contexts, preconditions, anchors and windows.

use super::decoder::{Decoder, Fields};
use super::yaml::{Content, Node, Style};
use crate::diagnostic::{Diagnostic, Located, nearest};
use crate::rule::surface;
use crate::rule::syntax::{Anchor, Context, Expression, Extent, PhraseSource, Said, Window};
use crate::text::{Boundary, Homophone};
use crate::transcript::{EventKind, Role};

/// The options that parts inherit from their rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Inherited {
    pub(super) roles: Option<Vec<Role>>,
    pub(super) unless: Vec<Context>,
    pub(super) only: Vec<Context>,
    pub(super) homophone: Option<Homophone>,
    pub(super) boundary: Option<Boundary>,
}

impl Inherited {
    /// These phrases, with nothing of their own.
    pub(super) fn said(&self, any: Vec<PhraseSource>) -> Said {
        Said {
            roles: self.roles.clone().unwrap_or_else(|| vec![Role::Agent]),
            any,
            unless: self.unless.clone(),
            only: self.only.clone(),
            homophone: self.homophone,
            boundary: self.boundary,
        }
    }
}

impl Decoder {
    /// Phrases: a list, or one alone.
    pub(super) fn phrases(&mut self, node: &Node) -> Vec<PhraseSource> {
        let items = self.one_or_many(node).unwrap_or_default();
        if let [one] = items
            && std::ptr::eq(one, node)
        {
            self.one_for_many(node);
        }
        items.iter().filter_map(|item| self.phrase(item)).collect()
    }

    /// Reports one text that separates phrases as a list does.
    fn one_for_many(&mut self, node: &Node) {
        let Content::Scalar(text, Style::Plain) = &node.content else { return };
        let Some(mark) = ["、", ", ", ";", "；", "|"].into_iter().find(|mark| text.contains(mark)) else { return };
        if text.contains(['(', '{', '/', '$']) && !matches!(mark, "、" | ", ") {
            return;
        }
        let items: Vec<&str> = text.split(mark).map(str::trim).filter(|item| !item.is_empty()).collect();
        if items.len() < 2 {
            return;
        }
        let (mark, items) = (mark.trim(), items.join(", "));
        self.report(
            Diagnostic::error(
                "one-phrase",
                node.at.clone(),
                format!("`{text}` 是一条话术，`{mark}` 不分隔各项"),
                format!("`{text}` is one phrase: `{mark}` separates nothing"),
            )
            .help(
                format!("要分成几条，加方括号和半角逗号：`[{items}]`；真是一句话，就加半角引号。"),
                format!(
                    "For several write brackets and half-width commas: `[{items}]`; if it is one phrase, quote it."
                ),
            ),
        );
    }

    fn phrase(&mut self, node: &Node) -> Option<PhraseSource> {
        let (text, homophone, boundary) = if matches!(node.content, Content::Map(_)) {
            let mut fields = self.fields(node, &surface::PHRASE)?;
            let act = fields.get("act").and_then(|node| self.text(node));
            let text = fields.get("phrase").and_then(|node| self.text(node));
            let homophone = fields.get("homophone").and_then(|node| self.choice(node, surface::HOMOPHONE));
            let boundary = fields.get("boundary").and_then(|node| self.choice(node, surface::BOUNDARY));
            if let Some(text) = act {
                return Some(PhraseSource { text, is_act: true, homophone: None, boundary: None });
            }
            (text?, homophone, boundary)
        } else {
            if matches!(node.content, Content::List(_) | Content::Null) {
                self.wrong_type(node, "一条话术", "a phrase");
                return None;
            }
            (self.text(node)?, None, None)
        };
        if let Some(name) = text.value.strip_prefix('＄') {
            self.report(
                Diagnostic::error(
                    "full-width-dollar",
                    text.at.clone(),
                    format!("`{}` 的 `＄` 是全角的，会被当作文字", text.value),
                    format!("the `＄` of `{}` is full-width and would be part of the text", text.value),
                )
                .help(format!("引用词表写半角的 `${name}`。"), format!("To refer to a list write `${name}`.")),
            );
            return None;
        }
        self.reference(&text);
        Some(PhraseSource { text, is_act: false, homophone, boundary })
    }

    /// Reports `$name` if the pack has no such list.
    fn reference(&mut self, text: &Located<String>) {
        let Some(name) = text.value.strip_prefix('$') else { return };
        if self.lists_lost || self.lists.contains(name) {
            return;
        }
        let near = nearest(name, self.lists.iter().map(String::as_str)).map(str::to_owned);
        let diagnostic = Diagnostic::error(
            "unknown-list",
            text.at.clone(),
            format!("没有词表 `{name}`"),
            format!("there is no list `{name}`"),
        );
        self.report(match near {
            Some(near) => diagnostic.help(format!("是不是 `${near}`？"), format!("Did you mean `${near}`?")),
            None => diagnostic.help(
                format!("在这个文件的 `lists:` 下加上 `{name}: [...]`。"),
                format!("Add `{name}: [...]` under `lists:` in this file."),
            ),
        });
    }

    /// The keys that say what is said, out of the map that they stand in.
    pub(super) fn said(&mut self, fields: &mut Fields<'_>, inherited: &Inherited) -> Said {
        let any = fields.get("any").map(|node| self.phrases(node)).unwrap_or_default();
        let own = self.manner(fields);
        Said {
            roles: own.roles.or_else(|| inherited.roles.clone()).unwrap_or_else(|| vec![Role::Agent]),
            any,
            unless: if own.unless.is_empty() { inherited.unless.clone() } else { own.unless },
            only: if own.only.is_empty() { inherited.only.clone() } else { own.only },
            homophone: own.homophone.or(inherited.homophone),
            boundary: own.boundary.or(inherited.boundary),
        }
    }

    /// Reads the keys that stand beside the phrases.
    pub(super) fn manner(&mut self, fields: &mut Fields<'_>) -> Inherited {
        Inherited {
            roles: fields.get("role").map(|node| self.choices(node, surface::ROLE)).filter(|roles| !roles.is_empty()),
            unless: fields.get("unless").map(|node| self.contexts(node)).unwrap_or_default(),
            only: fields.get("only").map(|node| self.contexts(node)).unwrap_or_default(),
            homophone: fields.get("homophone").and_then(|node| self.choice(node, surface::HOMOPHONE)),
            boundary: fields.get("boundary").and_then(|node| self.choice(node, surface::BOUNDARY)),
        }
    }

    /// One word, or a list of them, each once.
    fn choices<T: serde::de::DeserializeOwned + PartialEq>(&mut self, node: &Node, words: &[surface::Word]) -> Vec<T> {
        let mut values = Vec::new();
        for item in self.one_or_many(node).unwrap_or_default() {
            if let Some(value) = self.choice(item, words)
                && !values.contains(&value)
            {
                values.push(value);
            }
        }
        values
    }

    fn contexts(&mut self, node: &Node) -> Vec<Context> {
        let items = self.one_or_many(node).unwrap_or_default();
        items.iter().filter_map(|item| self.context(item)).collect()
    }

    /// A context; several keys in one map must all hold.
    fn context(&mut self, node: &Node) -> Option<Context> {
        let mut fields = self.fields(node, &surface::CONTEXT)?;
        let f = &mut fields;
        let mut all = Vec::new();
        all.extend(f.get("before").map(|node| self.nearby(node)).map(|(any, within)| Context::Before { any, within }));
        all.extend(f.get("after").map(|node| self.nearby(node)).map(|(any, within)| Context::After { any, within }));
        all.extend(f.get("around").map(|node| Context::Around(self.phrases(node))));
        all.extend(f.get("clause").map(|node| Context::Clause(self.phrases(node))));
        all.extend(f.get("sentence").map(|node| Context::Sentence(self.phrases(node))));
        all.extend(f.get("turn").map(|node| Context::Turn(self.phrases(node))));
        all.extend(f.get("reply").map(|node| Context::Reply(self.phrases(node))));
        all.extend(f.get("then").and_then(|node| self.then(node)));
        all.extend(f.get("negated").and_then(|node| self.boolean(node)).map(Context::Negated));
        all.extend(f.get("question").and_then(|node| self.boolean(node)).map(Context::Question));
        all.extend(f.get("quoted").and_then(|node| self.boolean(node)).map(Context::Quoted));
        all.extend(f.get("conditional").and_then(|node| self.boolean(node)).map(Context::Conditional));
        all.extend(f.get("alone").and_then(|node| self.boolean(node)).map(Context::Alone));
        all.extend(f.get("begins").and_then(|node| self.boolean(node)).map(Context::Begins));
        all.extend(f.get("ends").and_then(|node| self.boolean(node)).map(Context::Ends));
        all.extend(f.get("subject").map(|node| Context::Subject(self.choices(node, surface::SUBJECT))));
        all.extend(f.get("volume_above").and_then(|node| self.number(node)).map(Context::VolumeAboveDb));
        all.extend(f.get("pitch_above").and_then(|node| self.number(node)).map(Context::PitchAboveHz));
        all.extend(f.get("all").map(|node| Context::All(self.contexts(node))));
        all.extend(f.get("any_of").map(|node| Context::Any(self.contexts(node))));
        all.extend(f.get("not").and_then(|node| self.context(node)).map(|context| Context::Not(Box::new(context))));
        if f.is_empty() {
            self.empty_map(node);
        }
        if all.len() > 1 { Some(Context::All(all)) } else { all.pop() }
    }

    fn then(&mut self, node: &Node) -> Option<Context> {
        let mut fields = self.fields(node, &surface::THEN)?;
        let mut any = fields.get("any").map(|node| self.phrases(node)).unwrap_or_default();
        any.extend(fields.get("phrase").and_then(|node| self.phrase(node)));
        let act = fields.get("act").and_then(|node| self.text(node));
        any.extend(act.map(|text| PhraseSource { text, is_act: true, homophone: None, boundary: None }));
        let within_ms = fields.get("within").and_then(|node| self.duration(node))?;
        Some(Context::Then { any, within_ms })
    }

    fn nearby(&mut self, node: &Node) -> (Vec<PhraseSource>, Option<u32>) {
        // `{phrase: …}` is a phrase with options and `{act: …}` an act; anything else in braces says how near.
        let is_phrase = |(key, _): &(Node, Node)| matches!(&key.content, Content::Scalar(name, _) if name == "phrase" || name == "act");
        match &node.content {
            Content::Map(entries) if !entries.iter().any(is_phrase) => {
                let Some(mut fields) = self.fields(node, &surface::NEARBY) else { return (Vec::new(), None) };
                let any = fields.get("any").map(|node| self.phrases(node)).unwrap_or_default();
                let within = fields.get("within").and_then(|node| self.count(node, 0));
                (any, within)
            }
            _ => (self.phrases(node), None),
        }
    }

    /// A precondition; several keys in one map must all hold.
    pub(super) fn expression(&mut self, node: &Node) -> Option<Expression> {
        let mut fields = self.fields(node, &surface::EXPRESSION)?;
        let f = &mut fields;
        let mut all = Vec::new();
        all.extend(f.get("all").map(|node| Expression::All(self.expressions(node))));
        all.extend(f.get("any").map(|node| Expression::Any(self.expressions(node))));
        all.extend(f.get("not").and_then(|node| self.expression(node)).map(|inner| Expression::Not(Box::new(inner))));
        all.extend(f.get("said").and_then(|node| self.said_within(node)));
        let event: Option<EventKind> = f.get("event").and_then(|node| self.choice(node, surface::EVENT));
        let within_ms = f.get("within").and_then(|node| self.duration(node));
        all.extend(event.map(|event| Expression::Happened { event, within_ms }));
        all.extend(f.get("hour").and_then(|node| self.hours(node)).map(Expression::Hour));
        all.extend(f.get("lasted").and_then(|node| self.duration(node)).map(Expression::LastedMs));
        if f.key_at("event").is_none() {
            self.stray_within(f, "`event`");
        }
        if f.is_empty() {
            self.empty_map(node);
        }
        if all.len() > 1 { Some(Expression::All(all)) } else { all.pop() }
    }

    fn expressions(&mut self, node: &Node) -> Vec<Expression> {
        let items = self.list(node).unwrap_or_default();
        items.iter().filter_map(|item| self.expression(item)).collect()
    }

    fn said_within(&mut self, node: &Node) -> Option<Expression> {
        let mut fields = self.fields(node, &surface::SAID_WITHIN)?;
        let said = self.said(&mut fields, &Inherited::default());
        let within_ms = fields.get("within").and_then(|node| self.duration(node));
        Some(Expression::Said { said, within_ms })
    }

    fn empty_map(&mut self, node: &Node) {
        // What cannot be used of it has been reported.
        if matches!(&node.content, Content::Map(entries) if !entries.is_empty()) {
            return;
        }
        self.report(
            Diagnostic::error("empty-map", node.at.clone(), "`{}` 里没有内容", "there is nothing in `{}`")
                .help("写上条件，或删去它。", "Write a condition or remove it."),
        );
    }

    /// Reports `within` where it has nothing to go with.
    fn stray_within(&mut self, fields: &Fields<'_>, partner: &str) {
        if let Some(at) = fields.key_at("within") {
            self.report(
                Diagnostic::error(
                    "misplaced-key",
                    at.clone(),
                    format!("`within` 要与 {partner} 同用"),
                    format!("`within` only goes with {partner}"),
                )
                .help("把它移到所限定的地方，或删去。", "Move it to what it limits, or remove it."),
            );
        }
    }

    fn anchor(&mut self, node: &Node) -> Option<Anchor> {
        if matches!(node.content, Content::Scalar(..)) {
            return self.choice(node, surface::EVENT).map(Anchor::Event);
        }
        let mut fields = self.fields(node, &surface::ANCHOR)?;
        let event = fields.get("event").and_then(|node| self.choice(node, surface::EVENT));
        let said = fields.get("said").and_then(|node| {
            let mut fields = self.fields(node, &surface::SAID)?;
            Some(self.said(&mut fields, &Inherited::default()))
        });
        event.map(Anchor::Event).or(said.map(|said| Anchor::Said(Box::new(said))))
    }

    /// `after` of a sequence.
    pub(super) fn anchor_of(&mut self, fields: &mut Fields<'_>) -> Option<Anchor> {
        fields.get("after").and_then(|node| self.anchor(node))
    }

    /// `after` or `before`, and `within`.
    pub(super) fn anchored(&mut self, fields: &mut Fields<'_>) -> Option<Window> {
        let after = fields.get("after").and_then(|node| self.anchor(node));
        let before = fields.get("before").and_then(|node| self.anchor(node));
        let within = fields.get("within").map(|node| self.extent(node));
        let extent = within.unwrap_or(Some(Extent::Unbounded))?;
        match (after, before) {
            (Some(anchor), _) => Some(Window::After(anchor, extent)),
            (None, Some(anchor)) => Some(Window::Before(anchor, extent)),
            (None, None) => None,
        }
    }

    pub(super) fn window(&mut self, node: &Node) -> Option<Window> {
        let mut fields = self.fields(node, &surface::WINDOW)?;
        let first = fields.get("first").and_then(|node| self.extent(node)).map(Window::First);
        let last = fields.get("last").and_then(|node| self.extent(node)).map(Window::Last);
        let anchored = self.anchored(&mut fields);
        if fields.first_of(&["first", "last"]).is_some() && fields.first_of(&["after", "before"]).is_none() {
            self.stray_within(&fields, "`after`、`before`");
        }
        first.or(last).or(anchored)
    }
}
