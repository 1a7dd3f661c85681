//! JSON Lines: one object a row, the columns in their order.

use std::io::{self, Write};

use chrono::FixedOffset;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::server::clock::wall_time;
use crate::server::export::Sink;
use crate::server::export::row::{COLUMNS, Cell, Row};

pub(super) struct Jsonl<W> {
    out: W,
    zone: FixedOffset,
}

impl<W: Write> Jsonl<W> {
    pub(super) const fn new(out: W, zone: FixedOffset) -> Self {
        Self { out, zone }
    }
}

impl<W: Write> Sink for Jsonl<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Object { row, zone: self.zone })?;
        self.out.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

struct Object<'a> {
    row: &'a Row,
    zone: FixedOffset,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(COLUMNS.len()))?;
        for column in &COLUMNS {
            match (column.cell)(self.row) {
                Cell::Text(text) => object.serialize_entry(column.name, &text)?,
                Cell::Number(number) => object.serialize_entry(column.name, &number)?,
                Cell::Time(ms) => object.serialize_entry(column.name, &wall_time(ms, self.zone))?,
                Cell::Empty => object.serialize_entry(column.name, &())?,
            }
        }
        object.end()
    }
}
