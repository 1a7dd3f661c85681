//! Scoring forms: everything that is wrong is told with its place, and the form that ships is fit for use.

use tingjian::engine::rule::parse::{SourceFile, forms, parse};

use crate::files;

#[test]
fn every_fault_of_every_form_is_told_with_its_place() {
    let first = "form: 热线\ntitle: 表\npass: 120\ngroups:\n  - title: 组\n    items:\n\
        \x20     - { id: a, title: 甲, points: 2, points: 3 }\n\
        \x20     - { id: a, title: 乙, point: 2, veto: yes }\n\
        \x20     - { id: b, points: \"2\", scale: 1, 说明: 无 }\n\
        \x20     - { id: c, title: 丙 }\n\
        \x20 - items: []\n";
    let second = "form: same\ntitle: 表\ngroups: [{ title: 组, items: [{ id: a, title: 甲, veto: true }] }]\n";
    let third = "form: same\ntitle: 表\ngroups:\n  - title: 组\n    items: [{ id: a, title: 甲, points: 1 }]\n";
    let files = [("1.yaml", first), ("2.yaml", second), ("3.yaml", third), ("4.yaml", "")]
        .map(|(name, text)| SourceFile { name: name.to_owned(), text: text.to_owned() });
    let read = forms(&files);
    let told: Vec<String> = read.diagnostics.iter().map(|fault| format!("{} {}", fault.at, fault.code)).collect();
    assert_eq!(
        told,
        [
            "1.yaml:1:7 bad-id",
            "1.yaml:3:7 bad-value",
            "1.yaml:7:39 duplicate-key",
            "1.yaml:8:9 missing-key",
            "1.yaml:8:15 duplicate-item",
            "1.yaml:8:28 unknown-key",
            "1.yaml:8:44 bad-value",
            "1.yaml:9:9 missing-key",
            "1.yaml:9:26 bad-value",
            "1.yaml:9:38 bad-value",
            "1.yaml:9:41 unknown-key",
            "1.yaml:10:9 missing-key",
            "1.yaml:11:5 missing-key",
            "1.yaml:11:12 empty-list",
            "2.yaml:3:9 no-points",
            "3.yaml:1:7 duplicate-form",
            "4.yaml:0:0 empty-file",
        ],
        "{:#?}",
        read.diagnostics
    );
}

#[test]
fn the_form_that_ships_names_rules_that_ship() {
    let read = forms(&files("forms"));
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    assert!(read.forms.iter().all(|form| form.items().count() > 20) && !read.forms.is_empty());
    let (packs, _) = parse(&files("rules"));
    for reference in &read.references {
        let name = reference.name.value.as_str();
        let is_known = match reference.is_pack {
            true => packs.iter().any(|pack| pack.pack.value == name),
            false => packs.iter().flat_map(|pack| &pack.rules).any(|rule| {
                rule.id.value.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }),
        };
        assert!(is_known, "{}: {name}", reference.name.at);
    }
}
