//! Arrow columns from rows, and their way through DuckDB's appender.
//!
//! What always holds: an appender is flushed and its error looked at before this module returns (Rule 2); what DuckDB
//! would discover only when the appender is dropped is never lost.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, StringArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

/// The columns of one table's new rows, in the order of the table.
#[derive(Debug, Default)]
pub(super) struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    pub fn new() -> Self {
        Self::default()
    }

    /// Texts, which may be absent.
    pub fn texts_opt<T: AsRef<str>>(
        self,
        name: &str,
        values: impl Iterator<Item = Option<T>>,
    ) -> Self {
        self.array(name, Arc::new(values.collect::<StringArray>()))
    }

    /// Signed numbers and moments, which may be absent.
    pub fn i64s_opt(self, name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        self.array(name, Arc::new(values.collect::<Int64Array>()))
    }

    /// Small numbers, which may be absent.
    pub fn u8s_opt(self, name: &str, values: impl Iterator<Item = Option<u8>>) -> Self {
        self.array(name, Arc::new(values.collect::<UInt8Array>()))
    }

    /// Numbers, which may be absent.
    pub fn u32s_opt(self, name: &str, values: impl Iterator<Item = Option<u32>>) -> Self {
        self.array(name, Arc::new(values.collect::<UInt32Array>()))
    }

    /// Texts.
    pub fn texts<T: AsRef<str>>(self, name: &str, values: impl Iterator<Item = T>) -> Self {
        self.array(name, Arc::new(StringArray::from_iter_values(values)))
    }

    /// Signed numbers and moments.
    pub fn i64s(self, name: &str, values: impl Iterator<Item = i64>) -> Self {
        self.array(name, Arc::new(Int64Array::from_iter_values(values)))
    }

    /// Small numbers.
    pub fn u8s(self, name: &str, values: impl Iterator<Item = u8>) -> Self {
        self.array(name, Arc::new(UInt8Array::from_iter_values(values)))
    }

    /// Numbers of 16 bits.
    pub fn u16s(self, name: &str, values: impl Iterator<Item = u16>) -> Self {
        self.array(name, Arc::new(UInt16Array::from_iter_values(values)))
    }

    /// Numbers of 32 bits.
    pub fn u32s(self, name: &str, values: impl Iterator<Item = u32>) -> Self {
        self.array(name, Arc::new(UInt32Array::from_iter_values(values)))
    }

    /// Numbers of 64 bits.
    pub fn u64s(self, name: &str, values: impl Iterator<Item = u64>) -> Self {
        self.array(name, Arc::new(UInt64Array::from_iter_values(values)))
    }

    /// Yes or no.
    pub fn bools(self, name: &str, values: impl Iterator<Item = bool>) -> Self {
        self.array(
            name,
            Arc::new(BooleanArray::from(values.collect::<Vec<_>>())),
        )
    }

    fn array(mut self, name: &str, array: ArrayRef) -> Self {
        self.fields
            .push(Field::new(name, array.data_type().clone(), true));
        self.arrays.push(array);
        self
    }

    /// Appends the rows to `table`. The columns must be all of the table's, in its order.
    pub fn append_to(self, connection: &Connection, table: &str) -> duckdb::Result<()> {
        self.append(connection.appender(table)?)
    }

    /// Appends the rows to a temporary table of this connection.
    pub fn append_to_stage(self, connection: &Connection, table: &str) -> duckdb::Result<()> {
        self.append(connection.appender_to_catalog_and_db(table, "temp", "main")?)
    }

    fn append(self, mut appender: duckdb::Appender<'_>) -> duckdb::Result<()> {
        let rows = RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)
            .expect("all columns of one table have the same number of rows");
        if rows.num_rows() > 0 {
            appender.append_record_batch(rows)?;
        }
        appender.flush()
    }
}
