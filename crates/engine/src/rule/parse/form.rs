//! Scoring forms out of their files: the same YAML and the same faults as rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decoder::{Decoder, file_start};
use super::yaml::{self, Node};
use super::{FILE_BYTES_MAX, SourceFile, file_too_long, order};
use crate::diagnostic::{Diagnostic, Faults, Located, Position};
use crate::rule::form::{Form, Group, ITEMS_MAX, Item};
use crate::rule::surface;

/// The best score of a form.
const SCORE_MAX: u32 = 100;
const SCALE_MAX: u32 = 10;
const POINTS_MAX: u32 = 1_000;

/// The forms in some files: all that could be understood. They are fit for use if no diagnostic is an error.
#[derive(Debug)]
pub struct ReadForms {
    /// In the order of the files.
    pub forms: Vec<Form>,
    /// The rules and packs that their items name.
    pub references: Vec<Reference>,
    /// Every fault, with its place.
    pub diagnostics: Vec<Diagnostic>,
}

/// A rule or pack that an item names.
#[derive(Clone, Debug)]
pub struct Reference {
    /// A pack, not a rule.
    pub is_pack: bool,
    /// Its name, and where it stands.
    pub name: Located<String>,
}

/// What files share: the names of forms. The items of one form.
#[derive(Default)]
struct Seen {
    forms: BTreeMap<String, Position>,
    items: BTreeMap<String, Position>,
    references: Vec<Reference>,
}

/// Reads files of scoring forms, one form each.
#[must_use]
pub fn forms(files: &[SourceFile]) -> ReadForms {
    let mut faults = Faults::default();
    let mut seen = Seen::default();
    let forms = files.iter().filter_map(|file| read(file, &mut seen, &mut faults)).collect();
    ReadForms { forms, references: seen.references, diagnostics: faults.finish(order(files)) }
}

fn read(file: &SourceFile, seen: &mut Seen, out: &mut Faults) -> Option<Form> {
    let name: Arc<str> = Arc::from(file.name.as_str());
    if file.text.len() > FILE_BYTES_MAX {
        out.push(file_too_long(&name));
        return None;
    }
    let Some(document) = yaml::load(&name, &file.text, out) else {
        if !out.concern(&name) {
            let empty = Diagnostic::error("empty-file", file_start(&name), "文件是空的", "the file is empty");
            out.push(empty.help(
                "写上 `form:`、`title:` 和 `groups:`，或删去这个文件。",
                "Write `form:`, `title:` and `groups:`, or remove the file.",
            ));
        }
        return None;
    };
    let mut decoder = Decoder::default();
    let form = decoder.form(&document.root, seen);
    out.append(decoder.diagnostics);
    form
}

impl Decoder {
    fn form(&mut self, root: &Node, seen: &mut Seen) -> Option<Form> {
        let mut fields = self.fields(root, &surface::FORM)?;
        let id = fields.get("form").and_then(|node| self.id(node));
        if let Some(id) = &id {
            self.unique(&mut seen.forms, id, "duplicate-form", ("评分表", "form"));
        }
        let title = fields.get("title").and_then(|node| self.text(node));
        let help = fields.get("help").and_then(|node| self.text(node));
        let pass = fields.get("pass").and_then(|node| self.at_most(node, 0, SCORE_MAX));
        seen.items.clear();
        let groups_at = fields.get("groups");
        let groups = groups_at.and_then(|node| self.list(node)).unwrap_or_default();
        let groups: Vec<Group> = groups.iter().filter_map(|node| self.group(node, seen)).collect();
        let form = Form { id: id?.value, title: title?.value, help: help.map(|help| help.value), pass, groups };
        let at = groups_at.map_or(&root.at, |node| &node.at);
        if form.items().count() > ITEMS_MAX {
            self.report(Diagnostic::error(
                "too-many-items",
                at.clone(),
                format!("评分表最多 {ITEMS_MAX} 项"),
                format!("a form has at most {ITEMS_MAX} items"),
            ));
        } else if !form.groups.is_empty() && form.items().all(|item| item.points == 0) {
            let fault = Diagnostic::error("no-points", at.clone(), "没有一项有分值", "no item is worth anything");
            self.report(fault.help("给各项写上 `points:`。", "Give the items `points:`."));
        }
        Some(form)
    }

    fn group(&mut self, node: &Node, seen: &mut Seen) -> Option<Group> {
        let mut fields = self.fields(node, &surface::FORM_GROUP)?;
        let title = fields.get("title").and_then(|node| self.text(node));
        let items = fields.get("items").and_then(|node| self.list(node)).unwrap_or_default();
        let items = items.iter().filter_map(|node| self.item(node, seen)).collect();
        Some(Group { title: title?.value, items })
    }

    fn item(&mut self, node: &Node, seen: &mut Seen) -> Option<Item> {
        let mut fields = self.fields(node, &surface::FORM_ITEM)?;
        let id = fields.get("id").and_then(|node| self.id(node));
        if let Some(id) = &id {
            self.unique(&mut seen.items, id, "duplicate-item", ("评分项", "item"));
        }
        let title = fields.get("title").and_then(|node| self.text(node));
        let help = fields.get("help").and_then(|node| self.text(node));
        let points = fields.get("points").map(|node| self.at_most(node, 0, POINTS_MAX));
        let scale = fields.get("scale").and_then(|node| self.at_most(node, 2, SCALE_MAX));
        let mut flag = |decoder: &mut Self, name| fields.get(name).and_then(|node| decoder.boolean(node)) == Some(true);
        let (not_applicable, veto, comment) = (flag(self, "not_applicable"), flag(self, "veto"), flag(self, "comment"));
        let mut texts = |name| fields.get(name).map(|node| self.texts(node)).unwrap_or_default();
        let (rules, packs, categories) = (texts("rules"), texts("packs"), texts("categories"));
        let references = [(&rules, false), (&packs, true)].map(|(names, is_pack)| {
            names.iter().cloned().map(move |name| Reference { is_pack, name }).collect::<Vec<_>>()
        });
        seen.references.extend(references.into_iter().flatten());
        let [rules, packs, categories] =
            [rules, packs, categories].map(|names| names.into_iter().map(|name| name.value).collect());
        if points.is_none() && !veto {
            let fault = Diagnostic::error(
                "missing-key",
                node.at.clone(),
                "缺少 `points`：没有分值的项要写 `veto: true`",
                "`points` is missing: an item that is worth nothing has `veto: true`",
            );
            self.report(fault.help("补上 `points:`（分值）。", "Add `points:`."));
        }
        Some(Item {
            id: id?.value,
            title: title?.value,
            help: help.map(|help| help.value),
            points: points.flatten().unwrap_or(0),
            scale: scale.unwrap_or(1),
            not_applicable,
            veto,
            comment,
            rules,
            packs,
            categories,
        })
    }

    fn at_most(&mut self, node: &Node, least: u32, most: u32) -> Option<u32> {
        let number = self.count(node, least)?;
        if number > most {
            let (zh, en) = (format!("{least} 到 {most} 的整数"), format!("a whole number from {least} to {most}"));
            self.bad_value(&node.at, &number.to_string(), &zh, &en);
            return None;
        }
        Some(number)
    }
}
