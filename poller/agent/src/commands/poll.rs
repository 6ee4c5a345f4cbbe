//! `platen-agent poll`: one printer, now.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use agent::clock::Clock;
use agent::snmp::shown;
use codec::id::AgentId;
use codec::key::{SpoolEpoch, Stream};
use codec::model::{DeviceReport, Header, Report};
use codec::time::Timestamp;
use poller::device::{Depth, DevicePoll, PollContext, PollOutcome};
use poller::driver::poll_once;
use poller::engine::{Memory, PollError, PollOptions, Target};
use poller::recording::{Recording, replay};

use super::{Failure, Outcome, access};
use crate::cli::{Format, PollArgs};

/// The agent that stands in an XML report which was never sealed.
const AGENT_NONE: &str = "poll";

/// Polls and prints.
pub fn poll(args: &PollArgs) -> Outcome {
    let report = match (&args.recording, &args.host) {
        (Some(path), _) => replay_recording(path, args)?,
        (None, Some(host)) => poll_host(host, args)?,
        (None, None) => return Err(Failure::new("give a host or a recording")),
    };
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &report)?;
            writeln!(out)?;
        }
        Format::Xml => {
            let mut xml = Vec::new();
            codec::xml::write_report(&alone(report), &mut xml);
            out.write_all(&xml)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn replay_recording(path: &std::path::Path, args: &PollArgs) -> Result<DeviceReport, Failure> {
    let text = std::fs::read(path).map_err(|error| {
        Failure::new(format!(
            "the recording {} cannot be read: {error}",
            path.display()
        ))
    })?;
    let recording = Recording::parse(&text)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let profiles = access::profiles(args.access.profiles.as_deref())?;
    let outcome = replay(&recording, profiles, Timestamp::now());
    outcome
        .report
        .ok_or_else(|| Failure::new(format!("{} records no device that answers", path.display())))
}

fn poll_host(host: &str, args: &PollArgs) -> Result<DeviceReport, Failure> {
    let target = access::target(host)?;
    let options = access::poll_options(&args.access, Some(target))?;
    let profiles = access::profiles(args.access.profiles.as_deref())?;
    let clock = Clock::new();
    let mut context = PollContext::new(&shown(target), clock.now(), clock.uptime_ms());
    context.depth = Depth::Learn;
    let mut device = DevicePoll::new(profiles, None, context);
    let began = std::time::Instant::now();
    let polled = poll_once(
        Target::udp(target),
        &options,
        Memory::default(),
        &mut device,
    );
    if args.stats
        && let Ok(polled) = &polled
    {
        let stats = &polled.stats;
        eprintln!(
            "{} requests ({} repeated), {} answers, {} bytes sent, {} bytes received, {:?}",
            stats.requests,
            stats.retries,
            stats.responses,
            stats.bytes_sent,
            stats.bytes_received,
            stats.took
        );
    }
    let PollOutcome {
        report,
        do_not_touch,
        is_printer,
        ..
    } = device.into_outcome();
    match (report, polled) {
        (Some(report), polled) => {
            if let Err(error) = polled {
                eprintln!("platen-agent: the report is incomplete: {error}");
            }
            if !is_printer {
                eprintln!("platen-agent: {target} answers, but is no printer that Platen knows");
            }
            if do_not_touch {
                eprintln!(
                    "platen-agent: a profile says that this model must not be polled; `run` would leave it alone"
                );
            }
            Ok(report)
        }
        (None, polled) => Err(no_answer(
            host,
            target,
            &options,
            polled.err(),
            began.elapsed(),
        )),
    }
}

/// What was tried, and what to check.
fn no_answer(
    host: &str,
    target: SocketAddr,
    options: &PollOptions,
    error: Option<PollError>,
    elapsed: std::time::Duration,
) -> Failure {
    let tried: Vec<&str> = options
        .credentials
        .iter()
        .map(|credential| &*credential.label)
        .collect();
    let tried = tried.join("; ");
    let place = if host == target.to_string() || host == target.ip().to_string() {
        format!("{} UDP port {}", target.ip(), target.port())
    } else {
        format!("{host} ({} UDP port {})", target.ip(), target.port())
    };
    match error {
        Some(PollError::Refused { reason }) => Failure::new(format!(
            "{place} answers, but refuses the credentials ({tried}): {reason}. Check user, protocols and passwords."
        )),
        Some(PollError::Send(error)) => Failure::new(format!(
            "nothing can be sent to {place}: {error}. Check the network and the routes of this machine."
        )),
        Some(PollError::NoAnswer { requests }) => Failure::new(format!(
            "{place} does not answer: {requests} requests in {:.1} s, with {tried}. Check that the printer is on, that SNMP is enabled \
             in its settings, that the community (or user) is right, that its access list has this machine, and that no firewall drops UDP.",
            elapsed.as_secs_f64()
        )),
        Some(error) => Failure::new(format!(
            "{place} could not be polled, with {tried}: {error}"
        )),
        None => Failure::new(format!("{place} answers, but says nothing about itself")),
    }
}

/// A report of this device alone, as it would travel.
fn alone(device: DeviceReport) -> Report {
    let clock = Clock::new();
    Report {
        header: Header {
            agent: AgentId::new(AGENT_NONE).expect("lower-case letters are an agent id"),
            epoch: SpoolEpoch(0),
            stream: Stream::State,
            sequence: 1,
            sealed_at: clock.now(),
            sealed_uptime_ms: clock.uptime_ms(),
            program: concat!("platen-agent/", env!("CARGO_PKG_VERSION")).to_owned(),
        },
        devices: vec![DeviceReport {
            handle: "device".to_owned(),
            ..device
        }],
    }
}
