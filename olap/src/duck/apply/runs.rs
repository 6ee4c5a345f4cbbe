//! Readings as runs: opened, confirmed, ended.

use std::collections::HashMap;

use codec::model::Sides;

use super::{Step, StepError, Work};
use crate::batch::{Origin, RunCells};
use crate::duck::columns::Columns;
use crate::duck::readings::stream_code;
use crate::error::StoreError;
use crate::rows::RunEnd;

/// The store's numbers for the batch's own.
#[derive(Debug)]
pub(super) struct Numbers {
    agents: Vec<u32>,
    /// Origin and meter.
    origins: Vec<(u32, u16)>,
}

/// Gives numbers to agents, meters and origins that appear for the first time.
pub(super) fn number(
    work: &Work<'_>,
    agents: &mut HashMap<String, u32>,
    meters: &mut HashMap<String, u16>,
    origins: &mut HashMap<Origin, u32>,
) -> Step<Numbers> {
    let mut new_agents = Vec::new();
    let mut agent_numbers = Vec::new();
    for agent in &work.batch.agents.texts {
        let next = u32::try_from(agents.len()).expect("fewer than 2^32 agents");
        agent_numbers.push(*agents.entry(agent.clone()).or_insert_with(|| {
            new_agents.push((next, agent));
            next
        }));
    }
    let mut new_origins = Vec::new();
    let mut origin_numbers = Vec::new();
    for origin in &work.batch.origins.origins {
        let next = meters.len();
        let meter = match meters.get(&origin.code) {
            Some(meter) => *meter,
            None => {
                let meter =
                    u16::try_from(next).map_err(|_| StepError::Ours(StoreError::TooManyMeters))?;
                meters.insert(origin.code.clone(), meter);
                meter
            }
        };
        let next = u32::try_from(origins.len()).expect("fewer than 2^32 origins");
        let number = match origins.get(origin) {
            Some(number) => *number,
            None => {
                origins.insert(origin.clone(), next);
                new_origins.push((next, meter, origin));
                next
            }
        };
        origin_numbers.push((number, meter));
    }
    if !new_agents.is_empty() {
        Columns::new()
            .u32s("agent_no", new_agents.iter().map(|row| row.0))
            .texts("agent", new_agents.iter().map(|row| row.1))
            .append_to(work.connection, "agent_name")?;
    }
    if !new_origins.is_empty() {
        let cells = || new_origins.iter().map(|row| row.2);
        Columns::new()
            .u32s("origin_no", new_origins.iter().map(|row| row.0))
            .u16s("meter_no", new_origins.iter().map(|row| row.1))
            .texts("code", cells().map(|row| &row.code))
            .texts("work", cells().map(|row| row.work.word()))
            .texts("colour", cells().map(|row| row.colour.word()))
            .texts("unit", cells().map(|row| row.unit.word()))
            .texts_opt("media_size", cells().map(|row| row.size.as_ref()))
            .texts_opt("sides", cells().map(|row| row.sides.map(Sides::word)))
            .texts("basis", cells().map(|row| row.basis.word()))
            .texts("oid", cells().map(|row| &row.oid))
            .texts_opt("profile", cells().map(|row| row.profile.as_ref()))
            .texts("source", cells().map(|row| row.source.word()))
            .append_to(work.connection, "origin")?;
    }
    Ok(Numbers {
        agents: agent_numbers,
        origins: origin_numbers,
    })
}

/// Ends, recuts and confirms runs of earlier batches.
pub(super) fn end(work: &Work<'_>) -> Step {
    let connection = work.connection;
    if !work.batch.run_ends.is_empty() {
        stage(work, work.batch.run_ends.iter())?;
        let moved = connection.execute(
            "INSERT INTO run SELECT o.* REPLACE (e.confirmed_ms AS confirmed_ms, e.superseded_ms AS superseded_ms) \
             FROM run_open o JOIN stage_end e ON o.place = e.place",
            [],
        )?;
        let gone = connection.execute(
            "DELETE FROM run_open WHERE place IN (SELECT place FROM stage_end)",
            [],
        )?;
        connection.execute_batch("TRUNCATE stage_end")?;
        let expected = work.batch.run_ends.len();
        if moved != expected || gone != expected {
            return Err(unknown("ends", expected, gone));
        }
    }
    if !work.batch.run_recuts.is_empty() {
        stage(work, work.batch.run_recuts.iter())?;
        let recut = connection.execute(
            "UPDATE run SET confirmed_ms = e.confirmed_ms, superseded_ms = e.superseded_ms \
             FROM stage_end e WHERE run.place = e.place",
            [],
        )?;
        connection.execute_batch("TRUNCATE stage_end")?;
        if recut != work.batch.run_recuts.len() {
            return Err(unknown("recuts", work.batch.run_recuts.len(), recut));
        }
    }
    if !work.batch.run_confirmed.is_empty() {
        let confirmed = work.batch.run_confirmed.iter();
        let ends: Vec<RunEnd> = confirmed
            .map(|(place, until)| RunEnd {
                place: *place,
                confirmed_until: *until,
                superseded_at: *until,
            })
            .collect();
        stage(work, ends.iter())?;
        let found = connection.execute(
            "UPDATE run_open SET confirmed_ms = greatest(run_open.confirmed_ms, e.confirmed_ms) \
             FROM stage_end e WHERE run_open.place = e.place",
            [],
        )?;
        connection.execute_batch("TRUNCATE stage_end")?;
        if found != ends.len() {
            return Err(unknown("confirms", ends.len(), found));
        }
    }
    Ok(())
}

fn unknown(does: &'static str, runs: usize, found: usize) -> StepError {
    StepError::Ours(StoreError::UnknownRuns { does, runs, found })
}

fn stage<'a>(work: &Work<'_>, ends: impl Iterator<Item = &'a RunEnd> + Clone) -> Step {
    Columns::new()
        .u64s("place", ends.clone().map(|end| end.place))
        .i64s(
            "confirmed_ms",
            ends.clone().map(|end| end.confirmed_until.unix_ms),
        )
        .i64s("superseded_ms", ends.map(|end| end.superseded_at.unix_ms))
        .append_to_stage(work.connection, "stage_end")?;
    Ok(())
}

/// A run with the store's numbers.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    report: u64,
    device: u32,
    run: &'a RunCells,
}

/// Appends the batch's own runs, and the device reports that they come from.
pub(super) fn append(work: &Work<'_>, numbers: &Numbers) -> Step {
    let mut reports: Vec<&RunCells> = Vec::new();
    let (mut open, mut over) = (Vec::new(), Vec::new());
    let mut last: Option<Numbered<'_>> = None;
    for run in &work.batch.runs {
        // The runs of one device report come one after another.
        let numbered = match last {
            Some(last) if last.run.is_of_report_of(run) => Numbered { run, ..last },
            _ => {
                reports.push(run);
                Numbered {
                    report: run.place,
                    device: work.device(run.device, "a reading")?,
                    run,
                }
            }
        };
        last = Some(numbered);
        let list = if run.superseded_at.is_some() {
            &mut over
        } else {
            &mut open
        };
        list.push(numbered);
    }
    append_reports(work, numbers, &reports)?;
    append_to(work, numbers, "run_open", &open)?;
    append_to(work, numbers, "run", &over)
}

fn append_reports(work: &Work<'_>, numbers: &Numbers, reports: &[&RunCells]) -> Step {
    if reports.is_empty() {
        return Ok(());
    }
    let cells = || reports.iter();
    Columns::new()
        .u64s("report_no", cells().map(|row| row.place))
        .u32s(
            "agent_no",
            cells().map(|row| numbers.agents[row.agent as usize]),
        )
        .u64s("epoch", cells().map(|row| row.epoch.0))
        .u8s("stream", cells().map(|row| stream_code(row.stream)))
        .u64s("sequence", cells().map(|row| row.sequence))
        .u32s("ordinal", cells().map(|row| row.ordinal))
        .i64s("agent_ms", cells().map(|row| row.agent_at.unix_ms))
        .i64s("received_ms", cells().map(|row| row.received_at.unix_ms))
        .u16s("shard", cells().map(|row| row.journal.shard))
        .u64s("position", cells().map(|row| row.journal.position))
        .append_to(work.connection, "report")?;
    Ok(())
}

fn append_to(work: &Work<'_>, numbers: &Numbers, table: &str, rows: &[Numbered<'_>]) -> Step {
    if rows.is_empty() {
        return Ok(());
    }
    let cells = || rows.iter().map(|row| row.run);
    let origin = |row: &RunCells| numbers.origins[row.origin as usize];
    Columns::new()
        .u64s("place", cells().map(|row| row.place))
        .u64s("report_no", rows.iter().map(|row| row.report))
        .u32s("device_no", rows.iter().map(|row| row.device))
        .u16s("meter_no", cells().map(|row| origin(row).1))
        .u32s("origin_no", cells().map(|row| origin(row).0))
        .i64s("site", cells().map(|row| row.site.0))
        .u64s("value", cells().map(|row| row.value))
        .u64s("continuous", cells().map(|row| row.continuous))
        .u32s("meter_epoch", cells().map(|row| row.meter_epoch))
        .i64s("observed_ms", cells().map(|row| row.observed_at.unix_ms))
        .i64s(
            "confirmed_ms",
            cells().map(|row| row.confirmed_until.unix_ms),
        )
        .i64s_opt(
            "superseded_ms",
            cells().map(|row| row.superseded_at.map(|at| at.unix_ms)),
        )
        .u8s("quality", cells().map(|row| row.quality))
        .bools("clock_corrected", cells().map(|row| row.clock_corrected))
        .u8s("reason", cells().map(|row| row.reason))
        .texts_opt(
            "parts",
            cells()
                .map(|row| (!row.parts.is_empty()).then(|| &work.batch.parts[row.parts.clone()])),
        )
        .append_to(work.connection, table)?;
    Ok(())
}
