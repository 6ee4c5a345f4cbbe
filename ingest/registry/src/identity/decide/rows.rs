//! The rows behind decisions: what is known of devices and evidence, and what each decision changed.

use codec::id::{DeviceId, TenantId};
use codec::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{CHAIN_MAX, Change, DONE, Decision, DecisionOp, DecisionRecord, Void};
use crate::error::{During, Error};

/// A row of evidence: customer, kind, value.
pub(super) type Row = (TenantId, i64, String);

/// As much of a device as a decision needs.
pub(super) struct State {
    pub domain: TenantId,
    pub mac: Option<String>,
    pub superseded_by: Option<DeviceId>,
}

pub(super) fn state(sql: &Connection, device: DeviceId) -> Result<Option<State>, Error> {
    sql.query_row(
        "SELECT domain, mac, superseded_by FROM device WHERE id = ?1",
        [device.as_bytes()],
        |row| {
            Ok(State {
                domain: TenantId(row.get(0)?),
                mac: row.get(1)?,
                superseded_by: row.get::<_, Option<[u8; 10]>>(2)?.map(DeviceId::from_bytes),
            })
        },
    )
    .optional()
    .during("look at a device")
}

pub(super) fn superseded_by(
    sql: &Connection,
    device: DeviceId,
) -> Result<Option<Option<DeviceId>>, Error> {
    Ok(state(sql, device)?.map(|state| state.superseded_by))
}

/// Whom a device turned out to be in the end; itself when it is itself.
pub(super) fn survivor(sql: &Connection, device: DeviceId) -> Result<DeviceId, Error> {
    let mut at = device;
    for _ in 0..CHAIN_MAX {
        match superseded_by(sql, at)?.flatten() {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(at)
}

pub(super) fn evidence_of(sql: &Connection, device: DeviceId) -> Result<Vec<Row>, Error> {
    rows(
        sql,
        "SELECT domain, kind, value FROM evidence WHERE device = ?1 ORDER BY domain, kind, value",
        device,
    )
}

pub(super) fn handed_over_of(sql: &Connection, device: DeviceId) -> Result<Vec<Row>, Error> {
    rows(
        sql,
        "SELECT DISTINCT domain, kind, value FROM handed_over WHERE old = ?1 ORDER BY domain, kind, value",
        device,
    )
}

pub(super) fn rows(sql: &Connection, query: &str, device: DeviceId) -> Result<Vec<Row>, Error> {
    sql.prepare_cached(query)
        .and_then(|mut statement| {
            statement
                .query_map([device.as_bytes()], |row| {
                    Ok((TenantId(row.get(0)?), row.get(1)?, row.get(2)?))
                })
                .and_then(Iterator::collect)
        })
        .during("list evidence")
}

pub(super) fn holder(sql: &Connection, row: &Row) -> Result<Option<DeviceId>, Error> {
    sql.query_row(
        "SELECT device FROM evidence WHERE domain = ?1 AND kind = ?2 AND value = ?3",
        params![row.0.0, row.1, row.2],
        |row| row.get(0).map(DeviceId::from_bytes),
    )
    .optional()
    .during("look up evidence")
}

pub(super) fn bytes_of(device: Option<DeviceId>) -> Option<[u8; 10]> {
    device.map(|device| *device.as_bytes())
}

pub(super) fn column(stamp: u64) -> i64 {
    i64::try_from(stamp).unwrap_or(i64::MAX)
}

pub(super) fn note_evidence(
    sql: &Connection,
    decision: u64,
    row: &Row,
    was: Option<DeviceId>,
    now: Option<DeviceId>,
) -> Result<(), Error> {
    sql.execute(
        "INSERT INTO decided_evidence (decision, domain, kind, value, was, now) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![column(decision), row.0.0, row.1, row.2, bytes_of(was), bytes_of(now)],
    )
    .during("keep what a decision changed")?;
    Ok(())
}

pub(super) fn note_device(
    sql: &Connection,
    decision: u64,
    device: DeviceId,
    was: Option<DeviceId>,
    now: Option<DeviceId>,
) -> Result<(), Error> {
    sql.execute(
        "INSERT INTO decided_device (decision, device, was, now) VALUES (?1, ?2, ?3, ?4)",
        params![
            column(decision),
            device.as_bytes(),
            bytes_of(was),
            bytes_of(now)
        ],
    )
    .during("keep what a decision changed")?;
    Ok(())
}

pub(super) type Passage<T> = (T, Option<DeviceId>, Option<DeviceId>);

pub(super) fn changed_devices(
    sql: &Connection,
    decision: u64,
) -> Result<Vec<Passage<DeviceId>>, Error> {
    sql.prepare_cached(
        "SELECT device, was, now FROM decided_device WHERE decision = ?1 ORDER BY id DESC",
    )
    .and_then(|mut statement| {
        statement
            .query_map([column(decision)], |row| {
                Ok((
                    DeviceId::from_bytes(row.get(0)?),
                    row.get::<_, Option<[u8; 10]>>(1)?.map(DeviceId::from_bytes),
                    row.get::<_, Option<[u8; 10]>>(2)?.map(DeviceId::from_bytes),
                ))
            })
            .and_then(Iterator::collect)
    })
    .during("list what a decision changed")
}

pub(super) fn changed_evidence(
    sql: &Connection,
    decision: u64,
) -> Result<Vec<Passage<Row>>, Error> {
    sql.prepare_cached(
        "SELECT domain, kind, value, was, now FROM decided_evidence WHERE decision = ?1 ORDER BY id DESC",
    )
    .and_then(|mut statement| {
        statement
            .query_map([column(decision)], |row| {
                Ok((
                    (TenantId(row.get(0)?), row.get(1)?, row.get(2)?),
                    row.get::<_, Option<[u8; 10]>>(3)?.map(DeviceId::from_bytes),
                    row.get::<_, Option<[u8; 10]>>(4)?.map(DeviceId::from_bytes),
                ))
            })
            .and_then(Iterator::collect)
    })
    .during("list what a decision changed")
}

pub(super) fn insert(
    sql: &Connection,
    stamp: u64,
    decision: &Decision,
    outcome: &Result<Vec<Change>, Void>,
) -> Result<(), Error> {
    let (op, device, other, undoes) = match decision.op {
        DecisionOp::Merge { device, into } => (1, Some(device), Some(into), None),
        DecisionOp::Split { device } => (2, Some(device), None, None),
        DecisionOp::Undo { decision } => (3, None, None, Some(column(decision))),
    };
    let outcome = match outcome {
        Ok(_) => DONE,
        Err(void) => void.word(),
    };
    sql.execute(
        "INSERT INTO decision (id, op, device, other, undoes, who, decided_at, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            column(stamp),
            op,
            bytes_of(device),
            bytes_of(other),
            undoes,
            decision.who,
            decision.at.unix_ms,
            outcome
        ],
    )
    .during("note a decision")?;
    Ok(())
}

pub(super) fn select(sql: &Connection, id: u64) -> Result<Option<DecisionRecord>, Error> {
    sql.query_row(
        "SELECT op, device, other, undoes, who, decided_at, outcome, undone_by FROM decision WHERE id = ?1",
        [column(id)],
        |row| {
            let device = |at| {
                row.get::<_, Option<[u8; 10]>>(at)
                    .map(|id| DeviceId::from_bytes(id.unwrap_or_default()))
            };
            let number = |at| {
                row.get::<_, Option<i64>>(at)
                    .map(|id| id.and_then(|id| u64::try_from(id).ok()))
            };
            Ok(DecisionRecord {
                id,
                op: match row.get::<_, i64>(0)? {
                    1 => DecisionOp::Merge {
                        device: device(1)?,
                        into: device(2)?,
                    },
                    2 => DecisionOp::Split { device: device(1)? },
                    _ => DecisionOp::Undo {
                        decision: number(3)?.unwrap_or_default(),
                    },
                },
                who: row.get(4)?,
                at: Timestamp::from_unix_ms(row.get(5)?),
                outcome: row.get(6)?,
                undone_by: number(7)?,
            })
        },
    )
    .optional()
    .during("read a decision")
}
