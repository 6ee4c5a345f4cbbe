//! `platen-agent status`: what the agent of a configuration is doing, as it wrote it down a few seconds ago.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use agent::AgentConfig;
use agent::status::{File, read_file};
use codec::key::Stream;
use codec::time::Timestamp;

use super::{Failure, Outcome, output};
use crate::cli::{ListFormat, StatusArgs};

/// The agent writes more often than this: an older status is of one that has ended.
const AGE_MS_MAX: i64 = 30_000;

/// Prints the status. Fails when no agent runs.
pub fn status(args: &StatusArgs) -> Outcome {
    let config = AgentConfig::read(&args.config)?;
    let folder = &config.spool.directory;
    let file = read_file(folder).map_err(|error| {
        Failure::new(format!(
            "{} holds no status: no agent runs there ({error})",
            folder.display()
        ))
    })?;
    let age_ms = Timestamp::now().ms_since(file.written_at);
    let text = match args.format {
        ListFormat::Json => serde_json::to_string_pretty(&file)? + "\n",
        ListFormat::Table => table(&file, age_ms),
    };
    output::results().write_all(text.as_bytes())?;
    if (0..AGE_MS_MAX).contains(&age_ms) {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "platen-agent: that was at {}; the agent does not run any more",
        file.written_at
    );
    Ok(ExitCode::FAILURE)
}

/// For people.
fn table(file: &File, age_ms: i64) -> String {
    let status = &file.status;
    let mut text = String::new();
    let mut line = |name: &str, said: String| {
        let _ = writeln!(text, "{name:<12} {said}");
    };
    line(
        "agent",
        format!(
            "{}, {}, process {}, since {}; as of {} s ago",
            file.agent,
            file.program,
            file.process,
            file.started_at,
            age_ms / 1000
        ),
    );
    let silent = status.devices_known - status.devices_answering.min(status.devices_known);
    line(
        "devices",
        format!(
            "{} known, {} answering, {silent} silent",
            status.devices_known, status.devices_answering
        ),
    );
    line(
        "discovery",
        format!(
            "{} of {} addresses asked",
            status.discovery_asked, status.discovery_total
        ),
    );
    line(
        "polls",
        format!("{} answered, {} not", status.polls, status.polls_unanswered),
    );
    for (name, depth) in ["heartbeats", "steady", "full", "learning"]
        .iter()
        .zip(&status.depths)
        .filter(|(_, depth)| depth.polls > 0)
    {
        let each = depth.bytes / depth.polls;
        line("", format!("{} {name}, {each} bytes each", depth.polls));
    }
    let traps = &status.traps;
    line(
        "traps",
        format!(
            "{} heard, {} polls because of them; {} ignored, {} of unknown addresses; dropped: {} too many, {} refused, {} unreadable",
            traps.heard,
            traps.polls,
            traps.ignored,
            traps.strange,
            traps.flood,
            traps.refused,
            traps.malformed
        ),
    );
    for (stream, counts) in Stream::ALL.iter().zip(&status.streams) {
        line(
            stream.name(),
            format!(
                "{} reports delivered, {} waiting ({} bytes), {} refused, {} dropped, {} attempts failed",
                counts.receipts,
                counts.waiting_reports,
                counts.waiting_bytes,
                counts.refused,
                counts.dropped,
                counts.attempts_failed
            ),
        );
    }
    let receipt = status.receipt_last.as_ref();
    line(
        "receipt",
        receipt.map_or("none yet".to_owned(), |(at, key)| {
            format!("the last at {at}: {} {}", key.stream.name(), key.sequence)
        }),
    );
    if let Some(error) = &status.delivery_error {
        line("delivery", format!("fails: {error}"));
    }
    if let Some(error) = &status.ranges_error {
        line("ranges", error.clone());
    }
    if let Some(error) = &status.profiles_error {
        line(
            "profiles",
            format!("not taken, the former are in force: {error}"),
        );
    }
    text
}
