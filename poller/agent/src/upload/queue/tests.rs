//! The queue by its rules: order, window, backoff, refusals.

use codec::envelope::Encoding;
use codec::id::AgentId;
use codec::key::{ContentHash, ReportKey, SpoolEpoch, Stream};
use codec::time::Timestamp;

use super::*;
use crate::spool::Meta;

fn report(sequence: u64) -> Waiting {
    let meta = Meta {
        encoding: Encoding::Gzip,
        epoch: SpoolEpoch(1),
        hash: ContentHash([0; 32]),
        sealed_at: Timestamp::default(),
        devices: 1,
    };
    Waiting {
        key: ReportKey {
            agent: AgentId::new("a").unwrap(),
            epoch: meta.epoch,
            stream: Stream::Meters,
            sequence,
            hash: meta.hash,
        },
        meta,
        sealed: Vec::new(),
    }
}

fn loaded(in_flight: usize, sequences: std::ops::RangeInclusive<u64>) -> Queue {
    let mut queue = Queue::new(in_flight);
    assert!(matches!(
        queue.next(Instant::now()),
        Next::Load { after: 0, .. }
    ));
    queue.loaded(sequences.map(report).collect());
    queue.waiting(BACKLOG_REPORTS_MIN);
    queue
}

fn later(why: &str) -> Outcome {
    Outcome::Later {
        after: None,
        why: why.to_owned(),
    }
}

fn deliver(queue: &mut Queue, now: Instant) -> Option<Waiting> {
    match queue.next(now) {
        Next::Deliver(report) => Some(report),
        _ => None,
    }
}

const DELIVERED: Outcome = Outcome::Delivered {
    need_full: Vec::new(),
    need_again: Vec::new(),
};

#[test]
fn the_oldest_go_first_and_no_more_at_once_than_allowed() {
    let now = Instant::now();
    let mut queue = loaded(2, 1..=3);
    let first = deliver(&mut queue, now).unwrap();
    let second = deliver(&mut queue, now).unwrap();
    assert_eq!((first.key.sequence, second.key.sequence), (1, 2));
    assert_eq!(queue.next(now), Next::Wait(None));
    assert_eq!(queue.settle(first, &DELIVERED, now, 0.0), Verdict::Done);
    assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 3);
}

#[test]
fn after_a_failure_the_oldest_is_tried_alone_with_growing_pauses() {
    let mut now = Instant::now();
    let mut queue = loaded(4, 1..=4);
    let reports: Vec<Waiting> = (0..4).map(|_| deliver(&mut queue, now).unwrap()).collect();
    for report in reports {
        queue.settle(report, &later("away"), now, 1.0);
    }
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let Next::Wait(Some(until)) = queue.next(now) else {
            panic!("a failure makes a pause");
        };
        pauses.push((until - now).as_secs());
        now = until;
        let report = deliver(&mut queue, now).unwrap();
        assert_eq!(report.key.sequence, 1);
        assert_eq!(queue.next(now), Next::Wait(None), "one at a time");
        queue.settle(report, &later("away"), now, 1.0);
    }
    assert_eq!(pauses[..4], [8, 16, 32, 64], "four failures came before");
    assert_eq!(pauses.last(), Some(&300));
    let Next::Wait(Some(until)) = queue.next(now) else {
        panic!("still paused");
    };
    let report = deliver(&mut queue, until).unwrap();
    assert_eq!(queue.settle(report, &DELIVERED, until, 0.0), Verdict::Done);
    let back: Vec<u64> = std::iter::from_fn(|| deliver(&mut queue, until))
        .map(|report| report.key.sequence)
        .collect();
    assert_eq!(back, [2, 3, 4], "all at once again, in order");
}

#[test]
fn retry_after_is_obeyed_within_reason() {
    let now = Instant::now();
    let mut queue = loaded(1, 1..=1);
    for (asked, least, most) in [(7, 7, 8), (1_000_000, 3600, 3960)] {
        let at = match queue.next(now + Duration::from_secs(10_000)) {
            Next::Deliver(report) => {
                let outcome = Outcome::Later {
                    after: Some(Duration::from_secs(asked)),
                    why: "busy".to_owned(),
                };
                queue.settle(report, &outcome, now, 1.0);
                queue.next(now)
            }
            other => panic!("{other:?}"),
        };
        let Next::Wait(Some(until)) = at else {
            panic!("{at:?}")
        };
        let pause = (until - now).as_secs();
        assert!((least..=most).contains(&pause), "{asked}: {pause}");
    }
}

#[test]
fn a_refusal_goes_to_the_dead_letters_and_the_stream_goes_on() {
    let now = Instant::now();
    let mut queue = loaded(1, 1..=2);
    let first = deliver(&mut queue, now).unwrap();
    let refused = Outcome::Refused {
        why: "malformed".to_owned(),
    };
    assert_eq!(
        queue.settle(first.clone(), &refused, now, 0.0),
        Verdict::Dead(first, "malformed".to_owned())
    );
    assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 2);
}

#[test]
fn an_unsigned_refusal_blocks_the_stream_for_a_while_only() {
    let mut now = Instant::now();
    let mut queue = loaded(1, 1..=2);
    let unsigned = Outcome::RefusedUnsigned {
        why: "413 from a proxy".to_owned(),
    };
    let mut tries = 0;
    loop {
        tries += 1;
        now += PAUSE_MAX;
        let report = deliver(&mut queue, now).unwrap();
        assert_eq!(report.key.sequence, 1);
        if let Verdict::Dead(..) = queue.settle(report, &unsigned, now, 0.0) {
            break;
        }
    }
    assert_eq!(tries, UNSIGNED_REFUSALS_MAX);
    assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 2);
}

#[test]
fn an_empty_spool_is_asked_again_when_something_came() {
    let now = Instant::now();
    let mut queue = Queue::new(2);
    assert!(matches!(queue.next(now), Next::Load { .. }));
    queue.loaded(Vec::new());
    assert_eq!(queue.next(now), Next::Wait(None));
    queue.refresh();
    assert!(matches!(queue.next(now), Next::Load { after: 0, .. }));
}

#[test]
fn without_a_backlog_one_is_under_way_and_the_next_follows_its_receipt() {
    let now = Instant::now();
    let mut queue = loaded(4, 1..=3);
    queue.waiting(BACKLOG_REPORTS_MIN - 1);
    let mut order = Vec::new();
    while let Some(report) = deliver(&mut queue, now) {
        assert_eq!(queue.next(now), Next::Wait(None), "one at a time");
        order.push(report.key.sequence);
        queue.settle(report, &DELIVERED, now, 0.0);
    }
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn nothing_runs_further_ahead_of_a_slow_report_than_the_window() {
    let now = Instant::now();
    let mut queue = loaded(3, 1..=9);
    let slow = deliver(&mut queue, now).unwrap();
    let mut sent = Vec::new();
    while let Some(report) = deliver(&mut queue, now) {
        sent.push(report.key.sequence);
        queue.settle(report, &DELIVERED, now, 0.0);
    }
    assert_eq!(sent, [2, 3]);
    queue.settle(slow, &DELIVERED, now, 0.0);
    assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 4);
}

#[test]
fn what_failed_first_is_tried_again_before_anything_newer_though_others_got_through() {
    let mut now = Instant::now();
    let mut queue = loaded(3, 1..=6);
    let first = deliver(&mut queue, now).unwrap();
    let others = [(); 2].map(|()| deliver(&mut queue, now).unwrap());
    queue.settle(first, &later("a line that broke"), now, 1.0);
    for report in others {
        assert_eq!(queue.settle(report, &DELIVERED, now, 0.0), Verdict::Done);
    }
    for _ in 0..3 {
        let Next::Wait(Some(until)) = queue.next(now) else {
            panic!("the pause holds though newer ones got through");
        };
        now = until;
        let report = deliver(&mut queue, now).unwrap();
        assert_eq!(report.key.sequence, 1);
        assert_eq!(queue.next(now), Next::Wait(None), "alone");
        queue.settle(report, &later("again"), now, 1.0);
    }
    now += PAUSE_MAX;
    let report = deliver(&mut queue, now).unwrap();
    queue.settle(report, &DELIVERED, now, 0.0);
    assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 4);
}

#[test]
fn a_refused_report_without_a_letter_comes_again_and_is_given_up_in_the_end() {
    let mut now = Instant::now();
    let mut queue = loaded(1, 1..=2);
    let refused = Outcome::Refused {
        why: "malformed".to_owned(),
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let report = deliver(&mut queue, now).unwrap();
        assert_eq!(report.key.sequence, 1);
        let Verdict::Dead(report, _) = queue.settle(report, &refused, now, 0.0) else {
            panic!("a refusal is a refusal");
        };
        if queue.letter_failed(report, now, 0.0).is_none() {
            break;
        }
        assert!(matches!(queue.next(now), Next::Wait(Some(_))), "a pause");
        now += PAUSE_MAX;
    }
    assert_eq!(tries, LETTER_ATTEMPTS_MAX);
    assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, 2);
}

#[test]
fn what_is_older_than_the_reports_that_come_again_is_not_dropped() {
    let now = Instant::now();
    let mut queue = loaded(4, 3..=6);
    queue.rewind(5);
    for expected in [3, 4] {
        assert_eq!(deliver(&mut queue, now).unwrap().key.sequence, expected);
    }
    assert!(matches!(queue.next(now), Next::Load { after: 4, .. }));
}
