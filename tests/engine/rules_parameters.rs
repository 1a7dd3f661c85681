//! Parameters: what companies set, and what is said when they set it wrong.

use crate::files;
use tingjian::engine::diagnostic::{Diagnostic, Language, Level};
use tingjian::engine::rule::parse::{SourceFile, is_parameters_file, parse};
use tingjian::engine::rule::render::render;
use tingjian::engine::rule::syntax::{Body, PackSource, Timing, Window};
use tingjian::engine::rule::{self, syntax::Extent};

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.to_owned() }
}

/// The pack of `tests/rules/parameters` with a company's values, and what was said of it.
fn greeting(values: &str) -> (PackSource, Vec<Diagnostic>) {
    let mut files = files("tests/rules/parameters");
    files.push(file("parameters.yaml", values));
    let (mut packs, faults) = parse(&files);
    assert_eq!(packs.len(), 1);
    (packs.remove(0), faults)
}

fn rings(pack: &PackSource) -> u32 {
    match &pack.rules[1].body.value {
        Body::Timing(Timing::Rings { over }) => *over,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_stand_in_every_scalar() {
    let (pack, faults) = greeting("# nothing\n");
    assert_eq!(
        render(&faults, &files("tests/rules/parameters"), Language::En, false).matches("unused-parameter").count(),
        1
    );
    assert_eq!(faults.len(), 1);
    assert!(!pack.enabled);
    assert_eq!(rings(&pack), 3);
    let rule = &pack.rules[0];
    assert_eq!((rule.name.as_str(), rule.message.as_str()), ("(听检|听检科技)的开场", "接通后 8s 内要说公司和工号"));
    let Body::Require(require) = &rule.body.value else { panic!("{rule:?}") };
    let Window::After(_, extent) = &require.window else { panic!("{rule:?}") };
    assert_eq!(*extent, Extent::Ms(8_000));
    let phrases: Vec<_> = require.parts.iter().map(|part| part.said.any[0].text.value.as_str()).collect();
    assert_eq!(phrases, ["您好{any:0-2}(听检|听检科技)", "工号{number:3-6}"]);
    let defaults: Vec<_> = pack.parameters.iter().map(|p| format!("{}={}", p.name.value, p.default)).collect();
    assert_eq!(
        defaults,
        ["company=(听检|听检科技)", "number=\"{number:3-6}\"", "rings=3", "within=8s", "strict=false", "unused=1"]
    );
}

#[test]
fn a_company_sets_its_own() {
    let (pack, faults) = greeting("greeting:\n  company: 某某银行\n  rings: 5\n  strict: true\n");
    assert!(faults.iter().all(|fault| fault.level == Level::Warning), "{faults:?}");
    assert_eq!((pack.enabled, rings(&pack)), (true, 5));
    assert_eq!(pack.rules[0].name, "某某银行的开场");
    let set = pack.parameters.iter().find(|parameter| parameter.name.value == "rings").unwrap();
    assert_eq!(set.value.at.to_string(), "parameters.yaml:3:10");
    assert_eq!(set.used_at.len(), 2);
}

/// The version of the rules is that of all the files, this one too; and its place does not matter.
#[test]
fn values_are_set_wherever_the_file_stands() {
    let mut all = files("tests/rules/parameters");
    all.insert(0, file("branch/north.parameters.yml", "greeting: { rings: 7 }\n"));
    let loaded = rule::load(&all, String::new()).unwrap();
    assert_eq!(rings(&loaded.packs[0]), 7);
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn files_of_values_are_known_by_their_names() {
    for name in ["parameters.yaml", "rules/parameters.yml", "rules/north.parameters.yaml"] {
        assert!(is_parameters_file(name), "{name}");
    }
    for name in ["parameters.yaml.bak", "rules/parameters/opening.yaml", "myparameters.yaml", "parameters"] {
        assert!(!is_parameters_file(name), "{name}");
    }
}

/// Everything that can be wrong, with its place; a phrase of the wrong form is only found on compiling.
#[test]
fn what_is_wrong_is_said_where_it_stands() {
    let files = files("tests/rules/parameters-broken");
    let faults = rule::load(&files, String::new()).unwrap_err();
    insta::assert_snapshot!("parameters_zh", render(&faults, &files, Language::Zh, false));
    insta::assert_snapshot!("parameters_en", render(&faults, &files, Language::En, false));
}

/// A pack that cannot be read may be the one that is meant: its values are not called unknown.
#[test]
fn one_fault_does_not_cause_another() {
    let broken = "pack: broken\ntitle: \"甲\nparameters:\n  a: { value: 1, description: 乙 }\nrules:\n  - id: b.c\n    name: ${a}\n    message: 丙\n    event: { hangup_by: agent }\n";
    let files = [file("broken.yaml", broken), file("parameters.yaml", "broken: { a: 2 }\n")];
    let (_, faults) = parse(&files);
    let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, ["yaml-syntax"]);
}
