//! What devices tell by themselves: a trap or an inform is a reason to ask at once, never data.
//!
//! What always holds: of a known device, however much it tells, one poll follows in ten seconds at most; an address that is not known
//! is asked who it is only if a range says it may be, and once in ten minutes at most; what is too much is dropped and counted.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use poller::trap::{Notification, TrapCounters, TrapListener, TrapOptions};

use super::{Event, SnmpSource};
use crate::config::TrapsConfig;
use crate::status::{StatusHandle, add, set};

/// Notifications that wait for the source: beyond, a device's next one will do.
const WAITING_MAX: usize = 1024;
/// An address that is not known is asked who it is once in this time, whatever it tells.
const STRANGER_PAUSE: Duration = Duration::from_secs(600);
/// Addresses that are not known and are kept track of.
const STRANGERS_MAX: usize = 4096;
/// Devices that share an address (print servers with a port each) and are asked because it told something.
const DEVICES_PER_ADDRESS_MAX: usize = 8;
/// How often what was dropped is looked at, and at the most logged.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Log lines about what was dropped come no closer than this.
const LOG_PAUSE: Duration = Duration::from_secs(60);

/// prtAlert and what is below: `printerV2Alert` (RFC 3805), and what older ones sent.
const PRINTER_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 43];
/// enterprises: the vendors' own
const ENTERPRISES: &[u32] = &[1, 3, 6, 1, 4, 1];
/// snmpTraps (RFC 3418)
const SNMP_TRAPS: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];
/// coldStart, warmStart, linkUp: the device is there (again). Others of snmpTraps say nothing of a printer; `authenticationFailure` may be
/// our own doing, and a poll on each would never end.
const STARTS: [u32; 3] = [1, 2, 4];

/// The listener, and what it led to.
pub(super) struct Told {
    listener: TrapListener,
    waiting: Arc<AtomicUsize>,
    /// When each address that is not known was last asked who it is.
    strangers: HashMap<IpAddr, Instant>,
    look_at: Instant,
    dropped: u64,
    logged_at: Option<Instant>,
}

impl Told {
    /// Listens as configured; `None` where nothing is.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub fn start(
        config: &TrapsConfig,
        events: &Sender<Event>,
        status: &StatusHandle,
        now: Instant,
    ) -> io::Result<Option<Self>> {
        if config.listen.is_empty() {
            return Ok(None);
        }
        let options = TrapOptions {
            addresses: config.listen.clone(),
            communities: (config.communities.iter())
                .map(|community| community.reveal().as_bytes().to_vec())
                .collect(),
            users: config.users.clone(),
        };
        let waiting = Arc::<AtomicUsize>::default();
        let (events, status, room) = (events.clone(), status.clone(), Arc::clone(&waiting));
        let listener = TrapListener::start(&options, move |notification| {
            let counters = status.counters();
            if !is_reason(&notification) {
                add(&counters.traps_ignored, 1);
            } else if room.load(Ordering::Relaxed) >= WAITING_MAX {
                add(&counters.traps_dropped_here, 1);
            } else {
                add(&counters.traps_heard, 1);
                room.fetch_add(1, Ordering::Relaxed);
                // The source is gone: so is whoever wanted to know.
                let _ = events.send(Event::Told(Box::new(notification)));
            }
        })?;
        Ok(Some(Self {
            listener,
            waiting,
            strangers: HashMap::new(),
            look_at: now,
            dropped: 0,
            logged_at: None,
        }))
    }

    /// Whether an address that is not known may be asked who it is.
    fn admits(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.strangers.len() >= STRANGERS_MAX {
            self.strangers.retain(|_, until| *until > now);
        }
        let is_new = self
            .strangers
            .get(&address)
            .is_none_or(|until| *until <= now);
        let has_room = self.strangers.len() < STRANGERS_MAX;
        if is_new && has_room {
            self.strangers.insert(address, now + STRANGER_PAUSE);
        }
        is_new && has_room
    }

    /// Sums up what was dropped, and says so once a minute at most.
    fn look(&mut self, status: &StatusHandle, now: Instant) {
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK_EVERY;
        let TrapCounters {
            dropped_flood,
            dropped_malformed,
            dropped_refused,
            ..
        } = self.listener.counters();
        let counters = status.counters();
        set(&counters.traps_flood, dropped_flood);
        set(&counters.traps_malformed, dropped_malformed);
        set(&counters.traps_refused, dropped_refused);
        let dropped = dropped_flood + dropped_refused + dropped_malformed;
        let may_log = self.logged_at.is_none_or(|at| now >= at + LOG_PAUSE);
        if dropped > self.dropped && may_log {
            tracing::warn!(
                dropped = dropped - self.dropped,
                flood = dropped_flood,
                refused = dropped_refused,
                malformed = dropped_malformed,
                "traps were dropped: too many, of an unknown community or user, or unreadable (the last three since the start)"
            );
            self.dropped = dropped;
            self.logged_at = Some(now);
        }
    }
}

impl SnmpSource {
    /// A device told something.
    pub(super) fn hear(&mut self, notification: &Notification, now: Instant) {
        let Some(told) = &mut self.told else { return };
        told.waiting.fetch_sub(1, Ordering::Relaxed);
        let address = notification.source.ip();
        let ids: Vec<_> = self
            .devices
            .at_address(address)
            .take(DEVICES_PER_ADDRESS_MAX)
            .collect();
        tracing::debug!(%address, trap = %notification.trap, known = ids.len(), "a trap");
        if ids.is_empty() {
            let places: Vec<_> = (self.ranges.iter().enumerate())
                .flat_map(|(range, it)| it.config.places(address).map(move |place| (range, place)))
                .take(DEVICES_PER_ADDRESS_MAX)
                .collect();
            if places.is_empty() {
                add(&self.status.counters().traps_strange, 1);
            } else if told.admits(address, now) {
                tracing::info!(%address, "a device that is not known sent a trap: it is asked who it is");
                add(&self.status.counters().traps_polls, 1);
                for (range, place) in places {
                    self.discovery.searches.place(range, place);
                }
            }
            return;
        }
        for id in ids {
            if self.devices.told(id, now) {
                add(&self.status.counters().traps_polls, 1);
            }
        }
    }

    /// Counts what was dropped.
    pub(super) fn mind_traps(&mut self, now: Instant) {
        if let Some(told) = &mut self.told {
            told.look(&self.status, now);
        }
    }
}

/// Whether a notification is a reason to ask the device.
fn is_reason(notification: &Notification) -> bool {
    let arcs = notification.trap.arcs();
    arcs.starts_with(PRINTER_MIB)
        || arcs.starts_with(ENTERPRISES)
        || arcs
            .strip_prefix(SNMP_TRAPS)
            .is_some_and(|rest| matches!(rest, [start, ..] if STARTS.contains(start)))
}

#[cfg(test)]
mod tests {
    use poller::credentials::Version;

    use super::*;

    #[test]
    fn alerts_vendors_traps_and_starts_are_reasons_to_ask_and_refused_communities_are_not() {
        for (trap, expected) in [
            ("1.3.6.1.2.1.43.18.2.0.1", true),
            ("1.3.6.1.4.1.1347.50.0.1", true),
            ("1.3.6.1.6.3.1.1.5.1", true),
            ("1.3.6.1.6.3.1.1.5.2", true),
            ("1.3.6.1.6.3.1.1.5.3", false),
            ("1.3.6.1.6.3.1.1.5.4", true),
            ("1.3.6.1.6.3.1.1.5.5", false),
            ("1.3.6.1.2.1.17.0.1", false),
        ] {
            let notification = Notification {
                source: ([10, 0, 0, 1], 162).into(),
                version: Version::V2c,
                is_inform: false,
                is_authentic: false,
                trap: trap.parse().unwrap(),
                uptime_ticks: None,
                variables: Vec::new(),
            };
            assert_eq!(is_reason(&notification), expected, "{trap}");
        }
    }
}
