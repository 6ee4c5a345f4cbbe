//! A customer is forgotten (Rule 8).

use codec::id::{AgentId, Scope, TenantId};
use codec::model::{AlertSeverity, Colorant};
use codec::time::Timestamp;
use olap::ask::{
    AlertsQuery, DevicesQuery, FleetQuery, FleetRules, HistoryQuery, PAGE_ITEMS_MAX, ReadingsQuery,
};
use olap::rows::{
    AgentRow, AlertRow, DeviceRow, EventRow, LevelRow, RunEnd, RunRow, SuppliesRow, TraysRow,
};
use olap::words::EventKind;
use olap::{Batch, Store};

use super::Open;
use super::make::*;
use super::state::billing_query;

/// The forgotten customer's only site.
const HIS: i64 = 1;
/// Where device 1 stood before it came to him, and where device 5 went from him.
const ELSEWHERE: i64 = 9;

fn his_agent() -> AgentId {
    AgentId::new("his-agent").unwrap()
}

/// Device `n` with a row of every kind; what stands at his site is read by his agent.
fn all_of(batch: &mut Batch, from: u64, n: u32, site: i64, at: Timestamp) {
    let agent = if site == HIS { his_agent() } else { agent() };
    let place = |kind: u64| place(from, u64::from(n) * 10 + kind);
    batch.device(&DeviceRow {
        device: device(n),
        site: TenantId(site),
        agent: &agent,
        source: codec::model::SourceKind::Snmp,
        identity: &identity(n),
        superseded_by: None,
        first_seen_at: NOON,
        changed_at: at,
    });
    batch.seen(&seen_at(n, at));
    put_status(batch, n, &[], None);
    let toner = toner(1, Colorant::Black, 50);
    batch.supplies(&SuppliesRow {
        device: device(n),
        supplies: std::slice::from_ref(&toner),
        observed_at: at,
    });
    batch.level(&LevelRow {
        device: device(n),
        supply: &toner,
        observed_at: at,
    });
    batch.trays(&TraysRow {
        device: device(n),
        trays: &[tray(1)],
        observed_at: at,
    });
    batch.event(&EventRow {
        place: place(1),
        device: device(n),
        site: TenantId(site),
        at,
        kind: EventKind::New,
        subject: None,
        before: None,
        after: Some("something"),
    });
    batch.open_alert(&AlertRow {
        place: place(2),
        device: device(n),
        site: TenantId(site),
        alert: &alert(1, AlertSeverity::Warning),
        since: at,
    });
    batch.open_run(&RunRow {
        agent: &agent,
        site: TenantId(site),
        ..run(place(3), n, TOTAL, 100 + from, at)
    });
    batch.closed_run(
        &RunRow {
            agent: &agent,
            site: TenantId(site),
            ..run(place(4), n, PRINT_MONO, 50 + from, at)
        },
        at.plus_ms(1),
    );
    batch.stream(
        &agent,
        codec::key::SpoolEpoch(7),
        codec::key::Stream::Meters,
        from + 1,
        at,
    );
    batch.agent(&AgentRow {
        agent: &agent,
        heard_at: at,
        sealed_at: at,
        program: "0.1.0",
        clock_ahead_ms: None,
    });
}

fn day_around() -> HistoryQuery {
    HistoryQuery {
        from: NOON.plus_ms(-DAY),
        to: NOON.plus_ms(DAY),
        points_max: 100,
    }
}

/// What every list and page says of the devices that have nothing to do with him.
fn told_of(store: &dyn Store, numbers: &[u32]) -> Vec<String> {
    let (all, rules) = (Scope::Everything, FleetRules::at(NOON));
    let wanted: Vec<_> = numbers.iter().map(|n| device(*n)).collect();
    let mut told = Vec::new();
    let query = ReadingsQuery {
        limit: PAGE_ITEMS_MAX,
        ..ReadingsQuery::default()
    };
    for reading in store.readings(&all, &query).unwrap().items {
        if wanted.contains(&reading.device) {
            told.push(format!("{reading:?}"));
        }
    }
    for device in wanted {
        told.push(format!("{:?}", store.device(&all, device, &rules).unwrap()));
        told.push(format!("{:?}", store.state(device).unwrap()));
        let levels = store.level_history(&all, device, &day_around());
        told.push(format!("{:?}", levels.unwrap()));
    }
    told
}

pub fn forgotten(open: Open<'_>) {
    let store = open();
    let mut first = batch(0);
    for n in 0..6 {
        let site = if n == 1 { ELSEWHERE } else { i64::from(n % 3) };
        let site = if n == 5 { HIS } else { site };
        all_of(&mut first, 0, n, site, NOON);
    }
    store.apply(&first).unwrap();
    // Device 1 moves to him, device 5 away from him: their runs are closed and opened anew.
    let moved_at = NOON.plus_ms(HOUR);
    let mut second = batch(1);
    for (n, site) in [(1, HIS), (5, ELSEWHERE)] {
        second.end_run(RunEnd {
            place: place(0, u64::from(n) * 10 + 3),
            confirmed_until: NOON.plus_ms(MINUTE),
            superseded_at: moved_at,
        });
        all_of(&mut second, 1, n, site, moved_at);
    }
    store.apply(&second).unwrap();
    let others = [0, 2, 3];
    let before = told_of(store.as_ref(), &others);
    let first_page = DevicesQuery {
        limit: 1,
        ..DevicesQuery::at(NOON)
    };
    let page = store.devices(&Scope::Everything, &first_page).unwrap();
    let read_on = |store: &dyn Store| {
        let query = DevicesQuery {
            cursor: page.next,
            ..DevicesQuery::at(NOON)
        };
        let page = store.devices(&Scope::Everything, &query).unwrap();
        page.items
            .iter()
            .map(|item| item.device)
            .collect::<Vec<_>>()
    };

    let mut forget = batch(2);
    forget.forget([TenantId(HIS)], [his_agent()]);
    assert!(!forget.is_empty());
    store.apply(&forget).unwrap();

    let is_forgotten = |store: &dyn Store| {
        let (all, rules) = (Scope::Everything, FleetRules::at(NOON));
        assert_eq!(
            told_of(store, &others),
            before,
            "the others are as they were"
        );
        assert_eq!(store.device(&all, device(4), &rules).unwrap(), None);
        assert_eq!(store.state(device(4)).unwrap(), None);
        let his = site(HIS);
        assert_eq!(store.fleet(&his, &FleetQuery::at(NOON)).unwrap().total, 0);
        let readings = store.readings(&all, &ReadingsQuery::default()).unwrap();
        assert!(
            readings
                .items
                .iter()
                .all(|reading| reading.site != TenantId(HIS))
        );
        assert_eq!(
            readings.total,
            3 * 2 + 2 + 2,
            "of three devices, and of two as they stood elsewhere"
        );
        assert_eq!(store.billing(&his, &billing_query()).unwrap().total, 0);
        assert_eq!(
            store.alerts(&his, &AlertsQuery::default()).unwrap().total,
            0
        );
        assert_eq!(
            store.alerts(&all, &AlertsQuery::default()).unwrap().total,
            3 + 2
        );
        assert_eq!(store.facets(&all).unwrap().sites.get(&TenantId(HIS)), None);
        // Device 1 is where it stood before, and nothing is said of what was last seen of it.
        let back = store.device(&all, device(1), &rules).unwrap().unwrap();
        assert_eq!(back.item.site, TenantId(ELSEWHERE));
        assert!(back.supplies.is_empty() && back.trays.is_empty());
        assert_eq!(back.item.observed_at, None);
        // Device 5 is where it went; what its toner was before is gone.
        let gone_on = store.device(&all, device(5), &rules).unwrap().unwrap();
        assert_eq!(gone_on.item.site, TenantId(ELSEWHERE));
        assert_eq!(gone_on.supplies.len(), 1);
        let query = day_around();
        for n in [1, 5] {
            let levels = store.level_history(&all, device(n), &query).unwrap();
            let points: usize = levels
                .courses
                .iter()
                .map(|course| course.points.len())
                .sum();
            assert_eq!(points, 1, "device {n}");
        }
        assert!(
            store
                .streams()
                .unwrap()
                .iter()
                .all(|stream| stream.agent != his_agent())
        );
        let heard = store.agents_heard(&all).unwrap();
        assert!(heard.iter().all(|heard| heard.agent != his_agent()));
        assert!(!read_on(store).is_empty());
    };
    is_forgotten(store.as_ref());
    store.erase_deleted().unwrap();
    is_forgotten(store.as_ref());
    drop(store);
    let store = open();
    is_forgotten(store.as_ref());

    // And it goes on: the same decision again changes nothing, new devices get numbers that no list has passed.
    let mut again = batch(3);
    again.forget([TenantId(HIS)], [his_agent()]);
    store.apply(&again).unwrap();
    is_forgotten(store.as_ref());
    let before = read_on(store.as_ref()).len();
    let mut more = batch(4);
    all_of(&mut more, 4, 7, 2, NOON.plus_ms(2 * HOUR));
    store.apply(&more).unwrap();
    assert_eq!(read_on(store.as_ref()).len(), before + 1);
}
