//! The engine against net-snmp's `snmpd`, an agent we did not write.

mod peer;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use peer::{Heard, Snmpd};
use poller::conversation::Ask;
use poller::credentials::{Credential, Version};
use poller::driver::{Polled, poll_once};
use poller::engine::{Memory, PollError, PollOptions, Target};
use poller::oid::Oid;
use poller::value::Value;

const CONFIGURATION: &str = "\
rocommunity public 127.0.0.1
sysLocation lab
sysContact somebody
sysDescr an agent for a test
";

fn oid(text: &str) -> Oid {
    text.parse().expect("an OID")
}

fn options(credentials: Vec<Credential>) -> PollOptions {
    PollOptions {
        credentials,
        timeouts: vec![Duration::from_millis(500); 3],
        ..PollOptions::default()
    }
}

fn poll(
    address: SocketAddr,
    credentials: Vec<Credential>,
    asks: Vec<Ask>,
) -> (Result<Polled, PollError>, Heard) {
    let mut heard = Heard::of(asks);
    let target = Target::udp(address);
    let options = options(credentials);
    let polled = poll_once(target, &options, Memory::default(), &mut heard);
    (polled, heard)
}

const DESCRIPTION: &str = "1.3.6.1.2.1.1.1.0";
const LOCATION: &str = "1.3.6.1.2.1.1.6.0";
const NOWHERE: &str = "1.3.6.1.2.1.43.5.1.1.17.1";

#[test]
fn communities_of_both_versions_are_answered_and_missing_instances_told() {
    let Some(snmpd) = Snmpd::start(CONFIGURATION) else {
        return;
    };
    for (credential, version) in [
        (Credential::v2c("two", b"public"), Version::V2c),
        (Credential::v1("one", b"public"), Version::V1),
    ] {
        let ask = Ask::Get([DESCRIPTION, NOWHERE, LOCATION].map(oid).to_vec());
        let (polled, heard) = poll(snmpd.address(), vec![credential], vec![ask]);
        let polled = polled.expect("it answers");

        assert_eq!(polled.stats.version, Some(version));
        assert_eq!(
            heard.sorted(),
            [
                (
                    oid(DESCRIPTION),
                    Some(Value::OctetString(b"an agent for a test".to_vec()))
                ),
                (oid(LOCATION), Some(Value::OctetString(b"lab".to_vec()))),
                (oid(NOWHERE), None),
            ]
        );
        assert_eq!(heard.failures, [None]);
    }
}

#[test]
fn a_walk_by_getbulk_and_one_by_getnext_bring_the_same() {
    let Some(snmpd) = Snmpd::start(CONFIGURATION) else {
        return;
    };
    let walk = || {
        vec![Ask::Walk {
            columns: vec![oid("1.3.6.1.2.1.1.9.1.2"), oid("1.3.6.1.2.1.1.9.1.3")],
            rows_expected: 0,
            rows_max: 1_000,
        }]
    };
    let (two, by_bulk) = poll(
        snmpd.address(),
        vec![Credential::v2c("two", b"public")],
        walk(),
    );
    let (one, by_next) = poll(
        snmpd.address(),
        vec![Credential::v1("one", b"public")],
        walk(),
    );
    let (two, one) = (two.expect("it answers"), one.expect("it answers"));

    assert!(by_bulk.values.len() > 10, "sysORTable has some rows");
    assert_eq!(by_bulk.sorted(), by_next.sorted());
    assert!(two.stats.requests < one.stats.requests);
}

#[test]
fn a_wrong_community_is_passed_over_for_the_next() {
    let Some(snmpd) = Snmpd::start(CONFIGURATION) else {
        return;
    };
    let credentials = vec![
        Credential::v2c("wrong", b"private"),
        Credential::v2c("right", b"public"),
    ];
    let ask = Ask::Get(vec![oid(LOCATION)]);
    let (polled, heard) = poll(snmpd.address(), credentials, vec![ask]);

    let polled = polled.expect("it answers");
    assert_eq!(polled.stats.credential.as_deref(), Some("right"));
    assert_eq!(heard.values.len(), 1);
}

#[test]
fn tcp_carries_the_same_as_udp() {
    let Some(snmpd) = Snmpd::start(CONFIGURATION) else {
        return;
    };
    let mut heard = Heard::of(vec![
        Ask::Get(vec![oid(LOCATION)]),
        Ask::Walk {
            columns: vec![oid("1.3.6.1.2.1.1.9.1.3")],
            rows_expected: 0,
            rows_max: 100,
        },
    ]);
    let options = options(vec![Credential::v2c("public", b"public")]);
    let target = Target::tcp(snmpd.address());
    let polled = poll_once(target, &options, Memory::default(), &mut heard).expect("it answers");

    assert!(heard.values.len() > 5);
    assert_eq!(heard.failures, [None, None]);
    assert_eq!(polled.stats.retries, 0);

    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a port without TCP");
    let target = Target::tcp(nobody.local_addr().expect("it is bound"));
    let mut heard = Heard::of(vec![Ask::Get(vec![oid(LOCATION)])]);
    let refused = poll_once(target, &options, Memory::default(), &mut heard);
    assert!(matches!(refused, Err(PollError::NoAnswer { .. })));
}
