//! The shapes of answers as the pages' type checker reads them, made from the served description.

use serde_json::Value;

/// A schema as a type of TypeScript.
fn typed(schema: &Value) -> String {
    let all = |key: &str, between: &str| {
        let parts = schema[key].as_array()?;
        Some(parts.iter().map(typed).collect::<Vec<_>>().join(between))
    };
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return name.to_owned();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    if let Some(parts) = all("allOf", " & ") {
        return parts;
    }
    if let Some(parts) = all("oneOf", " | ").or_else(|| all("anyOf", " | ")) {
        return format!("({parts})");
    }
    match &schema["type"] {
        Value::Array(types) => {
            let one = |kind: &Value| {
                let mut schema = schema.clone();
                schema["type"] = kind.clone();
                typed(&schema)
            };
            format!("({})", types.iter().map(one).collect::<Vec<_>>().join(" | "))
        }
        Value::String(kind) => match kind.as_str() {
            "integer" | "number" => "number".to_owned(),
            "array" => format!("Array<{}>", typed(&schema["items"])),
            "object" => object(schema),
            simple => simple.to_owned(),
        },
        _ => "any".to_owned(),
    }
}

fn object(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object() else {
        let values = &schema["additionalProperties"];
        return if values.is_object() { format!("Record<string, {}>", typed(values)) } else { "any".to_owned() };
    };
    let required = |name: &String| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let property = |(name, value): (&String, &Value)| {
        let optional = if required(name) { "" } else { "?" };
        format!("{name}{optional}: {}", typed(value))
    };
    format!("{{ {} }}", properties.iter().map(property).collect::<Vec<_>>().join("; "))
}

/// The declarations of all schemas of a description.
pub(crate) fn declarations(description: &Value) -> String {
    let mut text = "// Made from /v1/openapi.json: UPDATE_EXPECTED=1 cargo test --test server shapes\n".to_owned();
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        text.push_str(&format!("export type {name} = {};\n", typed(schema)));
    }
    text
}
