//! `tingjian check` over directories, patterns and tables of whole calls.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::{Value, json};
use tempfile::TempDir;

fn check(directory: &Path, arguments: &[&str]) -> Output {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.args(["check", "--rules", rules]).args(arguments).current_dir(directory).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls").join(name)
}

/// The recordings among the fixtures, in a directory of their own.
fn recordings() -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("more")).unwrap();
    for (index, entry) in fs::read_dir(fixture("")).unwrap().enumerate() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".jsonl") && !name.ends_with(".expected.jsonl") {
            let within = if index % 2 == 0 { name } else { format!("more/{name}") };
            fs::copy(&path, directory.path().join(within)).unwrap();
        }
    }
    fs::write(directory.path().join("notes.txt"), "not a call").unwrap();
    fs::write(directory.path().join(".hidden.jsonl"), "not a call").unwrap();
    directory
}

#[test]
fn a_directory_is_checked_as_its_files_are_whatever_the_number_of_threads() {
    let directory = recordings();
    let mut files: Vec<PathBuf> = Vec::new();
    for within in ["more", "."] {
        let entries = fs::read_dir(directory.path().join(within)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")));
    }
    let mut expected: Vec<String> = Vec::new();
    for file in files.iter().filter(|path| !path.ends_with(".hidden.jsonl")) {
        expected.extend(
            stdout(&check(directory.path(), &["--format", "jsonl", file.to_str().unwrap()])).lines().map(str::to_owned),
        );
    }
    let outputs: Vec<Output> = ["1", "2", "7"]
        .iter()
        .map(|jobs| check(directory.path(), &["--format", "jsonl", "--jobs", jobs, "."]))
        .collect();
    for output in &outputs {
        assert_eq!((output.status.code(), stderr(output).as_str()), (Some(1), ""));
        assert_eq!(output.stdout, outputs[0].stdout);
    }
    let told = stdout(&outputs[0]);
    let told: Vec<&str> = told.lines().collect();
    assert!(told.len() > 30, "{}", told.len());
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(told.iter().map(|line| (*line).to_owned()).collect()), sorted(expected));
    let patterns = check(directory.path(), &["--format", "jsonl", "more/*.jsonl", "[!m]*.jsonl", "more"]);
    assert_eq!(
        sorted(stdout(&patterns).lines().map(str::to_owned).collect()).len(),
        told.len(),
        "{}",
        stderr(&patterns)
    );
    let all = check(directory.path(), &["--all-states", "--format", "jsonl", "--jobs", "5", "."]);
    let again = check(directory.path(), &["--all-states", "--format", "jsonl", "--jobs", "1", "."]);
    assert_eq!(all.stdout, again.stdout);
    assert!(stdout(&all).contains("\"provisional\""));
}

#[test]
fn inputs_that_are_not_there_are_told() {
    let directory = recordings();
    fs::create_dir(directory.path().join("empty")).unwrap();
    for (input, fault) in
        [("empty", "目录里没有"), ("*.nothing", "没有这样的文件"), ("gone.csv", "无法读取"), ("a.xls", "另存为 .xlsx")]
    {
        let output = check(directory.path(), &[input, "order-query.jsonl", "more/order-query.jsonl"]);
        assert_eq!(output.status.code(), Some(2), "{input}");
        assert!(stderr(&output).contains(fault), "{input}: {}", stderr(&output));
    }
}

/// One call as a site writes it: its cells by heading, row by row.
const HEADINGS: [&str; 7] = ["通话编号", "工号", "接通时间", "说话人", "开始", "结束", "转写文本"];

/// The finals of a recording as the rows of a table, and its events without hypotheses as a recording.
fn table_of(name: &str) -> (Vec<Vec<String>>, String) {
    let (mut rows, mut events) = (Vec::new(), Vec::new());
    let text = fs::read_to_string(fixture(name)).unwrap();
    let mut start = Value::Null;
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        match event["type"].as_str().unwrap() {
            "call.start" => {
                start = json!({"type": "call.start", "call_id": event["call_id"], "agent_id": event["agent_id"], "started_at": event["started_at"]});
            }
            "utterance" if event["final"] == true => {
                let seconds = |field: &str| format!("{:.3}", event[field].as_f64().unwrap() / 1_000.0);
                let role = if event["role"] == "agent" { "坐席" } else { "客户" };
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let row = vec![
                    text(&start["call_id"]),
                    text(&start["agent_id"]),
                    text(&start["started_at"]),
                    role.to_owned(),
                    seconds("start_ms"),
                    seconds("end_ms"),
                    text(&event["text"]),
                ];
                // A recording that was transcribed whole has only the last of an utterance's finals.
                let id = &event["utterance_id"];
                match events.iter().position(|earlier: &Value| earlier["utterance_id"] == *id) {
                    Some(at) => (rows[at], events[at]) = (row, event),
                    None => {
                        rows.push(row);
                        events.push(event);
                    }
                }
            }
            _ => {}
        }
    }
    events.sort_by_key(|event| event["end_ms"].as_i64());
    let lines = std::iter::once(&start).chain(&events).map(|event| {
        let mut event = event.clone();
        event.as_object_mut().unwrap().remove("seq");
        format!("{event}\n")
    });
    (rows, lines.collect())
}

/// Which rules a call broke, when, and by which words.
fn found(output: &Output) -> BTreeSet<(String, i64, String)> {
    let told = stdout(output);
    let alerts = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let brief = |alert: Value| {
        let words = alert["evidence"].as_array().unwrap().iter().map(|evidence| evidence["text"].to_string());
        (alert["rule_id"].as_str().unwrap().to_owned(), alert["at_ms"].as_i64().unwrap(), words.collect())
    };
    alerts.map(brief).collect()
}

fn csv_of(rows: &[Vec<String>]) -> String {
    let mut text = format!("录音清单\n\n{}\n", HEADINGS.join(","));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        text.push_str(&format!("{}\n", cells.join(",")));
    }
    text
}

fn workbook_of(path: &Path, rows: &[Vec<String>]) {
    let mut book = Workbook::new();
    book.add_worksheet().set_name("说明").unwrap().write_string(0, 0, "这一页不是通话").unwrap();
    let sheet = book.add_worksheet().set_name("通话").unwrap();
    let day = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    for (column, heading) in (0..).zip(HEADINGS) {
        sheet.write_string(0, column, heading).unwrap();
    }
    for (row, cells) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            match column {
                2 => {
                    let local = ExcelDateTime::parse_from_str(&cell[..19]).unwrap();
                    sheet.write_datetime_with_format(row, column, &local, &day).unwrap();
                }
                4 | 5 => {
                    sheet.write_number(row, column, cell.parse::<f64>().unwrap()).unwrap();
                }
                _ => {
                    sheet.write_string(row, column, cell).unwrap();
                }
            }
        }
    }
    book.save(path).unwrap();
}

fn parquet_of(path: &Path, rows: &[Vec<String>]) {
    let schema = "message calls { required binary call_id (utf8); required binary agent_id (utf8); \
                  required int64 started_at (timestamp(nanos,true)); required binary role (utf8); \
                  required int64 start_ms; required int64 end_ms; optional binary text (utf8); required int64 other; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .build();
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts =
        |column: usize| -> Vec<ByteArray> { rows.iter().map(|row| ByteArray::from(row[column].as_str())).collect() };
    let ms = |column: usize| -> Vec<i64> {
        rows.iter().map(|row| (row[column].parse::<f64>().unwrap() * 1_000.0).round() as i64).collect()
    };
    let nanos = |row: &Vec<String>| {
        let at = row[2].parse::<chrono::DateTime<chrono::FixedOffset>>().unwrap();
        at.timestamp_millis() * 1_000_000
    };
    for column in 0..8 {
        let mut out = group.next_column().unwrap().unwrap();
        match column {
            0 | 1 | 3 => out.typed::<ByteArrayType>().write_batch(&texts(column), None, None).unwrap(),
            2 => {
                let started: Vec<i64> = rows.iter().map(nanos).collect();
                out.typed::<Int64Type>().write_batch(&started, None, None).unwrap()
            }
            4 | 5 => out.typed::<Int64Type>().write_batch(&ms(column), None, None).unwrap(),
            6 => out.typed::<ByteArrayType>().write_batch(&texts(6), Some(&vec![1; rows.len()]), None).unwrap(),
            _ => out.typed::<Int64Type>().write_batch(&vec![7; rows.len()], None, None).unwrap(),
        };
        out.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn every_sort_of_table_gives_the_alerts_of_its_events() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (mut rows, mut events) = (Vec::new(), String::new());
    for name in ["complaint-mishandled.jsonl", "new-agent.jsonl", "late-finals.jsonl"] {
        let (more, recording) = table_of(name);
        rows.extend(more);
        events.push_str(&recording);
    }
    // Rows of calls stand among one another, and not in the order of time.
    rows.sort_by(|a, b| (&a[6], &a[4]).cmp(&(&b[6], &b[4])));
    fs::write(at("events.jsonl"), &events).unwrap();
    fs::write(at("calls.csv"), csv_of(&rows)).unwrap();
    let text = csv_of(&rows);
    let (gb18030, ..) = encoding_rs::GB18030.encode(&text);
    fs::write(at("gb18030.csv"), &gb18030).unwrap();
    workbook_of(&at("calls.xlsx"), &rows);
    parquet_of(&at("calls.parquet"), &rows);
    let object = |row: &Vec<String>| -> Value {
        HEADINGS
            .iter()
            .map(|name| (*name).to_owned())
            .zip(row.iter().cloned())
            .collect::<std::collections::HashMap<_, _>>()
            .into_iter()
            .collect()
    };
    let lines: String = rows.iter().map(|row| format!("{}\n", object(row))).collect();
    fs::write(at("rows.jsonl"), lines).unwrap();
    let mut whole: std::collections::BTreeMap<&str, Vec<Value>> = std::collections::BTreeMap::new();
    for row in &rows {
        whole
            .entry(&row[0])
            .or_default()
            .push(json!({"role": row[3], "start_s": row[4], "end_s": row[5], "text": row[6]}));
    }
    let line = |(call, list): (&&str, &Vec<Value>)| {
        let of = rows.iter().find(|row| row[0] == **call).unwrap();
        format!("{}\n", json!({"call_id": call, "agent_id": of[1], "started_at": of[2], "utterances": list}))
    };
    fs::write(at("whole.jsonl"), whole.iter().map(line).collect::<String>()).unwrap();

    let events = check(directory.path(), &["--format", "jsonl", "events.jsonl"]);
    let expected = found(&events);
    assert!(expected.len() > 15, "{}", expected.len());
    for file in ["calls.csv", "gb18030.csv", "calls.xlsx", "calls.parquet", "rows.jsonl", "whole.jsonl"] {
        let output = check(directory.path(), &["--format", "jsonl", file]);
        assert_eq!((stderr(&output).as_str(), output.status.code()), ("", Some(1)), "{file}");
        assert_eq!(found(&output), expected, "{file}");
        let again = check(directory.path(), &["--format", "jsonl", "--jobs", "1", file]);
        assert_eq!(again.stdout, output.stdout, "{file}");
    }
}

#[test]
fn a_sites_own_columns_are_told_by_flags_or_a_file() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    let table = "id,who,t0,t1,asr\n7,0,0,1.5,这个我不知道\n7,1,00:02,00:03,喂\n";
    fs::write(at("t.csv"), table).unwrap();
    let flags = [
        "--column",
        "call_id=id",
        "--column",
        "role=who",
        "--column",
        "start_s=t0",
        "--column",
        "end_s=t1",
        "--column",
        "text=asr",
        "--word",
        "role:0=agent",
        "--word",
        "role:1=customer",
        "--default",
        "agent_id=a7",
        "--default",
        "started_at=2026-11-21 10:00:00",
        "--utc-offset",
        "+09:00",
        "--format",
        "jsonl",
        "--held",
        "t.csv",
    ];
    let by_flags = check(directory.path(), &flags);
    assert_eq!(stderr(&by_flags), "");
    let told = stdout(&by_flags);
    assert!(told.contains("\"call_id\":\"7\",\"agent_id\":\"a7\"") && told.contains("不知道"), "{told}");
    assert!(told.contains("T10:00:") && told.contains("+09:00"), "{told}");
    let file = "utc_offset = '+09:00'\n[columns]\ncall_id = 'id'\nrole = 'who'\nstart_s = 't0'\nend_s = 't1'\ntext = 'asr'\n\
                [words.role]\n0 = 'agent'\n1 = 'customer'\n[defaults]\nagent_id = 'a7'\nstarted_at = '2026-11-21 10:00:00'\n";
    fs::write(at("columns.toml"), file).unwrap();
    let by_file = check(directory.path(), &["--columns", "columns.toml", "--format", "jsonl", "--held", "t.csv"]);
    assert_eq!((stdout(&by_file), stderr(&by_file)), (told, String::new()));
    for (wrong, fault) in [
        (file.replace("call_id =", "callid ="), "columns.toml:3: 没有字段 callid"),
        (file.replace("[words.role]", "[word.role]"), "columns.toml:8:2: unknown field `word`"),
        (file.replace("+09:00", "九"), "columns.toml:1: 九 不是时区"),
        (file.replace("'asr'", "'words'"), "t.csv:1:1: 没有“words”这一列"),
    ] {
        fs::write(at("columns.toml"), wrong).unwrap();
        let output = check(directory.path(), &["--columns", "columns.toml", "t.csv"]);
        assert_eq!(output.status.code(), Some(2), "{fault}");
        assert!(stderr(&output).contains(fault), "{fault}: {}", stderr(&output));
    }
}

#[test]
fn faults_of_tables_are_told_at_their_cells_and_the_rest_is_checked() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    let table = "call_id,agent_id,started_at,role,start_ms,end_ms,text\n\
                 c,a,2026-11-21 10:00:00,谁,0,1000,您好\n\
                 c,a,2026-11-21 10:00:00,agent,0,1000,这个我不知道\n\
                 c,a,2026-11-21 10:00:00,agent,soon,1000,您好\n\
                 ,a,2026-11-21 10:00:00,agent,0,1000,您好\n\
                 d,,2026-11-21 10:00:00,agent,0,1000,您好\n";
    fs::write(at("t.csv"), table).unwrap();
    let output = check(directory.path(), &["--format", "jsonl", "--held", "t.csv"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    let places: Vec<&str> = told.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(places, ["t.csv:2:4:", "t.csv:4:5:", "t.csv:5:1:", "t.csv:6:2:"], "{told}");
    assert!(stdout(&output).contains("不知道"));

    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("通话").unwrap();
    for (row, line) in (0..).zip(table.lines().take(2)) {
        for (column, cell) in (0..).zip(line.split(',')) {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
    book.save(at("t.xlsx")).unwrap();
    let told = stderr(&check(directory.path(), &["t.xlsx"]));
    assert!(told.starts_with("t.xlsx:2:4: 通话!D2: role"), "{told}");

    fs::write(at("t.jsonl"), "{\"text\":\"您好\"}\n{\"call_id\":\n[]\n").unwrap();
    let told = stderr(&check(directory.path(), &["t.jsonl"]));
    let places: Vec<&str> = told.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(places, ["t.jsonl:1:", "t.jsonl:2:11:", "t.jsonl:3:"], "{told}");

    for (name, bytes) in
        [("t.parquet", &b"PAR1 no"[..]), ("u.xlsx", b"PK"), ("u.csv", b"\xff\xff\xff"), ("v.csv", b"a,b\n1,2\n")]
    {
        fs::write(at(name), bytes).unwrap();
        let output = check(directory.path(), &[name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stderr(&output).starts_with(name), "{name}: {}", stderr(&output));
    }
}

#[test]
fn alerts_are_written_in_every_format_of_an_export() {
    let directory = recordings();
    let phone = r#"{"type":"call.start","call_id":"p","agent_id":"a","started_at":"2026-11-21T10:00:00+08:00","queue":"售后"}
{"type":"utterance","call_id":"p","utterance_id":"u","role":"agent","text":"这个我不知道，您打13800138000吧","start_ms":0,"end_ms":3000,"final":true}
"#;
    fs::write(directory.path().join("phone.jsonl"), phone).unwrap();
    let lines = stdout(&check(directory.path(), &["--format", "jsonl", "--held", "."]));
    let count = lines.lines().count();
    assert!(lines.contains("13800138000"));
    for name in ["out.csv", "out.xlsx", "out.parquet", "out.jsonl", "out.txt"] {
        let write = |jobs: &str| {
            let output = check(directory.path(), &["--held", "--jobs", jobs, "-o", name, "."]);
            assert_eq!(
                (output.status.code(), stderr(&output), stdout(&output)),
                (Some(1), String::new(), String::new()),
                "{name}"
            );
            let bytes = fs::read(directory.path().join(name)).unwrap();
            fs::remove_file(directory.path().join(name)).unwrap();
            bytes
        };
        let bytes = write("3");
        assert_eq!(write("1"), bytes, "{name}");
        fs::write(directory.path().join("result"), &bytes).unwrap();
        let is_masked = !bytes.windows(11).any(|bytes| bytes == b"13800138000");
        match name {
            "out.csv" => {
                let mut reader = csv::Reader::from_reader(&bytes[3..]);
                assert_eq!(
                    reader.headers().unwrap().iter().take(4).collect::<Vec<_>>(),
                    ["time", "call_id", "agent_id", "queue"]
                );
                assert_eq!(reader.records().map(Result::unwrap).count(), count);
                assert!(is_masked);
            }
            "out.parquet" => {
                let file = File::open(directory.path().join("result")).unwrap();
                assert_eq!(
                    SerializedFileReader::new(file).unwrap().metadata().file_metadata().num_rows(),
                    i64::try_from(count).unwrap()
                );
            }
            "out.jsonl" => assert_eq!(String::from_utf8(bytes).unwrap(), lines),
            "out.txt" => assert!(String::from_utf8(bytes).unwrap().contains(&format!("{count} 条违规"))),
            _ => assert!(bytes.starts_with(b"PK")),
        }
    }
    for arguments in [&["-o", "out.doc"][..], &["--all-states", "-o", "out.csv"]] {
        let output = check(directory.path(), &[arguments, &["."]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(!directory.path().join(arguments.last().unwrap()).exists());
    }
}
