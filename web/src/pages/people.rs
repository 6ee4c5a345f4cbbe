//! What several pages say about a device: its name, its state as dot and word, where it stands.

use std::collections::{BTreeSet, HashMap};

use codec::id::{Scope, TenantId};
use codec::model::{DeviceStatus, Identity, PrinterStatus};
use codec::time::Timestamp;
use olap::ask::{FleetItem, FleetPage, FleetQuery};
use registry::{Level, Registry, Tenant};

use crate::failure::Failure;
use crate::format::{self, DAY_MS};
use crate::state::Inner;
use crate::text::{Lang, words};

/// The tenants that an asker may see, for names and for filters.
pub(crate) struct Tenants {
    by_id: HashMap<TenantId, Tenant>,
    pub(crate) ordered: Vec<Tenant>,
}

impl Tenants {
    /// All of them in scope.
    pub(crate) fn load(registry: &Registry, scope: &Scope) -> Result<Self, Failure> {
        let ordered = registry.tenants(scope)?;
        let by_id = ordered
            .iter()
            .map(|tenant| (tenant.id, tenant.clone()))
            .collect();
        Ok(Self { by_id, ordered })
    }

    /// One of them.
    pub(crate) fn get(&self, id: TenantId) -> Option<&Tenant> {
        self.by_id.get(&id)
    }

    /// The name of one of them, empty when it cannot be seen.
    pub(crate) fn name(&self, id: TenantId) -> &str {
        self.get(id).map_or("", |tenant| &tenant.name)
    }

    /// The tenant above.
    pub(crate) fn parent(&self, id: TenantId) -> Option<&Tenant> {
        self.get(self.get(id)?.parent?)
    }

    /// The name of a site's customer.
    pub(crate) fn customer(&self, site: TenantId) -> &str {
        self.parent(site).map_or("", |customer| &customer.name)
    }

    /// The time zone of a site.
    pub(crate) fn zone(&self, site: TenantId) -> jiff::tz::TimeZone {
        format::zone(self.zone_name(site))
    }

    /// The name of a site's time zone.
    pub(crate) fn zone_name(&self, site: TenantId) -> &str {
        self.get(site)
            .and_then(|site| site.time_zone.as_deref())
            .unwrap_or("UTC")
    }

    /// Customer and site in one line; the site is left out when it is called like its customer.
    pub(crate) fn place(&self, site: TenantId) -> String {
        let (customer, name) = (self.customer(site), self.name(site));
        if customer == name || customer.is_empty() {
            name.to_owned()
        } else {
            format!("{customer} · {name}")
        }
    }

    /// The sites at or below a tenant.
    pub(crate) fn sites_of(&self, id: TenantId) -> BTreeSet<TenantId> {
        self.sites()
            .filter(|site| self.lies_in(site.id, id))
            .map(|site| site.id)
            .collect()
    }

    /// The sites whose own or customer's or dealer's name has `search` in it; none for an empty search.
    pub(crate) fn sites_named(&self, search: &str) -> BTreeSet<TenantId> {
        let search = search.trim().to_lowercase();
        if search.is_empty() {
            return BTreeSet::new();
        }
        let named: BTreeSet<_> = self
            .ordered
            .iter()
            .filter(|tenant| tenant.name.to_lowercase().contains(&search))
            .map(|tenant| tenant.id)
            .collect();
        self.sites()
            .filter(|site| named.iter().any(|id| self.lies_in(site.id, *id)))
            .map(|site| site.id)
            .collect()
    }

    fn sites(&self) -> impl Iterator<Item = &Tenant> {
        self.ordered
            .iter()
            .filter(|tenant| tenant.level == Level::Site)
    }

    fn lies_in(&self, tenant: TenantId, branch: TenantId) -> bool {
        let mut at = Some(tenant);
        while let Some(id) = at {
            if id == branch {
                return true;
            }
            at = self.get(id).and_then(|tenant| tenant.parent);
        }
        false
    }
}

/// A page of the fleet. The store looks for all words in one device, or takes the sites that the whole text names; words that mix both
/// (`meyer kyocera`) are tried apart when that found nothing: some name sites, the others devices there.
pub(crate) fn ask_fleet(
    parts: &Inner,
    scope: &Scope,
    tenants: &Tenants,
    query: &FleetQuery,
) -> Result<FleetPage, Failure> {
    let page = parts.store.fleet(scope, query)?;
    if page.total > 0 {
        return Ok(page);
    }
    let (named, others): (Vec<_>, Vec<_>) = query
        .search
        .split_whitespace()
        .map(|word| (word, tenants.sites_named(word)))
        .partition(|(_, sites)| !sites.is_empty());
    if named.is_empty() || others.is_empty() {
        return Ok(page);
    }
    let apart = FleetQuery {
        search: others
            .iter()
            .map(|(word, _)| *word)
            .collect::<Vec<_>>()
            .join(" "),
        search_sites: BTreeSet::new(),
        sites: named
            .into_iter()
            .map(|(_, sites)| sites)
            .chain(query.sites.clone())
            .reduce(|some, others| &some & &others),
        ..query.clone()
    };
    Ok(parts.store.fleet(scope, &apart)?)
}

/// What a device is called: by itself, by the network, by where it stands, by what it answers to. The store sorts by the same.
pub(crate) fn device_name(identity: &Identity, id: impl std::fmt::Display) -> String {
    [
        &identity.hostname,
        &identity.dns_name,
        &identity.location,
        &identity.address,
        &identity.serial,
    ]
    .into_iter()
    .flatten()
    .find(|name| !name.trim().is_empty())
    .cloned()
    .unwrap_or_else(|| id.to_string())
}

/// Maker and model, as one says them.
pub(crate) fn model_name(identity: &Identity) -> String {
    match (&identity.manufacturer, &identity.model) {
        (Some(maker), Some(model)) if !model.starts_with(maker.as_str()) => {
            format!("{maker} {model}")
        }
        (_, Some(model)) => model.clone(),
        (Some(maker), None) => maker.clone(),
        (None, None) => String::new(),
    }
}

/// A state: how it is drawn, its word, and what else there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) class: &'static str,
    pub(crate) word: String,
    pub(crate) more: String,
}

impl State {
    /// All of it in one line.
    pub(crate) fn title(&self) -> String {
        [self.word.as_str(), self.more.as_str()]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// How a device is. What is most urgent is the word: silence, then what stops it, then what it warns of, then what it does.
pub(crate) fn state(lang: Lang, item: &FleetItem, now: Timestamp) -> State {
    let texts = lang.texts();
    let status = &item.status;
    if item.silent {
        let age = item.observed_at.map_or_else(
            || texts.never.to_owned(),
            |at| {
                // Of what was silent for days, the hours do not matter.
                let ms = now.ms_since(at);
                format::age(
                    lang,
                    if ms < DAY_MS {
                        ms
                    } else {
                        ms / DAY_MS * DAY_MS
                    },
                )
            },
        );
        return State {
            class: "fault",
            word: crate::text::fill(texts.state_silent, &[("age", &age)]),
            more: String::new(),
        };
    }
    let mut errors: Vec<_> = status.errors.clone();
    errors.sort_by_key(|error| (!words::error_stops(*error), *error));
    let mut phrases = errors
        .iter()
        .map(|error| words::error_state(lang, *error).to_owned());
    let printer = status
        .printer
        .filter(|printer| !matches!(printer, PrinterStatus::Unknown | PrinterStatus::Other))
        .map(|printer| words::printer_status(lang, printer));
    let stops = errors.iter().any(|error| words::error_stops(*error));
    if let Some(first) = phrases.next() {
        return State {
            class: if stops || status.device == Some(DeviceStatus::Down) {
                "fault"
            } else {
                "care"
            },
            word: first,
            more: phrases.collect::<Vec<_>>().join(", "),
        };
    }
    let (class, word) = match status.device {
        Some(DeviceStatus::Down) => ("fault", texts.state_down),
        _ if item.alerts.critical > 0 => ("fault", texts.state_down),
        Some(DeviceStatus::Warning) => ("care", texts.state_warning),
        Some(DeviceStatus::Testing) => ("mute", texts.state_testing),
        // RFC 3805: a printer in standby says running and other.
        Some(DeviceStatus::Running) if status.printer == Some(PrinterStatus::Other) => {
            ("good", texts.state_asleep)
        }
        Some(DeviceStatus::Running) => ("good", printer.unwrap_or(texts.state_ok)),
        Some(DeviceStatus::Unknown) | None => match printer {
            Some(word) => ("good", word),
            None => ("mute", texts.state_unknown),
        },
    };
    let more = match (class, printer) {
        ("care", Some(printer)) => printer.to_owned(),
        _ => String::new(),
    };
    State {
        class,
        word: word.to_owned(),
        more,
    }
}
