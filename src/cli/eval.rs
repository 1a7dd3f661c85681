//! `tingjian eval FILE…`: rules measured on labelled data.
//!
//! Each line says by its fields what it is; see [`read`]. Every error is
//! listed, so that a rule writer sees what to mend.

mod calls;
mod pairs;
mod read;
mod report;
mod second_look;
mod turns;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use tingjian::engine::transcript::Channel;
use tingjian::learning::speech;

use self::read::Data;
use self::report::Report;
use super::load::load_named;
use super::source::RuleFlags;
use super::{EXIT_UNUSABLE, complain, show};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 标注数据（JSON Lines），每行按字段识别，- 为标准输入 / Labelled data (JSON Lines), known by its fields; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    origin: RuleFlags,
    /// 只用这些规则包，可以写几次；默认全部启用的 / Only these packs; may be repeated; default: all that are enabled
    #[arg(long = "pack", value_name = "NAME")]
    packs: Vec<String>,
    /// 当作语音还是文字；单句默认文字，对话默认语音 / Take it for speech or for chat; default: single turns for chat, dialogues for speech
    #[arg(long, value_enum)]
    channel: Option<Medium>,
    /// 输出格式 / Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Medium {
    /// 语音 / Speech
    Voice,
    /// 文字 / Chat
    Chat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// 给人看 / For people
    Text,
    /// 给程序 / For programs
    Json,
}

/// Exits with 0 whatever the figures are, with 2 if rules or lines cannot be used.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let unusable = ExitCode::from(EXIT_UNUSABLE);
    let rules = match load_named(&arguments.origin) {
        Ok(rules) => rules,
        Err(error) => {
            complain(error);
            return unusable;
        }
    };
    let unknown = arguments.packs.iter().find(|name| !rules.rules.iter().any(|rule| rule.pack == **name));
    if let Some(name) = unknown {
        let name = show::plain(name);
        complain(format_args!("没有规则包 {name}，看看 --pack / there is no pack {name}"));
        return unusable;
    }
    let mut data = Data::default();
    let mut broken = false;
    for path in &arguments.files {
        for fault in data.read(path) {
            broken = true;
            complain(fault);
        }
    }
    let (calls, faults) = calls::measure(&rules, &data.calls);
    for fault in faults {
        broken = true;
        complain(fault);
    }
    let bench = speech::Bench {
        rules,
        packs: Some(arguments.packs.clone()).filter(|packs| !packs.is_empty()),
        channel: Channel::Voice,
    };
    let taken_for = |default: Channel| speech::Bench {
        channel: match arguments.channel {
            Some(Medium::Voice) => Channel::Voice,
            Some(Medium::Chat) => Channel::Chat,
            None => default,
        },
        ..bench.clone()
    };
    let (words, faults) = words::measure(&data.words);
    for fault in faults {
        broken = true;
        complain(fault);
    }
    let turns = (!data.turns.is_empty()).then(|| turns::measure_turns(&taken_for(Channel::Chat), &data.turns));
    let report = Report {
        summary: turns.as_ref().map(report::Summary::of),
        turns,
        words,
        dialogues: (!data.dialogues.is_empty())
            .then(|| turns::measure_dialogues(&taken_for(Channel::Voice), &data.dialogues)),
        pairs: pairs::measure(&data.pairs),
        calls,
    };
    let text = match arguments.format {
        Format::Text => report.text(),
        Format::Json => report.json(),
    };
    super::print(&text, if broken { unusable } else { ExitCode::SUCCESS })
}
