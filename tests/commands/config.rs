//! The configuration: what is printed can be read, what is wrong is told with
//! its place, and no secret is ever part of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use tingjian::engine::rule::thresholds::Thresholds;
use tingjian::server::{self, Config, TokenSource, WebhookStyle};

const SECRET: &str = "s3cretS3cretS3cretS3cretS3cretS3cret";

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(("a.toml", text)), environment).map_err(|fault| fault.to_string())
}

fn tingjian(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.args(arguments).env_remove("TINGJIAN_CONFIG");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

#[test]
fn the_printed_defaults_are_the_defaults() {
    let output = tingjian(&["config", "--print-default"]).output().unwrap();
    assert!(output.status.success());
    let printed = text(&output);
    assert_eq!(Config::from_toml(&printed).unwrap(), Config::default());
    // Each key has a line of Chinese and one of English above it.
    let lines: Vec<&str> = printed.lines().collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with('#') && line.contains(" = ")) {
        let comments = (lines[index - 2], lines[index - 1]);
        assert!(comments.0.starts_with("# ") && !comments.0.is_ascii(), "{line}");
        assert!(comments.1.starts_with("# ") && comments.1.is_ascii(), "{line}");
    }
}

#[test]
fn what_is_set_is_read() {
    let file = format!(
        "calls_max = 7\nutc_offset = \"-05:00\"\nallowed_origins = [\"https://CRM.example.com:443\"]\n\
         [tokens]\ningest = [\"{SECRET}\", {{ file = \"ingest.tokens\" }}]\n[tokens.agents]\na7 = [\"{SECRET}\"]\n\
         [relay.funasr]\nurl = \"wss://asr.example.com/?key={SECRET}\"\n\
         [[webhooks]]\nname = \"qa\"\nurl = \"https://example.com/?key={SECRET}\"\nstyle = \"wecom\"\n"
    );
    let config = load(&file, &[]).unwrap();
    assert_eq!(config.calls_max.get(), 7);
    assert_eq!(config.call_idle_ms, Config::default().call_idle_ms);
    assert_eq!(config.utc_offset.local_minus_utc(), -5 * 3_600);
    assert_eq!(config.allowed_origins[0].as_str(), "https://crm.example.com");
    assert!(matches!(&config.tokens.ingest[..], [TokenSource::Plain(_), TokenSource::File { .. }]));
    assert_eq!(config.webhooks[0].style, WebhookStyle::Wecom);
    assert!(config.relay["funasr"].url.reveal().ends_with(SECRET));
    for shown in [format!("{config:?}"), format!("{config:#?}"), config.to_toml().unwrap()] {
        assert!(shown.contains("***") && !shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn variables_go_before_the_file() {
    let file = "calls_max = 7\nshards = 2\n[tls]\ncertificate = \"a.crt\"\nkey = \"a.key\"\n";
    let config = load(
        file,
        &[
            ("TINGJIAN_CALLS_MAX", "8"),
            ("TINGJIAN_TLS__KEY", "b.key"),
            ("TINGJIAN_UTC_OFFSET", "+09:00"),
            ("TINGJIAN_SHADOW_PACKS", "new, newer"),
            ("TINGJIAN_TOKENS__INGEST", &format!("[{{ file = \"i\" }}, \"{SECRET}\"]")),
            ("TINGJIAN_TOKENS__QA", &format!("{{ \"李静\" = \"{SECRET}\" }}")),
            ("TINGJIAN_TOKENS__AGENT_SECRET", "{ file = \"s\" }"),
            ("TINGJIAN_REVIEW__PRECISION_MIN", "0.9"),
            ("TINGJIAN_CONFIDENCE__INFO", "1"),
            ("TINGJIAN_LOG", "debug"),
            ("TINGJIAN_SERVICE_HOST", "10.0.0.1"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!((config.calls_max.get(), config.shards.unwrap().get()), (8, 2));
    assert_eq!(config.tls.certificate.unwrap().to_str(), Some("a.crt"));
    assert_eq!(config.tls.key.unwrap().to_str(), Some("b.key"));
    assert_eq!(config.utc_offset.local_minus_utc(), 9 * 3_600);
    assert_eq!(config.shadow_packs, ["new", "newer"]);
    assert_eq!(config.tokens.ingest.len(), 2);
    let named = format!("[tokens]\nqa = {{ 李静 = [\"{SECRET}\"] }}\n").replace("李静", "\"李静\"");
    assert_eq!(config.tokens.qa, load(&named, &[]).unwrap().tokens.qa, "one token or a list of one");
    assert_eq!(config.review.precision_min.to_string(), "0.9");
    assert_eq!(config.confidence.thresholds(), Thresholds { info: 10_000, ..Thresholds::default() });
}

/// A threshold called x with these keys.
fn threshold(keys: &str) -> String {
    format!("[[thresholds]]\nname = \"x\"\n{keys}")
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_without_secrets() {
    let quoted = format!("\"{SECRET}\"");
    // The file, and what must be told of it.
    let files: &[(String, &[&str])] = &[
        ("calls_max = 7\ncall_idle = 5\n".into(), &["a.toml:2:1", "call_idle_ms", "没有配置项"]),
        ("calls_max = 0\n".into(), &["a.toml:1:13", "calls_max = 0", "大于 0"]),
        ("utc_offset = \"Beijing\"\n".into(), &["a.toml:1:14", "utc_offset = \"Beijing\"", "+08:00"]),
        ("utterance_chars_max = 10001\n".into(), &["a.toml:1:23", "10000"]),
        ("frame_bytes_max = 1048577\n".into(), &["a.toml:1:19", "1048576"]),
        ("[[webhooks]]\nname = \"x\"\nurl = \"ftp://s3cret\"\n".into(), &["a.toml:3:7", "https://"]),
        ("[relay.funsar]\nurl = \"ws://asr\"\n".into(), &["a.toml:1:8", "funsar", "是不是 funasr？"]),
        ("[relay.funasr]\nurl = \"https://s3cret\"\n".into(), &["a.toml:2:7", "ws://", "wss://"]),
        ("[relay.funasr]\nurl = \"ws://s3cret\"\nkey = 1\n".into(), &["a.toml:3:1", "没有配置项 `key`"]),
        ("[relay.funasr]\nurl = 1\n".into(), &["a.toml:2:7", "relay"]),
        ("[relay.funasr]\n".into(), &["a.toml:1:", "缺少 url"]),
        ("relay = \"ws://s3cret\"\n".into(), &["a.toml:1:9", "relay"]),
        ("allowed_origins = [\"https://a.com/x\"]".into(), &["a.toml:1:19", "https://crm.example.com"]),
        ("calls_max = 1\ncalls_max = 2\n".into(), &["a.toml:2:1", "TOML"]),
        // All of them at once, the one below the section, too.
        ("cals_max = 1\n[tls]\nkeys = \"k\"\n".into(), &["a.toml:1:1", "calls_max", "a.toml:3:1", "是不是 key？"]),
        ("[tls]\nkey = \"k\"\n".into(), &["缺少 tls.certificate"]),
        (format!("[tokens]\ningst = [{quoted}]\n"), &["a.toml:2:1", "ingst", "ingest"]),
        (format!("[tokens]\nqa = {quoted}\n"), &["a.toml:2:6", "tokens.qa"]),
        (format!("tokens = {quoted}\n"), &["a.toml:1:10", "[tokens]"]),
        (format!("[tokens]\nqa = [{quoted}\n"), &["a.toml:2:", "TOML"]),
        (format!("[tokens]\nqa = [\"{SECRET}!\"]\n"), &["a.toml:2:", "tokens.qa"]),
        (format!("[tokens]\nqa = [\"sha256:{SECRET}\"]\n"), &["a.toml:2:", "64"]),
        ("[tokens]\nqa = [\"s3cret\"]\n".into(), &["a.toml:2:", "openssl rand"]),
        (format!("[tokens]\nqa = {{ \" \" = {quoted} }}\n"), &["a.toml:2:", "64"]),
        (format!("[tokens]\nqa = {{ \"李静\" = [\"{SECRET}!\"] }}\n"), &["a.toml:2:", "- . _ ~"]),
        ("[review]\nprecision_min = 2\n".into(), &["a.toml:2:", "0 到 1"]),
        ("[confidence]\nwarning = 1.5\n".into(), &["a.toml:2:11", "confidence.warning", "0 到 1"]),
        ("[confidence]\nwarning = \"high\"\n".into(), &["a.toml:2:11", "0 到 1"]),
        ("[confidence]\nwarnings = 0.5\ninfo = nan\n".into(), &["a.toml:2:1", "是不是 warning？", "a.toml:3:8"]),
        ("[review]\nappeal_days = 0\n".into(), &["a.toml:2:", "大于 0"]),
        ("[tokens]\nagent_secret = \"s3cret\"\n".into(), &["tokens.agent_secret", "32"]),
        (format!("[[webhooks]]\nname = \"x\"\nurl = {quoted}\nstile = \"wecom\"\n"), &["a.toml:4:1", "style"]),
        (format!("[[webhooks]]\nname = \"x\"\nurl = [{quoted}]\n"), &["a.toml:3:7", "webhooks"]),
        (threshold("count = \"alert\"\nat_least = 3\n"), &["a.toml:3:9", "alerts、silence"]),
        (threshold("count = \"silence\"\nat_least = 0\n"), &["a.toml:4:12", "1 到 10000"]),
        (threshold("count = \"calls\"\nat_least = 10001\n"), &["a.toml:4:12", "1 到 10000"]),
        (threshold("count = \"calls\"\nat_least = 3\nqueu = \"q\"\n"), &["a.toml:5:1", "是不是 queue？"]),
        (threshold("count = \"calls\"\n"), &["a.toml:1:", "缺少 at_least"]),
        (threshold("count = \"silence\"\nat_least = 3\nwithin_s = 60\n"), &["a.toml:5:12", "用不到 within_s"]),
        (threshold("count = \"alerts\"\nat_least = 3\nlasting_s = 60\n"), &["a.toml:5:13", "用不到 lasting_s"]),
        (threshold("count = \"alerts\"\nat_least = 3\nwithin_s = 86401\n"), &["a.toml:5:12", "86400"]),
        (
            threshold("count = \"alerts\"\nat_least = 3\nwebhooks = [\"ops\"]\n"),
            &["a.toml:5:12", "没有 name = \"ops\""],
        ),
        (threshold("count = \"alerts\"\nat_least = 3\n").repeat(2), &["a.toml:6:8", "两个 name"]),
        ("thresholds = [3]\n".into(), &["a.toml:1:15", "name = …"]),
        ("[supervision]\nmonitor_url = \"ftp://x/{call_id}\"\n".into(), &["a.toml:2:15", "https://"]),
        ("[supervision]\nmonitor_url = \"https://x/{caller}\"\n".into(), &["a.toml:2:15", "{supervisor}"]),
        ("[supervision]\nmonitor_modes = [\"spy\"]\n".into(), &["a.toml:2:", "listen、whisper、barge"]),
        ("[supervision]\nrelease_after_s = 0\n".into(), &["a.toml:2:19", "大于 0"]),
    ];
    for (file, told) in files {
        let fault = load(file, &[]).unwrap_err();
        for part in *told {
            assert!(fault.contains(part), "{part}: {fault}");
        }
        assert!(!fault.contains("s3cret"), "{fault}");
    }
    // The same for variables.
    let variables: &[(&str, &str, &[&str])] = &[
        ("TINGJIAN_CALL_MAX", "7", &["没有这个配置项", "TINGJIAN_CALLS_MAX"]),
        ("TINGJIAN_CALLS_MAX", "many", &["TINGJIAN_CALLS_MAX", "大于 0"]),
        ("TINGJIAN_TOKENS__QA", "s3cret", &["TINGJIAN_TOKENS__QA", "openssl rand"]),
        ("TINGJIAN_WEBHOOKS", "s3cret", &["TINGJIAN_WEBHOOKS"]),
    ];
    for (name, value, told) in variables {
        let fault = load("", &[(name, value)]).unwrap_err();
        for part in *told {
            assert!(fault.contains(part), "{part}: {fault}");
        }
        assert!(!fault.contains("s3cret"), "{fault}");
    }
}

/// One round tells all: types, unknown keys, keys of webhooks, elements of lists, and what only several
/// keys together show; each at its place.
#[test]
fn all_faults_are_told_at_once() {
    let file = format!(
        "calls_max = 0\nlistn = \"x\"\nallowed_origins = [\"https://a.com/x\", \"no\"]\n\
         [tls]\ncertificate = \"a.crt\"\n\
         [tokens]\nqa = [\"short\", \"{SECRET}\", \"shorter\"]\nagent_secret = \"short\"\n\
         [[webhooks]]\nname = \"x\"\nurl = \"ftp://a\"\nstyle = \"wechat\"\nseverity_min = \"high\"\n\
         [[webhooks]]\nname = \"x\"\nstile = \"json\"\n"
    );
    let fault = load(&file, &[("TINGJIAN_SHARDS", "many")]).unwrap_err();
    for told in [
        "a.toml:1:13",
        "a.toml:2:1",
        "a.toml:3:20",
        "a.toml:3:39",
        "a.toml:5:1",
        "缺少 tls.key",
        "a.toml:7:7",
        "a.toml:7:",
        "a.toml:8:1",
        "a.toml:11:7",
        "a.toml:12:9",
        "json、wecom、dingtalk、feishu",
        "a.toml:13:16",
        "info、warning、critical",
        "a.toml:15:8",
        "两个 name",
        "a.toml:16:1",
        "缺少 url",
        "TINGJIAN_SHARDS",
    ] {
        assert!(fault.contains(told), "{told}:\n{fault}");
    }
    assert_eq!(fault.matches("tokens.qa").count(), 2, "{fault}");
}

#[test]
fn packs_that_are_not_there_are_told_with_their_places() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tingjian.toml");
    let file = "shadow_packs = [\"forbidden\", \"forbiden\"]\n[score]\npack_caps = { nosuch = 10, timing = 5 }\nveto_packs = [\"ad-low\"]\n";
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output =
            tingjian(arguments).envs(variables.iter().copied()).current_dir(directory.path()).output().unwrap();
        (output.status.code(), text(&output))
    };
    std::fs::write(&path, file).unwrap();
    for arguments in [
        &["config", "--check", "tingjian.toml"][..],
        &["serve", "--listen", "127.0.0.1:0", "--config", "tingjian.toml"],
    ] {
        let (code, told) = run(arguments, &[]);
        assert_eq!(code, Some(2), "{told}");
        for part in [
            "tingjian.toml:1:30",
            "是不是 forbidden？",
            "tingjian.toml:3:15",
            "nosuch",
            "tingjian.toml:4:15",
            "是不是 ad-law？",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("timing`") && told.matches("no such pack").count() >= 3, "{told}");
    }
    std::fs::write(&path, "shadow_packs = [\"forbidden\"]\n").unwrap();
    assert_eq!(run(&["config", "--check", "tingjian.toml"], &[]).0, Some(0));
    let (code, told) = run(&["config", "--check", "tingjian.toml"], &[("TINGJIAN_SHADOW_PACKS", "forbiden")]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("TINGJIAN_SHADOW_PACKS"), "{told}");
}

#[test]
fn this_machine_may_be_called_localhost() {
    let address = |text: &str| server::listen_address(text).map(|address| address.to_string());
    assert_eq!(address("localhost:8787"), Ok("127.0.0.1:8787".to_owned()));
    assert_eq!(address("LocalHost:0"), Ok("127.0.0.1:0".to_owned()));
    assert_eq!(address("[::1]:80"), Ok("[::1]:80".to_owned()));
    for text in ["localhost", "8787", ":8787", "example.com:80", "localhost:99999", ""] {
        assert!(address(text).unwrap_err().contains("localhost:8787"), "{text}");
    }
    assert_eq!(load("listen = \"localhost:9\"\n", &[]).unwrap().listen.to_string(), "127.0.0.1:9");
    assert!(load("listen = \"x:9\"\n", &[]).unwrap_err().contains("a.toml:1:10"));
}

#[test]
fn an_export_is_named_after_a_format_that_there_is() {
    let directory = tempfile::tempdir().unwrap();
    for (name, meant) in
        [("x.pdf", ""), ("x.xls", "是不是 .xlsx？"), ("x.json", "是不是 .jsonl？"), ("x.parqet", "是不是 .parquet？")]
    {
        let output = tingjian(&["export", "-o", name]).current_dir(directory.path()).output().unwrap();
        let told = text(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(meant) && told.contains("--format") && told.contains("parquet"), "{told}");
        assert!(!directory.path().join(name).exists());
    }
}

#[test]
fn a_server_that_others_can_reach_needs_tokens() {
    for (address, tokens, fits) in [
        ("127.0.0.1:1", false, true),
        ("[::1]:1", false, true),
        ("0.0.0.0:1", false, false),
        ("192.0.2.1:1", false, false),
        ("0.0.0.0:1", true, true),
    ] {
        let file = if tokens { format!("[tokens]\ningest = [\"{SECRET}\"]\n") } else { String::new() };
        let checked = server::check(&load(&file, &[]).unwrap(), address.parse().unwrap());
        assert_eq!(checked.is_ok(), fits, "{address}");
        if let Err(fault) = checked {
            assert!(fault.contains("[tokens]") && fault.contains("127.0.0.1"), "{fault}");
        }
    }
}

#[test]
fn a_file_is_checked_with_what_it_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tingjian.toml");
    let check = |file: &str| {
        std::fs::write(&path, file).unwrap();
        let output =
            tingjian(&["config", "--check", path.to_str().unwrap()]).env("TINGJIAN_SHARDS", "3").output().unwrap();
        (output.status.code(), text(&output))
    };
    let (code, shown) = check(&format!("[tokens]\nqa = [\"{SECRET}\"]\n"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("\nshards = 3\n") && shown.contains("\nqa = [\"***\"]\n"), "{shown}");
    let (code, shown) = check("[tokens]\nqa = [{ file = \"/nowhere/qa.tokens\" }]\n");
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("/nowhere/qa.tokens"), "{shown}");
    // What lies in a file is held to the same.
    let file = directory.path().join("tokens");
    for (key, line, told) in
        [("qa", "s3cret", "openssl rand -hex 24"), ("agent_secret", SECRET, ""), ("agent_secret", "s3cret", "32")]
    {
        std::fs::write(&file, format!("# a comment\n{line}\n")).unwrap();
        let source = format!("{{ file = \"{}\" }}", file.display());
        let source = if key == "qa" { format!("[{source}]") } else { source };
        let (code, shown) = check(&format!("[tokens]\n{key} = {source}\n"));
        assert_eq!(code, Some(if told.is_empty() { 0 } else { 2 }), "{shown}");
        assert!(shown.contains(told) && !shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn flags_go_before_variables() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tingjian.toml");
    // Nobody can listen at these addresses, which are for documentation.
    std::fs::write(&path, "listen = \"192.0.2.1:1\"\n").unwrap();
    let mut child = tingjian(&["serve", "--listen", "127.0.0.1:0"])
        .env("TINGJIAN_CONFIG", &path)
        .env("TINGJIAN_LISTEN", "192.0.2.2:1")
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
}

#[test]
fn the_examples_in_the_documentation_can_be_used() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for page in ["config.md", "config.zh-CN.md"] {
        let page = std::fs::read_to_string(docs.join(page)).unwrap();
        let examples: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(examples.len(), 13);
        for example in examples {
            assert_ne!(load(example, &[]).unwrap(), Config::default(), "{example}");
        }
    }
}

/// What the Debian package installs is every key with its default, commented out: an upgrade may change defaults.
#[test]
fn the_packaged_configuration_is_the_default_one_commented_out() {
    let printed = tingjian(&["config", "--print-default"]).output().unwrap();
    let commented: String = String::from_utf8(printed.stdout)
        .unwrap()
        .lines()
        .map(|line| if line.is_empty() || line.starts_with('#') { format!("{line}\n") } else { format!("# {line}\n") })
        .collect();
    let packaged = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/debian/config.toml"));
    // What depends on the machine differs.
    let without_shards = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("# shards")).map(str::to_owned).collect()
    };
    assert_eq!(
        without_shards(packaged),
        without_shards(&commented),
        "deploy/debian/config.toml is out of date: tingjian config --print-default, each key behind `# `"
    );
}
