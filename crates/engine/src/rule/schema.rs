//! The JSON Schema of rule files, so that editors complete and check them.
//!
//! Built from the table that the decoder works by (`surface`), not derived
//! from the types of [`syntax`](super::syntax): those hold places and expanded
//! defaults, and say little about what one may write.

use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

use super::surface::{Kind, PACK, PHRASES, SHAPES, Shape};

/// The schema of a rule file: JSON Schema, draft 2020-12, described in Chinese.
#[must_use]
pub fn schema() -> Value {
    let definitions: Map<String, Value> =
        SHAPES.iter().map(|shape| (shape.name.to_owned(), map_of(shape).to_value())).collect();
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "听检规则文件",
        "$ref": format!("#/$defs/{}", PACK.name),
        "$defs": definitions,
    })
    .to_value()
}

fn map_of(shape: &Shape) -> Schema {
    let properties: Map<String, Value> = shape
        .keys
        .iter()
        .map(|key| {
            let mut value = schema_of(&key.value);
            value.insert("description".to_owned(), json!(key.zh));
            (key.name.to_owned(), value.to_value())
        })
        .collect();
    let required: Vec<&str> = shape.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json_schema!({
        "type": "object",
        "description": shape.zh,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    let groups: Vec<Value> = shape
        .one_of
        .iter()
        .map(|group| json!({ "oneOf": group.iter().map(|name| json!({ "required": [name] })).collect::<Vec<_>>() }))
        .collect();
    if !groups.is_empty() {
        schema.insert("allOf".to_owned(), json!(groups));
    }
    schema
}

fn schema_of(kind: &Kind) -> Schema {
    match kind {
        // A number without quotes is as good as a text.
        Kind::Text => json_schema!({ "type": ["string", "number", "boolean"], "minLength": 1 }),
        Kind::Id => {
            json_schema!({ "type": ["string", "number"], "pattern": "^[a-z0-9]+([._-][a-z0-9]+)*$", "maxLength": 64 })
        }
        Kind::Bool => or_parameter(json_schema!({ "type": "boolean" })),
        Kind::True => or_parameter(json_schema!({ "const": true })),
        Kind::Count { least } => {
            or_parameter(json_schema!({ "type": "integer", "minimum": least, "maximum": u32::MAX }))
        }
        Kind::Number => or_parameter(json_schema!({ "type": "number" })),
        Kind::Duration => {
            json_schema!({ "type": "string", "pattern": text(DURATION), "examples": ["500ms", "10s", "1.5s", "2m"] })
        }
        Kind::Extent => json_schema!({
            "type": "string",
            "pattern": text(&format!("{DURATION}|^[1-9][0-9]* *turns?$")),
            "examples": ["10s", "3 turns"],
        }),
        Kind::Day => json_schema!({ "type": "string", "pattern": text("^[0-9]{4}-[0-9]{2}-[0-9]{2}$") }),
        Kind::Hours => json_schema!({ "type": "string", "pattern": text(HOURS), "examples": ["09:00-18:00"] }),
        Kind::Script => json_schema!({ "type": "string", "examples": ["00:05.0 agent 您好\n00:12.0 ! missing\n"] }),
        Kind::Choice(words) => {
            let words: Vec<Value> =
                words.iter().map(|(word, zh)| json!({ "const": word, "description": zh })).collect();
            or_parameter(json_schema!({ "oneOf": words }))
        }
        Kind::List(item) => json_schema!({ "type": "array", "minItems": 1, "items": schema_of(item) }),
        Kind::OneOrMany(item) => json_schema!({ "anyOf": [schema_of(item), schema_of(&Kind::List(item))] }),
        Kind::MapOf(item) => json_schema!({ "type": "object", "additionalProperties": schema_of(item) }),
        Kind::ByHours(item) => json_schema!({
            "type": "object",
            "minProperties": 1,
            "patternProperties": { text(HOURS): schema_of(item) },
            "additionalProperties": false,
        }),
        Kind::Phrases => schema_of(&PHRASES),
        Kind::Map(shape) => json_schema!({ "$ref": format!("#/$defs/{}", shape.name) }),
        Kind::Either(kinds) => json_schema!({ "anyOf": kinds.iter().map(schema_of).collect::<Vec<_>>() }),
    }
}

/// A value that is no text may also be the name of a parameter.
fn or_parameter(schema: Schema) -> Schema {
    json_schema!({ "anyOf": [schema, { "type": "string", "pattern": PARAMETER }] })
}

/// `pattern`, or anything with the name of a parameter in it.
fn text(pattern: &str) -> String {
    format!("{pattern}|{PARAMETER}")
}

const PARAMETER: &str = "\\$\\{[^{}]+\\}";
const DURATION: &str = "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$";
const HOURS: &str = "^[0-9]{1,2}:[0-9]{1,2} *- *[0-9]{1,2}:[0-9]{1,2}$";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every reference leads to a definition, and no definition is idle.
    #[test]
    fn definitions_and_references_agree() {
        fn collect(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str).map(|path| path.replace("#/$defs/", "")));
                    map.values().for_each(|value| collect(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
                _ => {}
            }
        }
        let schema = schema();
        let mut referenced = BTreeSet::new();
        collect(&schema, &mut referenced);
        let defined: BTreeSet<String> = schema["$defs"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(referenced, defined);
        assert_eq!(defined.len(), SHAPES.len());
    }

    /// The schema offers the keys of the table, which the decoder is held to whenever it reads a
    /// map (see `Fields`), and no others.
    #[test]
    fn every_key_is_in_the_schema() {
        let schema = schema();
        for shape in SHAPES {
            let properties = schema["$defs"][shape.name]["properties"].as_object().unwrap();
            let names: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(names, shape.keys.iter().map(|key| key.name).collect());
            assert!(properties.values().all(|property| property["description"].is_string()));
        }
    }

    fn files(directory: &str) -> Vec<(String, String)> {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(directory);
        let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let rules = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        rules.map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
    }

    #[test]
    fn good_files_satisfy_the_schema() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for (name, text) in
            [files("tests/rules/valid"), files("tests/rules/lint"), files("tests/rules/parameters"), files("rules")]
                .concat()
        {
            let json = crate::rule::parse::to_json(&text);
            let faults: Vec<String> =
                validator.iter_errors(&json).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
            assert!(faults.is_empty(), "{name}: {faults:#?}");
        }
    }

    /// What the decoder refuses, an editor underlines.
    #[test]
    fn faults_do_not_satisfy_the_schema() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let faults = [
            ("timing: { rings: { over: 3 } }", true),
            ("timing: { rings: { over: 3s } }", false),
            ("timing: { rings: { over: 3 }, hold: { over: 3s } }", false),
            ("timing: { hold: { over: 3 } }", false),
            ("timing: { hold: { over: 1.5s } }", true),
            ("forbid: { any: [不] }\n    severity: serious", false),
            ("forbid: { any: [] }", false),
            ("forbid: { any: 不, unles: [] }", false),
            ("forbid: { any: 不, window: { first: 2 turns } }", true),
            ("forbid: { any: 不, window: { first: 2 } }", false),
            ("require: { any: 您好 }", false),
            ("require: { any: 您好, after: answered, before: end }", false),
            ("event: { greeting: { 早上: 早上好 } }", false),
            ("deduct: 1", false),
        ];
        for (rule, good) in faults {
            let text = format!("pack: p\ntitle: t\nrules:\n  - id: a\n    name: n\n    message: m\n    {rule}\n");
            let json = crate::rule::parse::to_json(&text);
            assert_eq!(validator.is_valid(&json), good, "{rule}");
        }
    }
}
