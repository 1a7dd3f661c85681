//! Parquet, with the low-level writer: rows are held column by column until
//! there are enough for a row group.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use crate::server::export::Sink;
use crate::server::export::row::{Cell, Head, Kind};

/// Rows of one group: what an export holds in memory.
const GROUP_ROWS: usize = 4_096;

pub(super) struct Parquet<W: Write + Send> {
    out: SerializedFileWriter<W>,
    heads: Vec<Head>,
    columns: Vec<Values>,
    rows: usize,
}

/// The values of a column; the levels tell which rows have one.
struct Values {
    data: Data,
    levels: Vec<i16>,
}

enum Data {
    Texts(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Decimals(Vec<f64>),
}

impl Values {
    fn of(kind: Kind) -> Self {
        let data = match kind {
            Kind::Text => Data::Texts(Vec::with_capacity(GROUP_ROWS)),
            Kind::Number | Kind::Time => Data::Numbers(Vec::with_capacity(GROUP_ROWS)),
            Kind::Decimal => Data::Decimals(Vec::with_capacity(GROUP_ROWS)),
        };
        Self { data, levels: Vec::with_capacity(GROUP_ROWS) }
    }

    fn push(&mut self, cell: &Cell<'_>) {
        let has_value = match (&mut self.data, cell) {
            (Data::Texts(texts), Cell::Text(text)) => {
                texts.push(ByteArray::from(text.as_bytes().to_vec()));
                true
            }
            (Data::Numbers(numbers), Cell::Number(number) | Cell::Time(number)) => {
                numbers.push(*number);
                true
            }
            (Data::Decimals(numbers), Cell::Decimal(number)) => {
                numbers.push(*number);
                true
            }
            _ => false,
        };
        self.levels.push(i16::from(has_value));
    }
}

impl<W: Write + Send> Parquet<W> {
    /// Writes the head.
    pub(super) fn new(out: W, heads: Vec<Head>, name: &str) -> io::Result<Self> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let out = SerializedFileWriter::new(out, schema(&heads, name).map_err(io::Error::other)?, Arc::new(properties))
            .map_err(io::Error::other)?;
        Ok(Self { out, columns: columns(&heads), heads, rows: 0 })
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.out.next_row_group()?;
        let mut columns = std::mem::replace(&mut self.columns, columns(&self.heads)).into_iter();
        while let Some(mut writer) = group.next_column()? {
            let Some(Values { data, levels }) = columns.next() else { break };
            match data {
                Data::Texts(texts) => writer.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)?,
                Data::Decimals(numbers) => writer.typed::<DoubleType>().write_batch(&numbers, Some(&levels), None)?,
                Data::Numbers(numbers) => writer.typed::<Int64Type>().write_batch(&numbers, Some(&levels), None)?,
            };
            writer.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (cell, values) in cells.iter().zip(&mut self.columns) {
            values.push(cell);
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS {
            self.end_group().map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.rows > 0 {
            self.end_group().map_err(io::Error::other)?;
        }
        let mut out = self.out.into_inner().map_err(io::Error::other)?;
        out.flush()
    }
}

fn columns(heads: &[Head]) -> Vec<Values> {
    heads.iter().map(|head| Values::of(head.kind)).collect()
}

fn schema(heads: &[Head], name: &str) -> Result<TypePtr, ParquetError> {
    let fields = heads.iter().map(|column| {
        let (physical, logical) = match column.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Number => (Physical::INT64, None),
            Kind::Decimal => (Physical::DOUBLE, None),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        field.build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder(name).with_fields(fields).build()?))
}
