//! What happened: alerts, events, levels, and what was heard of agents.

use codec::id::AgentId;
use codec::model::Colorant;

use super::{Step, StepError, Work};
use crate::batch::AlertCells;
use crate::duck::columns::Columns;
use crate::duck::sql::level_codes;
use crate::error::StoreError;

pub(super) fn alerts(work: &Work<'_>) -> Step {
    let ends = &work.batch.alert_ends;
    if !ends.is_empty() {
        Columns::new()
            .u64s("place", ends.keys().copied())
            .i64s("confirmed_ms", ends.values().map(|until| until.unix_ms))
            .i64s("superseded_ms", ends.values().map(|until| until.unix_ms))
            .append_to_stage(work.connection, "stage_end")?;
        work.connection.execute(
            "INSERT INTO alert_over SELECT a.* REPLACE (e.superseded_ms AS until_ms) \
             FROM alert_open a JOIN stage_end e ON a.place = e.place",
            [],
        )?;
        let gone = work.connection.execute(
            "DELETE FROM alert_open WHERE place IN (SELECT place FROM stage_end)",
            [],
        )?;
        work.connection.execute_batch("TRUNCATE stage_end")?;
        if gone != ends.len() {
            return Err(StepError::Ours(StoreError::UnknownAlerts {
                alerts: ends.len(),
                found: gone,
            }));
        }
    }
    let mut open = Vec::new();
    let mut over = Vec::new();
    for (place, alert) in &work.batch.alerts {
        let row = (*place, work.device(alert.device, "an alert")?, alert);
        if alert.until.is_none() {
            open.push(row);
        } else {
            over.push(row);
        }
    }
    append_alerts(work, "alert_open", &open)?;
    append_alerts(work, "alert_over", &over)
}

fn append_alerts(work: &Work<'_>, table: &str, rows: &[(u64, u32, &AlertCells)]) -> Step {
    if rows.is_empty() {
        return Ok(());
    }
    let cells = || rows.iter().map(|row| row.2);
    Columns::new()
        .u64s("place", rows.iter().map(|row| row.0))
        .u32s("device_no", rows.iter().map(|row| row.1))
        .i64s("site", cells().map(|row| row.site.0))
        .u32s("idx", cells().map(|row| row.alert.index))
        .texts("severity", cells().map(|row| row.alert.severity.word()))
        .texts("group_name", cells().map(|row| &row.alert.group))
        .u32s_opt("group_idx", cells().map(|row| row.alert.group_index))
        .texts("code", cells().map(|row| &row.alert.code))
        .texts("description", cells().map(|row| &row.alert.description))
        .i64s_opt(
            "device_since_ms",
            cells().map(|row| row.alert.since.map(|at| at.unix_ms)),
        )
        .i64s("since_ms", cells().map(|row| row.since.unix_ms))
        .i64s_opt(
            "until_ms",
            cells().map(|row| row.until.map(|at| at.unix_ms)),
        )
        .append_to(work.connection, table)?;
    Ok(())
}

pub(super) fn events(work: &Work<'_>) -> Step {
    let events = &work.batch.events;
    if events.is_empty() {
        return Ok(());
    }
    let mut numbers = Vec::with_capacity(events.len());
    for event in events {
        numbers.push(work.device(event.device, "an event")?);
    }
    Columns::new()
        .u64s("place", events.iter().map(|row| row.place))
        .u32s("device_no", numbers.into_iter())
        .i64s("site", events.iter().map(|row| row.site.0))
        .i64s("at_ms", events.iter().map(|row| row.at.unix_ms))
        .u8s("kind", events.iter().map(|row| row.kind.code()))
        .texts_opt("subject", events.iter().map(|row| row.subject.as_ref()))
        .texts_opt("value_before", events.iter().map(|row| row.before.as_ref()))
        .texts_opt("value_after", events.iter().map(|row| row.after.as_ref()))
        .append_to(work.connection, "event")?;
    Ok(())
}

pub(super) fn levels(work: &Work<'_>) -> Step {
    let levels = &work.batch.levels;
    if levels.is_empty() {
        return Ok(());
    }
    let mut numbers = Vec::with_capacity(levels.len());
    for level in levels {
        numbers.push(work.device(level.device, "a supply level")?);
    }
    let cells = || levels.iter().map(|row| &row.supply);
    Columns::new()
        .u32s("device_no", numbers.into_iter())
        .u32s("idx", cells().map(|row| row.index))
        .i64s(
            "observed_ms",
            levels.iter().map(|row| row.observed_at.unix_ms),
        )
        .texts("kind", cells().map(|row| row.kind.word()))
        .texts_opt(
            "colorant",
            cells().map(|row| row.colorant.map(Colorant::word)),
        )
        .texts("description", cells().map(|row| &row.description))
        .u8s("level_kind", cells().map(|row| level_codes(row.level).0))
        .u32s("level", cells().map(|row| level_codes(row.level).1))
        .u8s_opt(
            "percent",
            cells().map(|row| row.percent().and_then(|percent| u8::try_from(percent).ok())),
        )
        .append_to(work.connection, "supply_level")?;
    Ok(())
}

pub(super) fn agents(work: &Work<'_>) -> Step {
    let heard = &work.batch.heard;
    if heard.is_empty() {
        return Ok(());
    }
    Columns::new()
        .texts("text", heard.keys().map(AgentId::as_str))
        .append_to_stage(work.connection, "stage_text")?;
    work.connection.execute_batch(
        "DELETE FROM agent_heard WHERE agent IN (SELECT text FROM stage_text); TRUNCATE stage_text",
    )?;
    Columns::new()
        .texts("agent", heard.keys().map(AgentId::as_str))
        .i64s("heard_ms", heard.values().map(|row| row.heard_at.unix_ms))
        .i64s("sealed_ms", heard.values().map(|row| row.sealed_at.unix_ms))
        .texts("program", heard.values().map(|row| &row.program))
        .i64s_opt(
            "clock_ahead_ms",
            heard.values().map(|row| row.clock_ahead_ms),
        )
        .append_to(work.connection, "agent_heard")?;
    Ok(())
}
