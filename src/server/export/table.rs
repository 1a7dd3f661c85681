//! Lists beside that of alerts as files. A row is the JSON that the list's own address answers with, so a file has what the
//! list shows; the columns say which of it, in which order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

use crate::engine::privacy;
use crate::server::clock;
use crate::server::domain::principal::Who;
use crate::server::domain::terms::Audited;
use crate::server::export::row::{Cell, Head, Kind};
use crate::server::export::{ExportError, Format, sink};
use crate::server::filter::{FROM, Parameter, Shape, TO};
use crate::server::store::Fact;

/// The filters of samples.
pub(crate) const OF_SAMPLES: &[Parameter] = &[
    FROM,
    TO,
    Parameter::new("reviewer", "Given to this person / 分给谁的", Shape::Text),
    Parameter::new(
        "done",
        "Only those that are done, or only the others / 只要完成的，或只要没完成的",
        Shape::Names(&["true", "false"]),
    ),
    Parameter::new("kind", "What was drawn / 抽的是什么", Shape::Names(&["alert", "held", "call"])),
];

/// A list that can be written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Calls,
    Scores,
    /// The quality of rules.
    Rules,
    /// Steps of review and appeal.
    Reviews,
    Samples,
}

const fn head(name: &'static str, zh: &'static str, kind: Kind, width: u8) -> Head {
    Head { name, zh, kind, width }
}

#[rustfmt::skip]
const CALLS: &[Head] = &[
    head("started_at", "接通", Kind::Time, 20), head("call_id", "通话", Kind::Text, 20), head("agent_id", "坐席", Kind::Text, 12),
    head("agent_name", "姓名", Kind::Text, 12), head("team", "班组", Kind::Text, 14), head("queue", "队列", Kind::Text, 12),
    head("ended_at", "挂断", Kind::Time, 20), head("ended_by", "谁挂断", Kind::Text, 10), head("live", "进行中", Kind::Number, 8),
    head("confirmed", "预警", Kind::Number, 8), head("score", "得分", Kind::Number, 8), head("rules_version", "规则版本", Kind::Text, 18),
];
#[rustfmt::skip]
const SCORES: &[Head] = &[
    head("key", "对象", Kind::Text, 20), head("agent_name", "姓名", Kind::Text, 12), head("team", "班组", Kind::Text, 14),
    head("mean", "平均分", Kind::Decimal, 10), head("margin", "误差（95%）", Kind::Decimal, 12), head("min", "最低分", Kind::Number, 8),
    head("calls", "通话", Kind::Number, 8), head("alerts", "预警", Kind::Number, 8), head("vetoed", "一票否决", Kind::Number, 10),
];
#[rustfmt::skip]
const RULES: &[Head] = &[
    head("rule_id", "规则", Kind::Text, 26), head("rule_name", "规则名称", Kind::Text, 22), head("pack", "规则包", Kind::Text, 14),
    head("rules_version", "规则版本", Kind::Text, 18), head("precision", "准确率", Kind::Decimal, 10), head("reviewed", "已复核", Kind::Number, 10),
    head("confirmed", "属实", Kind::Number, 8), head("dismissed", "误报", Kind::Number, 8), head("alerts", "预警", Kind::Number, 8),
    head("shown", "已显示", Kind::Number, 8), head("overridden", "坐席忽略", Kind::Number, 10), head("override_rate", "忽略率", Kind::Decimal, 10),
    head("appeals", "申诉", Kind::Number, 8), head("granted", "成立", Kind::Number, 8), head("rejected", "驳回", Kind::Number, 8),
    head("appeal_success_rate", "申诉成功率", Kind::Decimal, 12), head("missed", "漏报", Kind::Number, 8), head("below", "偏低", Kind::Number, 8),
];
#[rustfmt::skip]
const REVIEWS: &[Head] = &[
    head("at", "时间", Kind::Time, 20), head("action", "做了什么", Kind::Text, 10), head("by", "谁", Kind::Text, 12), head("role", "身份", Kind::Text, 8),
    head("reason", "理由", Kind::Text, 30), head("alert_id", "预警编号", Kind::Text, 18), head("call_id", "通话", Kind::Text, 20),
    head("started_at", "接通", Kind::Time, 20), head("agent_id", "坐席", Kind::Text, 12), head("agent_name", "姓名", Kind::Text, 12),
    head("team", "班组", Kind::Text, 14), head("queue", "队列", Kind::Text, 12), head("rule_id", "规则", Kind::Text, 26),
    head("rule_name", "规则名称", Kind::Text, 22), head("severity", "级别", Kind::Text, 10), head("deduct", "扣分", Kind::Number, 8),
    head("verdict", "现在的结论", Kind::Text, 12), head("appeal", "申诉", Kind::Text, 10), head("counts", "计入得分", Kind::Number, 10),
];
#[rustfmt::skip]
const SAMPLES: &[Head] = &[
    head("sample_no", "编号", Kind::Number, 8), head("plan", "计划", Kind::Text, 14), head("week", "周（周一）", Kind::Text, 12),
    head("kind", "抽的是", Kind::Text, 8), head("stratum", "层", Kind::Text, 26), head("weight", "权重", Kind::Decimal, 8),
    head("call_id", "通话", Kind::Text, 20), head("started_at", "接通", Kind::Time, 20), head("agent_id", "坐席", Kind::Text, 12),
    head("agent_name", "姓名", Kind::Text, 12), head("team", "班组", Kind::Text, 14), head("queue", "队列", Kind::Text, 12),
    head("alert_id", "预警编号", Kind::Text, 18), head("rule_id", "规则", Kind::Text, 26), head("reviewer", "分给", Kind::Text, 12),
    head("second", "盲评", Kind::Number, 8), head("due_at", "截止", Kind::Time, 20), head("overdue", "逾期", Kind::Number, 8),
    head("done", "完成", Kind::Number, 8), head("done_at", "完成时间", Kind::Time, 20), head("verdict", "结论", Kind::Text, 10),
];

impl Table {
    pub(crate) const ALL: [Self; 5] = [Self::Calls, Self::Scores, Self::Rules, Self::Reviews, Self::Samples];

    /// Its name in addresses, files and the audit.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Scores => "scores",
            Self::Rules => "rules",
            Self::Reviews => "reviews",
            Self::Samples => "samples",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Calls => "通话",
            Self::Scores => "评分",
            Self::Rules => "规则质量",
            Self::Reviews => "复核记录",
            Self::Samples => "抽检",
        }
    }

    const fn heads(self) -> &'static [Head] {
        match self {
            Self::Calls => CALLS,
            Self::Scores => SCORES,
            Self::Rules => RULES,
            Self::Reviews => REVIEWS,
            Self::Samples => SAMPLES,
        }
    }

    /// Writes what `page` gives until there is no more; says how many rows there were.
    pub(crate) fn write(
        self,
        format: Format,
        zone: FixedOffset,
        out: impl Write + Send,
        mut page: impl FnMut() -> Result<Vec<Value>, ExportError>,
    ) -> Result<u64, ExportError> {
        let heads = self.heads();
        let mut sink = sink(format, out, zone, heads.to_vec(), (self.name(), self.title()), None)?;
        let mut rows = 0;
        loop {
            let found = page()?;
            if found.is_empty() {
                break;
            }
            for row in &found {
                let cells: Vec<Cell<'_>> = heads.iter().map(|head| cell(*head, &row[head.name])).collect();
                sink.row(&cells)?;
                rows += 1;
            }
        }
        sink.finish()?;
        Ok(rows)
    }

    /// The audit entry of an export.
    pub(crate) fn fact(
        self,
        format: Format,
        parameters: &BTreeMap<String, String>,
        who: Who,
        written: &Result<u64, ExportError>,
    ) -> Fact {
        let parameters: BTreeMap<&str, Cow<'_, str>> =
            parameters.iter().map(|(name, value)| (name.as_str(), privacy::mask(value))).collect();
        let detail = serde_json::json!({
            "format": format.name(), "query": parameters, "ok": written.is_ok(), "rows": written.as_ref().ok(),
        });
        Fact { at_ms: clock::unix_ms(), who, action: Audited::Export, subject: self.name().to_owned(), detail }
    }
}

/// A value of a row, as its column has it.
fn cell(head: Head, value: &Value) -> Cell<'_> {
    let found = match head.kind {
        Kind::Text => value.as_str().map(|text| Cell::Text(Cow::Borrowed(text))),
        Kind::Number => value.as_i64().or_else(|| value.as_bool().map(i64::from)).map(Cell::Number),
        Kind::Decimal => value.as_f64().map(Cell::Decimal),
        Kind::Time => {
            let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            time.map(|time| Cell::Time(time.timestamp_millis()))
        }
    };
    found.unwrap_or(Cell::Empty)
}
