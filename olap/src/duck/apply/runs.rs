//! Readings as runs: opened, confirmed, ended.

use std::collections::HashMap;

use codec::model::Sides;
use duckdb::Connection;

use super::{Step, StepError, Work};
use crate::batch::Origin;
use crate::duck::columns::Columns;
use crate::duck::readings::stream_code;
use crate::duck::schema::OPEN_MS;
use crate::error::StoreError;
use crate::rows::RunEnd;

/// What is said of a run that is open, and of one that is over.
const IS_OPEN: &str = "run.superseded_ms = 9223372036854775807";
const IS_OVER: &str = "run.superseded_ms < 9223372036854775807";
const _: () = assert!(
    OPEN_MS == 9_223_372_036_854_775_807,
    "the number in the questions"
);

/// Open runs are brought together after so many new runs for each of them: most end sooner, and those that do not are moved seldom.
const GATHER_AFTER: u64 = 2;

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

/// Ends, recuts and confirms runs of earlier batches; returns how many ended.
pub(super) fn end(work: &Work<'_>) -> Step<u64> {
    let batch = work.batch;
    let set = "confirmed_ms = e.confirmed_ms, superseded_ms = e.superseded_ms";
    let ends = &batch.run_ends;
    if !ends.is_empty() {
        found("ends", ends.len(), distinct(ends))?;
        let changed = change(work, rows_of(ends.iter()), set, IS_OPEN)?;
        found("ends", ends.len(), changed)?;
    }
    let recuts = &batch.run_recuts;
    if !recuts.is_empty() {
        let changed = change(work, rows_of(recuts.values()), set, IS_OVER)?;
        found("recuts", recuts.len(), changed)?;
    }
    let confirmed = &batch.run_confirmed;
    if !confirmed.is_empty() {
        let until = || confirmed.values().map(|until| until.unix_ms);
        let rows = Columns::new()
            .u64s("place", confirmed.keys().copied())
            .i64s("confirmed_ms", until())
            .i64s("superseded_ms", until());
        let set = "confirmed_ms = greatest(run.confirmed_ms, e.confirmed_ms)";
        let changed = change(work, rows, set, IS_OPEN)?;
        found("confirms", confirmed.len(), changed)?;
    }
    Ok(ends.len() as u64)
}

/// Writes over the runs that have the places of `rows` and are as `which` says; returns how many there were.
fn change(work: &Work<'_>, rows: Columns, set: &str, which: &str) -> Step<usize> {
    rows.append_to_stage(work.connection, "stage_end")?;
    let changed = work.connection.execute(
        &format!("UPDATE run SET {set} FROM stage_end e WHERE run.place = e.place AND {which}"),
        [],
    )?;
    work.connection.execute_batch("TRUNCATE stage_end")?;
    Ok(changed)
}

/// A batch that speaks of runs which are not there contradicts the store.
fn found(does: &'static str, runs: usize, found: usize) -> Step {
    if runs == found {
        return Ok(());
    }
    let unknown = StoreError::UnknownRuns { does, runs, found };
    Err(StepError::Ours(unknown))
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

/// How many different runs are ended: the engine would write both ends of one over each other, in whichever order.
fn distinct(ends: &[RunEnd]) -> usize {
    let mut places: Vec<u64> = ends.iter().map(|end| end.place).collect();
    places.sort_unstable();
    places.dedup();
    places.len()
}

/// Appends the batch's own runs, and the device reports that they come from; returns how many of them are open.
pub(super) fn append(work: &Work<'_>, numbers: &Numbers) -> Step<u64> {
    let runs = &work.batch.runs;
    if runs.len() == 0 {
        return Ok(0);
    }
    let mut devices = Vec::with_capacity(runs.reports.len());
    for (_, report) in &runs.reports {
        devices.push(work.device(report.device, "a reading")?);
    }
    append_reports(work, numbers)?;
    let report = || runs.report.iter().map(|report| *report as usize);
    let origin = || {
        let origins = runs.origin.iter();
        origins.map(|origin| numbers.origins[*origin as usize])
    };
    let ends = || {
        let ends = runs.superseded_ms.iter();
        ends.map(|superseded| superseded.unwrap_or(OPEN_MS))
    };
    Columns::new()
        .u64s("place", runs.place.iter().copied())
        .u64s("report_no", report().map(|at| runs.reports[at].0))
        .u32s("device_no", report().map(|at| devices[at]))
        .u16s("meter_no", origin().map(|origin| origin.1))
        .u32s("origin_no", origin().map(|origin| origin.0))
        .i64s("site", runs.site.iter().copied())
        .u64s("value", runs.value.iter().copied())
        .u64s("continuous", runs.continuous.iter().copied())
        .u32s("meter_epoch", runs.meter_epoch.iter().copied())
        .i64s("observed_ms", runs.observed_ms.iter().copied())
        .i64s("confirmed_ms", runs.confirmed_ms.iter().copied())
        .i64s("superseded_ms", ends())
        .u8s("quality", runs.quality.iter().copied())
        .bools("clock_corrected", runs.clock_corrected.iter().copied())
        .u8s("reason", runs.reason.iter().copied())
        .texts_opt(
            "parts",
            runs.parts
                .iter()
                .map(|(begin, end)| (begin < end).then(|| &work.batch.parts[*begin..*end])),
        )
        .append_to(work.connection, "run")?;
    Ok(ends().filter(|end| *end == OPEN_MS).count() as u64)
}

fn append_reports(work: &Work<'_>, numbers: &Numbers) -> Step {
    let reports = &work.batch.runs.reports;
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

/// How the open runs lie in the file.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::duck) struct Spread {
    /// How many there are.
    pub open: u64,
    /// Runs since they were last brought together, open or not.
    pub since: u64,
    /// The first place after that.
    pub from: u64,
}

/// Where the place of [`Spread::from`] is kept.
const GATHERED: &str = "gathered";

impl Spread {
    /// How they lie now.
    pub(in crate::duck) fn load(connection: &Connection) -> duckdb::Result<Self> {
        let from = connection.query_row(
            "SELECT coalesce(max(value::UBIGINT), 0) FROM meta WHERE key = ?",
            [GATHERED],
            |row| row.get(0),
        )?;
        let count = |condition: &str| {
            let runs = format!("SELECT count(*) FROM run WHERE {condition}");
            connection.query_row(&runs, [], |row| row.get(0))
        };
        Ok(Self {
            open: count(IS_OPEN)?,
            since: count(&format!("place >= {from}"))?,
            from,
        })
    }

    /// Whether a question would look through much that is over to find what is open.
    pub(in crate::duck) const fn is_wide(&self, runs_min: u64) -> bool {
        self.since >= runs_min && self.since >= self.open.saturating_mul(GATHER_AFTER)
    }
}

/// Brings the runs together that have been open since before the last time, behind all others and in one transaction: they would keep
/// every stretch of the file in which one of them lies from being passed over.
pub(in crate::duck) fn gather(connection: &Connection, spread: Spread) -> duckdb::Result<Spread> {
    let done = (|| {
        connection.execute_batch("BEGIN")?;
        let (rows, place): (u64, u64) = connection.query_row(
            "SELECT coalesce(max(rowid) + 1, 0), coalesce(max(place) + 1, 0) FROM run",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let which = format!("{IS_OPEN} AND place < {}", spread.from);
        connection.execute_batch(&format!(
            "INSERT INTO run SELECT * FROM run WHERE {which}; \
             DELETE FROM run WHERE {which} AND rowid < {rows}; \
             DELETE FROM meta WHERE key = '{GATHERED}'; \
             INSERT INTO meta VALUES ('{GATHERED}', '{place}'); \
             COMMIT"
        ))?;
        Ok(Spread {
            open: spread.open,
            since: 0,
            from: place,
        })
    })();
    if done.is_err() {
        // The first error says more than one of the rollback would.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}
