//! A connection to a PostgreSQL server, for threads that may block.
//!
//! A thread of its own moves the bytes of all connections; who asks waits for the answer, [`ANSWER_MAX`] at the longest.
//! Statements are prepared once a connection. Words are sealed before they are sent and opened when they came: the
//! server never has the key. Which columns hold words says their name: `words(…)` gives its own to a column.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use bytes::BytesMut;
use rusqlite::types::Value;
use rusqlite::{Error, Result};
use tokio::runtime::{Builder, Handle};
use tokio_postgres::Client;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::Severity;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::server::clock;
use crate::server::store::encryption::Keys;
use crate::server::store::sql::failed;
use crate::server::store::sql::tls::{Tls, Wanted};
use crate::server::store::sql::translate::{Translated, translate};

/// The longest wait for an answer to a write; a connection that gives none is as good as lost.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// The longest wait for an answer to a question.
const READING_MAX: Duration = Duration::from_secs(600);
/// The longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Statements that are kept compiled.
const STATEMENTS_MAX: usize = 256;
/// Statements that are sent before their answers are looked at.
const SENT_MAX: usize = 1_024;
/// Rows that come at once.
const PAGE_ROWS: usize = 1_000;
/// What every session sets. A server notices soon that a client's machine is gone, and lets go of its locks.
const SESSION: &str = "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; \
     SET idle_in_transaction_session_timeout = '60s'; SET lock_timeout = '30s'; \
     SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
     SET synchronous_commit = on;";
/// The lock of the one that writes a store, among the locks of a schema.
const OWNER: &str = "hashtextextended('tingjian ' || current_schema(), 0)";
/// How long a store that another process has is waited for: a session that ended may still be on its way out.
const OWNER_WAIT: &str = "SET lock_timeout = '3s'";

/// Where a store is.
pub(in crate::server::store) struct Address {
    config: tokio_postgres::Config,
    tls: Option<Tls>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Address {
    /// Reads an address, `postgres://user:password@host/database`.
    ///
    /// # Errors
    /// It is none, or its certificates cannot be read; the message shows no secret.
    pub(in crate::server::store) fn parse(address: &str) -> std::result::Result<Self, String> {
        let (address, wanted) = Wanted::split(address);
        if !["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme)) {
            return Err("应是 postgres://用户:密码@主机/库 / must be postgres://user:password@host/database".to_owned());
        }
        let mut config: tokio_postgres::Config = address.parse().map_err(|error: tokio_postgres::Error| {
            format!("不是 PostgreSQL 的地址 / is no address of PostgreSQL: {}", cause(&error))
        })?;
        let is_local = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(host) => ["localhost", "127.0.0.1", "::1"].contains(&host.as_str()),
            Host::Unix(_) => true,
        });
        let tls = wanted.settle(is_local)?;
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECT_MAX);
        config.application_name("tingjian");
        Ok(Self { config, tls })
    }

    /// Its name for people, without a secret.
    pub(in crate::server::store) fn name(&self) -> String {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(host) => host.clone(),
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        format!("postgres://{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())
    }

    fn connect(&self) -> Result<Client> {
        let (config, tls) = (self.config.clone(), self.tls.clone());
        let connecting = driver()?.spawn(async move {
            match tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await?;
                    tokio::spawn(connection);
                    Ok(client)
                }
                None => {
                    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
                    tokio::spawn(connection);
                    Ok::<_, tokio_postgres::Error>(client)
                }
            }
        });
        let client = wait(connecting, CONNECT_MAX + CONNECT_MAX)?.map_err(failed)?.map_err(told)?;
        wait(client.batch_execute(SESSION), ANSWER_MAX)?.map_err(told)?;
        Ok(client)
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::store) enum Access {
    /// Questions: each is answered as of one moment.
    Reads,
    /// Whatever it is: it has the store for itself.
    Writes,
}

/// What lets a process write: nobody has taken the store over since, and its commits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fence {
    epoch: i64,
    commits: i64,
}

type Sent = Pin<Box<dyn Future<Output = std::result::Result<u64, tokio_postgres::Error>> + Send>>;

/// A connection.
pub(in crate::server::store) struct Postgres {
    place: Arc<Address>,
    keys: Keys,
    access: Access,
    client: RefCell<Arc<Client>>,
    statements: RefCell<HashMap<String, Prepared>>,
    /// Statements whose answers are still to be looked at.
    sent: RefCell<Vec<Sent>>,
    /// A transaction is open.
    is_open: Cell<bool>,
    fence: Cell<Option<Fence>>,
    /// The fence before a commit whose answer was lost.
    unsure: Cell<Option<Fence>>,
    /// That commit was kept.
    was_kept: Cell<bool>,
    /// The connection is of no use any more.
    is_lost: Cell<bool>,
    cursors: Cell<u64>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place).field("access", &self.access).finish_non_exhaustive()
    }
}

impl Postgres {
    pub(in crate::server::store) fn connect(place: &Arc<Address>, keys: &Keys, access: Access) -> Result<Self> {
        Ok(Self {
            place: Arc::clone(place),
            keys: keys.clone(),
            access,
            client: RefCell::new(Arc::new(place.connect()?)),
            statements: RefCell::default(),
            sent: RefCell::default(),
            is_open: Cell::new(false),
            fence: Cell::new(None),
            unsure: Cell::new(None),
            was_kept: Cell::new(false),
            is_lost: Cell::new(false),
            cursors: Cell::new(0),
        })
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.borrow())
    }

    /// Takes the store for this connection alone; false if another has it.
    pub(in crate::server::store) fn take(&self) -> Result<bool> {
        self.batch(OWNER_WAIT)?;
        let taken = match self.batch(&format!("SELECT pg_advisory_lock({OWNER})")) {
            Ok(()) => true,
            Err(error) if error.to_string().contains("[55P03]") => false,
            Err(error) => return Err(error),
        };
        self.batch(SESSION)?;
        Ok(taken)
    }

    /// From here on only this connection may commit, and each commit is counted.
    pub(in crate::server::store) fn put_up_fence(&self) -> Result<()> {
        let prepared = self.prepare("UPDATE writer SET epoch = epoch + 1 RETURNING epoch, commits")?;
        let rows = self.found(&prepared, Vec::new())?;
        self.fence.set(rows.first().and_then(|row| fence_of(row)));
        Ok(())
    }

    /// Connects anew where the connection was lost.
    fn mend(&self) -> Result<()> {
        if !self.is_lost() {
            return Ok(());
        }
        self.sent.borrow_mut().clear();
        self.statements.borrow_mut().clear();
        self.is_open.set(false);
        *self.client.borrow_mut() = Arc::new(self.place.connect()?);
        self.is_lost.set(false);
        let Some(fence) = self.fence.get() else { return Ok(()) };
        // Once the lock is ours, the session before is gone, and what it did is done or undone.
        if !self.take()? {
            self.is_lost.set(true);
            return Err(failed("另一个进程占用了存储 / another process has the store"));
        }
        let prepared = self.prepare("SELECT epoch, commits FROM writer")?;
        let rows = self.found(&prepared, Vec::new())?;
        match rows.first().and_then(|row| fence_of(row)) {
            Some(now) if now.epoch == fence.epoch => {
                self.fence.set(Some(now));
                let was_kept = self.unsure.take().is_some_and(|before| before != now);
                self.was_kept.set(self.was_kept.get() || was_kept);
                Ok(())
            }
            _ => {
                self.is_lost.set(true);
                Err(failed("另一个进程接管了存储，请停止本进程 / another process took the store over: stop this one"))
            }
        }
    }

    /// Connects anew if the server is known to be gone.
    pub(in crate::server::store) fn look(&self) -> Result<()> {
        self.mend()
    }

    /// Whether the answer to the last commit was lost.
    pub(in crate::server::store) fn is_unsure(&self) -> bool {
        self.unsure.get().is_some()
    }

    /// Whether the commit whose answer was lost was kept.
    pub(in crate::server::store) fn was_kept(&self) -> Result<bool> {
        self.mend()?;
        Ok(self.was_kept.take())
    }

    /// Whether nothing more comes by this connection.
    pub(in crate::server::store) fn is_lost(&self) -> bool {
        self.is_lost.get() || self.client().is_closed()
    }

    /// Begins a transaction, unless one is open; says whether it began.
    pub(super) fn begin(&self) -> Result<bool> {
        if self.is_open.get() {
            return Ok(false);
        }
        self.mend()?;
        let begin = match self.access {
            Access::Reads => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Access::Writes => "BEGIN",
        };
        let client = self.client();
        self.push(Box::pin(async move { client.batch_execute(begin).await.map(|()| 0) }))?;
        self.is_open.set(true);
        Ok(true)
    }

    pub(super) fn commit(&self) -> Result<()> {
        let fence = self.fence.get();
        let commit = match fence {
            Some(Fence { epoch, commits }) => format!("SELECT pass_fence({epoch}, {commits}); COMMIT"),
            None => "COMMIT".to_owned(),
        };
        match self.batch(&commit) {
            Ok(()) => {
                self.is_open.set(false);
                self.fence.set(fence.map(|fence| Fence { commits: fence.commits + 1, ..fence }));
                Ok(())
            }
            Err(error) => {
                if self.is_lost() {
                    self.unsure.set(fence);
                }
                self.roll_back();
                Err(error)
            }
        }
    }

    pub(super) fn roll_back(&self) {
        self.sent.borrow_mut().clear();
        self.is_open.set(false);
        if !self.is_lost() && self.batch("ROLLBACK").is_err() {
            self.is_lost.set(true);
        }
    }

    pub(super) fn execute_batch(&self, sql: &str) -> Result<()> {
        self.settle()?;
        self.batch(sql)
    }

    fn batch(&self, sql: &str) -> Result<()> {
        let client = self.client();
        self.answer(client.batch_execute(sql))
    }

    /// Asks, and waits for the answer. Answers come in the order of the questions, so those to all that was sent before
    /// are waited for, too; the first fault is told, since every statement behind it in a transaction fails.
    fn answer<T>(&self, asked: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>) -> Result<T> {
        let mut asked = std::pin::pin!(asked);
        let early = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let settled = match self.settle() {
            Err(error) if self.is_lost.get() => return Err(error),
            settled => settled,
        };
        let answer = match early {
            Poll::Ready(answer) => self.judge(Ok(answer)),
            Poll::Pending => self.judge(wait(asked, self.longest())),
        };
        settled.and(answer)
    }

    /// Waits for the answers to all that was sent.
    fn settle(&self) -> Result<()> {
        let mut settled = Ok(());
        for asked in self.sent.take() {
            if !self.is_lost.get() {
                let answer = self.judge(wait(asked, self.longest())).map(drop);
                settled = settled.and(answer);
            }
        }
        settled
    }

    /// Notes whether the connection goes on behind an answer.
    fn judge<T>(&self, answer: Result<std::result::Result<T, tokio_postgres::Error>>) -> Result<T> {
        let goes_on = match &answer {
            Ok(Ok(_)) => true,
            // The server refuses a statement, unless it says that the session ends.
            Ok(Err(error)) => error.as_db_error().is_some_and(|fault| fault.parsed_severity() == Some(Severity::Error)),
            Err(_) => false,
        };
        if !goes_on {
            self.is_lost.set(true);
        }
        answer?.map_err(told)
    }

    fn longest(&self) -> Duration {
        if self.access == Access::Reads { READING_MAX } else { ANSWER_MAX }
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<Prepared> {
        if !self.is_open.get() {
            self.mend()?;
        }
        if let Some(prepared) = self.statements.borrow().get(sql) {
            return Ok(prepared.clone());
        }
        let Translated { sql: text, sealed } = translate(sql);
        let client = self.client();
        let statement = self.answer(client.prepare(&text))?;
        let opened = statement.columns().iter().map(|column| column.name() == "words").collect();
        let prepared = Prepared(Arc::new(Compiled { statement, sql: text, sealed, opened }));
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }

    fn seal(&self, prepared: &Prepared, values: Vec<Value>) -> Result<Vec<Bound>> {
        let mut bound: Vec<Bound> = values.into_iter().map(Bound).collect();
        for &place in &prepared.0.sealed {
            if let Some(Bound(Value::Text(words))) = bound.get_mut(place) {
                *words = self.keys.seal(words).map_err(failed)?;
            }
        }
        Ok(bound)
    }

    /// Does `work` in the open transaction, or in one of its own, so that the one that writes always passes its fence.
    fn within<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.fence.get().is_none() || !self.begin()? {
            return work();
        }
        match work() {
            Ok(done) => self.commit().map(|()| done),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    pub(super) fn execute(&self, prepared: &Prepared, values: Vec<Value>) -> Result<usize> {
        let bound = self.seal(prepared, values)?;
        let client = self.client();
        let count = self.within(|| self.answer(client.execute_raw(&prepared.0.statement, bound)))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    pub(super) fn send(&self, prepared: &Prepared, values: Vec<Value>) -> Result<()> {
        let bound = self.seal(prepared, values)?;
        let (client, prepared) = (self.client(), prepared.clone());
        self.push(Box::pin(async move { client.execute_raw(&prepared.0.statement, bound).await }))
    }

    /// Sends what is asked behind all that was sent.
    fn push(&self, mut asked: Sent) -> Result<()> {
        if self.sent.borrow().len() >= SENT_MAX {
            self.settle()?;
        }
        match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => self.judge(Ok(answer)).map(drop),
            Poll::Pending => {
                self.sent.borrow_mut().push(asked);
                Ok(())
            }
        }
    }

    /// All rows that a statement finds.
    pub(super) fn rows(&self, prepared: &Prepared, values: Vec<Value>) -> Result<Vec<Vec<Value>>> {
        self.within(|| self.found(prepared, values))
    }

    fn found(&self, prepared: &Prepared, values: Vec<Value>) -> Result<Vec<Vec<Value>>> {
        let bound = self.seal(prepared, values)?;
        let client = self.client();
        let found = self.answer(async {
            let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
            client.query(&prepared.0.statement, &bound).await
        });
        found?.iter().map(|row| self.read(row, &prepared.0.opened)).collect()
    }

    fn read(&self, row: &tokio_postgres::Row, opened: &[bool]) -> Result<Vec<Value>> {
        let read = |(index, opens): (usize, &bool)| {
            let Kept(value) = row.try_get(index).map_err(told)?;
            match value {
                Value::Text(kept) if *opens => self.keys.open(&kept).map(Value::Text).map_err(failed),
                value => Ok(value),
            }
        };
        opened.iter().enumerate().map(read).collect()
    }

    /// The rows that a statement finds, as they are asked for.
    pub(super) fn query<'c>(&'c self, prepared: &Prepared, values: Vec<Value>) -> Result<Pages<'c>> {
        // A few rows come at once; and outside of a transaction there are no cursors.
        if prepared.0.sql.contains(" LIMIT ") || !self.is_open.get() || !prepared.0.sql.starts_with("SELECT") {
            let rows = self.rows(prepared, values)?.into_iter();
            return Ok(Pages { connection: self, cursor: None, opened: Vec::new(), rows, row: Vec::new() });
        }
        let number = self.cursors.get();
        self.cursors.set(number + 1);
        let cursor = format!("page_{number}");
        let declare = format!("DECLARE {cursor} NO SCROLL CURSOR FOR {}", prepared.0.sql);
        let bound = self.seal(prepared, values)?;
        let client = self.client();
        self.answer(client.execute_raw(declare.as_str(), bound))?;
        let opened = prepared.0.opened.clone();
        Ok(Pages { connection: self, cursor: Some(cursor), opened, rows: Vec::new().into_iter(), row: Vec::new() })
    }
}

/// Rows of a question, a page at a time.
pub(in crate::server::store) struct Pages<'c> {
    connection: &'c Postgres,
    /// What has the rows that did not come yet.
    cursor: Option<String>,
    opened: Vec<bool>,
    rows: std::vec::IntoIter<Vec<Value>>,
    row: Vec<Value>,
}

impl Pages<'_> {
    pub(super) fn next(&mut self) -> Result<Option<&[Value]>> {
        if self.rows.len() == 0
            && let Some(cursor) = self.cursor.take()
        {
            let client = self.connection.client();
            let page = self.connection.answer(client.query(&format!("FETCH {PAGE_ROWS} FROM {cursor}"), &[]))?;
            let rows: Vec<_> = page.iter().map(|row| self.connection.read(row, &self.opened)).collect::<Result<_>>()?;
            if rows.len() < PAGE_ROWS {
                self.connection.batch(&format!("CLOSE {cursor}"))?;
            } else {
                self.cursor = Some(cursor);
            }
            self.rows = rows.into_iter();
        }
        Ok(match self.rows.next() {
            Some(row) => {
                self.row = row;
                Some(&self.row)
            }
            None => None,
        })
    }
}

/// A compiled statement.
#[derive(Clone, Debug)]
pub(in crate::server::store) struct Prepared(Arc<Compiled>);

struct Compiled {
    statement: tokio_postgres::Statement,
    sql: String,
    /// The parameters that are sealed.
    sealed: Vec<usize>,
    /// The columns that hold words.
    opened: Vec<bool>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

impl Prepared {
    pub(super) fn column_count(&self) -> usize {
        self.0.opened.len()
    }
}

fn fence_of(row: &[Value]) -> Option<Fence> {
    match row {
        [Value::Integer(epoch), Value::Integer(commits)] => Some(Fence { epoch: *epoch, commits: *commits }),
        _ => None,
    }
}

/// A value for a placeholder, whatever type the server gave it.
#[derive(Debug)]
struct Bound(Value);

impl ToSql for Bound {
    fn to_sql(
        &self,
        to: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (&self.0, to) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(number), &Type::BOOL) => (*number != 0).to_sql(to, out),
            (Value::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(to, out),
            (Value::Integer(number), &Type::INT8) => number.to_sql(to, out),
            (Value::Integer(number), &Type::TEXT) => number.to_string().to_sql(to, out),
            (Value::Real(number), &Type::FLOAT8) => number.to_sql(to, out),
            // PostgreSQL keeps every character but this one, which no text of ours means.
            (Value::Text(text), &Type::TEXT) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(to, out),
            (Value::Text(text), &Type::TEXT) => text.to_sql(to, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(to, out),
            (value, _) => Err(format!("{:?} cannot be a {to}", value.data_type()).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of a row, as SQLite would have it.
struct Kept(Value);

impl<'a> FromSql<'a> for Kept {
    fn from_sql(from: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(match *from {
            Type::BOOL => Value::Integer(bool::from_sql(from, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(from, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(from, raw)?),
            Type::NUMERIC => Value::Integer(whole(raw)?),
            Type::FLOAT8 => Value::Real(f64::from_sql(from, raw)?),
            Type::BYTEA => Value::Blob(raw.to_vec()),
            _ => Value::Text(std::str::from_utf8(raw)?.to_owned()),
        }))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A sum of whole numbers, which PostgreSQL sends by digits of four places.
fn whole(raw: &[u8]) -> std::result::Result<i64, &'static str> {
    let fault = "a number that is not whole";
    let mut parts = raw.chunks_exact(2).map(|part| i16::from_be_bytes([part[0], part[1]]));
    let mut part = || parts.next().ok_or(fault);
    let (digits, weight, sign, _scale) = (part()?, part()?, part()?, part()?);
    let mut number = 0_i64;
    for place in 0..=weight {
        let digit = if place < digits { part()? } else { 0 };
        number = number.checked_mul(10_000).and_then(|number| number.checked_add(digit.into())).ok_or(fault)?;
    }
    if digits > weight + 1 {
        return Err(fault);
    }
    Ok(if sign == 0 { number } else { -number })
}

fn told(error: tokio_postgres::Error) -> Error {
    failed(cause(&error))
}

/// What a person can do something with.
fn cause(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(fault), _) => {
            let detail = fault.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}: {}{detail} [{}]", fault.severity(), fault.message(), fault.code().code())
        }
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// The thread that moves the bytes of all connections.
fn driver() -> Result<&'static Handle> {
    static DRIVER: OnceLock<std::result::Result<Handle, String>> = OnceLock::new();
    let started = DRIVER.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let handle = runtime.handle().clone();
        let drive = move || runtime.block_on(std::future::pending::<()>());
        std::thread::Builder::new().name("postgres".to_owned()).spawn(drive).map_err(|error| error.to_string())?;
        Ok(handle)
    });
    started.as_ref().map_err(|error| failed(error.as_str()))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future that another thread moves.
fn wait<F: Future>(future: F, longest: Duration) -> Result<F::Output> {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let begun = clock::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        let left = longest.saturating_sub(clock::now().saturating_duration_since(begun));
        if left.is_zero() {
            return Err(failed("PostgreSQL 没有回答 / PostgreSQL gives no answer"));
        }
        std::thread::park_timeout(left);
    }
}
