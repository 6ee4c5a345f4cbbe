//! Runs, courses and cutoffs.

use codec::id::Scope;
use codec::model::Basis;
use codec::time::Timestamp;
use olap::ask::{BillingQuery, HistoryQuery, ReadingsQuery};
use olap::rows::{RunEnd, SeenRow};
use olap::words::Quality;
use olap::{Store, StoreError};

use super::Open;
use super::make::*;

const ALL: Scope = Scope::Everything;
const CODE: &str = "total.total.impressions";

/// Value, first observed, confirmed until, superseded at.
type Told = (u64, Timestamp, Timestamp, Option<Timestamp>);

fn told(store: &dyn Store, n: u32) -> Vec<Told> {
    let query = ReadingsQuery {
        device: Some(device(n)),
        limit: 1_000,
        ..ReadingsQuery::default()
    };
    let mut told: Vec<_> = store
        .readings(&ALL, &query)
        .unwrap()
        .items
        .iter()
        .map(|run| {
            (
                run.value,
                run.observed_at,
                run.confirmed_until,
                run.superseded_at,
            )
        })
        .collect();
    told.sort_by_key(|run| run.1);
    told
}

fn end(place: u64, confirmed_until: Timestamp, superseded_at: Timestamp) -> RunEnd {
    RunEnd {
        place,
        confirmed_until,
        superseded_at,
    }
}

pub fn within_batch(open: Open<'_>) {
    let store = open();
    let (one, two, three) = (NOON, NOON.plus_ms(HOUR), NOON.plus_ms(2 * HOUR));
    let mut batch = batch(0);
    introduce(&mut batch, 1);
    batch.open_run(&run(place(0, 1), 1, TOTAL, 10, one));
    batch.confirm_run(place(0, 1), one.plus_ms(MINUTE));
    batch.end_run(end(place(0, 1), one.plus_ms(MINUTE), two));
    batch.open_run(&run(place(0, 2), 1, TOTAL, 20, two));
    batch.end_run(end(place(0, 2), two, three));
    batch.open_run(&run(place(0, 3), 1, TOTAL, 30, three));
    store.apply(&batch).unwrap();

    assert_eq!(
        told(&*store, 1),
        [
            (10, one, one.plus_ms(MINUTE), Some(two)),
            (20, two, two, Some(three)),
            (30, three, three, None),
        ]
    );
    assert_eq!(store.state(device(1)).unwrap().unwrap().runs.len(), 1);
}

pub fn confirmed(open: Open<'_>) {
    let store = open();
    let mut first = batch(0);
    introduce(&mut first, 1);
    first.open_run(&run(place(0, 1), 1, TOTAL, 10, NOON));
    first.open_run(&run(place(0, 2), 1, PRINT_MONO, 5, NOON));
    first.seen(&seen_at(1, NOON));
    store.apply(&first).unwrap();

    let later = NOON.plus_ms(HOUR);
    let mut second = batch(1);
    second.seen(&seen_at(1, later));
    store.apply(&second).unwrap();
    assert_eq!(
        told(&*store, 1),
        [(10, NOON, later, None), (5, NOON, later, None)]
    );

    // A poll that read only one of them confirms only this one.
    let latest = NOON.plus_ms(2 * HOUR);
    let mut third = batch(2);
    third.seen(&SeenRow {
        meters_confirmed_until: Some(later),
        ..seen_at(1, latest)
    });
    third.confirm_run(place(0, 2), latest);
    store.apply(&third).unwrap();
    assert_eq!(
        told(&*store, 1),
        [(10, NOON, later, None), (5, NOON, latest, None)]
    );
}

pub fn split(open: Open<'_>) {
    let store = open();
    let (begin, mid, late, last) = (
        NOON,
        NOON.plus_ms(HOUR),
        NOON.plus_ms(2 * HOUR),
        NOON.plus_ms(3 * HOUR),
    );
    let mut first = batch(0);
    introduce(&mut first, 1);
    let mut over = run(place(0, 1), 1, TOTAL, 10, begin);
    over.confirmed_until = late;
    first.closed_run(&over, last);
    first.open_run(&run(place(0, 2), 1, TOTAL, 20, last));
    store.apply(&first).unwrap();

    // At `mid` somebody else had read 15.
    let mut second = batch(1);
    second.recut_run(end(place(0, 1), begin, mid));
    second.closed_run(&run(place(1, 1), 1, TOTAL, 15, mid), late);
    second.closed_run(&run(place(1, 2), 1, TOTAL, 10, late), last);
    store.apply(&second).unwrap();
    assert_eq!(
        told(&*store, 1),
        [
            (10, begin, begin, Some(mid)),
            (15, mid, mid, Some(late)),
            (10, late, late, Some(last)),
            (20, last, last, None),
        ]
    );
}

pub fn cut_again(open: Open<'_>) {
    let store = open();
    let at = |hours: i64| NOON.plus_ms(hours * HOUR);
    let mut first = batch(0);
    introduce(&mut first, 1);
    first.closed_run(&run(place(0, 1), 1, TOTAL, 10, NOON), at(9));
    first.open_run(&run(place(0, 2), 1, TOTAL, 20, at(9)));
    store.apply(&first).unwrap();

    // Late readings came in one batch: 15 in the fourth hour cuts it, 10 in the first and the second extend it; the last word counts.
    let mut second = batch(1);
    second.recut_run(end(place(0, 1), NOON, at(4)));
    second.closed_run(&run(place(1, 1), 1, TOTAL, 15, at(4)), at(9));
    for hours in [1, 2] {
        second.recut_run(end(place(0, 1), at(hours), at(4)));
    }
    store.apply(&second).unwrap();
    let stands = [
        (10, NOON, at(2), Some(at(4))),
        (15, at(4), at(4), Some(at(9))),
        (20, at(9), at(9), None),
    ];
    assert_eq!(told(&*store, 1), stands);

    // A reading ends once: a batch that says it twice is refused as a whole.
    let mut twice = batch(2);
    twice.end_run(end(place(0, 2), at(9), at(10)));
    twice.end_run(end(place(0, 2), at(9), at(11)));
    let refused = store.apply(&twice).unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::UnknownRuns {
                runs: 2,
                found: 1,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(told(&*store, 1), stands);
}

pub fn course(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    introduce(&mut batch, 1);
    for hour in 0..1_000_u64 {
        let at = NOON.plus_ms(i64::try_from(hour).unwrap() * HOUR);
        let row = run(place(0, hour), 1, TOTAL, hour * 3, at);
        if hour < 999 {
            batch.closed_run(&row, at.plus_ms(HOUR));
        } else {
            batch.open_run(&row);
        }
    }
    store.apply(&batch).unwrap();

    let mut query = HistoryQuery {
        from: NOON,
        to: NOON.plus_ms(1_000 * HOUR),
        points_max: 50,
    };
    let course = store.meter_history(&ALL, device(1), CODE, &query).unwrap();
    assert_eq!(course.runs, 1_000);
    assert!(
        (25..=50).contains(&course.points.len()),
        "{}",
        course.points.len()
    );
    assert_eq!(course.points.first().unwrap().value, 0);
    assert_eq!(course.points.last().unwrap().value, 999 * 3);
    assert!(course.points.is_sorted_by_key(|point| point.observed_at));

    query.points_max = 4_000;
    assert_eq!(
        store
            .meter_history(&ALL, device(1), CODE, &query)
            .unwrap()
            .points
            .len(),
        1_000
    );
    query.from = NOON.plus_ms(10 * HOUR);
    query.to = NOON.plus_ms(20 * HOUR);
    assert_eq!(
        store
            .meter_history(&ALL, device(1), CODE, &query)
            .unwrap()
            .points
            .len(),
        10
    );
}

pub fn billing(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    for n in 0..10 {
        introduce(&mut batch, n);
        let at = u64::from(n) * 10;
        let day = |days: i64| NOON.plus_ms(days * DAY);
        let mut over = run(place(0, at), n, TOTAL, 100, day(0));
        over.confirmed_until = day(1);
        batch.closed_run(&over, day(3));
        let mut open = run(place(0, at + 1), n, TOTAL, 200, day(3));
        open.quality = if n == 9 {
            Quality::ResetSuspected
        } else {
            Quality::Ok
        };
        batch.open_run(&open);
        batch.open_run(&run(place(0, at + 2), n, ENGINE, 999, day(0)));
    }
    store.apply(&batch).unwrap();

    let query = |days: i64| BillingQuery {
        cutoff: NOON.plus_ms(days * DAY),
        age_ms_max: DAY,
        device: None,
        sites: None,
        apart: olap::ask::Apart::default(),
        codes: Vec::new(),
        basis: Some(Basis::Billing),
        cursor: None,
        limit: 3,
    };
    let all = |days: i64| {
        let mut query = query(days);
        let mut items = Vec::new();
        loop {
            let page = store.billing(&ALL, &query).unwrap();
            assert!(page.items.len() <= 3);
            items.extend(page.items);
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => {
                    assert_eq!(items.len() as u64, page.total);
                    return items;
                }
            }
        }
    };
    assert_eq!(all(-1).len(), 0, "nothing was read before");
    let values = |days| {
        all(days)
            .iter()
            .map(|item| item.reading.value)
            .collect::<Vec<_>>()
    };
    assert_eq!(values(0), [100; 10]);
    assert_eq!(values(2), [100; 10]);
    assert_eq!(values(3), [200; 10]);
    assert!(
        all(2)
            .iter()
            .all(|item| item.billing_quality == Quality::Ok)
    );
    let stale = all(5);
    assert_eq!(stale[0].billing_quality, Quality::Stale);
    assert_eq!(
        stale[9].billing_quality,
        Quality::ResetSuspected,
        "worse than stale"
    );
    let between = all(1);
    assert_eq!(
        (between[0].read_at, between[0].billing_quality),
        (NOON.plus_ms(DAY), Quality::Ok)
    );
}
