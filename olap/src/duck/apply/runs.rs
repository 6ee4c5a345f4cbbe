//! Readings as runs: opened, confirmed, ended.

use std::collections::HashMap;

use codec::model::Sides;
use duckdb::Connection;

use super::{Step, StepError, Work};
use crate::batch::Origin;
use crate::duck::columns::Columns;
use crate::duck::open::Open;
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

/// The next number of an agent; those of agents that are forgotten are not given again.
fn agent_next(agents: &HashMap<String, u32>) -> u32 {
    let last = agents.values().max();
    last.map_or(0, |last| {
        last.checked_add(1).expect("fewer than 2^32 agents")
    })
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
        let number = match agents.get(agent) {
            Some(number) => *number,
            None => {
                let next = agent_next(agents);
                agents.insert(agent.clone(), next);
                new_agents.push((next, agent));
                next
            }
        };
        agent_numbers.push(number);
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
pub(super) fn end(work: &Work<'_>, open: &mut Open) -> Step {
    let connection = work.connection;
    let ends = &work.batch.run_ends;
    if !ends.is_empty() {
        let known = ends.iter().filter(|end| open.ended(end.place));
        let known = known.count();
        if known != ends.len() {
            return Err(unknown("ends", ends.len(), known));
        }
        rows_of(ends.iter()).append_to(connection, "run_end")?;
    }
    if !work.batch.run_recuts.is_empty() {
        let recuts = &work.batch.run_recuts;
        rows_of(recuts.iter()).append_to_stage(connection, "stage_end")?;
        let mut found = 0;
        // A run that is over is where it was moved to, or its end waits for that.
        for table in ["run", "run_end"] {
            found += connection.execute(
                &format!(
                    "UPDATE {table} SET confirmed_ms = e.confirmed_ms, superseded_ms = e.superseded_ms \
                     FROM stage_end e WHERE {table}.place = e.place"
                ),
                [],
            )?;
        }
        connection.execute_batch("TRUNCATE stage_end")?;
        if found != recuts.len() {
            return Err(unknown("recuts", recuts.len(), found));
        }
    }
    if !work.batch.run_confirmed.is_empty() {
        let confirmed = &work.batch.run_confirmed;
        let known = confirmed.keys().filter(|place| open.has(**place)).count();
        if known != confirmed.len() {
            return Err(unknown("confirms", confirmed.len(), known));
        }
        Columns::new()
            .u64s("place", confirmed.keys().copied())
            .i64s(
                "confirmed_ms",
                confirmed.values().map(|until| until.unix_ms),
            )
            .i64s(
                "superseded_ms",
                confirmed.values().map(|until| until.unix_ms),
            )
            .append_to_stage(connection, "stage_end")?;
        connection.execute_batch(
            "UPDATE run_open SET confirmed_ms = greatest(run_open.confirmed_ms, e.confirmed_ms) \
             FROM stage_end e WHERE run_open.place = e.place; TRUNCATE stage_end",
        )?;
    }
    Ok(())
}

fn unknown(does: &'static str, runs: usize, found: usize) -> StepError {
    StepError::Ours(StoreError::UnknownRuns { does, runs, found })
}

fn rows_of<'a>(ends: impl Iterator<Item = &'a RunEnd> + Clone) -> Columns {
    Columns::new()
        .u64s("place", ends.clone().map(|end| end.place))
        .i64s(
            "confirmed_ms",
            ends.clone().map(|end| end.confirmed_until.unix_ms),
        )
        .i64s("superseded_ms", ends.map(|end| end.superseded_at.unix_ms))
}

/// Moves the runs that ended from the open ones to the others, all at once and in one transaction.
pub(in crate::duck) fn fold(connection: &Connection) -> duckdb::Result<()> {
    let folded = connection.execute_batch(
        "BEGIN; \
         INSERT INTO run SELECT o.* REPLACE (e.confirmed_ms AS confirmed_ms, e.superseded_ms AS superseded_ms) \
         FROM run_open o JOIN run_end e ON o.place = e.place; \
         DELETE FROM run_open WHERE place IN (SELECT place FROM run_end); \
         TRUNCATE run_end; \
         COMMIT",
    );
    if folded.is_err() {
        // The first error says more than one of the rollback would.
        let _ = connection.execute_batch("ROLLBACK");
    }
    folded
}

/// Appends the batch's own runs, and the device reports that they come from.
pub(super) fn append(work: &Work<'_>, numbers: &Numbers, now_open: &mut Open) -> Step {
    let runs = &work.batch.runs;
    let mut devices = Vec::with_capacity(runs.reports.len());
    for (_, report) in &runs.reports {
        devices.push(work.device(report.device, "a reading")?);
    }
    let (mut open, mut over) = (Vec::with_capacity(runs.len()), Vec::new());
    for (at, superseded) in runs.superseded_ms.iter().enumerate() {
        let list = if superseded.is_some() {
            &mut over
        } else {
            &mut open
        };
        list.push(at);
    }
    now_open.opened(open.iter().map(|at| runs.place[*at]));
    append_reports(work, numbers)?;
    append_to(work, numbers, &devices, "run_open", &open)?;
    append_to(work, numbers, &devices, "run", &over)
}

fn append_reports(work: &Work<'_>, numbers: &Numbers) -> Step {
    let reports = &work.batch.runs.reports;
    if reports.is_empty() {
        return Ok(());
    }
    let cells = || reports.iter().map(|(_, report)| report);
    Columns::new()
        .u64s("report_no", reports.iter().map(|(place, _)| *place))
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

/// Appends the runs at `rows` to a table; `devices` are the numbers of the devices that the reports are of.
fn append_to(
    work: &Work<'_>,
    numbers: &Numbers,
    devices: &[u32],
    table: &str,
    rows: &[usize],
) -> Step {
    if rows.is_empty() {
        return Ok(());
    }
    let runs = &work.batch.runs;
    let report = |at: &usize| runs.report[*at] as usize;
    let origin = |at: &usize| numbers.origins[runs.origin[*at] as usize];
    let u64s = |column: &'static str, of: &[u64], columns: Columns| {
        columns.u64s(column, rows.iter().map(|at| of[*at]))
    };
    let i64s = |column: &'static str, of: &[i64], columns: Columns| {
        columns.i64s(column, rows.iter().map(|at| of[*at]))
    };
    let mut columns = u64s("place", &runs.place, Columns::new())
        .u64s(
            "report_no",
            rows.iter().map(|at| runs.reports[report(at)].0),
        )
        .u32s("device_no", rows.iter().map(|at| devices[report(at)]))
        .u16s("meter_no", rows.iter().map(|at| origin(at).1))
        .u32s("origin_no", rows.iter().map(|at| origin(at).0));
    columns = i64s("site", &runs.site, columns);
    columns = u64s("value", &runs.value, columns);
    columns = u64s("continuous", &runs.continuous, columns)
        .u32s("meter_epoch", rows.iter().map(|at| runs.meter_epoch[*at]));
    columns = i64s("observed_ms", &runs.observed_ms, columns);
    columns = i64s("confirmed_ms", &runs.confirmed_ms, columns);
    columns
        .i64s_opt(
            "superseded_ms",
            rows.iter().map(|at| runs.superseded_ms[*at]),
        )
        .u8s("quality", rows.iter().map(|at| runs.quality[*at]))
        .bools(
            "clock_corrected",
            rows.iter().map(|at| runs.clock_corrected[*at]),
        )
        .u8s("reason", rows.iter().map(|at| runs.reason[*at]))
        .texts_opt(
            "parts",
            rows.iter().map(|at| {
                let (begin, end) = runs.parts[*at];
                (begin < end).then(|| &work.batch.parts[begin..end])
            }),
        )
        .append_to(work.connection, table)?;
    Ok(())
}
