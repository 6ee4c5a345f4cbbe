//! Who may see what (Rule 9).

use std::collections::BTreeSet;

use codec::id::{Scope, TenantId};
use codec::model::AlertSeverity;
use olap::ask::{AlertsQuery, DevicesQuery, FleetQuery, FleetRules, HistoryQuery, ReadingsQuery};
use olap::rows::{AgentRow, AlertRow};

use super::Open;
use super::make::*;
use super::state::billing_query;

pub fn scope(open: Open<'_>) {
    let store = open();
    let mut batch = batch(0);
    for n in 0..6 {
        introduce(&mut batch, n);
        batch.seen(&seen_at(n, NOON));
        batch.open_run(&run(place(0, u64::from(n) * 2 + 1), n, TOTAL, 5, NOON));
        batch.open_alert(&AlertRow {
            place: place(0, u64::from(n) * 2 + 2),
            device: device(n),
            site: TenantId(i64::from(n % 3)),
            alert: &alert(1, AlertSeverity::Warning),
            since: NOON,
        });
    }
    batch.agent(&AgentRow {
        agent: &agent(),
        heard_at: NOON,
        sealed_at: NOON,
        program: "0.1.0",
        clock_ahead_ms: None,
    });
    store.apply(&batch).unwrap();

    let rules = FleetRules::at(NOON);
    let ones = site(1);
    let fleet = store.fleet(&ones, &FleetQuery::at(NOON)).unwrap();
    assert_eq!((fleet.total, fleet.items.len()), (2, 2));
    assert!(fleet.items.iter().all(|item| item.site == TenantId(1)));
    let counts = store.fleet_counts(&ones, &rules).unwrap();
    assert_eq!((counts.devices, counts.alerts, counts.sites), (2, 2, 1));
    assert_eq!(store.facets(&ones).unwrap().sites.len(), 1);
    assert!(store.device(&ones, device(1), &rules).unwrap().is_some());
    assert_eq!(store.device(&ones, device(2), &rules).unwrap(), None);
    assert_eq!(
        store.devices(&ones, &DevicesQuery::at(NOON)).unwrap().total,
        2
    );
    assert_eq!(
        store
            .readings(&ones, &ReadingsQuery::default())
            .unwrap()
            .total,
        2
    );
    assert_eq!(store.billing(&ones, &billing_query()).unwrap().total, 2);
    assert_eq!(
        store.alerts(&ones, &AlertsQuery::default()).unwrap().total,
        2
    );
    let id = store
        .readings(&site(2), &ReadingsQuery::default())
        .unwrap()
        .items[0]
        .id
        .clone();
    assert_eq!(store.reading(&ones, &id).unwrap(), None);
    let history = HistoryQuery {
        from: NOON.plus_ms(-DAY),
        to: NOON.plus_ms(DAY),
        points_max: 10,
    };
    let course = store
        .meter_history(&ones, device(2), "total.total.impressions", &history)
        .unwrap();
    assert!(course.points.is_empty());
    assert_eq!(store.agents_heard(&ones).unwrap()[0].devices, 2);

    // A filter for sites narrows the scope and never widens it.
    let mut query = FleetQuery::at(NOON);
    query.sites = Some(BTreeSet::from([TenantId(1), TenantId(2)]));
    assert_eq!(store.fleet(&ones, &query).unwrap().total, 2);
    query.search = "nothing is called this".to_owned();
    query.search_sites = BTreeSet::from([TenantId(2)]);
    assert_eq!(store.fleet(&ones, &query).unwrap().total, 0);

    let nothing = Scope::Sites(BTreeSet::new());
    assert_eq!(
        store.fleet(&nothing, &FleetQuery::at(NOON)).unwrap().total,
        0
    );
    assert_eq!(
        store.fleet_counts(&nothing, &rules).unwrap(),
        Default::default()
    );
    assert!(store.agents_heard(&nothing).unwrap().is_empty());
}
