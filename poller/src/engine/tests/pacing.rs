//! Requests leave no faster than they may.

use super::*;

/// When each request of 60 devices in two subnets left.
fn departures(pace: Pace) -> Vec<(SocketAddr, Duration)> {
    let mut engine = Engine::new(Ids::seeded(1));
    engine.set_pace(pace);
    let options = Arc::new(PollOptions {
        timeouts: vec![Duration::from_secs(60)],
        credentials: vec![Credential::v2c("public", b"public")],
        ..PollOptions::default()
    });
    for device in 0..60_u8 {
        let address: SocketAddr = ([10, 0, device % 2, device], 161).into();
        let job = Job {
            token: device,
            target: Target::udp(address),
            options: options.clone(),
            memory: Memory::default(),
            conversation: Script::new([Script::get(&[SERIAL])]),
        };
        engine.submit(job, Duration::ZERO);
    }
    let mut now = Duration::ZERO;
    let mut departures = Vec::new();
    while departures.len() < 60 {
        engine.tick(now);
        while let Some(transmit) = engine.transmit(now) {
            departures.push((transmit.target.address, now));
        }
        now = engine.next_deadline().expect("some are left").max(now);
    }
    departures
}

#[test]
fn a_rate_over_all_is_kept() {
    let departures = departures(Pace {
        requests_per_second: 10,
        ..Pace::default()
    });
    let (_, last) = departures[59];
    assert_eq!(
        last.as_millis(),
        5_900,
        "sixty at ten a second, the first at once"
    );
}

#[test]
fn a_slow_subnet_does_not_slow_down_the_others() {
    let mut pace = Pace {
        subnet_requests_per_second: 10,
        ..Pace::default()
    };
    let by_subnet = departures(pace);
    assert_eq!(
        by_subnet[59].1.as_millis(),
        2_900,
        "thirty of each side by side"
    );
    for subnet in [0, 1] {
        let own: Vec<Duration> = by_subnet
            .iter()
            .filter(|(address, _)| matches!(address.ip(), std::net::IpAddr::V4(ip) if ip.octets()[2] == subnet))
            .map(|(_, at)| *at)
            .collect();
        assert!(
            own.windows(2)
                .all(|pair| pair[1] - pair[0] >= Duration::from_millis(100))
        );
    }
    pace.subnet_prefix_v4 = 16;
    assert_eq!(
        departures(pace)[59].1.as_millis(),
        5_900,
        "one subnet of both"
    );
}

#[test]
fn without_a_pace_all_leave_at_once() {
    assert!(
        departures(Pace::default())
            .iter()
            .all(|(_, at)| at.is_zero())
    );
}
