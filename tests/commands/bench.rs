//! `tingjian bench` against servers that it starts itself. How fast anything is
//! decides nothing here; that nothing is lost and all is reported does.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The report and the exit code.
fn bench(name: &str, arguments: &[&str]) -> (Value, Option<i32>) {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&data).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["bench", "--json", "--data"])
        .arg(&data)
        .args(arguments)
        .output()
        .unwrap();
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (report, output.status.code())
}

#[test]
fn every_alert_and_every_acknowledgement_is_counted() {
    let run = ["--calls", "30", "--rate", "40", "--seconds", "2", "--warm-up", "1"];
    for (name, more) in [
        ("bench-shared", &["--producers", "4"][..]),
        ("bench-apart", &["--connections-per-call"]),
        ("bench-rules", &["--rules", "tests/bench"]),
    ] {
        let (report, _) = bench(name, &[&run, more].concat());
        let count = |field: &str| report[field].as_u64().unwrap_or_else(|| panic!("{field}: {report}"));
        assert_eq!((count("events_sent"), count("events_acked")), (30 * 40 * 3, 30 * 40 * 3), "{name}");
        assert!(count("alerts") > 20, "{name}: {report}");
        for none in ["alerts_missing", "alerts_duplicate", "errors"] {
            assert_eq!(count(none), 0, "{name}: {report}");
        }
        assert!(report["event_to_alert_ms"]["count"].as_u64().unwrap() > 10, "{name}: {report}");
        assert!(report["server_rss_bytes"]["running"].is_u64(), "{name}: {report}");
    }
}

#[test]
fn alerts_that_do_not_come_are_missed() {
    let run = ["--calls", "30", "--rate", "40", "--seconds", "4", "--warm-up", "0", "--rules", "tests/clients"];
    let (report, code) = bench("bench-missing", &run);
    assert_eq!((report["alerts"].as_u64(), report["verdict"].as_str(), code), (Some(0), Some("wrong"), Some(1)));
    assert!(report["alerts_missing"].as_u64().unwrap() > 5, "{report}");
}

#[test]
fn an_echo_is_compared_with() {
    let run = ["--echo", "--rounds", "1", "--seconds", "1", "--connections", "4"];
    let (table, code) = bench("bench-echo", &run);
    assert_eq!(code, Some(0));
    let rows: Vec<_> = table
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert!(row["messages_per_second"].as_f64().unwrap() > 0.0, "{row}");
            (row["server"].as_str().unwrap(), row["in_flight"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(rows, [("echo", 1), ("tingjian", 1), ("echo", 16), ("tingjian", 16)]);
}

#[test]
fn two_builds_are_compared_in_turn() {
    let run = ["--calls", "30", "--rate", "40", "--seconds", "2", "--warm-up", "1", "--rounds", "2"];
    let (report, _) = bench("bench-builds", &[&run[..], &["--compare", env!("CARGO_BIN_EXE_tingjian")]].concat());
    assert_eq!(report["rounds"].as_u64(), Some(2), "{report}");
    let figures = report["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 6, "{report}");
    for figure in figures {
        for value in ["this", "other", "ratio"] {
            assert!(figure[value].as_f64().is_some_and(|value| value > 0.0), "{figure}");
        }
    }
    for build in ["this", "other"] {
        let verdicts = report["verdicts"][build].as_array().unwrap();
        assert!(verdicts.len() == 2 && !verdicts.contains(&"wrong".into()), "{report}");
    }
}

#[test]
fn a_build_that_is_not_there_is_named() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tingjian")).args(["bench", "--compare", "no-such-build"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("no-such-build"), "{told}");
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["bench", "--server", "127.0.0.1:1", "--calls", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the bench failed"));
}

#[test]
fn the_relay_is_compared_with_direct_connections() {
    let (report, code) = bench("bench-relay", &["--relay", "--streams", "4", "--seconds", "1"]);
    assert_eq!(code, Some(0));
    for sort in ["direct", "relayed"] {
        assert_eq!(report[sort]["count"].as_u64(), Some(4 * 16), "{report}");
    }
    assert!(report["stream_bytes"].is_u64() && report["added_p99_us"].is_i64(), "{report}");
}
