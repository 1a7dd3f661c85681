//! Backups made by the real binary while a server writes, and stores restored
//! from them; and files that are no backups, refused.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{Agent, CALLS, Place, Process, Producer, next_or_end};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn tingjian(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tingjian")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn back_up(place: &Place, file: &Path) -> Output {
    tingjian(&["backup", "--data", text(&place.data()), "-o", text(file)])
}

fn restore(file: &Path, place: &Place) -> Output {
    tingjian(&["restore", text(file), "--data", text(&place.data())])
}

/// That it succeeded, and said nothing but where and how much.
fn done(output: &Output) {
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && errors.is_empty() && out.contains(" MiB"), "{out}{errors}");
}

/// What it was refused with.
fn refused(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn query<T: rusqlite::types::FromSql>(file: &Path, question: &str) -> T {
    rusqlite::Connection::open(file).unwrap().query_row(question, [], |row| row.get(0)).unwrap()
}

/// Every event of a call that is in the journal.
fn kept_of(file: &Path, call_id: &str) -> usize {
    let store = rusqlite::Connection::open(file).unwrap();
    let of = |question: &str| store.query_row(question, [call_id], |row| row.get::<_, i64>(0)).unwrap();
    let started = of("SELECT count(*) FROM calls WHERE call_id = ?");
    let told = of("SELECT count(*) FROM journal JOIN calls USING (call_no) WHERE call_id = ? AND json IS NOT NULL");
    usize::try_from(started + told).unwrap()
}

/// The alerts that an agent has, without their cursors: those are of another store.
async fn alerts(server: &Process, agent: &str) -> Vec<Value> {
    let mut reader = Agent { id: agent.to_owned(), alerts: Vec::new() };
    let socket = reader.connect(server).await;
    server.terminate();
    reader.read_to_its_end(socket).await;
    reader.alerts.iter_mut().for_each(|alert| drop(alert.as_object_mut().unwrap().remove("cursor")));
    reader.alerts
}

#[tokio::test]
async fn a_backup_under_load_has_all_that_was_acknowledged_and_goes_on_as_the_original() {
    let (place, other) = (Place::new(), Place::new());
    let file = place.data().with_file_name("backup.db");
    let mut producer = Producer::new();
    let server = place.start();
    let mut agent = Agent { id: "a0".to_owned(), alerts: Vec::new() };
    let live = agent.connect(&server).await;
    let mut socket = server.connect("/v1/ingest").await;
    producer.run(&mut socket, 300).await;
    let acked_before = producer.acked.clone();
    // The server goes on writing while the copy is made.
    let making = tokio::task::spawn_blocking({
        let (data, file) = (place.data(), file.clone());
        move || tingjian(&["backup", "--data", text(&data), "-o", text(&file)])
    });
    producer.run(&mut socket, usize::MAX).await;
    done(&making.await.unwrap());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(place.directory.path()).unwrap().count(), 3, "no other file is left");
    server.terminate();
    agent.read_to_its_end(live).await;

    for (call_id, acked) in &acked_before {
        let kept = kept_of(&file, call_id);
        assert!(kept >= *acked, "{call_id}: {acked} were acknowledged, {kept} are in the backup");
    }
    done(&restore(&file, &other));
    let mode = std::fs::metadata(other.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let identity = "SELECT store_id FROM identity";
    let restored = other.data().join("tingjian.db");
    assert_ne!(query::<i64>(&file, identity), query::<i64>(&restored, identity));

    // Calls in progress are taken up, and the producer, who resends all that he
    // has, brings every alert that the original has.
    let server = other.start();
    let metrics = server.get("/metrics").await.1;
    assert!(metrics.contains(&format!("tingjian_calls_resumed_total {CALLS}\n")), "{metrics}");
    let mut stale = agent.connect(&server).await;
    let gap = next_or_end(&mut stale).await.unwrap();
    assert_eq!((gap["type"].as_str(), gap["state"].as_str()), (Some("status"), Some("gap")), "an old cursor is told");
    let mut again = Producer::new();
    again.run(&mut server.connect("/v1/ingest").await, usize::MAX).await;
    let found = alerts(&server, "a0").await;
    let ids = |alerts: &[Value]| -> BTreeSet<(String, String)> {
        let field = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
        alerts.iter().map(|alert| (field(alert, "alert_id"), field(alert, "state"))).collect()
    };
    assert_eq!((found.len(), ids(&found)), (agent.alerts.len(), ids(&agent.alerts)));
}

#[tokio::test]
async fn a_backup_of_what_a_crash_left_behind() {
    let (place, other) = (Place::new(), Place::new());
    let mut server = place.start();
    let mut producer = Producer::new();
    producer.run(&mut server.connect("/v1/ingest").await, 200).await;
    server.kill();
    let file = place.data().with_file_name("backup.db");
    done(&back_up(&place, &file));
    // Again onto the same name: the new one takes its place.
    done(&back_up(&place, &file));
    done(&restore(&file, &other));
    for (call_id, acked) in &producer.acked {
        assert!(kept_of(&other.data().join("tingjian.db"), call_id) >= *acked, "{call_id}");
    }
}

/// A store with nothing in it, and a backup of it.
fn backed_up() -> (Place, PathBuf) {
    let place = Place::new();
    drop(place.start());
    let file = place.data().with_file_name("backup.db");
    done(&back_up(&place, &file));
    (place, file)
}

/// Bytes behind the pages of a backup: a line with their digest.
const SEAL_BYTES: usize = 89;

/// Writes the digest of what a backup has become.
fn seal(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let pages = bytes.len() / 4_096 * 4_096;
    bytes.truncate(pages);
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.extend_from_slice(format!("\ntingjian-backup sha256 {digest}\n").as_bytes());
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_backup_with_one_bit_flipped_is_refused() {
    let (_place, file) = backed_up();
    let sound = std::fs::read(&file).unwrap();
    assert_eq!(sound.len() % 4_096, SEAL_BYTES);
    for round in 0..24 {
        let mut flipped = sound.clone();
        let place = 100 + round * (sound.len() - 100) / 24;
        flipped[place] ^= 1 << (round % 8);
        let into = Place::new();
        let case = into.data().with_file_name("case.db");
        std::fs::write(&case, &flipped).unwrap();
        let refusal = refused(&restore(&case, &into));
        assert!(refusal.contains("文件已损坏"), "byte {place}: {refusal}");
    }
    let into = Place::new();
    let case = into.data().with_file_name("case.db");
    std::fs::write(&case, [&sound[..], b"x"].concat()).unwrap();
    assert!(refused(&restore(&case, &into)).contains("没有校验值"), "something was appended");
}

#[test]
fn what_cannot_be_restored_is_refused_and_nothing_is_touched() {
    let (place, file) = backed_up();
    let sound = std::fs::read(&file).unwrap();
    let other = place.data().with_file_name("other.db");
    let foreign = rusqlite::Connection::open(&other).unwrap();
    foreign.execute_batch("CREATE TABLE letters (text TEXT); PRAGMA user_version = 1").unwrap();
    drop(foreign);
    let newer = place.data().with_file_name("newer.db");
    std::fs::write(&newer, &sound).unwrap();
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    seal(&newer);
    let mut torn = sound.clone();
    torn.truncate(sound.len() / 2);
    let mut scratched = sound.clone();
    let middle = sound.len() / 2;
    scratched[middle..middle + 4_096].fill(0x5a);
    let cases: [(&[u8], &str); 6] = [
        (b"", "不是 tingjian 的备份"),
        ("一封信".as_bytes(), "不是 tingjian 的备份"),
        (&std::fs::read(&other).unwrap(), "不是 tingjian 的备份"),
        (&std::fs::read(&newer).unwrap(), "第 99 版"),
        (&torn, "被截断"),
        (&scratched, "文件已损坏"),
    ];
    for (bytes, expected) in cases {
        let into = Place::new();
        let case = into.data().with_file_name("case.db");
        std::fs::write(&case, bytes).unwrap();
        let refusal = refused(&restore(&case, &into));
        assert!(refusal.contains(expected), "{expected}: {refusal}");
        assert_eq!(std::fs::read(&case).unwrap(), bytes, "the file is as it was");
        let left: Vec<_> = std::fs::read_dir(into.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["tingjian.lock"], "nothing half done is left");
    }
    let missing = refused(&restore(Path::new("/nowhere/backup.db"), &Place::new()));
    assert!(missing.contains("/nowhere/backup.db"), "{missing}");
}

#[tokio::test]
async fn nothing_is_overwritten_and_no_running_server_is_disturbed() {
    let (place, file) = backed_up();
    let store = place.data().join("tingjian.db");
    let before = std::fs::read(&store).unwrap();
    assert!(refused(&restore(&file, &place)).contains("这里已有数据"));
    assert!(refused(&back_up(&place, &store)).contains("不能写到数据文件自己身上"));
    assert_eq!(std::fs::read(&store).unwrap(), before);
    // The log of another store must not be taken for this one's.
    let leftover = Place::new();
    std::fs::create_dir(leftover.data()).unwrap();
    std::fs::write(leftover.data().join("tingjian.db-wal"), "x").unwrap();
    assert!(refused(&restore(&file, &leftover)).contains("tingjian.db-wal"));

    let server = place.start();
    assert!(refused(&restore(&file, &place)).contains("已有另一个进程在使用"));
    assert_eq!(server.get("/readyz").await.0, 200);
    // Its file as it is, is no backup: what was written last is in its log.
    std::fs::write(place.data().with_file_name("raw.db"), &before).unwrap();
    std::fs::write(place.data().with_file_name("raw.db-wal"), "log").unwrap();
    assert!(refused(&restore(&place.data().with_file_name("raw.db"), &Place::new())).contains("使用中的数据"));
    drop(server);
    let nothing = refused(&back_up(&Place::new(), &file));
    assert!(nothing.contains("没有数据"), "{nothing}");
}
