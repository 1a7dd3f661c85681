//! One connection to either database: SQLite in this process, or a PostgreSQL server.
//!
//! The rest of the store speaks SQL that both understand, with the placeholders, values and row
//! getters of SQLite's library, and never asks which database it has. What only one of them can do (files,
//! checkpoints, an index of words) matches on [`Connection`] or chooses by
//! [`Connection::pick`].
//!
//! What both understand: `ON CONFLICT DO NOTHING` instead of `INSERT OR IGNORE`; `IS [NOT] DISTINCT FROM` instead of
//! `IS [NOT]` between values; `count(*) FILTER (WHERE …)` instead of sums of conditions; `CASE` instead of `iif`;
//! `string_agg` instead of `group_concat`; `NULLS FIRST` where a sorted value may be absent; `RETURNING` for the number
//! of a new row; whole numbers, not conditions, in columns (`is_shared <> 0`); a name for every subquery in `FROM`; every selected column under
//! `GROUP BY` or in an aggregate; a parameter first beside its column, then before `IS NULL`. JSON is read by the program.

mod postgres;
#[cfg(test)]
mod tests;
mod tls;
mod translate;

use rusqlite::types::{FromSql, Type};

pub(super) use rusqlite::types::{Value, ValueRef};
pub(super) use rusqlite::{Error, OptionalExtension, Result, ToSql, params};

pub(super) use postgres::{Access, Address, Postgres};
pub(super) use translate::translate_tables;

/// A connection.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Postgres),
}

impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Self {
        Self::Sqlite(connection)
    }
}

impl Connection {
    /// The connection to SQLite, if it is one.
    #[cfg(test)]
    pub(super) const fn sqlite(&self) -> Option<&rusqlite::Connection> {
        match self {
            Self::Sqlite(connection) => Some(connection),
            Self::Postgres(_) => None,
        }
    }

    /// The connection to PostgreSQL, if it is one.
    pub(super) const fn postgres(&self) -> Option<&Postgres> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(connection) => Some(connection),
        }
    }

    /// The words for this database, where both have none in common.
    pub(super) const fn pick<'a>(&self, sqlite: &'a str, postgres: &'a str) -> &'a str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// A statement, compiled once a connection.
    pub(super) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        Ok(match self {
            Self::Sqlite(connection) => Statement::Sqlite(connection.prepare_cached(sql)?),
            Self::Postgres(connection) => Statement::Postgres { prepared: connection.prepare(sql)?, connection },
        })
    }

    /// See [`Self::prepare_cached`].
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        self.prepare_cached(sql)
    }

    /// Runs a statement; says how many rows it changed.
    pub(super) fn execute(&self, sql: &str, parameters: impl Params) -> Result<usize> {
        self.prepare_cached(sql)?.execute(parameters)
    }

    /// The first row that a statement finds.
    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.prepare_cached(sql)?.query_row(parameters, read)
    }

    /// Runs several statements without parameters.
    pub(super) fn execute_batch(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql),
            Self::Postgres(connection) => connection.execute_batch(sql),
        }
    }

    /// Begins a transaction, which is rolled back unless it is committed.
    pub(super) fn transaction(&mut self) -> Result<Transaction<'_>> {
        self.unchecked_transaction()
    }

    /// Begins a transaction beside others that this connection may have open. The questions of a
    /// reader of PostgreSQL are in one already.
    pub(super) fn unchecked_transaction(&self) -> Result<Transaction<'_>> {
        let begun = match self {
            Self::Sqlite(connection) => Begun::Sqlite(connection.unchecked_transaction()?),
            Self::Postgres(connection) => Begun::Postgres { is_outermost: connection.begin()? },
        };
        Ok(Transaction { connection: self, begun: Some(begun) })
    }
}

/// A transaction of a connection.
#[derive(Debug)]
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
    begun: Option<Begun<'c>>,
}

#[derive(Debug)]
enum Begun<'c> {
    Sqlite(rusqlite::Transaction<'c>),
    Postgres { is_outermost: bool },
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Transaction<'_> {
    /// Keeps all of it, or nothing.
    pub(super) fn commit(mut self) -> Result<()> {
        match (self.begun.take(), self.connection) {
            (Some(Begun::Sqlite(transaction)), _) => transaction.commit(),
            (Some(Begun::Postgres { is_outermost: true }), Connection::Postgres(connection)) => connection.commit(),
            _ => Ok(()),
        }
    }

    /// Ends a transaction that only read.
    pub(super) fn finish(self) -> Result<()> {
        self.commit()
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let (Some(Begun::Postgres { is_outermost: true }), Connection::Postgres(connection)) =
            (self.begun.take(), self.connection)
        {
            connection.roll_back();
        }
    }
}

/// A compiled statement.
pub(super) enum Statement<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres { connection: &'c Postgres, prepared: postgres::Prepared },
}

impl Statement<'_> {
    /// Runs it; says how many rows it changed.
    pub(super) fn execute(&mut self, parameters: impl Params) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => {
                bind(statement, &parameters)?;
                statement.raw_execute()
            }
            Self::Postgres { connection, prepared } => connection.execute(prepared, values(&parameters)?),
        }
    }

    /// Runs it without waiting for the answer of another machine: a fault is told by what is asked next, at the latest
    /// when the transaction is committed.
    pub(super) fn send(&mut self, parameters: impl Params) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.execute(parameters).map(drop),
            Self::Postgres { connection, prepared } => connection.send(prepared, values(&parameters)?),
        }
    }

    /// Runs it; returns the number of the row that it makes, which it must have behind `RETURNING`.
    pub(super) fn insert(&mut self, parameters: impl Params) -> Result<i64> {
        self.query_row(parameters, |row| row.get(0))
    }

    /// The rows that it finds, one after the other; those of another machine come by the thousand.
    pub(super) fn query(&mut self, parameters: impl Params) -> Result<Rows<'_>> {
        match self {
            Self::Sqlite(statement) => {
                bind(statement, &parameters)?;
                Ok(Rows::Sqlite(statement.raw_query()))
            }
            Self::Postgres { connection, prepared } => {
                Ok(Rows::Postgres(connection.query(prepared, values(&parameters)?)?))
            }
        }
    }

    /// What `read` makes of the rows that it finds.
    pub(super) fn query_map<T, F: FnMut(&Row<'_>) -> Result<T>>(
        &mut self,
        parameters: impl Params,
        read: F,
    ) -> Result<Mapped<'_, F>> {
        Ok(Mapped { rows: self.query(parameters)?, read })
    }

    /// The first row that it finds.
    pub(super) fn query_row<T>(
        &mut self,
        parameters: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::Sqlite(_) => {
                let mut rows = self.query(parameters)?;
                let row = rows.next()?.ok_or(Error::QueryReturnedNoRows)?;
                read(&row)
            }
            Self::Postgres { connection, prepared } => {
                let rows = connection.rows(prepared, values(&parameters)?)?;
                let row = rows.first().ok_or(Error::QueryReturnedNoRows)?;
                read(&Row::Postgres(row))
            }
        }
    }

    /// Whether it finds a row.
    pub(super) fn exists(&mut self, parameters: impl Params) -> Result<bool> {
        Ok(self.query_row(parameters, |_| Ok(())).optional()?.is_some())
    }

    /// How many columns its rows have.
    pub(super) fn column_count(&self) -> usize {
        match self {
            Self::Sqlite(statement) => statement.column_count(),
            Self::Postgres { prepared, .. } => prepared.column_count(),
        }
    }
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, parameters: &impl Params) -> Result<()> {
    let mut count = 0;
    parameters.each(&mut |value| {
        count += 1;
        statement.raw_bind_parameter(count, value)
    })?;
    match statement.parameter_count() {
        wanted if wanted == count => Ok(()),
        wanted => Err(Error::InvalidParameterCount(count, wanted)),
    }
}

fn values(parameters: &impl Params) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    parameters.each(&mut |value| {
        values.push(match value.to_sql()? {
            rusqlite::types::ToSqlOutput::Owned(value) => value,
            rusqlite::types::ToSqlOutput::Borrowed(value) => value.try_into()?,
            _ => return Err(Error::InvalidQuery),
        });
        Ok(())
    })?;
    Ok(values)
}

/// Rows as they are found.
pub(super) enum Rows<'s> {
    Sqlite(rusqlite::Rows<'s>),
    Postgres(postgres::Pages<'s>),
}

impl Rows<'_> {
    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>> {
        Ok(match self {
            Self::Sqlite(rows) => rows.next()?.map(Row::Sqlite),
            Self::Postgres(pages) => pages.next()?.map(Row::Postgres),
        })
    }
}

/// What a closure makes of rows.
pub(super) struct Mapped<'s, F> {
    rows: Rows<'s>,
    read: F,
}

impl<T, F: FnMut(&Row<'_>) -> Result<T>> Iterator for Mapped<'_, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { rows, read } = self;
        rows.next().transpose().map(|row| read(&row?))
    }
}

/// A row.
pub(super) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r [Value]),
}

impl Row<'_> {
    /// The value of a column.
    pub(super) fn get<I: Index, T: FromSql>(&self, index: I) -> Result<T> {
        let index = index.place();
        let value = self.get_ref(index)?;
        T::column_result(value)
            .map_err(|error| Error::FromSqlConversionFailure(index, value.data_type(), Box::new(error)))
    }

    /// The text of a column.
    pub(super) fn text(&self, index: usize) -> Result<&str> {
        Ok(self.get_ref(index)?.as_str()?)
    }

    /// The value of a column as it is kept.
    pub(super) fn get_ref(&self, index: usize) -> Result<ValueRef<'_>> {
        match self {
            Self::Sqlite(row) => row.get_ref(index),
            Self::Postgres(values) => values.get(index).map(ValueRef::from).ok_or(Error::InvalidColumnIndex(index)),
        }
    }
}

/// The place of a column.
pub(super) trait Index {
    fn place(self) -> usize;
}

impl Index for usize {
    fn place(self) -> usize {
        self
    }
}

/// A value that is kept by its name.
pub(super) fn named<T>(row: &Row<'_>, index: usize, value: fn(&str) -> Option<T>) -> Result<T> {
    let name = row.text(index)?;
    value(name).ok_or_else(|| Error::InvalidColumnType(index, name.to_owned(), Type::Text))
}

/// The error of another database than SQLite.
fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::UserFunctionError(error.into())
}

/// Values for the placeholders of a statement.
pub(super) trait Params {
    /// Gives each value to `take`, in their order.
    fn each(&self, take: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()>;
}

impl Params for &[&dyn ToSql] {
    fn each(&self, take: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|value| take(*value))
    }
}

impl Params for [&(dyn ToSql + Send + Sync); 0] {
    fn each(&self, _: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
        Ok(())
    }
}

macro_rules! arrays {
    ($($count:literal)*) => {
        $(impl<T: ToSql> Params for [T; $count] {
            fn each(&self, take: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
                self.iter().try_for_each(|value| take(value))
            }
        })*
    };
}
arrays!(1 2 3 4 5 6);

macro_rules! tuples {
    ($(($($name:ident $place:tt),+))*) => {
        $(impl<$($name: ToSql),+> Params for ($($name,)+) {
            fn each(&self, take: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
                $(take(&self.$place)?;)+
                Ok(())
            }
        })*
    };
}
tuples!((A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) (A 0, B 1, C 2, D 3, E 4));

/// Values that were gathered.
#[derive(Debug)]
pub(super) struct Gathered<T>(Vec<T>);

impl<T: ToSql> Params for Gathered<T> {
    fn each(&self, take: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
        self.0.iter().try_for_each(|value| take(value))
    }
}

/// The values of an iterator, for placeholders.
pub(super) fn params_from_iter<T: ToSql>(values: impl IntoIterator<Item = T>) -> Gathered<T> {
    Gathered(values.into_iter().collect())
}
