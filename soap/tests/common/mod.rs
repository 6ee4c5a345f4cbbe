//! What the tests of the service share: a house with tenants, accounts, devices and readings, in memory.
#![allow(dead_code)]

pub mod http;
pub mod peer;

use std::sync::Arc;

use codec::id::{AgentId, DeviceId, Scope, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{Basis, Colour, Identity, MeterUnit, SourceKind, Work};
use codec::time::Timestamp;
use olap::ask::ReadingsQuery;
use olap::reading::{JournalPosition, MeterWords};
use olap::rows::{AgentRow, DeviceRow, RunRow, SeenRow};
use olap::words::{Quality, ReadReason};
use olap::{Batch, DuckOptions, DuckStore, Reading, Store};
use registry::{Branch, Language, Level, NewAccount, NewTenant, References, Registry, Role};
use soap::{Service, SoapRequest, SoapResponse};

/// The time of every request.
pub const NOW: Timestamp = Timestamp::from_unix_ms(1_795_257_600_000);
/// The password of every account.
pub const PASSWORD: &str = "vier gute worte & <hier>";
/// A day.
pub const DAY_MS: i64 = 86_400_000;

/// The meters of every device: three that are billed, one of the engine.
const METERS: [(Work, Colour, Basis); 4] = [
    (Work::Total, Colour::Total, Basis::Billing),
    (Work::Print, Colour::Mono, Basis::Billing),
    (Work::Print, Colour::Colour, Basis::Billing),
    (Work::Total, Colour::Total, Basis::Engine),
];

/// Everything behind a service, and the service.
pub struct House {
    pub registry: Registry,
    pub store: Arc<dyn Store>,
    pub service: Service,
    pub devices: Vec<DeviceId>,
    pub meyer: TenantId,
}

impl House {
    /// Customer `K-4711` with three devices, customer `K-0815` with one; accounts `erp` (the house) and `meyer` (K-4711).
    pub fn new() -> Self {
        Self::with_days(2)
    }

    /// As [`House::new`], each meter with a reading for each of so many days.
    pub fn with_days(days: u32) -> Self {
        Self::served_at("https://manager.example:8443", days)
    }

    /// As [`House::with_days`], at this public URL.
    pub fn served_at(public_url: &str, days: u32) -> Self {
        let registry = Registry::in_memory().unwrap();
        let dealer = registry
            .site_path(registry.default_site().unwrap())
            .unwrap()
            .dealer
            .id;
        let tenant = |level, parent, name, number, time_zone| {
            let new = NewTenant {
                level,
                parent: Some(parent),
                name,
                number,
                time_zone,
            };
            registry.create_tenant(&new, NOW).unwrap().id
        };
        let meyer = tenant(
            Level::Customer,
            dealer,
            "Meyer & Söhne <GmbH>",
            Some("K-4711"),
            None,
        );
        let other = tenant(Level::Customer, dealer, "Schulze", Some("K-0815"), None);
        let werk = tenant(Level::Site, meyer, "Werk 2", None, Some("Europe/Berlin"));
        let office = tenant(Level::Site, other, "Büro", None, Some("Europe/Vienna"));
        for (login, branch) in [("erp", Branch::House), ("meyer", Branch::Tenant(meyer))] {
            let new = NewAccount {
                login,
                name: login,
                password: PASSWORD,
                role: Role::Erp,
                branch,
                language: Language::En,
            };
            registry.create_account(&new, NOW).unwrap();
        }
        let meyers = registry
            .add_agent("Meyer Werk 2", werk, NOW)
            .unwrap()
            .agent
            .id;
        let schulzes = registry.add_agent("Schulze", office, NOW).unwrap().agent.id;
        let stores: Arc<dyn Store> =
            Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
        let mut filler = Filler {
            registry: &registry,
            batch: Batch::new(),
            place: 1,
            days,
        };
        let devices = vec![
            filler.device(1, &meyers, werk),
            filler.device(2, &meyers, werk),
            filler.device(3, &meyers, werk),
            filler.device(4, &schulzes, office),
        ];
        filler.batch.agent(&AgentRow {
            agent: &meyers,
            heard_at: NOW,
            sealed_at: NOW,
            program: "0.1.0",
            clock_ahead_ms: Some(3),
        });
        let mut batch = filler.batch;
        batch.covers(0, 0, 1);
        batch.next_place(filler.place);
        stores.apply(&batch).unwrap();
        let references = References {
            contract_no: Some("V-2026/17".to_owned()),
            customer_no: Some("K-SPECIAL".to_owned()),
            cost_centre: Some("Büro <1> & Lager".to_owned()),
            ..References::default()
        };
        registry
            .set_device_references(&Scope::Everything, devices[1], &references, NOW)
            .unwrap();
        Self {
            service: Service::new(registry.clone(), Arc::clone(&stores), public_url),
            registry,
            store: stores,
            devices,
            meyer,
        }
    }

    /// What the service answers to an envelope, asked by `login`.
    pub fn ask(&self, login: Option<&str>, envelope: &str) -> SoapResponse {
        let account = login.map(|login| self.registry.account_by_login(login).unwrap().unwrap());
        self.service.handle(&SoapRequest {
            content_type: Some("text/xml; charset=utf-8"),
            soap_action: None,
            body: envelope.as_bytes(),
            account,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            now: NOW,
        })
    }

    /// What stands in the body of the answer to an operation in SOAP 1.1.
    pub fn call(&self, login: &str, operation: &str) -> String {
        let response = self.ask(Some(login), &envelope_11("", operation));
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, 200, "{text}");
        body_of(&text).to_owned()
    }

    /// The readings of the store, in their order.
    pub fn readings(&self) -> Vec<Reading> {
        let query = ReadingsQuery {
            limit: 5_000,
            basis: Some(Basis::Billing),
            ..ReadingsQuery::default()
        };
        self.store
            .readings(&Scope::Everything, &query)
            .unwrap()
            .items
    }
}

/// An envelope of SOAP 1.1; `operation` is the element in the namespace of the service.
pub fn envelope_11(header: &str, operation: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"urn:platen:soap:v1\"><s:Header>{header}</s:Header><s:Body>{operation}</s:Body></s:Envelope>"
    )
}

/// What stands in an answer's body.
pub fn body_of(envelope: &str) -> &str {
    let (_, body) = envelope.split_once("<soap:Body>").unwrap();
    body.split_once("</soap:Body>").unwrap().0
}

/// The texts of all elements of this name, in order.
pub fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open)
        .skip(1)
        .map(|rest| rest.split_once(&close).unwrap().0)
        .collect()
}

struct Filler<'a> {
    registry: &'a Registry,
    batch: Batch,
    place: u64,
    days: u32,
}

impl Filler<'_> {
    fn device(&mut self, number: u32, agent: &AgentId, site: TenantId) -> DeviceId {
        let identity = Identity {
            serial: (number != 3).then(|| format!("SN<{number:06}>")),
            manufacturer: Some("Kyocera".to_owned()),
            model: Some(format!("ECOSYS \"M{number}540dn\" & Co")),
            mac: Some(format!("00:17:c8:00:00:{number:02x}")),
            address: Some(format!("192.0.2.{number}")),
            hostname: Some(format!("drucker-{number}")),
            location: (number == 1).then(|| "1. OG, Flur «Nord» 日本".to_owned()),
            profile: Some("kyocera/3".to_owned()),
            ..Identity::default()
        };
        let first = NOW.plus_ms(-i64::from(self.days) * DAY_MS);
        let device = self
            .registry
            .resolve(&registry::Evidence {
                agent,
                observed_at: first,
                manufacturer: identity.manufacturer.as_deref(),
                model: identity.model.as_deref(),
                serial: identity.serial.as_deref(),
                mac: identity.mac.as_deref(),
                address: identity.address.as_deref(),
                handle: "",
            })
            .unwrap()
            .device;
        self.batch.device(&DeviceRow {
            device,
            site,
            agent,
            source: SourceKind::Snmp,
            identity: &identity,
            superseded_by: None,
            first_seen_at: first,
            changed_at: first.plus_ms(i64::from(number)),
        });
        for day in 0..self.days {
            for (ordinal, meter) in METERS.into_iter().enumerate() {
                self.run(
                    number,
                    agent,
                    site,
                    device,
                    day,
                    u32::try_from(ordinal).unwrap(),
                    meter,
                );
            }
        }
        self.batch.seen(&SeenRow {
            device,
            observed_at: NOW,
            agent_at: NOW,
            received_at: NOW,
            meters_confirmed_until: Some(NOW),
            unchanged_since: None,
        });
        device
    }

    #[allow(clippy::too_many_arguments)]
    fn run(
        &mut self,
        number: u32,
        agent: &AgentId,
        site: TenantId,
        device: DeviceId,
        day: u32,
        ordinal: u32,
        (work, colour, basis): (Work, Colour, Basis),
    ) {
        let observed_at = NOW.plus_ms(-i64::from(self.days - day) * DAY_MS);
        let value = u64::from(number) * 100_000 + u64::from(day) * 100 + u64::from(ordinal);
        let row = RunRow {
            place: self.place,
            agent,
            epoch: SpoolEpoch(0xff),
            stream: Stream::Meters,
            sequence: u64::from(day) + 1,
            ordinal: number,
            device,
            site,
            meter: MeterWords {
                work,
                colour,
                unit: MeterUnit::Impressions,
                size: None,
                sides: None,
                basis,
            },
            value,
            continuous: value + 5,
            meter_epoch: 0,
            observed_at,
            confirmed_until: observed_at,
            agent_at: observed_at.plus_ms(1_000),
            received_at: observed_at.plus_ms(2_000),
            oid: "1.3.6.1.4.1.1347.43.10.1.1.12.1.1",
            profile: Some("kyocera/3"),
            parts: &[],
            quality: Quality::Ok,
            clock_corrected: false,
            reason: ReadReason::Scheduled,
            source: SourceKind::Snmp,
            journal: JournalPosition {
                shard: 0,
                position: u64::from(day),
            },
        };
        self.place += 1;
        if day + 1 == self.days {
            self.batch.open_run(&row);
        } else {
            let next = observed_at.plus_ms(DAY_MS);
            self.batch.closed_run(
                &RunRow {
                    confirmed_until: next.plus_ms(-1),
                    ..row
                },
                next,
            );
        }
    }
}
