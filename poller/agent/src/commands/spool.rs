//! `platen-agent spool`: what lies in a spool.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use agent::spool::inspect::{self, Entry};
use codec::envelope::Inflater;
use codec::key::Stream;
use codec::limits::INFLATED_BYTES_MAX;

use super::output::results;
use super::{Failure, Outcome};
use crate::cli::{SpoolCommand, StreamArg};

/// Looks into a spool.
pub fn spool(command: &SpoolCommand) -> Outcome {
    match command {
        SpoolCommand::Check { folder } => check(folder),
        SpoolCommand::Dump {
            folder,
            stream,
            sequence,
        } => dump(folder, stream.map(StreamArg::stream), *sequence),
    }
}

fn check(folder: &Path) -> Outcome {
    let checked = inspect::check(folder)?;
    write!(results(), "{checked}")?;
    Ok(if checked.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn dump(folder: &Path, stream: Option<Stream>, sequence: Option<u64>) -> Outcome {
    let mut out = results();
    if let (Some(stream), Some(sequence)) = (stream, sequence) {
        let sealed = inspect::report(folder, stream, sequence)?.ok_or_else(|| {
            Failure::new(format!(
                "there is no report {sequence} in the stream {}",
                stream.name()
            ))
        })?;
        let mut inflater = Inflater::new();
        let xml = inflater.inflate(sealed.0.encoding, &sealed.1, INFLATED_BYTES_MAX)?;
        out.write_all(xml)?;
        return Ok(ExitCode::SUCCESS);
    }
    let streams = Stream::ALL
        .into_iter()
        .filter(|one| stream.is_none_or(|wanted| wanted == *one));
    writeln!(
        out,
        "{:<7} {:>10} {:<24} {:>8} {:>9} {:<12} sha256",
        "stream", "number", "sealed", "devices", "bytes", "state"
    )?;
    for stream in streams {
        if out.is_gone() {
            break;
        }
        for Entry {
            sequence,
            meta,
            bytes,
            is_done,
        } in inspect::list(folder, stream)?
        {
            writeln!(
                out,
                "{:<7} {sequence:>10} {:<24} {:>8} {bytes:>9} {:<12} {}",
                stream.name(),
                meta.sealed_at,
                meta.devices,
                if is_done { "done" } else { "waiting" },
                meta.hash,
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl StreamArg {
    const fn stream(self) -> Stream {
        match self {
            Self::Meters => Stream::Meters,
            Self::State => Stream::State,
        }
    }
}
