//! Whether checking works as it should, and the notices when it does not.
//!
//! Causes that concern all agents are here. A silent recogniser concerns one call, whose shard
//! sends the notice.

use serde::Serialize;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The causes of impaired checking that concern everybody.
#[derive(Debug)]
pub(crate) struct Health {
    causes: watch::Sender<Causes>,
}

/// The causes that hold now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes {
    /// The store takes nothing.
    store: Option<String>,
    /// The rules on disk cannot be used; earlier ones are.
    are_rules_invalid: bool,
    /// Shards that work on what came long ago.
    shards_behind: usize,
}

/// One `status` message.
#[derive(Debug, Serialize)]
struct Status<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
}

impl Status<'_> {
    fn to_text(&self) -> Utf8Bytes {
        serde_json::to_string(self).expect("strings always serialise").into()
    }
}

impl Health {
    pub(crate) fn new() -> Self {
        Self { causes: watch::Sender::new(Causes::default()) }
    }

    /// To be woken when the causes change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Causes> {
        self.causes.subscribe()
    }

    /// Why the store takes nothing; `None` when it does again.
    pub(crate) fn set_store(&self, fault: Option<String>) {
        self.change(|causes| causes.store = fault);
    }

    /// Whether the rules on disk cannot be used.
    pub(crate) fn set_rules_invalid(&self, are_invalid: bool) {
        self.change(|causes| causes.are_rules_invalid = are_invalid);
    }

    /// A shard fell behind, or caught up.
    pub(crate) fn shard_behind(&self, is_behind: bool) {
        self.change(|causes| match is_behind {
            true => causes.shards_behind += 1,
            false => causes.shards_behind = causes.shards_behind.saturating_sub(1),
        });
    }

    /// Why the server cannot take events just now, if it cannot.
    pub(crate) fn store_fault(&self) -> Option<String> {
        self.causes.borrow().store.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Causes)) {
        self.causes.send_if_modified(|causes| {
            let before = causes.clone();
            change(causes);
            *causes != before
        });
    }
}

impl Causes {
    /// Whether all is well.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The message that tells it.
    pub(crate) fn status(&self) -> Utf8Bytes {
        let mut causes = Vec::new();
        let mut why = Vec::new();
        if let Some(fault) = &self.store {
            causes.push("store_failed");
            why.push(format!("无法写入存储，预警暂停 / the store takes nothing, alerts wait: {fault}"));
        }
        if self.are_rules_invalid {
            causes.push("rules_invalid");
            why.push("新规则有误，仍按旧规则检查 / the new rules have faults; the earlier ones apply".to_owned());
        }
        if self.shards_behind > 0 {
            causes.push("behind");
            why.push("处理落后，预警会迟到 / checking is behind; alerts come late".to_owned());
        }
        let state = if causes.is_empty() { "ok" } else { "degraded" };
        Status { kind: "status", state, call_id: None, causes, why: why.join("；") }.to_text()
    }
}

/// The notice that no speech results have come for so long.
pub(crate) fn asr_silent(call_id: &str, seconds: u64) -> Utf8Bytes {
    let why = format!("{seconds} 秒没有收到识别结果 / no speech results for {seconds} s");
    Status { kind: "status", state: "degraded", call_id: Some(call_id), causes: vec!["asr_silent"], why }.to_text()
}

/// The notice that a call has more findings than are told.
pub(crate) fn too_much(call_id: &str) -> Utf8Bytes {
    let why = "这通通话的预警太多，只显示前面的 / this call has too many alerts: the first are told".to_owned();
    Status { kind: "status", state: "degraded", call_id: Some(call_id), causes: vec!["alerts_left_out"], why }.to_text()
}

/// The notice that speech results come again.
pub(crate) fn asr_heard(call_id: &str) -> Utf8Bytes {
    Status { kind: "status", state: "ok", call_id: Some(call_id), causes: Vec::new(), why: String::new() }.to_text()
}
