//! `platen-agent discover`: which addresses are printers.

mod list;

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use agent::config::RangeConfig;
use agent::config::ranges::{RangeEntry, RangeFile, access_of};
use agent::hints::{Hint, HintThreads};
use poller::credentials::Credential;
use poller::discovery::{Area, DiscoveryOptions, Event, Found, Hints, Progress, shown};
use poller::engine::Pace;

use list::Listed;

use super::access::{self, Access};
use super::{Failure, Outcome};
use crate::cli::{DiscoverArgs, HintArg};

/// Attempts after the first: the second comes when the first is through everywhere.
const RETRIES: u32 = 1;
/// How often progress is told where it does not overwrite itself.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// So many addresses that are alive and silent are named.
const SILENT_SHOWN_MAX: usize = 50;

/// Asks and lists.
pub fn discover(args: &DiscoverArgs) -> Outcome {
    let access = Access::read(&args.access)?;
    let wanted = Wanted::of(args, &access)?;
    let areas = wanted.areas(args, &access)?;
    let options = DiscoveryOptions {
        pace: Pace {
            requests_per_second: args.packets_per_second,
            ..Pace::default()
        },
        ..DiscoveryOptions::default()
    };
    let signs: Vec<Hint> = args.hints.iter().copied().map(hint).collect();
    let mut hints = HintThreads::start(&signs, args.packets_per_second)?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop))?;
    let mut teller = Teller::default();
    let mut found = Vec::new();
    let (mut silent, mut refused) = (Vec::new(), Vec::new());
    let progress = poller::discovery::discover(
        &areas,
        &options,
        hints.as_mut().map(|hints| hints as &mut dyn Hints),
        &stop,
        &mut |event| match event {
            Event::Found(device) if args.all || device.is_printer() => found.push(*device),
            Event::Found(_) => {}
            Event::Refused(address, reason) => refused.push((address, reason)),
            Event::Silent(address) => silent.push(address),
            Event::Progress(progress) => teller.tell(&progress),
        },
    )?;
    teller.end();
    // What two ranges have is asked for each, with the credentials of each.
    found.sort_by_key(|device| device.address);
    found.dedup_by_key(|device| device.address);
    let listed: Vec<Listed> = found.iter().map(|found| wanted.listed(found)).collect();
    list::print(&listed, args.format)?;
    say_refused(&mut refused);
    say_silent(&silent);
    eprintln!(
        "{} of {} addresses asked in {:.1} s with {} requests: {} answered, {} listed",
        progress.asked,
        progress.addresses,
        progress.elapsed.as_secs_f64(),
        progress.requests,
        progress.found,
        found.len()
    );
    Ok(if found.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What is asked: the ranges of the command line and of the list, else those of the configuration.
struct Wanted {
    ranges: Vec<RangeConfig>,
    /// Which of them lines of a list made, for an access of their own.
    made: Vec<bool>,
    /// What a list may name.
    known: Vec<Credential>,
}

impl Wanted {
    fn of(args: &DiscoverArgs, access: &Access<'_>) -> Result<Self, Failure> {
        let configured = access.config().map_or(&[][..], |config| &config.ranges);
        let known = access
            .config()
            .map_or_else(Vec::new, |config| config.credentials.clone());
        let ranges = if args.ranges.is_empty() && args.file.is_none() {
            configured.to_vec()
        } else {
            let (transport, credentials) = access.common()?;
            let own = RangeConfig {
                name: "the list".to_owned(),
                include: access::ranges(&args.ranges, RangeEntry::parse)?,
                // What the configuration says is never asked is not asked here either.
                exclude: (configured.iter())
                    .flat_map(|range| range.exclude.iter().cloned())
                    .collect(),
                transport,
                credentials,
                file: None,
            };
            match &args.file {
                Some(file) => RangeFile::new(file.clone(), own, known.clone()).read()?,
                None => vec![own],
            }
        };
        let mut made = Vec::with_capacity(ranges.len());
        let mut of_list = 0;
        for range in &ranges {
            made.push(of_list > 0);
            of_list = match &range.file {
                Some(file) if of_list == 0 => file.made(),
                _ => of_list.saturating_sub(1),
            };
        }
        Ok(Self {
            ranges,
            made,
            known,
        })
    }

    fn areas(&self, args: &DiscoverArgs, access: &Access<'_>) -> Result<Vec<Area>, Failure> {
        let exclude = access::ranges(&args.exclude, RangeEntry::parse_excluded)?;
        let areas = self.ranges.iter().map(|range| Area {
            include: range.include.clone(),
            exclude: [&range.exclude[..], &exclude].concat(),
            transport: range.transport,
            poll: access.options(range.credentials.clone(), RETRIES),
        });
        Ok(areas.collect())
    }

    /// What was found, with what finds it again.
    fn listed<'f>(&self, found: &'f Found) -> Listed<'f> {
        let label = found.memory.credential.as_deref();
        let (range, made) = (&self.ranges[found.area], self.made[found.area]);
        Listed {
            found,
            access: label.and_then(|label| access_of(range, made, label, &self.known)),
        }
    }
}

const fn hint(arg: HintArg) -> Hint {
    match arg {
        HintArg::Icmp => Hint::Icmp,
        HintArg::Tcp7 => Hint::Tcp7,
    }
}

fn say_refused(refused: &mut [(SocketAddr, &str)]) {
    refused.sort_unstable();
    for (address, reason) in refused {
        eprintln!("{}: refuses the credentials: {reason}", shown(*address));
    }
}

fn say_silent(silent: &[IpAddr]) {
    if silent.is_empty() {
        return;
    }
    eprintln!("alive but no SNMP answer: check the community, or SNMP is switched off");
    for address in silent.iter().take(SILENT_SHOWN_MAX) {
        eprintln!("  {address}");
    }
    if silent.len() > SILENT_SHOWN_MAX {
        eprintln!("  and {} more", silent.len() - SILENT_SHOWN_MAX);
    }
}

/// Tells the progress on stderr: on a terminal in one line, else now and then.
#[derive(Default)]
struct Teller {
    told: Duration,
    has_line: bool,
}

impl Teller {
    fn tell(&mut self, progress: &Progress) {
        let left = progress.remaining.map_or_else(String::new, |left| {
            format!(", about {} left", list::minutes(left))
        });
        let line = format!(
            "{} of {} addresses asked, {} devices, {:.0} requests/s{left}",
            progress.asked, progress.addresses, progress.found, progress.rate
        );
        if std::io::stderr().is_terminal() {
            eprint!("\r{line:<78}");
            self.has_line = true;
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        } else if progress.elapsed >= self.told + PROGRESS_INTERVAL {
            self.told = progress.elapsed;
            eprintln!("{line}");
        }
    }

    fn end(&self) {
        if self.has_line {
            eprintln!();
        }
    }
}
