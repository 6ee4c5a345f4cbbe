//! How devices and evidence were before reports that the store may not have kept yet.
//!
//! Each change of a row is preceded by a copy of it as it was, under the report's place in the total order; rows that were added together
//! carry the number of the writing that added them. Going back puts the copies back in reverse, and deletes what was added.

use codec::id::{DeviceId, TenantId};
use rusqlite::{Connection, Transaction, params};

use super::cache::Kind;
use crate::error::{During, Error};

/// A place in the total order as SQLite can hold it; the order is kept, and nobody counts to 2^63.
pub(super) fn column(stamp: u64) -> i64 {
    i64::try_from(stamp).unwrap_or(i64::MAX)
}

pub(super) fn keep_evidence(
    sql: &Connection,
    stamp: u64,
    domain: TenantId,
    kind: Kind,
    value: &str,
) -> Result<(), Error> {
    keep_evidence_row(sql, stamp, domain, kind as i64, value)
}

pub(super) fn keep_evidence_row(
    sql: &Connection,
    stamp: u64,
    domain: TenantId,
    kind: i64,
    value: &str,
) -> Result<(), Error> {
    sql.prepare_cached(
        "INSERT INTO undo_evidence (stamp, domain, kind, value, device, made)
         SELECT ?1, ?2, ?3, ?4, device, made
         FROM (SELECT 1) LEFT JOIN evidence ON domain = ?2 AND kind = ?3 AND value = ?4",
    )
    .and_then(|mut statement| statement.execute(params![column(stamp), domain.0, kind, value]))
    .during("keep how evidence was")?;
    Ok(())
}

pub(super) fn keep_all_evidence_of(
    sql: &Connection,
    stamp: u64,
    device: DeviceId,
) -> Result<(), Error> {
    sql.execute(
        "INSERT INTO undo_evidence (stamp, domain, kind, value, device, made)
         SELECT ?1, domain, kind, value, device, made FROM evidence WHERE device = ?2",
        params![column(stamp), device.as_bytes()],
    )
    .during("keep how a device's evidence was")?;
    Ok(())
}

pub(super) fn keep_device(sql: &Connection, stamp: u64, device: DeviceId) -> Result<(), Error> {
    sql.prepare_cached(
        "INSERT INTO undo_device (stamp, device, existed, serial, mac, manufacturer, model, superseded_by)
         SELECT ?1, ?2, id IS NOT NULL, serial, mac, manufacturer, model, superseded_by
         FROM (SELECT 1) LEFT JOIN device ON id = ?2",
    )
    .and_then(|mut statement| statement.execute(params![column(stamp), device.as_bytes()]))
    .during("keep how a device was")?;
    Ok(())
}

/// Forgets how things were before the reports up to and with `stamp`.
pub(super) fn forget(sql: &Connection, stamp: u64) -> Result<(), Error> {
    for statement in [
        "DELETE FROM undo_evidence WHERE stamp <= ?1",
        "DELETE FROM undo_device WHERE stamp <= ?1",
        "DELETE FROM written WHERE stamp <= ?1",
    ] {
        sql.execute(statement, [column(stamp)])
            .during("forget how devices were")?;
    }
    Ok(())
}

/// Goes back to how things were after the report with `stamp`; returns how many changes were undone.
pub(super) fn rewind(transaction: &Transaction<'_>, stamp: Option<u64>) -> Result<u64, Error> {
    let after = stamp.map_or(-1, column);
    let mut undone = 0;
    let mut statement = transaction
        .prepare("SELECT domain, kind, value, device, made FROM undo_evidence WHERE stamp > ?1 ORDER BY id DESC")
        .during("go back in evidence")?;
    let mut rows = statement.query([after]).during("go back in evidence")?;
    while let Some(row) = rows.next().during("go back in evidence")? {
        let key = |at| {
            row.get::<_, rusqlite::types::Value>(at)
                .during("go back in evidence")
        };
        let (domain, kind, value, device, made) = (key(0)?, key(1)?, key(2)?, key(3)?, key(4)?);
        let restore = match device {
            rusqlite::types::Value::Null => {
                transaction.execute(
                    "DELETE FROM evidence WHERE domain = ?1 AND kind = ?2 AND value = ?3",
                    params![domain, kind, value],
                )
            }
            device => transaction.execute(
                "INSERT OR REPLACE INTO evidence (domain, kind, value, device, made) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![domain, kind, value, device, made],
            ),
        };
        restore.during("go back in evidence")?;
        undone += 1;
    }
    let mut statement = transaction
        .prepare("SELECT id, existed FROM undo_device WHERE stamp > ?1 ORDER BY id DESC")
        .during("go back in devices")?;
    let mut rows = statement.query([after]).during("go back in devices")?;
    while let Some(row) = rows.next().during("go back in devices")? {
        let id: i64 = row.get(0).during("go back in devices")?;
        let existed: bool = row.get(1).during("go back in devices")?;
        let restore = if existed {
            transaction.execute(
                "UPDATE device SET (serial, mac, manufacturer, model, superseded_by) =
                 (SELECT serial, mac, manufacturer, model, superseded_by FROM undo_device u WHERE u.id = ?1)
                 WHERE id = (SELECT device FROM undo_device u WHERE u.id = ?1)",
                [id],
            )
        } else {
            transaction.execute(
                "DELETE FROM device WHERE id = (SELECT device FROM undo_device u WHERE u.id = ?1)",
                [id],
            )
        };
        restore.during("go back in devices")?;
        undone += 1;
    }
    let is_ahead = transaction
        .prepare("SELECT 1 FROM written WHERE stamp > ?1")
        .and_then(|mut statement| statement.exists([after]))
        .during("look for what was written")?;
    if is_ahead {
        for table in ["evidence", "device"] {
            let gone = transaction.execute(
                &format!(
                    "DELETE FROM {table} WHERE made IN (SELECT id FROM written WHERE stamp > ?1)"
                ),
                [after],
            );
            undone += gone.during("take back what was written")? as u64;
        }
    }
    for statement in [
        "DELETE FROM decision WHERE id > ?1",
        "UPDATE decision SET undone_by = NULL WHERE undone_by > ?1",
        "DELETE FROM decided_evidence WHERE decision > ?1",
        "DELETE FROM decided_device WHERE decision > ?1",
        "DELETE FROM apart WHERE decision > ?1",
        "DELETE FROM barred WHERE decision > ?1",
        "DELETE FROM handed_over WHERE stamp > ?1",
    ] {
        transaction
            .execute(statement, [after])
            .during("go back in decisions")?;
    }
    transaction
        .execute_batch("DELETE FROM undo_evidence; DELETE FROM undo_device; DELETE FROM written")
        .during("forget how devices were")?;
    Ok(undone)
}
