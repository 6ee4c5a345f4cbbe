//! What was applied is there, once, for those who may see it, also after a restart.

use codec::id::{Scope, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{AlertSeverity, Colorant, ErrorState, MeterPart, MeterSet, SourceKind};
use olap::ask::{
    AlertsQuery, BillingQuery, DevicesQuery, FleetQuery, FleetRules, HistoryQuery, Levels,
    ReadingsQuery,
};
use olap::rows::{AgentRow, AlertRow, EventRow, LevelRow, RunEnd, TraysRow};
use olap::words::{EventKind, Quality};
use olap::{Applied, Store, StoreError};

use super::Open;
use super::make::*;

const ALL: Scope = Scope::Everything;

pub fn empty(open: Open<'_>) {
    let store = open();
    assert_eq!(store.positions().unwrap().next_place, 0);
    assert!(store.positions().unwrap().shards.is_empty());
    assert!(store.streams().unwrap().is_empty());
    let mut loaded = 0;
    store.load(&mut |_| loaded += 1).unwrap();
    assert_eq!(loaded, 0);
    assert_eq!(store.state(device(1)).unwrap(), None);
    let page = store.fleet(&ALL, &FleetQuery::at(NOON)).unwrap();
    assert_eq!(
        (page.items.len(), page.total, page.next_offset),
        (0, 0, None)
    );
    assert_eq!(
        store.fleet_counts(&ALL, &FleetRules::at(NOON)).unwrap(),
        Default::default()
    );
    assert_eq!(store.facets(&ALL).unwrap(), Default::default());
    assert_eq!(
        store
            .device(&ALL, device(1), &FleetRules::at(NOON))
            .unwrap(),
        None
    );
    let devices = store.devices(&ALL, &DevicesQuery::at(NOON)).unwrap();
    assert_eq!(
        (devices.items.len(), devices.next, devices.total),
        (0, None, 0)
    );
    let readings = store.readings(&ALL, &ReadingsQuery::default()).unwrap();
    assert_eq!(
        (readings.items.len(), readings.next, readings.total),
        (0, None, 0)
    );
    let history = HistoryQuery {
        from: NOON.plus_ms(-DAY),
        to: NOON,
        points_max: 100,
    };
    let meter = store.meter_history(&ALL, device(1), "x", &history).unwrap();
    assert_eq!(meter.points, Vec::new());
    assert!(
        store
            .level_history(&ALL, device(1), &history)
            .unwrap()
            .courses
            .is_empty()
    );
    assert_eq!(
        store.alerts(&ALL, &AlertsQuery::default()).unwrap().total,
        0
    );
    assert_eq!(store.billing(&ALL, &billing_query()).unwrap().total, 0);
    assert!(store.agents_heard(&ALL).unwrap().is_empty());
}

pub fn billing_query() -> BillingQuery {
    BillingQuery {
        cutoff: NOON,
        age_ms_max: DAY,
        device: None,
        sites: None,
        apart: olap::ask::Apart::default(),
        codes: Vec::new(),
        basis: None,
        cursor: None,
        limit: 100,
    }
}

/// One device with all there is, at site 1.
fn everything(store: &dyn Store) {
    let mut batch = batch(0);
    introduce(&mut batch, 1);
    put_status(
        &mut batch,
        1,
        &[ErrorState::LowToner, ErrorState::DoorOpen],
        Some(MeterSet::Verified),
    );
    batch.seen(&seen_at(1, NOON));
    let supplies = [
        toner(1, Colorant::Black, 71),
        toner(2, Colorant::Magenta, 6),
        waste(9),
    ];
    put_supplies(&mut batch, 1, &supplies);
    batch.trays(&TraysRow {
        device: device(1),
        trays: &[tray(1), tray(2)],
        observed_at: NOON,
    });
    batch.open_run(&run(place(0, 1), 1, TOTAL, 98_312, NOON.plus_ms(-HOUR)));
    batch.open_run(&run(place(0, 2), 1, ENGINE, 98_319, NOON));
    batch.open_alert(&AlertRow {
        place: place(0, 3),
        device: device(1),
        site: TenantId(1),
        alert: &alert(5, AlertSeverity::Critical),
        since: NOON,
    });
    batch.event(&EventRow {
        place: place(0, 4),
        device: device(1),
        site: TenantId(1),
        at: NOON,
        kind: EventKind::AddressChanged,
        subject: None,
        before: Some("10.20.4.17"),
        after: Some("10.20.4.31"),
    });
    batch.level(&LevelRow {
        device: device(1),
        supply: &supplies[1],
        observed_at: NOON.plus_ms(-HOUR),
    });
    batch.agent(&AgentRow {
        agent: &agent(),
        heard_at: NOON,
        sealed_at: NOON.plus_ms(-1),
        program: "0.1.0",
        clock_ahead_ms: Some(-40),
    });
    batch.stream(&agent(), SpoolEpoch(u64::MAX), Stream::Meters, 17, NOON);
    assert_eq!(store.apply(&batch).unwrap(), Applied::Now);
}

pub fn whole(open: Open<'_>) {
    let store = open();
    everything(&*store);

    let rules = FleetRules::at(NOON.plus_ms(MINUTE));
    let detail = store.device(&ALL, device(1), &rules).unwrap().unwrap();
    assert_eq!(detail.item.identity, identity(1));
    assert_eq!(
        (detail.item.site, detail.item.agent.clone()),
        (TenantId(1), agent())
    );
    assert_eq!(
        detail.item.status,
        status(&[ErrorState::LowToner, ErrorState::DoorOpen])
    );
    assert_eq!(detail.item.meter_set, Some(MeterSet::Verified));
    assert_eq!(detail.status_since, Some(NOON));
    assert_eq!(detail.source, SourceKind::Snmp);
    let levels = Levels {
        black: Some(71),
        magenta: Some(6),
        ..Levels::default()
    };
    assert_eq!(detail.item.levels, levels);
    let lowest = detail.item.lowest.unwrap();
    assert_eq!(
        (lowest.percent, lowest.colorant),
        (6, Some(Colorant::Magenta))
    );
    assert_eq!(
        (detail.item.alerts.critical, detail.item.alerts.other),
        (1, 0)
    );
    assert_eq!(detail.item.observed_at, Some(NOON));
    assert_eq!(detail.item.received_at, Some(NOON.plus_ms(2_000)));
    assert_eq!(detail.item.unchanged_since, Some(NOON.plus_ms(-HOUR)));
    assert!(!detail.item.silent);
    let total = detail.item.billed_total.clone().unwrap();
    assert_eq!((total.value, total.continuous), (98_312, 99_312));
    assert_eq!(
        (total.observed_at, total.confirmed_until),
        (NOON.plus_ms(-HOUR), NOON)
    );
    assert_eq!(
        detail.supplies,
        [
            toner(1, Colorant::Black, 71),
            toner(2, Colorant::Magenta, 6),
            waste(9)
        ]
    );
    assert_eq!(detail.trays, [tray(1), tray(2)]);
    assert_eq!(
        (detail.supplies_at, detail.trays_at),
        (Some(NOON), Some(NOON))
    );
    assert_eq!(detail.alerts_open.len(), 1);
    assert_eq!(
        detail.alerts_open[0].alert,
        alert(5, AlertSeverity::Critical)
    );
    assert_eq!(detail.alerts_open[0].id, place(0, 3));
    assert_eq!(detail.events[0].kind, EventKind::AddressChanged);
    assert_eq!(detail.events[0].before.as_deref(), Some("10.20.4.17"));

    let codes: Vec<_> = detail
        .meters
        .iter()
        .map(|meter| meter.code.as_str())
        .collect();
    assert_eq!(
        codes,
        ["total.total.impressions", "engine.total.total.impressions"]
    );
    let reading = &detail.meters[0];
    let expected = run(place(0, 1), 1, TOTAL, 98_312, NOON.plus_ms(-HOUR));
    assert_eq!(
        (reading.value, reading.continuous, reading.meter_epoch),
        (98_312, 99_312, 1)
    );
    assert_eq!(
        reading.confirmed_until, NOON,
        "the device's last report confirmed it"
    );
    assert_eq!(
        (reading.agent_at, reading.received_at),
        (expected.agent_at, expected.received_at)
    );
    assert_eq!(
        (reading.oid.as_str(), reading.profile.as_deref()),
        (expected.oid, expected.profile)
    );
    assert_eq!(reading.journal, expected.journal);
    assert_eq!(reading.quality, Quality::Ok);
    let part = |oid: &str, value| MeterPart {
        oid: oid.to_owned(),
        value,
    };
    assert_eq!(
        reading.parts,
        [
            part("1.3.6.1.4.1.1347.42.3.1.1", 7),
            part("1.3.6.1.4.1.1347.42.3.1.2", 8)
        ]
    );
    assert_eq!(
        reading.id.to_string(),
        format!(
            "hofer-1:feed000000000001:meters:{}:1:total.total.impressions",
            place(0, 1)
        )
    );

    let history = HistoryQuery {
        from: NOON.plus_ms(-DAY),
        to: NOON,
        points_max: 10,
    };
    let courses = store
        .level_history(&ALL, device(1), &history)
        .unwrap()
        .courses;
    assert_eq!((courses.len(), courses[0].points[0].percent), (1, Some(6)));
    let agents = store.agents_heard(&ALL).unwrap();
    assert_eq!(
        (agents[0].devices, agents[0].clock_ahead_ms),
        (1, Some(-40))
    );
    let positions = store.positions().unwrap();
    assert_eq!((positions.shards[&0], positions.next_place), (1, 1_000_000));
    let streams = store.streams().unwrap();
    assert_eq!(
        (
            streams[0].epoch,
            streams[0].sequence,
            streams[0].observed_at
        ),
        (SpoolEpoch(u64::MAX), 17, Some(NOON))
    );
}

pub fn fresh(open: Open<'_>) {
    let store = open();
    assert!(store.freshness(&ALL).unwrap().is_empty());
    everything(&*store);
    let fresh = store.freshness(&ALL).unwrap();
    let rules = FleetRules::at(NOON);
    for one in &fresh {
        let detail = store.device(&ALL, one.device, &rules).unwrap().unwrap();
        assert_eq!(one.observed_at, detail.item.observed_at);
        assert_eq!(one.received_at, detail.item.received_at);
        assert_eq!(one.address, detail.item.identity.address);
        assert_eq!(one.has_meters, !detail.meters.is_empty());
    }
    let total = store.fleet(&ALL, &FleetQuery::at(NOON)).unwrap().total;
    assert!(total > 0 && fresh.len() as u64 == total);
    let nobody = Scope::Sites(std::collections::BTreeSet::new());
    assert!(store.freshness(&nobody).unwrap().is_empty());
}

pub fn loaded(open: Open<'_>) {
    let store = open();
    everything(&*store);
    let mut more = batch(1);
    introduce(&mut more, 2);
    store.apply(&more).unwrap();

    let mut states = Vec::new();
    store.load(&mut |state| states.push(state)).unwrap();
    assert_eq!(states.len(), 2);
    let state = &states[0];
    assert_eq!(store.state(device(1)).unwrap().as_ref(), Some(state));
    assert_eq!(state.identity, identity(1));
    assert_eq!(state.seen, Some(seen_at(1, NOON)));
    assert_eq!(
        (state.supplies.len(), state.trays.len(), state.alerts.len()),
        (3, 2, 1)
    );
    let status = status(&[ErrorState::LowToner, ErrorState::DoorOpen]);
    assert_eq!(state.status, Some((status, NOON, Some(MeterSet::Verified))));
    let runs: Vec<_> = state
        .runs
        .iter()
        .map(|run| (run.place, run.value, run.confirmed_until))
        .collect();
    assert_eq!(
        runs,
        [(place(0, 1), 98_312, NOON), (place(0, 2), 98_319, NOON)]
    );
    let bare = &states[1];
    assert_eq!((&bare.status, bare.seen, bare.runs.len()), (&None, None, 0));
}

pub fn replaced(open: Open<'_>) {
    let store = open();
    everything(&*store);
    let mut batch = batch(1);
    let mut renamed = identity(1);
    renamed.hostname = Some("first".to_owned());
    introduce_as(&mut batch, 1, 2, &renamed);
    renamed.hostname = Some("last".to_owned());
    introduce_as(&mut batch, 1, 2, &renamed);
    put_status(&mut batch, 1, &[], None);
    batch.seen(&seen_at(1, NOON.plus_ms(MINUTE)));
    batch.seen(&seen_at(1, NOON.plus_ms(2 * MINUTE)));
    put_supplies(&mut batch, 1, &[toner(1, Colorant::Black, 70)]);
    batch.trays(&TraysRow {
        device: device(1),
        trays: &[],
        observed_at: NOON,
    });
    batch.end_alert(place(0, 3), NOON.plus_ms(MINUTE));
    store.apply(&batch).unwrap();

    let detail = store
        .device(&ALL, device(1), &FleetRules::at(NOON))
        .unwrap()
        .unwrap();
    assert_eq!(detail.item.identity.hostname.as_deref(), Some("last"));
    assert_eq!(detail.item.site, TenantId(2));
    assert_eq!(detail.item.status, status(&[]));
    assert_eq!(detail.item.observed_at, Some(NOON.plus_ms(2 * MINUTE)));
    assert_eq!(
        (
            detail.supplies.len(),
            detail.trays.len(),
            detail.alerts_open.len()
        ),
        (1, 0, 0)
    );
    assert_eq!(store.fleet(&ALL, &FleetQuery::at(NOON)).unwrap().total, 1);
    let over = AlertsQuery {
        open: Some(false),
        ..AlertsQuery::default()
    };
    let over = store.alerts(&ALL, &over).unwrap();
    assert_eq!(over.items[0].until, Some(NOON.plus_ms(MINUTE)));
}

pub fn reopened(open: Open<'_>) {
    for round in 0..5 {
        let store = open();
        let positions = store.positions().unwrap();
        assert_eq!(positions.shards.get(&0).copied().unwrap_or(0), round);
        assert_eq!(
            store.fleet(&ALL, &FleetQuery::at(NOON)).unwrap().total,
            round
        );
        let readings = store.readings(&ALL, &ReadingsQuery::default()).unwrap();
        assert_eq!(readings.total, round);
        let n = u32::try_from(round).unwrap();
        let mut batch = batch(round);
        introduce(&mut batch, n);
        batch.open_run(&run(place(round, 1), n, TOTAL, round, NOON));
        store.apply(&batch).unwrap();
    }
}

pub fn replayed(open: Open<'_>) {
    let store = open();
    let mut first = batch(0);
    introduce(&mut first, 1);
    first.open_run(&run(place(0, 1), 1, TOTAL, 1, NOON));
    assert_eq!(store.apply(&first).unwrap(), Applied::Now);
    assert_eq!(store.apply(&first).unwrap(), Applied::Before);
    drop(store);
    let store = open();
    assert_eq!(store.apply(&first).unwrap(), Applied::Before);
    assert_eq!(
        store
            .readings(&ALL, &ReadingsQuery::default())
            .unwrap()
            .total,
        1
    );
}

pub fn gap(open: Open<'_>) {
    let store = open();
    let gap = store.apply(&batch(1)).unwrap_err();
    assert!(
        matches!(
            gap,
            StoreError::PositionGap {
                shard: 0,
                from: 1,
                applied: 0
            }
        ),
        "{gap}"
    );
    store.apply(&batch(0)).unwrap();
    let mut overlap = olap::Batch::new();
    overlap.covers(0, 0, 2);
    let overlap = store.apply(&overlap).unwrap_err();
    assert!(
        matches!(overlap, StoreError::PositionOverlap { applied: 1, .. }),
        "{overlap}"
    );
    assert_eq!(store.positions().unwrap().shards[&0], 1);
}

pub fn contradiction(open: Open<'_>) {
    let store = open();
    everything(&*store);

    let mut stranger = batch(1);
    introduce(&mut stranger, 2);
    stranger.seen(&seen_at(3, NOON));
    let refused = store.apply(&stranger).unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownDevice { .. }),
        "{refused}"
    );

    let mut unknown_run = batch(1);
    introduce(&mut unknown_run, 2);
    unknown_run.end_run(RunEnd {
        place: 999_999,
        confirmed_until: NOON,
        superseded_at: NOON,
    });
    let refused = store.apply(&unknown_run).unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::UnknownRuns {
                runs: 1,
                found: 0,
                ..
            }
        ),
        "{refused}"
    );

    let mut unknown_alert = batch(1);
    unknown_alert.end_alert(999_999, NOON);
    let refused = store.apply(&unknown_alert).unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownAlerts { .. }),
        "{refused}"
    );

    // Nothing of them stayed, and the store goes on.
    assert_eq!(store.positions().unwrap().shards[&0], 1);
    assert_eq!(store.state(device(2)).unwrap(), None);
    let mut good = batch(1);
    introduce(&mut good, 2);
    good.open_run(&run(place(1, 1), 2, PRINT_MONO, 5, NOON));
    store.apply(&good).unwrap();
    assert_eq!(store.state(device(2)).unwrap().unwrap().runs.len(), 1);
}
