//! Commits whose answers are lost on the way: kept once, whether the server had them or not.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use crate::server::config::Privacy;
use crate::server::domain::principal::{AccessRole, Capacity, Who};
use crate::server::domain::terms::Audited;
use crate::server::store::contract::{address_of, alert_of_a_call, closed};
use crate::server::store::{
    AlertFilter, Fact, FormDeed, NewAnswers, NewFormStep, Order, Record, Store, StoreError, make_schema,
};

/// What becomes of the next commit.
const PASSES: u8 = 0;
const IS_LOST: u8 = 1;
const ANSWER_IS_LOST: u8 = 2;

/// An address behind which the connections to `address` can be cut.
fn behind_a_wire(address: &str) -> (String, Arc<AtomicU8>) {
    let (user, rest) = address.split_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = format!("{user}@{}/{database}", listener.local_addr().unwrap());
    let (host, fate) = (host.to_owned(), Arc::new(AtomicU8::new(PASSES)));
    let of_all = Arc::clone(&fate);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&host).unwrap());
            let answers = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let fate = Arc::clone(&of_all);
            thread::spawn(move || carry(client, server, &fate));
            thread::spawn(move || {
                let (mut from, mut to) = answers;
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    });
    (here, fate)
}

fn carry(mut client: TcpStream, mut server: TcpStream, fate: &AtomicU8) {
    let mut bytes = [0; 65_536];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        let is_commit = bytes[..read].windows(7).any(|part| part == b"COMMIT\0");
        let fate = if is_commit { fate.swap(PASSES, Ordering::SeqCst) } else { PASSES };
        if fate == ANSWER_IS_LOST {
            // Nothing more goes back.
            let _ = client.shutdown(Shutdown::Both);
        }
        if fate == IS_LOST || server.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
    let _ = client.shutdown(Shutdown::Both);
}

#[test]
fn a_commit_whose_answer_is_lost_is_kept_once() {
    let directory = tempfile::tempdir().unwrap();
    let Some(address) = address_of(directory.path()) else { return };
    make_schema(&address);
    let (address, fate) = behind_a_wire(&address);
    let store = Store::open_postgres(&address, &Privacy::default()).unwrap();
    let mut writer = store.writer().unwrap();
    let mut cursors = Vec::new();
    for (number, lost) in [PASSES, IS_LOST, ANSWER_IS_LOST, PASSES, ANSWER_IS_LOST, IS_LOST].into_iter().enumerate() {
        let mut records = alert_of_a_call(number as i64 + 1);
        fate.store(lost, Ordering::SeqCst);
        let first = writer.commit(&mut records);
        assert_eq!(first.is_err(), lost != PASSES, "{number}: {first:?}");
        if first.is_err() {
            writer.commit(&mut records).unwrap();
        }
        cursors.extend(records.iter().filter_map(|record| match record {
            Record::Alert { cursor, .. } => *cursor,
            _ => None,
        }));
    }
    let alerts = store.readers().alerts(&AlertFilter::default(), Order::OldestFirst, None, None, 100).unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.cursor).collect::<Vec<_>>(), cursors);
    // What the audit has behind its last known entry is not written twice, and what follows knows its entry.
    writer.commit(&mut [closed(1, 5)]).unwrap();
    let who = Who { name: "赵敏".to_owned(), role: Capacity::Person(AccessRole::Qa) };
    let detail = serde_json::json!({});
    let fact = Fact { at_ms: 6, who: who.clone(), action: Audited::Look, subject: "1".to_owned(), detail };
    fate.store(ANSWER_IS_LOST, Ordering::SeqCst);
    assert!(writer.audit(&fact).is_err());
    let (form, version, definition) = ("f".to_owned(), "1".to_owned(), "{}".to_owned());
    let answers = NewAnswers { form, version, definition, score: 0, has_passed: None, content: "{}".into() };
    let deed = FormDeed::Fill { call_no: 1, agent_id: "a1".to_owned(), answers: Box::new(answers) };
    assert_eq!(writer.form_step(&NewFormStep { deed, who, at_ms: 7 }).unwrap(), Ok(1));
    let mut faults = Vec::new();
    assert_eq!(store.readers().check_audit(None, |fault| faults.push(fault)).unwrap().entries, 2);
    assert_eq!(faults, []);
    let mut told = 0;
    store.readers().replay(|_, _, _| told += 1).unwrap();
    assert_eq!(told, cursors.len());
}

#[test]
fn a_writer_that_another_took_over_from_keeps_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(address) = address_of(directory.path()) else { return };
    make_schema(&address);
    let (wired, fate) = behind_a_wire(&address);
    let first = Store::open_postgres(&wired, &Privacy::default()).unwrap();
    let mut of_first = first.writer().unwrap();
    of_first.commit(&mut alert_of_a_call(1)).unwrap();
    fate.store(IS_LOST, Ordering::SeqCst);
    assert!(of_first.commit(&mut alert_of_a_call(2)).is_err());
    // Its session is gone, and another process begins.
    let second = Store::open_postgres(&address, &Privacy::default()).unwrap();
    let mut of_second = second.writer().unwrap();
    of_second.commit(&mut alert_of_a_call(3)).unwrap();
    assert!(matches!(of_first.commit(&mut alert_of_a_call(2)), Err(StoreError::Failed { .. })));
    drop((second, of_second));
    let refusal = of_first.commit(&mut alert_of_a_call(2)).unwrap_err().to_string();
    assert!(refusal.contains("took the store over"), "{refusal}");
}
