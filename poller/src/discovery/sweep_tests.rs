//! The order of a sweep: everything once for each attempt, spread, and what is likely to answer first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::*;

fn entries(texts: &[&str]) -> Vec<RangeEntry> {
    let entries = texts.iter().map(|text| RangeEntry::parse(text));
    entries.collect::<Result<_, _>>().unwrap()
}

fn excluded(texts: &[&str]) -> Vec<RangeEntry> {
    let entries = texts.iter().map(|text| RangeEntry::parse_excluded(text));
    entries.collect::<Result<_, _>>().unwrap()
}

fn sweep(ranges: &[(&[&str], &[&str])], attempts: u32) -> Sweep {
    let ranges: Vec<_> = ranges
        .iter()
        .map(|(include, exclude)| (entries(include), excluded(exclude)))
        .collect();
    let ranges = ranges
        .iter()
        .map(|(include, exclude)| SweepRange { include, exclude });
    Sweep::new(ranges, 161, attempts)
}

/// Asks all that the sweep offers, of which `answers` answer; says which were asked how often.
fn run(sweep: &mut Sweep, answers: impl Fn(&Candidate) -> bool) -> BTreeMap<(usize, String), u32> {
    let mut asked = BTreeMap::new();
    while let Some(candidate) = sweep.take_next() {
        let place = (candidate.range, candidate.address.to_string());
        *asked.entry(place).or_default() += 1;
        sweep.ended(&candidate, answers(&candidate));
    }
    assert!(sweep.is_over());
    assert_eq!(sweep.progress().attempts_left, 0);
    asked
}

#[test]
fn every_address_is_offered_once_for_each_attempt_and_none_that_is_excluded() {
    let mut sweep = sweep(
        &[
            (
                &["10.0.0.0/22", "10.0.2.7-99", "10.9.0.7:1161", "fd00::/127"],
                &[
                    "10.0.1.0-10.0.1.255",
                    "10.0.0.5",
                    "10.0.0.6:1161",
                    "192.0.2.0/24",
                ],
            ),
            (&["10.5.0.1-10.5.0.3", "10.0.0.5"], &["fd00::/16"]),
        ],
        2,
    );
    let count = 1022 - 256 - 1 + 1 + 2 + 4;
    assert_eq!(sweep.progress().addresses, count);
    assert_eq!(sweep.progress().attempts_left, 2 * count);
    let asked = run(&mut sweep, |_| false);
    assert_eq!(asked.len() as u64, count);
    assert!(asked.values().all(|times| *times == 2), "{asked:?}");
    for (range, address, is_asked) in [
        (0, "10.9.0.7:1161", true),
        (0, "[fd00::1]:161", true),
        (0, "10.0.0.6:161", true),
        (0, "10.0.0.5:161", false),
        (0, "10.0.1.7:161", false),
        (1, "10.0.0.5:161", true),
        (1, "10.5.0.3:161", true),
    ] {
        assert_eq!(
            asked.contains_key(&(range, address.to_owned())),
            is_asked,
            "{address}"
        );
    }
}

#[test]
fn what_answered_is_not_asked_again() {
    let mut sweep = sweep(&[(&["10.0.0.0/24"], &[])], 3);
    let answers = |candidate: &Candidate| match candidate.address.ip() {
        IpAddr::V4(ip) => ip.octets()[3] < 100 && (ip.octets()[3] < 50 || candidate.attempt > 0),
        IpAddr::V6(_) => panic!("not in the range"),
    };
    let asked = run(&mut sweep, answers);
    let times = |n: u8| asked[&(0, format!("10.0.0.{n}:161"))];
    assert_eq!(
        [times(1), times(49), times(50), times(99), times(100)],
        [1, 1, 2, 2, 3]
    );
}

#[test]
fn a_second_attempt_waits_until_the_first_ones_are_through() {
    let mut sweep = sweep(&[(&["10.0.0.1-3"], &[])], 2);
    let first: Vec<_> = (0..3).map(|_| sweep.take_next().unwrap()).collect();
    assert_eq!(sweep.take_next(), None, "all are being asked");
    sweep.ended(&first[0], false);
    sweep.ended(&first[1], true);
    assert_eq!(sweep.take_next(), None);
    assert!(!sweep.is_over());
    sweep.ended(&first[2], false);
    let second: Vec<_> = std::iter::from_fn(|| sweep.take_next()).collect();
    assert_eq!(second.len(), 2);
    assert!(second.iter().all(|candidate| candidate.attempt == 1));
    second
        .iter()
        .for_each(|candidate| sweep.ended(candidate, false));
    assert_eq!(sweep.take_next(), None);
    assert!(sweep.is_over());
}

#[test]
fn subnets_take_turns_and_neighbours_do_not_follow_each_other() {
    let mut sweep = sweep(&[(&["10.1.0.0/16"], &[])], 1);
    let of = |candidate: Candidate| match candidate.address.ip() {
        IpAddr::V4(ip) => (ip.octets()[2], ip.octets()[3]),
        IpAddr::V6(_) => panic!("not in the range"),
    };
    let first: Vec<(u8, u8)> = (0..256).map(|_| of(sweep.take_next().unwrap())).collect();
    let mut subnets: Vec<u8> = first.iter().map(|(subnet, _)| *subnet).collect();
    subnets.dedup();
    assert_eq!(subnets.len(), 256, "each subnet once");
    let next = of(sweep.take_next().unwrap());
    assert!(next.1.abs_diff(first[0].1) > 1);
}

#[test]
fn a_large_network_is_counted_not_listed() {
    let include: Vec<String> = (0..16).map(|n| format!("10.{}.0.0/12", n * 16)).collect();
    let include: Vec<&str> = include.iter().map(String::as_str).collect();
    let mut sweep = sweep(&[(&include, &["10.0.0.0/9"])], 2);
    assert_eq!(sweep.progress().addresses, (1 << 23) - 16);
    assert!(sweep.strips.len() <= 16 && sweep.take_next().is_some());
    assert_eq!(
        addresses(SweepRange {
            include: &entries(&["10.0.0.0/30", "10.0.0.2", "printer"]),
            exclude: &excluded(&["10.0.0.1"]),
        }),
        2
    );
}

#[test]
fn what_is_preferred_goes_before_and_what_is_alive_before_the_other_second_attempts() {
    let mut sweep = sweep(&[(&["10.0.0.0/24"], &["10.0.0.9"])], 2);
    for text in ["10.0.0.200", "10.0.0.200", "10.0.0.9", "10.0.1.1"] {
        sweep.prefer(text.parse().unwrap());
    }
    let first = sweep.take_next().unwrap();
    assert_eq!(first.address.to_string(), "10.0.0.200:161");
    sweep.ended(&first, false);
    let mut before = None;
    let mut asked = vec![first.address];
    while let Some(candidate) = sweep.take_next() {
        if candidate.attempt == 1 {
            before.get_or_insert((candidate.address, asked.len()));
        }
        asked.push(candidate.address);
        sweep.ended(&candidate, false);
        if asked.len() == 100 {
            sweep.alive(first.address.ip());
        }
    }
    assert_eq!(
        before,
        Some((first.address, 100)),
        "at once, and not when its turn comes"
    );
    assert_eq!(asked.len(), 2 * 253, "none more often than the others");
    assert_eq!(sweep.alive_and_silent().len(), 1);
}

#[test]
fn who_answers_after_a_sign_of_life_is_not_silent() {
    let mut sweep = sweep(&[(&["10.0.0.1-2"], &[])], 2);
    let first: Vec<_> = (0..2).map(|_| sweep.take_next().unwrap()).collect();
    first
        .iter()
        .for_each(|candidate| sweep.ended(candidate, false));
    for candidate in &first {
        sweep.alive(candidate.address.ip());
    }
    let second = sweep.take_next().unwrap();
    sweep.ended(&second, true);
    let silent: Vec<_> = sweep.alive_and_silent().iter().copied().collect();
    assert_eq!(silent, [first[1].address.ip()]);
}

/// Waits for names that are being looked up.
fn all_of(sweep: &mut Sweep) -> Vec<Candidate> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut found = Vec::new();
    while !sweep.is_over() {
        assert!(Instant::now() < deadline);
        match sweep.take_next() {
            Some(candidate) => {
                sweep.ended(&candidate, false);
                found.push(candidate);
            }
            None => std::thread::yield_now(),
        }
    }
    found
}

#[test]
fn a_host_name_is_looked_up_on_the_side() {
    let mut sweep = sweep(&[(&["localhost:1161"], &[])], 1);
    let found = all_of(&mut sweep);
    let is_right = |c: &Candidate| c.address.ip().is_loopback() && c.address.port() == 1161;
    assert!(!found.is_empty() && found.iter().all(is_right), "{found:?}");
}

#[test]
fn an_excluded_host_name_is_left_alone_from_the_first_request_on() {
    let mut sweep = sweep(&[(&["127.0.0.1-3"], &["localhost"])], 2);
    let found = all_of(&mut sweep);
    assert_eq!(found.len(), 4);
    assert!(
        found
            .iter()
            .all(|c| c.address.ip().to_string() != "127.0.0.1")
    );
    assert!(sweep.barred().is_empty());
}

#[test]
fn a_range_of_which_nobody_knows_what_a_name_excludes_is_left_out_and_no_other() {
    let mut sweep = sweep(
        &[
            (&["10.0.0.1-3"], &["no-such-host.invalid"]),
            (&["10.0.1.1-2", "localhost"], &[]),
        ],
        1,
    );
    let found = all_of(&mut sweep);
    assert!(found.iter().all(|c| c.range == 1), "{found:?}");
    assert!(found.len() > 2, "{found:?}");
    assert_eq!(*sweep.barred(), BTreeSet::from([0]));
    let resolved = sweep.take_resolved();
    assert_eq!(
        resolved[..2],
        [Resolved::Unknown(0), Resolved::ExclusionsKnown]
    );
    assert_eq!(
        resolved.last(),
        Some(&Resolved::Known(1, "localhost".into()))
    );
}

#[test]
fn when_nobody_says_any_more_what_names_exclude_their_ranges_are_left_out() {
    let mut sweep = sweep(&[(&["10.0.0.1"], &["localhost"]), (&["10.0.1.1"], &[])], 1);
    let (sender, receiver) = std::sync::mpsc::channel();
    sweep.names = Some(receiver);
    assert_eq!(sweep.take_next(), None, "it is not known yet");
    drop(sender);
    let found = all_of(&mut sweep);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].range, 1);
}

#[test]
fn a_name_leads_to_no_address_that_its_range_excludes() {
    let not = ["127.0.0.0/8", "::1", "10.9.0.0/16", "10.8.0.7:1161"];
    let mut sweep = sweep(&[(&["localhost:1161"], &not), (&["10.0.0.1"], &[])], 1);
    let (sender, receiver) = std::sync::mpsc::channel();
    for place in [
        "127.0.0.1:161",
        "[::ffff:127.0.0.1]:161",
        "[::1]:161",
        "10.9.3.3:161",
        "10.8.0.7:1161",
        "10.8.0.7:161",
    ] {
        let resolved = Resolved::Asked(0, "localhost".into(), place.parse().unwrap());
        sender.send(resolved).unwrap();
    }
    drop(sender);
    sweep.names = Some(receiver);
    let asked = run(&mut sweep, |_| false);
    let places: Vec<_> = asked
        .keys()
        .map(|(range, place)| (*range, &**place))
        .collect();
    assert_eq!(places, [(0, "10.8.0.7:161"), (1, "10.0.0.1:161")]);
}

#[test]
fn a_host_of_an_excluded_network_is_not_asked() {
    let mut sweep = sweep(
        &[(&["localhost:1161", "10.0.0.1"], &["127.0.0.0/8", "::1"])],
        2,
    );
    let found = all_of(&mut sweep);
    assert!(
        found
            .iter()
            .all(|c| c.address.ip().to_string() == "10.0.0.1"),
        "{found:?}"
    );
    assert_eq!(found.len(), 2);
}
