//! How far the store is: the last thing that a transaction writes.

use super::{Step, Work};
use crate::duck::columns::Columns;

pub(super) fn write(work: &Work<'_>) -> Step {
    let connection = work.connection;
    let streams = &work.batch.streams;
    if !streams.is_empty() {
        let keys = || streams.keys();
        Columns::new()
            .texts("agent", keys().map(|key| key.0.as_str()))
            .u64s("epoch", keys().map(|key| key.1.0))
            .texts("stream", keys().map(|key| key.2.name()))
            .append_to_stage(connection, "stage_stream")?;
        connection.execute_batch(
            "DELETE FROM stream USING stage_stream g \
             WHERE stream.agent = g.agent AND stream.epoch = g.epoch AND stream.stream = g.stream; \
             TRUNCATE stage_stream",
        )?;
        Columns::new()
            .texts("agent", keys().map(|key| key.0.as_str()))
            .u64s("epoch", keys().map(|key| key.1.0))
            .texts("stream", keys().map(|key| key.2.name()))
            .u64s("sequence", streams.values().map(|(sequence, _)| *sequence))
            .i64s("observed_ms", streams.values().map(|(_, at)| at.unix_ms))
            .append_to(connection, "stream")?;
    }
    if work.batch.next_place > 0 {
        connection.execute("DELETE FROM meta WHERE key = 'next_place'", [])?;
        connection.execute(
            "INSERT INTO meta VALUES ('next_place', ?)",
            [work.batch.next_place.to_string()],
        )?;
    }
    for (shard, span) in &work.batch.spans {
        connection.execute("DELETE FROM applied WHERE shard = ?", [shard])?;
        connection.execute(
            "INSERT INTO applied VALUES (?, ?)",
            duckdb::params![shard, span.to],
        )?;
    }
    Ok(())
}
