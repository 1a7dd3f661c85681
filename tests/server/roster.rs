//! Names and teams of agents: from a file, from calls, in answers, filters and exports, through a change of the file.

use serde_json::{Value, json};

use crate::harness::{Server, next, says, send, start, tell};

/// The body of an answer to `GET`.
async fn get(server: &Server, target: &str) -> Value {
    let (status, answer) = server.request("GET", target, "").await;
    assert_eq!(status, 200, "{target}: {answer}");
    answer
}

fn of<'a>(rows: &'a Value, field: &str) -> Vec<&'a str> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn agents_have_names_and_teams_wherever_they_are_shown_or_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.csv");
    std::fs::write(&file, "工号,姓名,班组\na7,李静,售后一组\na8,王芳,售后二组\n").unwrap();
    let config = format!("call_linger_ms = 50\n[agents]\nfile = {file:?}\n");
    let server = Server::start(&config).await;
    let mut producer = server.connect("/v1/ingest").await;
    let call = |call_id: &str, agent_id: &str, attributes: Value| {
        let mut start = start(call_id);
        start["agent_id"] = agent_id.into();
        start["attributes"] = attributes;
        start
    };
    // The file goes before what a call says; text only is a name.
    tell(&mut producer, call("c7", "a7", json!({"agent_name": "别人", "team": "别的组"}))).await;
    tell(&mut producer, call("c8", "a8", json!({}))).await;
    tell(&mut producer, call("c9", "a9", json!({"agent_name": "赵敏", "team": "外呼组"}))).await;
    tell(&mut producer, call("c10", "a10", json!({"agent_name": 7, "team": " "}))).await;
    for call_id in ["c7", "c8", "c9", "c10"] {
        tell(&mut producer, says(call_id, 2, "我不知道")).await;
    }

    let known = get(&server, "/v1/agents").await;
    assert_eq!(of(&known["agents"], "agent_id"), ["a7", "a8", "a9"]);
    assert_eq!(of(&known["agents"], "source"), ["file", "file", "call"]);
    assert_eq!(known["teams"][2], json!({"team": "外呼组", "agents": 1}), "{known}");

    let team = "team=%E5%94%AE%E5%90%8E%E4%B8%80%E7%BB%84"; // 售后一组
    for (target, list) in [("/v1/alerts", "alerts"), ("/v1/calls", "calls"), ("/v1/calls?alerts=true", "calls")] {
        let between = if target.contains('?') { '&' } else { '?' };
        let found = get(&server, &format!("{target}{between}{team}")).await[list].clone();
        assert_eq!(
            (of(&found, "call_id"), of(&found, "agent_name"), of(&found, "team")),
            (vec!["c7"], vec!["李静"], vec!["售后一组"]),
            "{target}"
        );
        let all = get(&server, target).await[list].clone();
        assert_eq!(of(&all, "agent_name"), ["-", "赵敏", "王芳", "李静"], "{target}");
    }
    let call = get(&server, "/v1/calls/c9").await;
    assert_eq!((&call["agent_name"], &call["alerts"][0]["team"]), (&json!("赵敏"), &json!("外呼组")));

    let rows = get(&server, "/v1/statistics?group=team").await;
    let mut keys: Vec<(Option<&str>, i64)> = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"][0].as_str(), row["alerts"].as_i64().unwrap()))
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, [(None, 1), (Some("售后一组"), 1), (Some("售后二组"), 1), (Some("外呼组"), 1)]);
    let narrowed = get(&server, &format!("/v1/statistics?group=agent&{team}")).await;
    assert_eq!((&narrowed["total"]["alerts"], &narrowed["answered"]["total"]), (&json!(1), &json!(1)), "{narrowed}");
    assert_eq!(narrowed["agents"], json!({"a7": {"agent_name": "李静", "team": "售后一组"}}));

    let (_, csv) = server.get(&format!("/v1/export?{team}")).await;
    assert!(csv.contains(",counts,agent_name,team\r\n") && csv.ends_with(",1,李静,售后一组\r\n\r\n0\r\n\r\n"), "{csv}");
    assert_eq!(csv.matches("test.warning").count(), 1, "{csv}");
    // From the data directory alone the bytes are the same.
    let offline = tingjian::server::Config { data: server.data.path().to_owned(), ..Default::default() };
    let mut bytes = Vec::new();
    tingjian::server::export_store(&offline.data, team, &offline, &mut bytes, |_, _| {}).unwrap();
    assert!(csv.contains(&String::from_utf8(bytes).unwrap()), "{csv}");

    let mut wall = server.connect("/v1/live").await;
    let row = loop {
        let frame = next(&mut wall).await;
        if let Some(row) = frame["calls"].as_array().into_iter().flatten().find(|row| row["call_id"] == "c9") {
            break row.clone();
        }
    };
    assert_eq!((&row["agent_name"], &row["team"]), (&json!("赵敏"), &json!("外呼组")));

    // A file with faults changes nothing, and says where they are.
    std::fs::write(&file, "工号,姓名,班组\na7,李静,售后一组,x\n,王芳,\n").unwrap();
    let told = loop {
        let told = get(&server, "/v1/agents").await;
        if told["faults"] != json!([]) {
            break told;
        }
    };
    let faults = of(&told["faults"].as_array().unwrap().iter().map(|fault| json!({"text": fault})).collect(), "text")
        .iter()
        .map(|fault| fault.split(": ").next().unwrap().rsplit_once("agents.csv").unwrap().1.to_owned())
        .collect::<Vec<_>>();
    assert_eq!(
        (faults, of(&told["agents"], "agent_id")),
        (vec![":2:12".to_owned(), ":3:1".to_owned()], vec!["a7", "a8", "a9"])
    );
    // Mended, it is in use: who is not in it any more has no name, and calls name whom it does not.
    std::fs::write(&file, "agent_id,team\na7,售后二组\n").unwrap();
    while get(&server, "/v1/agents").await["faults"] != json!([]) {}
    for call_id in ["c7", "c8", "c9", "c10"] {
        send(
            &mut producer,
            json!({"type": "call.end", "call_id": call_id, "seq": 9, "at_ms": 60_000, "by": "customer"}),
        )
        .await;
    }
    while get(&server, "/v1/calls?live=true").await["calls"] != json!([]) {}
    let scores = get(&server, "/v1/scores?group=team").await["scores"].clone();
    assert_eq!(of(&scores, "key"), ["-", "售后二组", "外呼组"], "{scores}");
    assert_eq!(scores[0]["calls"], 2, "a8 and a10 have neither team nor queue");
    let scores = get(&server, "/v1/scores?team=%E5%A4%96%E5%91%BC%E7%BB%84").await["scores"].clone();
    assert_eq!((of(&scores, "key"), of(&scores, "agent_name")), (vec!["a9"], vec!["赵敏"]));

    // What is known outlives the server; a file that cannot be used keeps it from starting.
    let data = server.stop().await;
    std::fs::write(&file, "name\n").unwrap();
    let config = tingjian::server::Config {
        data: data.path().to_owned(),
        ..tingjian::server::Config::from_toml(&config).unwrap()
    };
    let refused = tingjian::server::check(&config, "127.0.0.1:0".parse().unwrap()).unwrap_err();
    assert!(refused.contains("agents.csv:1:1") && refused.contains("agent_id"), "{refused}");
    let refused = tingjian::server::Server::open(config, crate::harness::rules(), "127.0.0.1:0".parse().unwrap());
    assert!(refused.is_err_and(|error| error.to_string().contains("agents.csv")));
}
