//! Floods and noise: `tests/snmptrap.rs` has real traps.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn receiver(communities: &[&str]) -> TrapReceiver {
    let communities = communities.iter().map(|it| it.as_bytes().to_vec());
    TrapReceiver::new(communities.collect(), Vec::new(), [7; 8])
}

fn source(last: u8) -> SocketAddr {
    ([10, 0, 0, last], 40_000).into()
}

/// An SNMPv1 trap `printerV2Alert` of an enterprise's own, as a printer would send it.
fn trap_v1(community: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(MESSAGE_BYTES_MAX);
    writer.element(TAG_TRAP_V1, |w| {
        w.element(TAG_SEQUENCE, |_| {});
        w.unsigned(TAG_TIME_TICKS, 4_200);
        w.integer(1);
        w.integer(ENTERPRISE_SPECIFIC);
        w.primitive(TAG_IP_ADDRESS, &[10, 0, 0, 1]);
        Oid::new(&[1, 3, 6, 1, 2, 1, 43, 18, 2]).write(w);
    });
    pdu::write_community(&mut writer, Version::V1, community);
    writer.finish().expect("it fits").to_vec()
}

#[test]
fn a_v1_trap_gets_its_v2_name() {
    let told = receiver(&[]).receive(source(1), &trap_v1(b"public"), SECOND);
    let expected = Notification {
        source: source(1),
        version: Version::V1,
        is_inform: false,
        is_authentic: false,
        trap: Oid::new(&[1, 3, 6, 1, 2, 1, 43, 18, 2, 0, 1]),
        uptime_ticks: Some(4_200),
        variables: Vec::new(),
    };
    assert_eq!(told, (Some(expected), None));
}

#[test]
fn a_community_that_is_not_let_in_is_counted() {
    let mut receiver = receiver(&["secret"]);
    assert_eq!(
        receiver.receive(source(1), &trap_v1(b"public"), SECOND),
        (None, None)
    );
    assert!(
        receiver
            .receive(source(1), &trap_v1(b"secret"), SECOND)
            .0
            .is_some()
    );
    let counters = receiver.counters();
    assert_eq!((counters.delivered, counters.dropped_refused), (1, 1));
}

#[test]
fn a_flood_of_one_source_is_cut_and_costs_the_others_nothing() {
    let mut receiver = receiver(&[]);
    let trap = trap_v1(b"public");
    for millisecond in 0..10_000 {
        receiver.receive(source(1), &trap, Duration::from_millis(millisecond));
    }
    let flooded = receiver.counters();
    assert_eq!(flooded.delivered + flooded.dropped_flood, 10_000);
    assert!(
        (70..90).contains(&flooded.delivered),
        "{flooded:?}: 5 a second and 30 at once"
    );
    let (told, _) = receiver.receive(source(2), &trap, 10 * SECOND);
    assert!(told.is_some());
}

proptest! {
    #[test]
    fn damaged_traps_are_dropped_and_counted(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut receiver = receiver(&[]);
        let mut bytes = trap_v1(b"public");
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let (told, _) = receiver.receive(source(1), &bytes, SECOND);
        let counters = receiver.counters();
        prop_assert_eq!(u64::from(told.is_some()), counters.delivered);
        prop_assert!(counters.delivered + counters.dropped_malformed + counters.dropped_refused <= 1);
    }
}
