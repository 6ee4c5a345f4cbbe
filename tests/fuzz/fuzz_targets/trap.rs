//! Traps and informs: any bytes are delivered or dropped, never a panic, and each message is counted once.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use poller::trap::TrapReceiver;
use poller::usm::User;

fuzz_target!(|bytes: &[u8]| {
    // A user without passwords: everything behind the header is reached. One with passwords would take milliseconds to make.
    let open = User {
        name: "u".into(),
        auth: None,
        privacy: None,
        contexts: Vec::new(),
    };
    let mut receiver = TrapReceiver::new(Vec::new(), vec![open], [7; 8]);
    let source = ([127, 0, 0, 1], 162).into();
    let (notification, answer) = receiver.receive(source, bytes, Duration::ZERO);
    let counters = receiver.counters();
    assert_eq!(counters.delivered, u64::from(notification.is_some()));
    assert!(counters.delivered + counters.dropped_malformed + counters.dropped_refused <= 1);
    if let (Some(notification), Some(_)) = (notification, answer) {
        assert!(notification.is_inform);
    }
});
