//! A discovery of a /16 of simulated printers: it finds just those that answer, in bounded time, within its rate.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadtest::fleet::printer::Behaviour;
use loadtest::fleet::{Fleet, FleetConfig};
use poller::credentials::Credential;
use poller::discovery::{Area, DiscoveryOptions, Event, Progress, RangeEntry, discover};
use poller::engine::{Pace, PollOptions, Transport};

/// As many as a /16 holds in this fleet …
const DEVICES: u32 = 254 * 256;
/// … of which so many of 1,000 are switched off: some three hundred are left, scattered over all subnets.
const DEAD_PERMILLE: u32 = 995;
/// Raised, so that the test takes seconds.
const REQUESTS_PER_SECOND: u32 = 25_000;

#[test]
fn a_sixteen_with_a_few_hundred_printers_is_swept_under_a_cap_and_just_they_are_found() {
    let fleet = Fleet::start(FleetConfig {
        devices: DEVICES,
        first: Ipv4Addr::new(127, 99, 0, 1),
        dead_permille: DEAD_PERMILLE,
        asleep_permille: 0,
        ..FleetConfig::default()
    })
    .unwrap();
    let port = fleet.port();
    let awake = fleet.printers().iter();
    let expected: BTreeSet<SocketAddr> = awake
        .filter(|printer| printer.behaviour == Behaviour::Awake)
        .map(|printer| SocketAddr::from((printer.address, port)))
        .collect();
    assert!((250..400).contains(&expected.len()), "{}", expected.len());

    let area = Area {
        include: vec![RangeEntry::parse(&format!("127.99.0.0/16:{port}")).unwrap()],
        exclude: Vec::new(),
        transport: Transport::Udp,
        poll: PollOptions {
            credentials: vec![Credential::v2c("public", b"public")],
            timeouts: [500, 1000].map(Duration::from_millis).to_vec(),
            ..PollOptions::default()
        },
    };
    let options = DiscoveryOptions {
        pace: Pace {
            requests_per_second: REQUESTS_PER_SECOND,
            ..Pace::default()
        },
        ..DiscoveryOptions::default()
    };
    let mut found = BTreeSet::new();
    let mut told: Vec<Progress> = Vec::new();
    let stop = AtomicBool::new(false);
    let last = discover(&[area], &options, None, &stop, &mut |event| match event {
        Event::Found(device) => assert!(found.insert(device.address), "{} twice", device.address),
        Event::Progress(progress) => told.push(progress),
        other => panic!("{other:?}"),
    })
    .unwrap();
    fleet.stop();

    assert_eq!(found, expected);
    assert_eq!((last.addresses, last.asked), (65_534, 65_534));
    // Two requests to each silent address, one or two to each other.
    let silent = 65_534 - expected.len() as u64;
    assert!(
        (2 * silent..=2 * 65_534).contains(&last.requests),
        "{last:?}"
    );
    // Never faster than the cap (and the little that it lets run ahead).
    let fastest = last.requests as f64 / f64::from(REQUESTS_PER_SECOND);
    assert!(last.elapsed.as_secs_f64() > fastest * 0.95, "{last:?}");
    // The progress is told all along, and what is left is estimated.
    assert!(told.len() > 3 && told.windows(2).all(|two| two[0].asked <= two[1].asked));
    assert!(
        told.iter()
            .skip(1)
            .all(|progress| progress.remaining.is_some())
    );
}
