//! The fleet: searched, sorted, filtered, paged.

use std::collections::BTreeSet;

use codec::id::{Scope, TenantId};
use codec::model::{
    AlertSeverity, Colorant, ErrorState, Level, MeterSet, SourceKind, Supply, SupplyClass,
    SupplyType,
};
use olap::Store;
use olap::ask::{DevicesQuery, FleetQuery, FleetRules, FleetSort, SomeLeft};
use olap::rows::{AlertRow, DeviceRow};

use super::Open;
use super::make::*;

const ALL: Scope = Scope::Everything;

fn names(store: &dyn Store, query: &FleetQuery) -> Vec<String> {
    let page = store.fleet(&ALL, query).unwrap();
    let names = page.items.into_iter();
    names
        .map(|item| item.identity.hostname.unwrap_or_default())
        .collect()
}

pub fn search(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    for (n, name) in ["Büro-1", "buero_2", "ÄRZTE 100%", "Lager", "o'neill"]
        .into_iter()
        .enumerate()
    {
        let n = u32::try_from(n).unwrap();
        let mut identity = identity(n);
        identity.hostname = Some(name.to_owned());
        introduce_as(&mut batch, n, i64::from(n), &identity);
    }
    store.apply(&batch).unwrap();
    let found = |search: &str| {
        let mut query = FleetQuery::at(NOON);
        query.search = search.to_owned();
        names(&*store, &query)
    };
    assert_eq!(found("BÜRO"), ["Büro-1"]);
    assert_eq!(found("ärzte"), ["ÄRZTE 100%"]);
    assert_eq!(found("%"), ["ÄRZTE 100%"]);
    assert_eq!(found("_"), ["buero_2"]);
    assert_eq!(found("o'NEILL"), ["o'neill"]);
    assert_eq!(found("sn00003"), ["Lager"]);
    assert_eq!(found("10.0.0.4"), ["Lager"]);
    assert_eq!(found("00206b000003"), ["Lager"]);
    assert_eq!(found("ricoh model"), ["buero_2", "Lager"]);
    assert_eq!(found("ricoh lager"), ["Lager"]);
    assert_eq!(found("  "), found(""));
    assert_eq!(found("").len(), 5);
    assert_eq!(found("nobody"), Vec::<String>::new());
    let mut by_site = FleetQuery::at(NOON);
    by_site.search = "Hofer".to_owned();
    by_site.search_sites = BTreeSet::from([TenantId(3)]);
    assert_eq!(names(&*store, &by_site), ["Lager"]);
}

/// Six devices, each in its own state; the last one is bare.
fn six(store: &dyn Store) {
    let mut batch = batch(0);
    let errors: [&[ErrorState]; 5] = [
        &[],
        &[ErrorState::Jammed],
        &[],
        &[ErrorState::LowPaper],
        &[],
    ];
    for n in 0..6 {
        let mut identity = identity(n);
        identity.hostname = Some(
            ["drucker2", "drucker10", "Ufer", "Übersee", "alpha", "zeta"][n as usize].to_owned(),
        );
        if n == 5 {
            identity.serial = None;
            identity.manufacturer = None;
            identity.model = None;
            identity.address = None;
        }
        introduce_as(&mut batch, n, i64::from(n % 3), &identity);
        if n == 5 {
            continue;
        }
        let set = if n == 2 {
            MeterSet::Conflicting
        } else {
            MeterSet::Verified
        };
        put_status(&mut batch, n, errors[n as usize], Some(set));
        let silent = if n == 4 { 3 * DAY } else { 0 };
        batch.seen(&seen_at(n, NOON.plus_ms(i64::from(n) * MINUTE - silent)));
        let magenta = toner(2, Colorant::Magenta, 5 + n * 10);
        let supplies = [toner(1, Colorant::Black, 90), magenta];
        put_supplies(
            &mut batch,
            n,
            if n == 3 { &supplies[..1] } else { &supplies },
        );
        batch.open_run(&run(
            place(0, u64::from(n)),
            n,
            TOTAL,
            u64::from(n * 37 % 5) + 1,
            NOON,
        ));
    }
    batch.open_alert(&AlertRow {
        place: place(0, 100),
        device: device(0),
        site: TenantId(0),
        alert: &alert(1, AlertSeverity::Warning),
        since: NOON,
    });
    store.apply(&batch).unwrap();
}

pub fn sorted(open: Open<'_>) {
    let store = open();
    six(&*store);
    let sorted = |sort, descending| {
        let mut query = FleetQuery::at(NOON.plus_ms(10 * MINUTE));
        query.sort = sort;
        query.descending = descending;
        names(&*store, &query)
    };
    assert_eq!(
        sorted(FleetSort::Name, false),
        ["alpha", "drucker2", "drucker10", "Übersee", "Ufer", "zeta"]
    );
    assert_eq!(
        sorted(FleetSort::Name, true),
        ["zeta", "Ufer", "Übersee", "drucker10", "drucker2", "alpha"]
    );
    assert_eq!(
        sorted(FleetSort::Serial, true),
        ["alpha", "Übersee", "Ufer", "drucker10", "drucker2", "zeta"]
    );
    assert_eq!(
        sorted(FleetSort::Seen, true),
        ["Übersee", "Ufer", "drucker10", "drucker2", "alpha", "zeta"]
    );
    assert_eq!(sorted(FleetSort::LowestSupply, false)[0], "drucker2");
    assert_eq!(sorted(FleetSort::LowestSupply, true)[0], "Übersee");
    assert_eq!(sorted(FleetSort::LowestSupply, false)[5], "zeta");
    // 37n mod 5: 0 2 4 1 3.
    assert_eq!(
        sorted(FleetSort::BilledTotal, false),
        ["drucker2", "Übersee", "drucker10", "alpha", "Ufer", "zeta"]
    );
    // Silent, stopped, conflicting, low, some error, none.
    assert_eq!(
        sorted(FleetSort::Status, false),
        ["alpha", "drucker10", "Ufer", "drucker2", "Übersee", "zeta"]
    );
    for sort in [FleetSort::Model, FleetSort::Address] {
        assert_eq!(sorted(sort, false)[5], "zeta");
        assert_eq!(sorted(sort, true)[5], "zeta");
    }
    assert_eq!(sorted(FleetSort::FirstSeen, false).len(), 6);
}

pub fn filters(open: Open<'_>) {
    let store = open();
    six(&*store);
    let base = FleetQuery::at(NOON.plus_ms(10 * MINUTE));
    let found = |change: &dyn Fn(&mut FleetQuery)| {
        let mut query = base.clone();
        change(&mut query);
        names(&*store, &query)
    };
    assert_eq!(found(&|query| query.silent = true), ["alpha"]);
    assert_eq!(found(&|query| query.low = true), ["drucker2"]);
    assert_eq!(found(&|query| query.stopped = true), ["drucker10"]);
    assert_eq!(
        found(&|query| query.attention = true),
        ["alpha", "drucker2", "drucker10", "Ufer"]
    );
    assert_eq!(
        found(&|query| query.colour = Some(false)),
        ["Übersee", "zeta"]
    );
    assert_eq!(found(&|query| query.colour = Some(true)).len(), 4);
    assert_eq!(
        found(&|query| query.manufacturer = Some("Ricoh".to_owned())),
        ["drucker10", "Übersee"]
    );
    assert_eq!(found(&|query| query.agent = Some(agent())).len(), 6);
    assert_eq!(
        found(&|query| query.sites = Some(BTreeSet::from([TenantId(2)]))),
        ["Ufer", "zeta"]
    );

    let counts = store
        .fleet_counts(&ALL, &FleetRules::at(base.rules.now))
        .unwrap();
    assert_eq!(counts.devices, 6);
    assert_eq!((counts.fresh, counts.silent, counts.low), (4, 1, 1));
    assert_eq!((counts.attention, counts.stopped, counts.alerts), (4, 1, 1));
    assert_eq!(
        (counts.meters_to_confirm, counts.sites, counts.agents),
        (1, 3, 1)
    );
    let facets = store.facets(&ALL).unwrap();
    assert_eq!(facets.manufacturers["Kyocera"], 3);
    assert_eq!(facets.agents[&agent()], 6);
    assert_eq!(facets.sites[&TenantId(2)], 2);
}

pub fn pages(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    for n in 0..95 {
        introduce(&mut batch, n);
    }
    store.apply(&batch).unwrap();
    for sort in [FleetSort::Name, FleetSort::Model, FleetSort::Seen] {
        let mut query = FleetQuery::at(NOON);
        query.sort = sort;
        query.limit = 20;
        let mut seen = BTreeSet::new();
        let mut pages = 0;
        loop {
            let page = store.fleet(&ALL, &query).unwrap();
            assert_eq!(page.total, 95);
            pages += 1;
            seen.extend(page.items.iter().map(|item| item.device));
            match page.next_offset {
                Some(next) => query.offset = next,
                None => break,
            }
        }
        assert_eq!((pages, seen.len()), (5, 95), "{sort:?}");
        query.offset = 1_000;
        let beyond = store.fleet(&ALL, &query).unwrap();
        assert_eq!(
            (beyond.items.len(), beyond.total, beyond.next_offset),
            (0, 95, None)
        );
    }
}

pub fn counted(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    introduce(&mut batch, 1);
    introduce(&mut batch, 2);
    let month = NOON.plus_ms(-20 * DAY);
    batch.closed_run(
        &run(place(0, 1), 1, TOTAL, 1_000, month.plus_ms(-DAY)),
        month.plus_ms(DAY),
    );
    batch.closed_run(&run(place(0, 2), 1, TOTAL, 1_100, month.plus_ms(DAY)), NOON);
    batch.open_run(&run(place(0, 3), 1, TOTAL, 1_250, NOON));
    batch.open_run(&run(place(0, 4), 2, TOTAL, 70, NOON));
    store.apply(&batch).unwrap();
    let mut query = FleetQuery::at(NOON);
    query.counted_since = Some(month);
    let items = store.fleet(&ALL, &query).unwrap().items;
    let counted = |at: usize| items[at].billed_total.clone().unwrap().counted;
    assert_eq!(counted(0), Some(250));
    assert_eq!(counted(1), None, "nothing old enough was read of it");
}

pub fn superseded(open: Open<'_>) {
    let store = open();
    six(&*store);
    let by = |by: Option<u32>| {
        let agent = agent();
        let mut batch = batch(if by.is_some() { 1 } else { 2 });
        batch.device(&DeviceRow {
            device: device(1),
            site: TenantId(1),
            agent: &agent,
            source: SourceKind::Snmp,
            identity: &identity(1),
            superseded_by: by.map(device),
            first_seen_at: NOON,
            changed_at: NOON,
        });
        store.apply(&batch).unwrap();
    };
    let rules = FleetRules::at(NOON.plus_ms(10 * MINUTE));
    let known = || {
        let counts = store.fleet_counts(&ALL, &rules).unwrap();
        let facets = store.facets(&ALL).unwrap();
        let list = store.devices(&ALL, &DevicesQuery::at(NOON)).unwrap();
        assert_eq!(list.items.len() as u64, list.total);
        let mut of_site = FleetQuery::at(NOON);
        of_site.sites = Some(BTreeSet::from([TenantId(1)]));
        [
            names(&*store, &FleetQuery::at(NOON)).len() as u64,
            names(&*store, &of_site).len() as u64,
            list.total,
            counts.devices,
            counts.stopped,
            facets.manufacturers["Ricoh"],
            facets.sites[&TenantId(1)],
            facets.agents[&agent()],
        ]
    };
    assert_eq!(known(), [6, 2, 6, 6, 1, 2, 2, 6]);

    by(Some(4));
    assert_eq!(known(), [5, 1, 5, 5, 0, 1, 1, 5]);
    let page = store.device(&ALL, device(1), &rules).unwrap().unwrap();
    assert_eq!(page.item.superseded_by, Some(device(4)));
    let state = store.state(device(1)).unwrap().unwrap();
    assert_eq!(state.superseded_by, Some(device(4)));

    by(None);
    assert_eq!(known(), [6, 2, 6, 6, 1, 2, 2, 6]);
}

pub fn some_left(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    let with = |index, kind, level| Supply {
        kind,
        level,
        ..toner(index, Colorant::Black, 50)
    };
    let ink = with(3, SupplyType::Ink, Level::Some);
    for (n, supplies) in [
        vec![toner(1, Colorant::Black, 50)],
        vec![waste(1), with(2, SupplyType::Drum, Level::Some)],
        vec![waste(1), ink, with(4, SupplyType::Toner, Level::Some)],
    ]
    .into_iter()
    .enumerate()
    {
        let n = u32::try_from(n).unwrap();
        introduce(&mut batch, n);
        put_supplies(&mut batch, n, &supplies);
    }
    store.apply(&batch).unwrap();
    let page = store.fleet(&ALL, &FleetQuery::at(NOON)).unwrap();
    let marks: Vec<_> = page.items.iter().map(|item| item.some_left).collect();
    let ink = SomeLeft {
        class: SupplyClass::Consumed,
        kind: SupplyType::Ink,
    };
    assert_eq!(marks, [None, None, Some(ink)]);
}
