//! What polls cost by SNMPv2c and by SNMPv3 (authentication with SHA-256, privacy with AES-128): the bytes of the very messages that the
//! engine sends and a device answers, with the headers of IPv4 and UDP. What walks read beyond a table's end is in them.

use std::collections::BTreeMap;
use std::path::Path;

use codec::time::Timestamp;

use super::secure::{Agent, CREDENTIAL};
use super::*;
use crate::device::{Depth, DevicePoll, Plan, PollContext};
use crate::profile::ProfileSet;
use crate::recording::Recording;

/// What IPv4 and UDP put in front of each message (RFC 791, RFC 768).
const HEADERS_BYTES: usize = 20 + 8;

/// What is remembered of a device, as it is kept: ten thousand of them are 40 MB at the most.
const PLAN_BYTES_MAX: usize = 4_000;

/// Bytes and packets of one poll.
type Cost = (usize, usize);

/// Polls once; what it cost, and what the next poll is given.
fn poll(
    credential: &Credential,
    answer: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    profiles: &Arc<ProfileSet>,
    (depth, minute): (Depth, i64),
    (plan, memory): (Option<Plan>, Memory),
) -> (Cost, (Option<Plan>, Memory)) {
    let address: SocketAddr = ([192, 0, 2, 1], 161).into();
    let at = Timestamp::from_unix_ms(1_780_000_000_000).plus_ms(minute * 60_000);
    let mut context = PollContext::new("192.0.2.1", at, 0);
    context.depth = depth;
    let mut engine = Engine::new(Ids::seeded(7));
    let now = Duration::from_secs(1);
    engine.submit(
        Job {
            token: (),
            target: Target::udp(address),
            options: options(vec![credential.clone()]),
            memory,
            conversation: DevicePoll::new(Arc::clone(profiles), plan, context),
        },
        now,
    );
    let (mut bytes, mut packets) = (0, 0);
    loop {
        while let Some(transmit) = engine.transmit(now) {
            let reply = answer(transmit.bytes).expect("it answers everything");
            bytes += 2 * HEADERS_BYTES + transmit.bytes.len() + reply.len();
            packets += 2;
            engine.receive(address, &reply, now);
        }
        if let Some(finished) = engine.finished() {
            assert!(finished.error.is_none(), "{:?}", finished.error);
            let outcome = finished.conversation.into_outcome();
            assert_eq!(outcome.depth, depth);
            return ((bytes, packets), (outcome.plan, finished.memory));
        }
    }
}

/// What each depth costs, once the first poll has learned the device.
fn costs(
    credential: &Credential,
    answer: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
) -> (BTreeMap<Depth, Cost>, Plan) {
    let profiles = Arc::new(ProfileSet::embedded());
    let mut known = (None, Memory::default());
    let mut costs = BTreeMap::new();
    // The second learning poll is what a day costs: who the device is, the engine knows by then.
    let depths = [
        Depth::Learn,
        Depth::Learn,
        Depth::Full,
        Depth::Steady,
        Depth::Heartbeat,
    ];
    for (minute, depth) in (0..).zip(depths) {
        let (cost, next) = poll(credential, answer, &profiles, (depth, minute), known);
        known = next;
        costs.insert(depth, cost);
    }
    (costs, known.0.expect("it was learned"))
}

/// A recording by both versions: bytes and packets of a heartbeat, a steady, a full and a learning poll.
fn both(path: &Path) -> [Vec<Cost>; 2] {
    let recording = Recording::parse(&std::fs::read(path).unwrap()).unwrap();
    // No alert stands: one that does is looked after at every poll.
    let alerts = oid("1.3.6.1.2.1.43.18.1.1");
    let variables = recording.variables().iter();
    let printer = Responder::new(
        variables
            .filter(|(name, _)| name.suffix_of(&alerts).is_none())
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    let mut open = printer.clone();
    let (v2c, plan) = costs(&Credential::v2c("public", b"public"), &mut |message| {
        open.answer(message)
    });
    let kept = rkyv::to_bytes::<rkyv::rancor::Error>(&plan).unwrap().len();
    println!("plan: {kept} bytes");
    assert!(kept < PLAN_BYTES_MAX, "a plan of {kept} bytes");
    let mut secret = Agent::new("");
    secret.printer = printer;
    let (v3, _) = costs(&CREDENTIAL, &mut |message| secret.answer(message));
    for (depth, v2c) in &v2c {
        let v3 = &v3[depth];
        println!(
            "{depth:?}: v2c {} bytes in {} packets, v3 {} bytes in {}",
            v2c.0, v2c.1, v3.0, v3.1
        );
    }
    [v2c, v3].map(|costs| costs.into_values().collect())
}

#[test]
fn a_poll_by_version_3_costs_so_many_bytes_more() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kyocera_colour_mfp.snmprec");
    let [v2c, v3] = both(&fixture);
    assert_eq!(v2c, [(255, 2), (1425, 2), (3660, 12), (10854, 30)]);
    assert_eq!(v3, [(453, 2), (1629, 2), (4869, 12), (14902, 32)]);
}

#[test]
fn what_polls_of_the_five_supply_five_tray_mfp_cost() {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/devices/recordings");
    let folder = std::env::var_os("PLATEN_RECORDINGS").map_or_else(default, Into::into);
    let path = folder.join("kyocera_cs4053ci.snmprec");
    if !path.exists() {
        println!("skipped: no recording of the MFP (PLATEN_RECORDINGS)");
        return;
    }
    let [v2c, v3] = both(&path);
    assert_eq!(v2c, [(256, 2), (1584, 2), (3806, 12), (14906, 40)]);
    assert_eq!(v3, [(454, 2), (1788, 2), (5014, 12), (21133, 44)]);
}
