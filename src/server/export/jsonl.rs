//! JSON Lines: one object a row, the columns in their order.

use std::io::{self, Write};

use chrono::FixedOffset;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::server::clock::wall_time;
use crate::server::export::Sink;
use crate::server::export::row::{Cell, Head};

pub(super) struct Jsonl<W> {
    out: W,
    zone: FixedOffset,
    heads: Vec<Head>,
}

impl<W: Write> Jsonl<W> {
    pub(super) const fn new(out: W, zone: FixedOffset, heads: Vec<Head>) -> Self {
        Self { out, zone, heads }
    }
}

impl<W: Write> Sink for Jsonl<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Object { heads: &self.heads, cells, zone: self.zone })?;
        self.out.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

struct Object<'a> {
    heads: &'a [Head],
    cells: &'a [Cell<'a>],
    zone: FixedOffset,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.heads.len()))?;
        for (head, cell) in self.heads.iter().zip(self.cells) {
            match cell {
                Cell::Text(text) => object.serialize_entry(head.name, text)?,
                Cell::Number(number) => object.serialize_entry(head.name, number)?,
                Cell::Decimal(number) => object.serialize_entry(head.name, number)?,
                Cell::Time(ms) => object.serialize_entry(head.name, &wall_time(*ms, self.zone))?,
                Cell::Empty => object.serialize_entry(head.name, &())?,
            }
        }
        object.end()
    }
}
