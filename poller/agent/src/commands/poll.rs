//! `platen-agent poll`: one printer, now.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use agent::clock::Clock;
use agent::names::PendingName;
use agent::snmp::shown;
use codec::id::AgentId;
use codec::key::{SpoolEpoch, Stream};
use codec::model::{DeviceReport, Header, Report};
use codec::time::Timestamp;
use poller::conversation::Failure as PollFailure;
use poller::device::{Depth, DevicePoll, PollContext, PollOutcome};
use poller::driver::poll_once;
use poller::engine::{Memory, PollError, PollOptions, Target, Transport};
use poller::recording::{Recording, replay};

use super::access::{Access, Device};
use super::output::results;
use super::{Failure, Outcome};
use crate::cli::{Format, PollArgs};

/// The agent that stands in an XML report which was never sealed.
const AGENT_NONE: &str = "poll";

/// The longest that a person waits for a name beside the report.
const NAME_WAIT_MAX: Duration = Duration::from_secs(2);

/// Polls and prints.
pub fn poll(args: &PollArgs) -> Outcome {
    let report = match (&args.recording, &args.host) {
        (Some(path), _) => replay_recording(path, args)?,
        (None, Some(host)) => poll_host(host, args)?,
        (None, None) => return Err(Failure::new("give a host or a recording")),
    };
    let mut out = results();
    match args.format {
        Format::Json => {
            let mut text = serde_json::to_vec_pretty(&report)?;
            text.push(b'\n');
            out.write_all(&text)?;
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
    for skipped in recording.skipped() {
        eprintln!("platen-agent: {}: {skipped}; left out", path.display());
    }
    let profiles = Access::read(&args.access)?.profiles()?;
    let outcome = replay(&recording, profiles, Timestamp::now());
    said_about(outcome, None, &path.display().to_string())
        .ok_or_else(|| Failure::new(format!("{} records no device that answers", path.display())))
}

fn poll_host(host: &str, args: &PollArgs) -> Result<DeviceReport, Failure> {
    let access = Access::read(&args.access)?;
    let Device { target, options } = access.device(host)?;
    let address = target.address;
    let profiles = access.profiles()?;
    let names = (!args.no_dns).then(|| access.names(NAME_WAIT_MAX));
    // Asked while the device is polled: the name is mostly there when the report is.
    let name = names.and_then(|names| PendingName::ask(names, address.ip()));
    let clock = Clock::new();
    let mut context = PollContext::new(&shown(address), clock.now(), clock.uptime_ms());
    context.depth = Depth::Learn;
    let mut device = DevicePoll::new(profiles, None, context);
    let began = std::time::Instant::now();
    let polled = poll_once(target, &options, Memory::default(), &mut device);
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
    let error = polled.err();
    let outcome = device.into_outcome();
    match said_about(outcome, error.as_ref(), &address.to_string()) {
        Some(mut report) => {
            report.identity.dns_name = name.and_then(PendingName::take);
            Ok(report)
        }
        None => Err(no_answer(host, target, &options, error, began.elapsed())),
    }
}

/// The report of a poll, after everything was said on stderr that stands not in it.
fn said_about(
    outcome: PollOutcome,
    error: Option<&PollError>,
    source: &str,
) -> Option<DeviceReport> {
    let report = outcome.report?;
    if !outcome.do_not_touch
        && let Some(sentence) = incomplete(&outcome.not_read, outcome.failure, error)
    {
        eprintln!("platen-agent: {sentence}");
    }
    if !outcome.is_printer {
        eprintln!("platen-agent: {source} answers, but is no printer that Platen knows");
    }
    if outcome.do_not_touch {
        eprintln!(
            "platen-agent: a profile says that this model must not be polled; `run` would leave it alone"
        );
    }
    Some(report)
}

/// What is missing in a report and why; `None` when it is complete.
fn incomplete(
    not_read: &[&str],
    failure: Option<PollFailure>,
    error: Option<&PollError>,
) -> Option<String> {
    if not_read.is_empty() && failure.is_none() && error.is_none() {
        return None;
    }
    let what = match not_read {
        [] => "some of the values asked for were not read".to_owned(),
        [one] => format!("{one} was not read"),
        several => format!("{} were not read", several.join(", ")),
    };
    let why = match (failure, error) {
        (_, Some(error)) => error.to_string(),
        (Some(PollFailure::Timeout), None) => "no answer".to_owned(),
        (Some(PollFailure::ErrorStatus(status)), None) => {
            format!("the device answered with the error status {status}")
        }
        (Some(PollFailure::Authentication), None) => "the credentials were refused".to_owned(),
        (Some(PollFailure::Malformed), None) => "the answers were no valid SNMP".to_owned(),
        (None, None) => "the device does not say it".to_owned(),
    };
    Some(format!("incomplete: {what}: {why}"))
}

/// What was tried, and what to check.
fn no_answer(
    host: &str,
    target: Target,
    options: &PollOptions,
    error: Option<PollError>,
    elapsed: Duration,
) -> Failure {
    let tried: Vec<&str> = options
        .credentials
        .iter()
        .map(|credential| &*credential.label)
        .collect();
    let tried = tried.join("; ");
    let address = target.address;
    let transport = match target.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    let (ip, port) = (address.ip(), address.port());
    let place = if host == address.to_string() || host == ip.to_string() {
        format!("{ip} {transport} port {port}")
    } else {
        format!("{host} ({ip} {transport} port {port})")
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
             in its settings, that the community (or user) is right, that its access list has this machine, and that no firewall drops {transport}.",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_reason() {
        let timeout = Some(PollFailure::Timeout);
        for (not_read, failure, said) in [
            (&[][..], None, None),
            (
                &["supplies", "meters"],
                timeout,
                Some("incomplete: supplies, meters were not read: no answer"),
            ),
            (
                &["alerts"],
                Some(PollFailure::ErrorStatus(5)),
                Some(
                    "incomplete: alerts was not read: the device answered with the error status 5",
                ),
            ),
            (
                &[],
                timeout,
                Some("incomplete: some of the values asked for were not read: no answer"),
            ),
            (
                &["trays"],
                None,
                Some("incomplete: trays was not read: the device does not say it"),
            ),
        ] {
            assert_eq!(incomplete(not_read, failure, None).as_deref(), said);
        }
    }
}
