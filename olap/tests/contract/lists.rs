//! Lists and their cursors.

use std::collections::BTreeSet;

use codec::id::{Scope, TenantId};
use codec::model::AlertSeverity;
use olap::StoreError;
use olap::ask::{AlertsQuery, DevicesQuery, FleetRules, ReadingsQuery};
use olap::cursor::{Cursor, List};
use olap::rows::{AlertRow, RunEnd};

use super::Open;
use super::make::*;

const ALL: Scope = Scope::Everything;

pub fn while_rows_arrive(open: Open<'_>) {
    let store = open();
    let mut first = batch(0);
    for n in 0..50 {
        introduce(&mut first, n);
        first.open_run(&run(place(0, u64::from(n)), n, TOTAL, 1, NOON));
    }
    store.apply(&first).unwrap();

    let mut readings = ReadingsQuery {
        limit: 7,
        ..ReadingsQuery::default()
    };
    let mut devices = DevicesQuery::at(NOON);
    devices.limit = 7;
    let (mut places, mut ids) = (Vec::new(), Vec::new());
    let mut applied = 1;
    let mut devices_end = false;
    loop {
        let page = store.readings(&ALL, &readings).unwrap();
        places.extend(page.items.iter().map(|reading| reading.place));
        assert!(
            page.items
                .iter()
                .all(|reading| page.devices.contains_key(&reading.device))
        );
        if !devices_end {
            let listed = store.devices(&ALL, &devices).unwrap();
            ids.extend(listed.items.iter().map(|item| item.device));
            // A cursor is a text between questions.
            devices.cursor = listed.next.map(|next| next.to_string().parse().unwrap());
            devices_end = listed.next.is_none();
        }
        readings.cursor = page
            .resume
            .map(|resume| resume.to_string().parse().unwrap());
        if applied < 6 {
            // Meanwhile runs of pages given out and of pages to come are ended, and others begin.
            let mut batch = batch(applied);
            for n in 0..10_u64 {
                let n = n * 5 + applied % 5;
                let device = u32::try_from(n).unwrap();
                batch.end_run(RunEnd {
                    place: place(0, n),
                    confirmed_until: NOON,
                    superseded_at: NOON.plus_ms(HOUR),
                });
                batch.open_run(&run(
                    place(applied, n),
                    device,
                    TOTAL,
                    1 + applied,
                    NOON.plus_ms(HOUR),
                ));
            }
            introduce(&mut batch, 100 + u32::try_from(applied).unwrap());
            store.apply(&batch).unwrap();
            applied += 1;
        } else if page.next.is_none() {
            break;
        }
    }
    assert!(
        places.is_sorted_by(|one, other| one < other),
        "each once, in order"
    );
    assert_eq!(places.len(), 100);
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!((distinct.len(), ids.len()), (55, 55));

    // Nothing new: the cursor stays where it is, and finds what comes next.
    let page = store.readings(&ALL, &readings).unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
    assert_eq!(page.resume, readings.cursor);
    assert_eq!(page.total, 100);
}

pub fn foreign_cursor(open: Open<'_>) {
    let store = open();
    let devices = Some(Cursor::new(List::Devices, 1));
    let query = ReadingsQuery {
        cursor: devices,
        ..ReadingsQuery::default()
    };
    let refused = store.readings(&ALL, &query).unwrap_err();
    assert!(matches!(refused, StoreError::Cursor(_)), "{refused}");
    let query = AlertsQuery {
        cursor: devices,
        ..AlertsQuery::default()
    };
    assert!(matches!(
        store.alerts(&ALL, &query),
        Err(StoreError::Cursor(_))
    ));
    let mut query = DevicesQuery::at(NOON);
    query.cursor = Some(Cursor::new(List::Readings, 1));
    assert!(matches!(
        store.devices(&ALL, &query),
        Err(StoreError::Cursor(_))
    ));
}

pub fn alerts(open: Open<'_>) {
    let store = open();
    let mut first = batch(0);
    introduce(&mut first, 1);
    for at in 0..20 {
        let severity = if at % 4 == 0 {
            AlertSeverity::Critical
        } else {
            AlertSeverity::Warning
        };
        first.open_alert(&AlertRow {
            place: at,
            device: device(1),
            site: TenantId(1),
            alert: &alert(u32::try_from(at).unwrap(), severity),
            since: NOON,
        });
    }
    first.end_alert(0, NOON);
    store.apply(&first).unwrap();
    for newest_first in [true, false] {
        let mut query = AlertsQuery {
            newest_first,
            limit: 6,
            open: None,
            ..AlertsQuery::default()
        };
        let mut ids = Vec::new();
        loop {
            let page = store.alerts(&ALL, &query).unwrap();
            assert_eq!(page.total, 20);
            ids.extend(page.items.iter().map(|item| item.id));
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        let mut expected: Vec<u64> = (0..20).collect();
        if newest_first {
            expected.reverse();
        }
        assert_eq!(ids, expected);
    }
    let critical = AlertsQuery {
        severity: Some(AlertSeverity::Critical),
        device: Some(device(1)),
        ..AlertsQuery::default()
    };
    assert_eq!(
        store.alerts(&ALL, &critical).unwrap().total,
        4,
        "one of five is over"
    );
}

pub fn alerts_that_moved(open: Open<'_>) {
    let store = open();
    let mut first = batch(0);
    introduce_as(&mut first, 1, 1, &identity(1));
    for place in 0..2 {
        first.open_alert(&AlertRow {
            place,
            device: device(1),
            site: TenantId(1),
            alert: &alert(1, AlertSeverity::Warning),
            since: NOON,
        });
    }
    first.end_alert(0, NOON);
    store.apply(&first).unwrap();
    let mut moved = batch(1);
    introduce_as(&mut moved, 1, 2, &identity(1));
    store.apply(&moved).unwrap();
    let ids = |scope: &Scope, open| {
        let query = AlertsQuery {
            open,
            ..AlertsQuery::default()
        };
        let items = store.alerts(scope, &query).unwrap().items;
        items
            .iter()
            .map(|item| (item.id, item.site))
            .collect::<Vec<_>>()
    };
    // What stands is where the device is now; what is over stays where it was.
    assert_eq!(ids(&site(1), Some(true)), []);
    assert_eq!(ids(&site(1), None), [(0, TenantId(1))]);
    assert_eq!(ids(&site(2), Some(true)), [(1, TenantId(2))]);
    assert_eq!(ids(&site(2), None), [(1, TenantId(2))]);
    let detail = store
        .device(&ALL, device(1), &FleetRules::at(NOON))
        .unwrap();
    assert_eq!(detail.unwrap().alerts_open[0].site, TenantId(2));
}

pub fn by_id(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    for n in 0..4 {
        introduce(&mut batch, n);
        let at = u64::from(n) * 2;
        batch.closed_run(&run(place(0, at), n, TOTAL, 1, NOON), NOON.plus_ms(HOUR));
        batch.open_run(&run(place(0, at + 1), n, TOTAL, 2, NOON.plus_ms(HOUR)));
    }
    store.apply(&batch).unwrap();
    let all = store
        .readings(&ALL, &ReadingsQuery::default())
        .unwrap()
        .items;
    assert_eq!(all.len(), 8);
    for reading in all {
        let id = reading.id.to_string().parse().unwrap();
        assert_eq!(store.reading(&ALL, &id).unwrap(), Some(reading));
    }
    let other = "hofer-1:feed000000000001:state:1:1:total.total.impressions"
        .parse()
        .unwrap();
    assert_eq!(store.reading(&ALL, &other).unwrap(), None);
}
