//! What every store must do, written against the trait alone.
//!
//! Each test gets an [`Open`]: every call opens the same store, which is empty at first; the one before was dropped.

mod fleet;
mod forget;
mod lists;
pub mod make;
mod scope;
mod state;
mod times;

use std::sync::Arc;

use olap::Store;

pub use make::NOON;

/// Opens the store of one test.
pub type Open<'a> = &'a dyn Fn() -> Arc<dyn Store>;

/// A test of the suite.
pub type Test = fn(Open<'_>);

/// The whole suite, each test under its sentence.
pub const SUITE: &[(&str, Test)] = &[
    (
        "an empty store answers every question with nothing",
        state::empty,
    ),
    ("what was applied is asked back whole", state::whole),
    ("what an applier starts from is what it had", state::loaded),
    ("how fresh devices are is what each says", state::fresh),
    ("later rows replace earlier ones", state::replaced),
    (
        "a reopened store has rows and position together",
        state::reopened,
    ),
    (
        "a batch that was applied is not applied again",
        state::replayed,
    ),
    (
        "a batch that leaves a gap or overlaps is refused",
        state::gap,
    ),
    (
        "a batch that contradicts the store leaves nothing behind",
        state::contradiction,
    ),
    (
        "scope hides devices, readings, alerts and counts",
        scope::scope,
    ),
    (
        "a run that begins and ends within a batch is never open",
        times::within_batch,
    ),
    ("confirming all runs moves every open one", times::confirmed),
    ("a late reading splits a run", times::split),
    (
        "a run that is cut twice in a batch is as the last cut says, and none ends twice",
        times::cut_again,
    ),
    ("a course is thinned but keeps its ends", times::course),
    (
        "a billing reading is the one that stood at the cutoff",
        times::billing,
    ),
    (
        "search is without regard to capitals and takes per cent and underscore as they are",
        fleet::search,
    ),
    (
        "the fleet is sorted by everything, unknown last",
        fleet::sorted,
    ),
    (
        "filters find what they say and counts agree with them",
        fleet::filters,
    ),
    ("pages of the fleet join without gaps", fleet::pages),
    ("what was counted this month is said", fleet::counted),
    (
        "a device that turned out to be another is in no list and no count, and has its page",
        fleet::superseded,
    ),
    (
        "a toner of which only some is said to be left is marked",
        fleet::some_left,
    ),
    (
        "lists page without gaps or repeats while rows arrive",
        lists::while_rows_arrive,
    ),
    ("a cursor of another list is refused", lists::foreign_cursor),
    ("alerts are listed in both directions", lists::alerts),
    (
        "an alert that stands is where its device stands",
        lists::alerts_that_moved,
    ),
    ("a reading is found by its id", lists::by_id),
    (
        "what stood under a forgotten customer's sites is gone, and the others' is as it was",
        forget::forgotten,
    ),
];

/// Applies one batch with one device.
pub fn one_device(store: &dyn Store) {
    let mut batch = make::batch(0);
    make::introduce(&mut batch, 1);
    batch.seen(&make::seen_at(1, NOON));
    batch.open_run(&make::run(make::place(0, 1), 1, make::TOTAL, 7, NOON));
    store.apply(&batch).unwrap();
}

/// The devices that [`grow`] writes in each batch.
const GROWN_DEVICES: u32 = 40;

/// Applies the batch from `from`: every device has another reading, and one device more is known.
pub fn grow(store: &dyn Store, from: u64) {
    let mut batch = make::batch(from);
    let at = NOON.plus_ms(i64::try_from(from).unwrap() * make::MINUTE);
    for n in 0..GROWN_DEVICES {
        if from == 0 {
            make::introduce(&mut batch, n);
        } else {
            batch.end_run(olap::rows::RunEnd {
                place: make::place(from - 1, u64::from(n)),
                confirmed_until: at.plus_ms(-make::MINUTE),
                superseded_at: at,
            });
        }
        batch.seen(&make::seen_at(n, at));
        let place = make::place(from, u64::from(n));
        batch.open_run(&make::run(place, n, make::TOTAL, from, at));
    }
    make::introduce(&mut batch, 1_000 + u32::try_from(from).unwrap());
    store.apply(&batch).unwrap();
}

/// Checks that the store holds what `batches` calls of [`grow`] made, and nothing else.
pub fn has_grown(store: &dyn Store, batches: u64) {
    let devices = u64::from(GROWN_DEVICES);
    let all = codec::id::Scope::Everything;
    let fleet = store.fleet(&all, &olap::ask::FleetQuery::at(NOON)).unwrap();
    assert_eq!(fleet.total, devices + batches);
    let readings = store
        .readings(&all, &olap::ask::ReadingsQuery::default())
        .unwrap();
    assert_eq!(readings.total, devices * batches);
    assert_eq!(store.positions().unwrap().next_place, batches * 1_000_000);
}

/// How many batches of [`grow`] a question sees; it sees each whole.
pub fn whole_batches(store: &dyn Store) -> u64 {
    let query = olap::ask::ReadingsQuery {
        limit: 5_000,
        ..Default::default()
    };
    let page = store
        .readings(&codec::id::Scope::Everything, &query)
        .unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    assert_eq!(page.total % u64::from(GROWN_DEVICES), 0);
    let batches = page.total / u64::from(GROWN_DEVICES);
    let open = page
        .items
        .iter()
        .filter(|reading| reading.superseded_at.is_none());
    assert!(open.clone().all(|reading| reading.value == batches - 1));
    assert_eq!(open.count() as u64, u64::from(GROWN_DEVICES));
    batches
}
