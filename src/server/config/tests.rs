//! The table of keys and the struct hold each other.

use std::fmt;

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::server::config::*;

/// Notes the fields that a struct asks for, and gives it none.
struct Fields<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("nothing here"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0.extend(fields);
        Err(de::Error::custom("nothing here"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: for<'de> Deserialize<'de> + fmt::Debug>(section: &str) -> Vec<String> {
    let mut fields = Vec::new();
    T::deserialize(Fields(&mut fields)).unwrap_err();
    fields.into_iter().map(|field| format!("{section}{field}")).collect()
}

#[test]
fn every_key_is_explained_and_nothing_else() {
    let sections = [
        "tls",
        "tokens",
        "retention",
        "alerts",
        "score",
        "review",
        "agents",
        "report",
        "forms",
        "recording",
        "supervision",
        "confidence",
        "privacy",
        "cluster",
    ];
    let mut in_struct: Vec<String> = fields::<Config>("");
    in_struct.retain(|field| !sections.contains(&field.as_str()));
    in_struct.extend(fields::<Tls>("tls."));
    in_struct.extend(fields::<Tokens>("tokens."));
    in_struct.extend(fields::<Retention>("retention."));
    in_struct.extend(fields::<Alerts>("alerts."));
    in_struct.extend(fields::<Score>("score."));
    in_struct.extend(fields::<Review>("review."));
    in_struct.extend(fields::<AgentsFile>("agents."));
    in_struct.extend(fields::<Report>("report."));
    in_struct.extend(fields::<FormsDirectory>("forms."));
    in_struct.extend(fields::<Recording>("recording."));
    in_struct.extend(fields::<Supervision>("supervision."));
    in_struct.extend(fields::<Confidence>("confidence."));
    in_struct.extend(fields::<Privacy>("privacy."));
    in_struct.extend(fields::<Cluster>("cluster."));
    let explained: Vec<&str> = keys::KEYS.iter().map(|key| key.path).collect();
    assert_eq!(explained, in_struct);
    let webhooks = keys::find("webhooks").unwrap();
    for field in fields::<Webhook>("") {
        assert!(webhooks.zh.contains(&format!("{field} = ")), "{field}");
    }
    let consume = keys::find("consume").unwrap();
    for field in fields::<Consume>("") {
        assert!(consume.zh.contains(&field) && consume.en.contains(&field), "{field}");
    }
    let thresholds = keys::find("thresholds").unwrap();
    for field in fields::<Threshold>("") {
        assert!(thresholds.zh.contains(&field) && thresholds.en.contains(&field), "{field}");
    }
}

#[test]
fn what_has_no_default_has_an_example_that_can_be_used() {
    let printed = Config::default().to_toml().unwrap();
    for key in keys::KEYS {
        let Some(example) = key.example else { continue };
        let name = key.path.rsplit('.').next().unwrap();
        let unset = format!("\n# {name} = {example}\n");
        assert!(printed.contains(&unset), "{}", key.path);
        let text = match key.path.split_once('.') {
            Some((section, name)) => format!("[{section}]\n{name} = {example}\n"),
            None => format!("{name} = {example}\n"),
        };
        match Config::from_toml(&text) {
            Ok(config) => assert_ne!(config, Config::default(), "{}", key.path),
            // A certificate and its key go together.
            Err(fault) => assert!(key.path.starts_with("tls.") && fault.to_string().contains("缺少 tls."), "{fault}"),
        }
    }
}

#[test]
fn what_is_consumed_is_in_order_or_told_what_is_not() {
    let faults = [
        (r#"name = "a b", url = "nats://h:1", subject = "x""#, "name 要有"),
        (r#"name = "a", url = "http://h:1", subject = "x""#, "url 写成"),
        (r#"name = "a", url = "nats://u:p1w@h:1/x", subject = "x""#, "url 写成"),
        (r#"name = "a", url = "nats://h:1""#, "subject 或 stream"),
        (r#"name = "a", url = "nats://h:1", topic = "x""#, "没有 topic"),
        (r#"name = "a", url = "kafka://h:1", subject = "x""#, "没有 subject"),
        (r#"name = "a", url = "nats://h:1", subject = "x", durable = "d""#, "durable 要和"),
        (r#"name = "a", url = "nats://h:1", subject = "x", user = "u""#, "user 和 password"),
        (r#"name = "a", url = "tls://h:1", subject = "x", key = "k""#, "certificate 和 key"),
        (r#"name = "a", url = "nats://h:1", subject = "x", format = "nosuch""#, "format 是"),
        (r#"name = "a", url = "nats://h:1", subject = "x", role = "agent""#, "里已有 role"),
        (r#"name = "a", url = "nats://h:1", subject = "x", format = "vosk", role = "agent""#, "call_id 要写"),
        (
            r#"name = "a", url = "nats://h:1", subject = "x", format = "vosk", call_id = "c1", role = "agent""#,
            "call_id 要写",
        ),
        (r#"name = "a", url = "nats://h:1", subject = "x", format = "vosk", call_id = "subject:0""#, "从 1 数起"),
        (r#"name = "a", url = "nats://h:1", subject = "x", format = "vosk", call_id = "key""#, "key 用于 Kafka"),
        (r#"name = "a", url = "nats://h:1", subject = "x", format = "vosk", call_id = "subject:1""#, "缺少 role"),
        (r#"name = "a", url = "nats://h:1", subject = "x", retries = 3"#, "没有配置项 `retries`"),
        (r#"name = "a", subject = "x""#, "缺少 url"),
    ];
    for (entry, expected) in faults {
        let fault = Config::from_toml(&format!("consume = [{{ {entry} }}]\n")).unwrap_err().to_string();
        assert!(fault.contains(expected) && !fault.contains("p1w"), "{entry}: {fault}");
    }
    let text = r#"
        [[consume]]
        name = "a"
        url = "tls://h1:4222,tls://h2:4222"
        stream = "ASR"
        format = "funasr"
        call_id = "subject:2"
        agent_id = "header:agent"
        role = "field:session.role"
        user = "u"
        password = "p1w"

        [[consume]]
        name = "b"
        url = "nats://h1"
        subject = "events.>"
    "#;
    let config = Config::from_toml(text).unwrap();
    assert_eq!(config.consume[0].servers(), Some((Bus::Nats, true, vec!["h1:4222", "h2:4222"])));
    let printed = config.to_toml().unwrap();
    assert!(printed.contains("field:session.role") && !printed.contains("p1w") && !printed.contains("h1"), "{printed}");
    let twice = Config::from_toml(&text.replace("\"b\"", "\"a\"")).unwrap_err().to_string();
    assert!(twice.contains("name 不能重复"), "{twice}");
}
