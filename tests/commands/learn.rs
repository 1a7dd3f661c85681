//! `tingjian learn` as a site uses it, on the built-in corpus.
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rust_xlsxwriter::Workbook;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

fn learn(directory: &Path, labelled: &str, arguments: &[&str]) -> Output {
    let file = directory.join("labelled.jsonl");
    fs::write(&file, labelled).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.current_dir(directory).args(["learn", "--rules", RULES]).args(arguments).arg(&file).output().unwrap()
}

#[test]
fn a_line_that_is_no_labelled_turn_is_named_and_nothing_is_learned() {
    let directory = tempfile::tempdir().unwrap();
    let labelled =
        "{\"text\":\"不知道\",\"is_violation\":\"yes\"}\n{\"text\":\"好的\",\"is_violation\":\"perhaps\"}\nnothing\n";
    let output = learn(directory.path(), labelled, &["-o", "new.model"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("labelled.jsonl:2:") && errors.contains("labelled.jsonl:3:"), "{errors}");
    assert!(!directory.path().join("new.model").exists());
}

/// The labelled turns of one table, in each form that a site has it in.
fn tables(directory: &Path, rows: &[&[&str]]) -> Vec<PathBuf> {
    let lines: Vec<String> = rows.iter().map(|cells| cells.join(",") + "\n").collect();
    let text = lines.concat();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let with_mark = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let (gb18030, ..) = encoding_rs::GB18030.encode(&text);
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name("标注").unwrap();
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            sheet.write_string(row, column, *cell).unwrap();
        }
    }
    let workbook = workbook.save_to_buffer().unwrap();
    let files: [(&str, &[u8]); 5] = [
        ("utf8.csv", text.as_bytes()),
        ("mark.csv", &with_mark),
        ("gb18030.CSV", &gb18030),
        ("utf16.csv", &utf16),
        ("turns.xlsx", &workbook),
    ];
    let write = |(name, bytes): (&str, &[u8])| {
        let path = directory.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    files.map(write).to_vec()
}

fn learn_tables(files: &[PathBuf]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.args(["learn", "--dry-run", "--rules", RULES]).args(files).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn tables_are_read_by_the_names_of_their_columns_and_counted_before_learning() {
    let directory = tempfile::tempdir().unwrap();
    let chinese: &[&[&str]] = &[
        &["十一月标注", "", "", "", "", ""],
        &["客户上一句", "话/坐席话", "是否违规（是/否/两可）", "类别", "坐席上一句", "渠道"],
        &["怎么办", "不知道", "是", "推诿", "您好", "语音"],
        &["", "好的", "否", "", "", ""],
        &["", "", "", "", "", ""],
        &["在吗", "再说吧", "两可", "", "", "文字"],
    ];
    let english: &[&[&str]] = &[
        &["Text", "is_violation", "prev_turn", "agent_prev", "category", "channel"],
        &["不知道", "YES", "怎么办", "您好", "evasion", "voice"],
        &["好的", "no", "", "", "", "chat"],
        &["再说吧", "borderline", "", "", "", ""],
    ];
    for rows in [chinese, english] {
        let files = tables(directory.path(), rows);
        let mut learning = learn_tables(&files).spawn().unwrap();
        let out = BufReader::new(learning.stdout.take().unwrap());
        // The rest of the run takes a minute and says nothing of the files.
        let told: Vec<String> = out.lines().take(files.len()).map(Result::unwrap).collect();
        learning.kill().unwrap();
        learning.wait().unwrap();
        for (file, told) in files.iter().zip(&told) {
            let expected =
                format!("{}: 3 句（违规 1，不违规 1，两可 1） / turns: 3 (yes 1, no 1, borderline 1)", file.display());
            assert_eq!(*told, expected);
        }
        assert_eq!(told.len(), files.len());
    }
}

#[test]
fn a_table_that_cannot_be_used_is_told_by_row_and_column() {
    let directory = tempfile::tempdir().unwrap();
    // The rows, and what is told of the CSV file behind its name.
    type Case<'a> = (&'a [&'a [&'a str]], &'a [&'a str]);
    let cases: [Case<'_>; 4] = [
        (&[&["words", "label"], &["不知道", "yes"]], &[":1:1: 没有找到列名"]),
        (&[&["话", "结果"], &["不知道", "是"]], &[":1:1: 没有“是否违规”这一列"]),
        (&[&["话", "是否违规", "话"], &["不知道", "是", "好"]], &[":1:3: “话”这一列重复了"]),
        (
            &[
                &["话", "是否违规", "渠道", "说话人"],
                &["不知道", "也许", "", ""],
                &["", "是", "", ""],
                &["好的", "", "传真", "经理"],
            ],
            &[
                ":2:2: 不认识的标注“也许”；写 是、否 或 两可",
                ":3:1: 话是空的",
                ":4:2: 是否违规是空的",
                ":4:3: 不认识的渠道“传真”",
                ":4:4: 不认识的说话人“经理”",
            ],
        ),
    ];
    for (rows, faults) in cases {
        for file in tables(directory.path(), rows) {
            let output = learn_tables(std::slice::from_ref(&file)).output().unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()), "{errors}");
            for fault in faults {
                let (place, what) = fault.split_once(": ").unwrap();
                let place = format!("{}{place}: ", file.display());
                assert!(
                    errors.lines().any(|line| line.starts_with(&place) && line.contains(what)),
                    "{fault}: {errors}"
                );
            }
        }
    }
    let sheet = directory.path().join("turns.xls");
    fs::write(&sheet, "").unwrap();
    let output = learn_tables(&[sheet]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("turns.xls: 只能导入 .xlsx 和 .csv"));
}

#[test]
fn the_model_that_ships_is_what_the_corpus_and_the_rules_teach() {
    let directory = tempfile::tempdir().unwrap();
    let output = learn(directory.path(), "", &["-o", "new.model"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("bare-dont-know") && printed.contains("verdict"), "{printed}");
    let learned = fs::read(directory.path().join("new.model")).unwrap();
    let shipped = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/confidence.model")).unwrap();
    assert!(
        learned == shipped,
        "rules/confidence.model is out of date: run `cargo run --release -- learn --rules rules`"
    );
}
