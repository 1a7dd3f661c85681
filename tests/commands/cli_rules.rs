//! `tingjian rules init|coverage|import|explain` as a user runs them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rust_xlsxwriter::{Format, Workbook};
use tingjian::engine::rule::parse::{SourceFile, parse};

/// Exit code, standard output, standard error.
type Ran = (i32, String, String);

fn rules(arguments: &[&str]) -> Ran {
    tingjian(&[&["rules"], arguments].concat())
}

fn tingjian(arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A directory of this test's own, empty.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

const PACK: &str = "pack: p
title: 甲
parameters:
  rings: { value: 3, description: 几声内接听 }
  number: { value: \"{number:3-6}\", description: 工号的样子 }
rules:
  - id: p.rings
    name: 接听
    clauses: [A1, A3]
    message: 超过 ${rings} 声
    timing: { rings: { over: \"${rings}\" } }
    tests:
      - call: |
          start rings=4
          00:00.0 ! timing
          00:05.0 end by customer
  - id: p.number
    name: 工号
    clauses: [A2]
    message: 没有报工号
    require: { any: [\"工号${number}\"], after: answered, within: 10s }
    tests:
      - fires: 工号 0801
  - id: p.shrug
    name: 推托
    clauses: [A3]
    message: 不要说“{phrase}”
    forbid: { any: 懒得管, unless: { quoted: true } }
    tests:
      - fires: 我懒得管
      - silent: 您说的懒得管是指什么
";
const CLAUSES: &str = "clause\tsource\tsignal\trequirement\n# comment\nA1\t甲1\ttime\t三声内接听\nA2\t甲2\tphrase\t报工号|姓名\nA3\t甲3\tphrase\t不推托\nA4\t甲4\tnone\t着装整洁\n";

fn pack(name: &str) -> PathBuf {
    let path = directory(name);
    fs::write(path.join("p.yaml"), PACK).unwrap();
    fs::write(path.join("clauses.tsv"), CLAUSES).unwrap();
    path
}

#[test]
fn a_starter_of_all_parameters_changes_nothing_until_it_is_changed() {
    let path = pack("init");
    let (code, out, err) = rules(&["init", "--rules", shown(&path)]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let starter = path.join("parameters.yaml");
    let text = fs::read_to_string(&starter).unwrap();
    assert!(
        text.ends_with("\n# 甲\np:\n  # 几声内接听\n  # rings: 3\n  # 工号的样子\n  # number: \"{number:3-6}\"\n"),
        "{text}"
    );
    assert_eq!(rules(&["test", "--rules", shown(&path)]).0, 0);
    // Uncommenting a line as the file says is all that it takes.
    fs::write(&starter, text.replace("  # rings: 3", "  rings: 9")).unwrap();
    assert_eq!(rules(&["lint", "--rules", shown(&path)]).0, 0);
    let (code, out, _) = rules(&["test", "--rules", shown(&path)]);
    assert_eq!(code, 1, "{out}");
    // A file of values elsewhere takes the place of the one among the rules.
    let other = directory("init-other").join("parameters.yaml");
    fs::write(&other, "p: { rings: 3 }\n").unwrap();
    assert_eq!(rules(&["test", "--rules", shown(&path), "--parameters", shown(&other)]).0, 0);
    let (code, _, err) = rules(&["init", "--rules", shown(&path)]);
    assert_eq!(code, 2);
    assert!(err.contains("已经有了，不覆盖"), "{err}");
}

#[test]
fn coverage_names_what_is_open_until_there_is_a_reason() {
    let path = pack("coverage");
    let (code, out, _) = rules(&["coverage", "--rules", shown(&path)]);
    assert_eq!(code, 1);
    assert!(out.contains("A1  甲1  三声内接听\n    p.rings（1 个测试，1 个命中）\nA2"), "{out}");
    assert!(out.contains("    p.number（1 个测试，0 个命中）\n    尚无着落：规则没有会命中的测试\n"), "{out}");
    assert!(out.contains("A4  甲4  着装整洁\n    尚无着落：没有规则"), "{out}");
    assert!(out.ends_with("4 条条款：2 条有规则和会命中的测试，0 条没有规则但说明了原因，2 条尚无着落\n"), "{out}");

    fs::write(path.join("uncovered.tsv"), "clause\treason\nA2\t等试点\nA4\t电话里看不见\n").unwrap();
    let (code, out, _) = rules(&["coverage", "--rules", shown(&path), "--format", "markdown"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("| A2 | 甲2 | 报工号\\|姓名 | `p.number` | 1（0） | 等试点 |\n"), "{out}");
    assert!(out.contains("| A3 | 甲3 | 不推托 | `p.rings`<br>`p.shrug` | 1（1）<br>2（1） |  |\n"), "{out}");

    fs::write(path.join("uncovered.tsv"), "A4\nA9\t没有\n").unwrap();
    let (code, _, err) = rules(&["coverage", "--rules", shown(&path)]);
    assert_eq!(code, 2);
    assert!(
        err.contains("uncovered.tsv:1: 要有两列") && err.contains("uncovered.tsv:2: clauses.tsv 里没有条款 A9"),
        "{err}"
    );
}

#[test]
fn what_is_off_by_default_is_named() {
    let path = pack("coverage-off");
    fs::write(path.join("p.yaml"), PACK.replace("title: 甲\n", "title: 甲\nenabled: false\n")).unwrap();
    let (_, text, _) = rules(&["coverage", "--rules", shown(&path)]);
    assert!(
        text.contains("p.shrug（2 个测试，1 个命中，默认关闭）") && text.contains("默认关闭：p 甲（3 条规则）"),
        "{text}"
    );
    let (_, markdown, _) = rules(&["coverage", "--rules", shown(&path), "--format", "markdown"]);
    assert!(markdown.contains("`p.rings`\\*") && markdown.contains("- `p` 甲，3 条规则\n"), "{markdown}");
}

/// `docs/coverage.md` is what the command says of the shipped rules.
#[test]
fn the_committed_table_is_the_table() {
    let (_, made, _) = rules(&["coverage", "--rules", "rules", "--format", "markdown"]);
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md")).unwrap();
    assert!(
        made == committed,
        "docs/coverage.md is out of date: tingjian rules coverage --format markdown > docs/coverage.md"
    );
}

const HEADING: [&str; 9] =
    ["话术*", "类型", "规则名称", "严重程度", "扣分", "提示", "正确说法", "条款", "例外（可选）"];

fn workbook(path: &Path, rows: &[&[&str]]) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "服务忌语表").unwrap();
    for (column, name) in (0..).zip(HEADING) {
        sheet.write(1, column, name).unwrap();
    }
    for (row, cells) in (2..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            match cell.parse::<f64>() {
                Ok(number) => sheet.write(row, column, number).unwrap(),
                Err(_) => sheet.write(row, column, *cell).unwrap(),
            };
        }
    }
    workbook.save(path).unwrap();
}

#[test]
fn a_workbook_becomes_a_pack_that_is_fit_for_use() {
    let path = pack("import");
    let list = path.join("words.xlsx");
    workbook(
        &list,
        &[
            &[
                "懒得理你",
                "禁说",
                "推托",
                "严重",
                "5",
                "不要说“{phrase}”",
                "我帮您看看",
                "A3",
                "懒得理你们那家店、您刚才说",
            ],
            &["没空", "禁说", "推托"],
            &[],
            &["我是{number}号", "必说", "报号", "警告", "2", "", "", "A2"],
            &["说了: 别管 #1", "禁说"],
        ],
    );
    let out = path.join("words.yaml");
    let (code, told, err) =
        rules(&["import", shown(&list), "--pack", "words", "--rules", shown(&path), "--out", shown(&out)]);
    assert_eq!(code, 0, "{err}");
    assert!(told.ends_with("3 条规则，4 条话术\n"), "{told}");
    let text = fs::read_to_string(&out).unwrap();
    insta::assert_snapshot!(text);
    let (packs, faults) = parse(&[SourceFile { name: String::from("words.yaml"), text }]);
    assert_eq!(faults, []);
    assert_eq!(packs[0].rules[0].body.value, {
        let again = fs::read_to_string(&out).unwrap();
        parse(&[SourceFile { name: String::from("words.yaml"), text: again }]).0[0].rules[0].body.value.clone()
    });
    assert_eq!(rules(&["lint", "--rules", shown(&path)]).0, 0);
    assert_eq!(rules(&["test", "--rules", shown(&path)]).0, 0);
    let (code, _, err) =
        rules(&["import", shown(&list), "--pack", "words", "--rules", shown(&path), "--out", shown(&out)]);
    assert_eq!(code, 2);
    assert!(err.contains("已经有了，不覆盖"), "{err}");
}

/// A cell merged over several rows names the rule of all of them.
#[test]
fn merged_cells_say_the_same_for_all_their_rows() {
    let path = pack("import-merged");
    let list = path.join("words.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (1..).zip(["规则", "话术", "类型"]) {
        sheet.write(3, column, name).unwrap();
    }
    sheet.merge_range(4, 1, 5, 1, "推托", &Format::new()).unwrap();
    for (row, phrase) in (4..).zip(["懒得理你", "没空理你"]) {
        sheet.write(row, 2, phrase).unwrap();
        sheet.write(row, 3, "禁说").unwrap();
    }
    sheet.write(6, 2, "懒得理你").unwrap();
    book.save(&list).unwrap();
    let import = |list: &Path| rules(&["import", shown(list), "--pack", "words", "--rules", shown(&path)]);
    let (code, _, err) = import(&list);
    assert_eq!(code, 2);
    assert!(err.contains("Sheet1!C7: 话术“懒得理你”在 Sheet1!C5 已经有了"), "{err}");
    let sheet = book.worksheet_from_index(0).unwrap();
    sheet.write(6, 2, "别来烦我").unwrap();
    sheet.write(6, 3, "禁说").unwrap();
    book.save(&list).unwrap();
    let (code, text, err) = import(&list);
    assert_eq!(code, 0, "{err}");
    assert_eq!(text.matches("- id:").count(), 2, "{text}");
    assert!(text.contains("        - 懒得理你\n        - 没空理你\n"), "{text}");
}

#[test]
fn bad_cells_are_refused_all_at_once_and_by_name() {
    let path = pack("import-broken");
    let list = path.join("words.xlsx");
    workbook(
        &list,
        &[
            &["", "禁说", "甲"],
            &["不耐烦的话", "不许", "乙"],
            &["别问了", "禁说", "丙", "", "很多", "", "", "A3、A9"],
            &["别问了", "禁说", "丁"],
            &["我是{num", "禁说", "戊"],
            &["快点说", "禁说", "己", "", "", "说了{foo}"],
            &["快点讲", "禁说", "己", "", "", "另一句"],
            &["没有类型", "", "庚"],
        ],
    );
    let out = path.join("out.yaml");
    let (code, _, err) =
        rules(&["import", shown(&list), "--pack", "words", "--rules", shown(&path), "--out", shown(&out)]);
    assert_eq!(code, 2);
    let cells: Vec<&str> = err.lines().filter_map(|line| line.strip_prefix("Sheet1!")?.split(':').next()).collect();
    assert_eq!(cells, ["A3", "B4", "E5", "H5", "A6", "A7", "F8", "F9", "B10"], "{err}");
    assert!(err.ends_with("共 9 处，改好再导入；没有写任何文件 / 9 faults; nothing was written\n"), "{err}");
    assert!(!out.exists());
}

#[test]
fn csv_is_read_in_the_encodings_of_a_chinese_excel() {
    let path = pack("import-csv");
    let text = "话术,类型,扣分\n懒得理你,禁说,3分\n";
    let (gb18030, ..) = encoding_rs::GB18030.encode(text);
    let with_mark = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for (name, bytes) in [("utf8.csv", with_mark), ("gb18030.csv", gb18030.into_owned())] {
        let list = path.join(name);
        fs::write(&list, bytes).unwrap();
        let (code, out, err) = rules(&["import", shown(&list), "--pack", "words", "--rules", shown(&path)]);
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("- id: words.lan-de-li-ni\n    name: 懒得理你\n") && out.contains("deduct: 3\n"), "{out}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let path = pack("import-none");
    for (name, text, told) in [
        ("words.txt", "话术", "只能导入 .xlsx 和 .csv"),
        ("words.xlsx", "话术", "不是能读的 Excel 文件"),
        ("words.csv", "甲,乙\n丙,丁\n", "没有找到列名"),
        ("empty.csv", "话术,类型\n", "列名下面没有话术"),
    ] {
        let list = path.join(name);
        fs::write(&list, text).unwrap();
        let (code, _, err) = rules(&["import", shown(&list), "--pack", "words", "--rules", shown(&path)]);
        assert_eq!(code, 2);
        assert!(err.contains(told), "{err}");
    }
}

/// Two cells at the corners of a sheet, and a workbook that unpacks to more than it is.
#[test]
fn a_small_workbook_that_would_be_a_huge_one_is_refused() {
    let path = pack("import-huge");
    let sparse = path.join("sparse.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "话术").unwrap();
    sheet.write(1_048_575, 16_383, "类型").unwrap();
    book.save(&sparse).unwrap();
    let wide = path.join("wide.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "话术").unwrap();
    sheet.write(90_000, 16_383, "类型").unwrap();
    book.save(&wide).unwrap();
    let bomb = path.join("bomb.xlsx");
    let mut archive = zip::ZipWriter::new(fs::File::create(&bomb).unwrap());
    archive.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let megabyte = vec![b'a'; 1 << 20];
    (0..300).for_each(|_| archive.write_all(&megabyte).unwrap());
    archive.finish().unwrap();
    for (list, told) in [(sparse, "超过 100000 行"), (wide, "个单元格"), (bomb, "解压后超过 256 MiB")] {
        assert!(fs::metadata(&list).unwrap().len() < 1 << 20);
        let (code, _, err) = rules(&["import", shown(&list), "--pack", "words", "--rules", shown(&path)]);
        assert!(code == 2 && err.contains(told), "{code}: {err}");
    }
}

const CALL: &str = r#"{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00+08:00","rings":2}
{"type":"utterance","call_id":"c1","utterance_id":"u1","role":"agent","text":"这事我懒得管","start_ms":1000,"end_ms":2500,"final":false}
{"type":"utterance","call_id":"c1","utterance_id":"u1","role":"agent","text":"这事我懒得管","start_ms":1000,"end_ms":2500,"final":true}
{"type":"utterance","call_id":"c1","utterance_id":"u2","role":"customer","text":"你懒得管谁管","start_ms":3000,"end_ms":4500,"final":true}
{"type":"utterance","call_id":"c1","utterance_id":"u3","role":"agent","text":"您说的懒得管是指什么","start_ms":5000,"end_ms":7500,"final":true}
{"type":"call.end","call_id":"c1","at_ms":30000,"by":"customer"}
"#;

#[test]
fn a_rule_explains_itself() {
    let path = pack("explain");
    let call = path.join("call.jsonl");
    fs::write(&call, CALL).unwrap();
    let explain = |rule: &str, more: &[&str]| {
        let arguments = ["explain", "--rules", shown(&path), "--call", shown(&call), "--rule", rule];
        rules(&[&arguments, more].concat())
    };
    let (code, text, err) = explain("p.shrug", &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("explain_forbid", text);
    let (code, text, _) = explain("p.number", &["--call-id", "c1"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("explain_require", text);

    let (code, _, err) = explain("p.nobody", &[]);
    assert_eq!(code, 2);
    assert!(err.contains("没有规则 p.nobody"), "{err}");
    let (code, _, err) = explain("p.shrug", &["--call-id", "c9"]);
    assert_eq!(code, 2);
    assert!(err.contains("没有通话 c9；有：c1"), "{err}");
    fs::write(&call, [CALL, &CALL.replace("c1", "c2")].concat()).unwrap();
    let (code, _, err) = explain("p.shrug", &[]);
    assert_eq!(code, 2);
    assert!(err.contains("有几通通话（c1、c2）"), "{err}");
    let other =
        "pack: other\ntitle: t\nrules:\n  - { id: other.r, name: n, message: m, event: { hangup_by: system } }\n";
    fs::write(path.join("other.yaml"), other).unwrap();
    fs::write(&call, CALL.replace("\"rings\":2", "\"packs\":[\"other\"]")).unwrap();
    let (_, text, _) = explain("p.shrug", &[]);
    assert!(text.contains("不适用于这通通话\n    通话只用规则包 other，没有 p\n"), "{text}");
    assert!(text.ends_with("预警\n    没有\n"), "{text}");
}

#[test]
fn suggestions_come_with_their_support_and_yaml_that_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    let pack = "pack: p\ntitle: t\nrules:\n  - { id: p.a, name: 甲, message: 话, forbid: { any: [不知道] } }\n";
    std::fs::write(rules.join("p.yaml"), pack).unwrap();
    let turns = "text,is_violation\n不知道您方便接电话吗,no\n我想问不知道您方便说话吗,no\n这个我不知道,yes\n你自己去网点办,yes\n那你就自己去网点吧,yes\n";
    let file = directory.path().join("turns.csv");
    std::fs::write(&file, turns).unwrap();
    let suggest = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tingjian"));
        command.args(["rules", "suggest"]).args(more).current_dir(directory.path());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, text, err) = suggest(&["turns.csv"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(text.contains("p.yaml:4") && text.contains("- turn: [") && text.contains("您方便"), "{text}");
    // The pack can be pasted, and its tests pass.
    let yaml = text.split("# suggested.yaml\n").nth(1).unwrap_or_else(|| panic!("{text}"));
    let yaml: String = yaml.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect();
    std::fs::write(rules.join("suggested.yaml"), yaml).unwrap();
    let tested = std::process::Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["rules", "test"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(tested.status.success(), "{tested:?}");
    // What is told now is no miss any more.
    let (_, text, _) = suggest(&["turns.csv"]);
    assert!(text.contains("漏报 0") && !text.contains("suggested.yaml"), "{text}");
    std::fs::write(&file, "text,is_violation\n好的,no\n").unwrap();
    let (code, text, _) = suggest(&["turns.csv"]);
    assert!(code == Some(0) && text.contains("没有值得建议的"), "{text}");
    std::fs::write(&file, "text,is_violation\n好的,borderline\n").unwrap();
    let (code, _, err) = suggest(&["turns.csv"]);
    assert!(code == Some(2) && err.contains("没有能看的话"), "{err}");
    std::fs::write(&file, "text,is_violation\n好的,perhaps\n").unwrap();
    let (code, _, err) = suggest(&["turns.csv"]);
    assert!(code == Some(2) && err.contains("turns.csv:2:2"), "{err}");
    let (code, _, err) = suggest(&["--data", "nowhere"]);
    assert!(code == Some(2) && err.contains("nowhere"), "{err}");
    assert_eq!(suggest(&[]).0, Some(2));
}

#[test]
fn scoring_forms_are_checked_against_the_rules() {
    let (code, out, err) = tingjian(&["forms", "lint", "--deny-warnings", "--lang", "en"]);
    assert_eq!((code, out.lines().last()), (0, Some("1 forms, 25 items: 0 errors, 0 warnings")), "{out}{err}");
    let place = directory("forms");
    let form = |name: &str, item: &str| {
        let text = format!(
            "form: {name}\ntitle: 表\ngroups:\n  - title: 组\n    items:\n      - {{ id: a, title: 甲, {item} }}\n"
        );
        fs::write(place.join(format!("{name}.yaml")), text).unwrap();
    };
    form("one", "points: 1, rules: [acts.acuse, acts.accuse], packs: [insults]");
    let (code, out, _) = tingjian(&["forms", "lint", shown(&place), "--lang", "en"]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("one.yaml:6:47")
            && out.contains("Did you mean `acts.accuse`")
            && out.contains("Did you mean `insult`"),
        "{out}"
    );
    assert_eq!(tingjian(&["forms", "lint", shown(&place), "--deny-warnings"]).0, 1);
    form("two", "point: 1");
    let (code, out, _) = tingjian(&["forms", "lint", shown(&place), "--lang", "en"]);
    assert!(code == 2 && out.contains("two.yaml:6:") && out.contains("one.yaml:6:47"), "{out}");
}
