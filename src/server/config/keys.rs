//! The documentation of each key: one row a key, in the order in which they are printed. Names and
//! defaults come from [`Config`] itself; the tests hold the two to each other.

use std::fmt::Write as _;

use crate::server::config::Config;

/// How a key's value is written where it is not TOML: in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number above 0.
    Number,
    /// From 0 to 1.
    Fraction,
    /// `true` or `false`.
    Flag,
    Text,
    /// Between commas, or as TOML.
    List,
    /// The value is written as TOML.
    Table,
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// With its section: `tls.key`.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// Its purpose, with the unit.
    pub(super) zh: &'static str,
    pub(super) en: &'static str,
    /// A value, for a key that has none by default.
    pub(super) example: Option<&'static str>,
}

impl Key {
    /// Whether its value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        self.path.starts_with("tokens.")
            || [
                "webhooks",
                "relay",
                "consume",
                "recording.key",
                "supervision.monitor_key",
                "report.password",
                "privacy.key",
                "privacy.old_keys",
                "cluster.postgres",
            ]
            .contains(&self.path)
    }

    /// The variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.to_ascii_uppercase().replace('.', "__"))
    }
}

/// Before the names of variables.
pub(super) const PREFIX: &str = "TINGJIAN_";

const fn key(path: &'static str, kind: Kind, zh: &'static str, en: &'static str) -> Key {
    Key { path, kind, zh, en, example: None }
}

const fn unset(path: &'static str, kind: Kind, zh: &'static str, en: &'static str, example: &'static str) -> Key {
    Key { path, kind, zh, en, example: Some(example) }
}

/// All keys; those of a section together, behind those without one.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("listen", Kind::Text, "监听的地址和端口；端口 0 由系统挑选。不是本机地址时必须配置 [tokens]",
        "address and port to listen on; port 0 picks one. Elsewhere than on loopback, [tokens] are required"),
    key("data", Kind::Text, "数据目录", "directory for data"),
    unset("rules", Kind::Text, "规则目录；不写时用 rules，没有则用内置规则包",
        "directory of rules; when not given: rules, else the built-in packs", "\"rules\""),
    unset("parameters", Kind::Text, "参数文件；不写时用规则目录里的 parameters.yaml",
        "values of parameters; when not given: parameters.yaml among the rules", "\"rules/parameters.yaml\""),
    key("shadow_packs", Kind::List, "试运行的规则包：预警只存储和计数，不给任何人看",
        "packs on trial: their alerts are stored and counted, never shown"),
    key("rules_writable", Kind::Flag, "经另一人批准的规则草稿能否由服务写进规则目录：true 或 false",
        "whether the server may write drafts of rules that another person approved into the directory of rules: true or false"),
    key("utc_offset", Kind::Text, "时区：识别结果没有说明接通时间时用",
        "offset from UTC, for calls whose producer does not tell when they were answered"),
    unset("shards", Kind::Number, "分片数（个）；不写时与 CPU 核数相同", "shard tasks; as many as cores when not given", "2"),
    key("frame_bytes_max", Kind::Number, "一条消息最长（字节），不超过 1048576；更长的被拒绝，连接不断",
        "longest message in bytes, at most 1048576; a longer one is refused, and the connection goes on"),
    key("utterance_chars_max", Kind::Number, "一个话段最长（字），不超过 10000；更长的被拒绝，连接不断",
        "longest utterance in characters, at most 10000; a longer one is refused, and the connection goes on"),
    key("events_per_second_max", Kind::Number, "每条连接每秒最多的消息（条）；更快的发送方会被放慢，不丢消息",
        "messages a second of one connection; a faster producer is slowed, nothing is dropped"),
    key("calls_max", Kind::Number, "同时进行的通话（通）", "calls in progress"),
    key("calls_per_token_max", Kind::Number, "一个令牌同时进行的通话（通）；没有配置令牌时不起作用", "calls in progress of one token; of no effect without tokens"),
    key("calls_per_connection_max", Kind::Number, "一条连接同时进行的通话（通）；一次 POST 也算一条", "calls in progress of one connection; a POST is one"),
    key("connections_max", Kind::Number, "同时打开的连接（条）", "open connections"),
    unset("connections_per_address_max", Kind::Number, "一个地址同时打开的连接（条）；不写时是 connections_max 的一半，本机不限；0 不限，用于代理之后",
        "open connections of one address; when not given half of connections_max, without a limit for this machine; 0 is no limit, for a server behind a proxy", "1000"),
    key("call_idle_ms", Kind::Number, "通话多久没有任何消息就关闭（毫秒）",
        "a call without any event for so long is closed, in milliseconds"),
    unset("chat_idle_ms", Kind::Number, "文字会话多久没有任何消息就关闭（毫秒）；不写时是 call_idle_ms 的 8 倍",
        "a chat without any message for so many milliseconds is closed; when not given: eight times call_idle_ms", "14400000"),
    key("call_linger_ms", Kind::Number, "通话结束后保留多久，等迟到的结果（毫秒）",
        "a call is kept so long after its end, for late finals, in milliseconds"),
    key("asr_silent_ms", Kind::Number, "识别多久没有结果就提示检查不完整（毫秒）",
        "without words for so long in a call, its checking is told to be degraded, in milliseconds"),
    key("shutdown_grace_ms", Kind::Number, "停止时最多等多久（毫秒）", "how long a shutdown waits, in milliseconds"),
    key("allowed_origins", Kind::List, "允许哪些网站的页面访问，如 [\"https://crm.example.com\"]；同一地址的页面总是允许",
        "sites whose pages may use the server; pages of its own address always may"),
    key("webhook_retry_ms", Kind::Number, "外发失败后多久重试（毫秒）；以后每次加倍，最长一小时",
        "a webhook that failed is tried again after so many milliseconds, then after twice as long each time, up to an hour"),
    key("webhook_days", Kind::Number, "外发一直失败，多久后放弃（天）", "what a webhook did not take for so many days is given up"),
    key("webhooks", Kind::Table, "外发预警，每个一行：{ name = \"名称\", url = \"https://…\", secret = \"签名密钥\", style = \"json|wecom|dingtalk|feishu\", severity_min = \"info|warning|critical\" }；url 和 secret 不会显示",
        "where alerts are sent to; url and secret are never shown"),
    key("thresholds", Kind::Table, "对全场计数的阈值，每个一节 [[thresholds]]：name、count = \"alerts|silence|hold|unheard|calls\"（预警、静默、保持、无识别结果、通话）、at_least（达到多少就报）、within_s（alerts 的时间窗，秒）、lasting_s（silence、hold、unheard 持续多久才算，秒）、severity_min、rule、pack、queue、team、site（只算哪些）、cooldown_s（多久内不再报，秒）、severity（多严重）、webhooks（只发给哪些，不写则按 severity 发给全部）",
        "figures over all calls that are told, a section [[thresholds]] each: name, count = \"alerts|silence|hold|unheard|calls\", at_least (from how many on), within_s (the window of alerts, in seconds), lasting_s (how long silence, hold or unheard must have lasted, in seconds), severity_min, rule, pack, queue, team, site (which count), cooldown_s (not told again for so many seconds), severity, webhooks (all that want the severity unless given)"),
    key("relay", Kind::Table, "/v1/relay/格式 背后的识别系统，每种格式一节 [relay.格式]：url = \"ws://…\" 或 \"wss://…\"；url 不会显示",
        "the recognisers behind /v1/relay/FORMAT, a section [relay.FORMAT] each: url = \"ws://HOST:PORT\" or \"wss://HOST\", never shown"),
    key("consume", Kind::Table, "从消息总线取消息，每个一节 [[consume]]：name、url = \"nats://…|tls://…|kafka://…|kafka+tls://…\"；NATS 写 subject，JetStream 再写 stream、durable，Kafka 写 topic；from = \"new|all\"；format = \"events|识别格式\"，后者要写 call_id（subject:段、header:名称、key、field:字段），还可写 agent_id、role、agent_channel；登录用 user、password、token、credentials、sasl，加密用 ca、certificate、key。url 和密码不会显示",
        "what is consumed from a bus, a section [[consume]] each: name, url = \"nats://...|tls://...|kafka://...|kafka+tls://...\"; subject (NATS), stream and durable (JetStream), topic (Kafka); from = \"new|all\"; format = \"events|FORMAT\", a recogniser's with call_id (subject:PART, header:NAME, key, field:NAME), agent_id, role, agent_channel; user, password, token, credentials, sasl; ca, certificate, key. Never shown: url and passwords"),
    unset("tls.certificate", Kind::Text, "证书文件（PEM，含中间证书）；与 key 一起写就启用 HTTPS",
        "PEM file with the certificate and those that vouch for it; with key, the port speaks HTTPS", "\"server.crt\""),
    unset("tls.key", Kind::Text, "私钥文件（PEM）", "PEM file with the private key", "\"server.key\""),
    key("tokens.ingest", Kind::List, "可以送入通话事件的令牌。每个写成 \"令牌\"、\"sha256:64位十六进制\" 或 { file = \"文件\" }（每行一个）",
        "tokens that may send events; each \"TOKEN\", \"sha256:HEX\" or { file = \"FILE\" } (one a line)"),
    key("tokens.qa", Kind::List, "质检：可以看全部通话和预警，并复核。写成 { 李静 = \"令牌\" } 就知道是谁做的；只写列表的话，名字是 qa- 加令牌摘要的 6 位",
        "may see all calls and alerts, and review them; as { NAME = \"TOKEN\" } it is known who did; in a list, they are called qa- and 6 digits of the token's digest"),
    key("tokens.admin", Kind::List, "管理：质检的权限，以及重新加载规则等；写法同上", "the same, and manage the server; written like tokens.qa"),
    key("tokens.metrics", Kind::List, "可以读取 /metrics；不写时本机地址上的 /metrics 不需要令牌",
        "may read /metrics, which without them is open when listening on loopback"),
    key("tokens.agents", Kind::Table, "坐席令牌，只能看自己的预警：{ 工号 = [\"令牌\"] }", "tokens of agents, who see their own alerts only: { ID = [\"TOKEN\"] }"),
    unset("tokens.agent_secret", Kind::Text, "签发坐席令牌的密钥，至少 32 个字符；也可以写 { file = \"文件\" }，见 tingjian token",
        "signs tokens of agents, at least 32 characters, or { file = \"FILE\" }; see tingjian token", "{ file = \"agent.secret\" }"),
    key("retention.transcript_days", Kind::Number, "通话文字保留多久（天）", "how long the words of calls are kept, in days"),
    key("retention.alert_days", Kind::Number, "预警保留多久（天）", "how long alerts are kept, in days"),
    key("alerts.cards_per_minute_max", Kind::Number, "每个坐席每分钟最多显示的预警（条）；其余合并成一条",
        "cards a minute that an agent is shown; the rest are folded into one"),
    key("alerts.late_ms_max", Kind::Number, "迟到多久的预警不再显示，只存储（毫秒）",
        "an alert this late is stored, not shown, in milliseconds"),
    key("score.base", Kind::Number, "没有确认的预警时一通通话的得分（分）", "score of a call without confirmed alerts, in points"),
    key("score.pack_caps", Kind::Table, "每个规则包在一通通话里最多扣多少（分）：{ 规则包 = 20 }；不写不封顶",
        "the most that a pack may deduct from one call, in points: { PACK = 20 }; no cap when not given"),
    key("score.veto_packs", Kind::List, "一票否决的规则包：有一条确认的预警，这通通话就得 0 分",
        "packs of which one confirmed alert makes a call's score 0"),
    key("review.appeal_days", Kind::Number, "坐席在几天内可以申诉（天），从通话关闭或最近一次复核算起",
        "days in which an agent may appeal, from when the call was closed or last reviewed"),
    key("review.precision_min", Kind::Fraction, "规则的准确率低于多少就报告（0 到 1）", "a rule of less precision than this is reported, from 0 to 1"),
    key("review.reviewed_min", Kind::Number, "复核了多少条才算准确率（条）", "alerts of a rule that must be reviewed before its precision counts"),
    key("review.categories", Kind::List, "漏报没有合适的规则时可选的类别", "kinds of violations that a reviewer may mark where no rule fits"),
    key("review.category_deduct", Kind::Table, "这样标出的违规扣多少分：{ info = 0, warning = 2, critical = 5 }",
        "points that such a violation costs, by severity"),
    key("review.plans", Kind::Table, "每周抽检，每个一节 [[review.plans]]：name、alerts（预警，条）、held（存疑，条）、calls（整通，通）、by = \"rule|severity|agent|team|queue\"（分层）、teams（只抽这些班组）、reviewers（轮流分给谁）、due_days（几天内完成）、second（多大比例由另一人盲评，0 到 1）、seed",
        "what is drawn each week, a section [[review.plans]] each: name, alerts, held and calls a week, by = \"rule|severity|agent|team|queue\" (strata), teams (of these only), reviewers (in turn), due_days, second (the share that another one judges blind, 0 to 1), seed"),
    unset("agents.file", Kind::Text, "坐席名单（CSV，第一行是 agent_id,name,team,site，也可以写 工号,姓名,班组,职场）；改了自动重新读。没有写的坐席用通话 attributes 里的 agent_name 和 team",
        "names of the agents: a CSV file whose first line is agent_id,name,team,site; read anew when it changes. Others are named by agent_name and team among the attributes of their calls", "\"agents.csv\""),
    key("report.weekday", Kind::Text, "每周哪天发周报：monday 到 sunday；内容是这天之前的七天", "on which day the weekly report is sent, monday to sunday; it is about the seven days before"),
    key("report.hour", Kind::Number, "从这天几点起发（0 到 23，按 utc_offset）", "from which hour of that day on, 0 to 23, by utc_offset"),
    key("report.to", Kind::List, "收件人的邮件地址；不写就不发邮件", "mail addresses that get it; no mail without them"),
    unset("report.from", Kind::Text, "发件人的邮件地址", "the sender's mail address", "\"tingjian@example.com\""),
    unset("report.smtp", Kind::Text, "邮件服务器：smtps://主机（TLS，465）、smtp://主机（STARTTLS，587）或 smtp+plain://主机（不加密，25），可以加 :端口",
        "the mail server: smtps://HOST (TLS, 465), smtp://HOST (STARTTLS, 587) or smtp+plain://HOST (unencrypted, 25), with :PORT if need be", "\"smtps://mail.example.com\""),
    unset("report.user", Kind::Text, "登录邮件服务器的用户名", "who signs in at the mail server", "\"tingjian\""),
    unset("report.password", Kind::Text, "登录邮件服务器的密码，可以写 { file = \"文件\" }", "with which password, or { file = \"FILE\" }", "{ file = \"smtp.password\" }"),
    key("report.webhooks", Kind::List, "[[webhooks]] 里哪些也收到周报（群机器人消息，或 json）", "names of [[webhooks]] that get it, too, as a message to a group or as JSON"),
    key("report.language", Kind::Text, "周报的语言：zh 或 en", "the language of the report: zh or en"),
    unset("report.url", Kind::Text, "读的人怎么打开这个服务，周报里的链接用；不写就没有链接", "the address of this server as readers know it, for links; without it there are none", "\"https://tingjian.example.com\""),
    unset("forms.directory", Kind::Text, "评分表的目录，一个 YAML 文件一份，改了自动重新读；不写时用自带的“热线服务评分表”",
        "directory of scoring forms, a YAML file each, read anew when they change; when not given: the form that ships", "\"forms\""),
    unset("recording.url", Kind::Text, "通话录音的地址，页面用它播放；可以用 {call_id} {agent_id} {queue} {started_at} {started_unix} {date} {expires} {signature}，不写就没有录音",
        "address of a call's sound, which the pages play; may have {call_id} {agent_id} {queue} {started_at} {started_unix} {date} {expires} {signature}; without it there is no sound",
        "\"https://rec.example.com/{date}/{call_id}.mp3\""),
    unset("recording.key", Kind::Text, "给录音地址签名的密钥，至少 32 个字符，可以写 { file = \"文件\" }：{signature} 是对路径和参数（签名处为空）的 HMAC-SHA256，十六进制",
        "signs addresses, at least 32 characters, or { file = \"FILE\" }: {signature} is the HMAC-SHA256 of path and query with nothing in its place, in hexadecimal digits", "{ file = \"recording.key\" }"),
    key("recording.expires_s", Kind::Number, "地址多久有效（秒），{expires} 是到期的 Unix 时间", "an address is good for so many seconds; {expires} is its end in Unix time"),
    key("recording.starts_before_ms", Kind::Number, "录音比接通早开始多少（毫秒）；晚则为负", "by how much the sound begins before the call was answered, in milliseconds; less than 0: after"),
    key("supervision.release_after_s", Kind::Number, "接手通话的人断线多久后放开（秒）", "a call is given back once its supervisor has had no connection for so many seconds"),
    unset("supervision.monitor_url", Kind::Text, "经话务系统旁听或插话的地址，督导点开；可以用录音地址的那些，以及 {mode}（listen、whisper、barge）和 {supervisor}（谁），不写就没有",
        "address by which the telephone system lets a supervisor into a call; may have the places of recording.url, {mode} (listen, whisper, barge) and {supervisor}; without it there is no way in",
        "\"https://pbx.example.com/{mode}?call={call_id}&by={supervisor}\""),
    unset("supervision.monitor_key", Kind::Text, "给这个地址签名的密钥，做法同 recording.key", "signs that address, as recording.key does", "{ file = \"monitor.key\" }"),
    key("supervision.monitor_expires_s", Kind::Number, "地址多久有效（秒）", "the address is good for so many seconds"),
    key("supervision.monitor_modes", Kind::List, "地址里有 {mode} 时给出哪几种：listen 旁听、whisper 只对坐席说、barge 插话", "the ways in that are offered where the address has {mode}"),
    key("confidence.critical", Kind::Fraction, "critical 的禁语预警，复看的把握（0 到 1）低于多少就不提示，只留给质检；规则自己写了 confidence 的按规则",
        "an alert about forbidden words of a critical rule is held back below this confidence, from 0 to 1; a rule's own confidence goes first"),
    key("confidence.warning", Kind::Fraction, "warning 的，同上（0 到 1）", "the same for rules of severity warning, from 0 to 1"),
    key("confidence.info", Kind::Fraction, "info 的，同上（0 到 1）", "the same for rules of severity info, from 0 to 1"),
    key("confidence.act_by_voice", Kind::Fraction, "语音里只凭语用动作、没有话术命中的，至少要有多少把握（0 到 1）；规则写 confidence: 0 的不看",
        "the least confidence for an act that no phrase bears out, by voice, from 0 to 1; a rule with confidence: 0 waives it"),
    key("confidence.act_in_chat", Kind::Fraction, "文字会话里只凭语用动作的，同上（0 到 1）", "the same in chats, from 0 to 1"),
    key("privacy.store", Kind::Text, "通话结束后留下的文字：plain 原文；masked 打码后留下，原文不再保留",
        "the words kept of calls that are over: plain, as they came; masked, with personal data masked for good"),
    unset("privacy.key", Kind::Text, "加密存储里通话文字的密钥，至少 32 个字符，可用 openssl rand -hex 32 生成；也可以写 { file = \"文件\" }。丢了就读不出来",
        "seals the words in the store, at least 32 characters, or { file = \"FILE\" }; whoever loses it loses the words", "{ file = \"store.key\" }"),
    key("privacy.old_keys", Kind::List, "以前的密钥，只用来读；写法同上，到用它加密的文字过期为止",
        "earlier keys, which only open; needed until what they sealed has aged out"),
    unset("cluster.postgres", Kind::Text, "PostgreSQL（15 起）的地址，写了就把数据放在那里，不放在 data 目录：postgres://用户:密码@主机/库；也可以写 { file = \"文件\" }",
        "the address of a PostgreSQL (15 or newer) that keeps the data instead of the data directory: postgres://user:password@host/database, or { file = \"FILE\" }",
        "{ file = \"postgres.url\" }"),
];

/// The key of that path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `name` is a section.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.path.split_once('.').is_some_and(|(section, _)| section == name))
}

/// `config` with every key explained.
pub(super) fn print(config: &Config) -> Result<String, toml::ser::Error> {
    let values = toml::Table::try_from(config)?;
    let mut text = String::from(
        "# 听检的配置。每个键都列出了用途、单位和当前值；行首有 `# ` 的没有设置。\n\
         # The configuration of tingjian: every key, its unit and its value; one behind `# ` is not set.\n",
    );
    let mut open = None;
    for key in KEYS {
        let (section, name) = match key.path.split_once('.') {
            Some((section, name)) => (Some(section), name),
            None => (None, key.path),
        };
        if section != open {
            let _ = write!(text, "\n[{}]\n", section.unwrap_or_default());
            open = section;
        } else {
            text.push('\n');
        }
        let _ = writeln!(text, "# {}\n# {}", key.zh, key.en);
        let table = section.map_or(Some(&values), |section| values.get(section).and_then(toml::Value::as_table));
        let _ = match (table.and_then(|table| table.get(name)), key.example) {
            (Some(value), _) => writeln!(text, "{name} = {value}"),
            (None, Some(example)) => writeln!(text, "# {name} = {example}"),
            (None, None) => writeln!(text, "# {name} ="),
        };
    }
    Ok(text)
}
