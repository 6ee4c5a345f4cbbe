//! What a fleet page is asked for: search, filters, sort and page, read from its address and written into one.

use codec::id::{AgentId, TenantId};
use codec::time::Timestamp;
use olap::ask::{FleetQuery, FleetSort};
use serde::Deserialize;

use crate::limits::{PAGE_ROWS_DEFAULT, SEARCH_CHARS_MAX};
use crate::pages::people::Tenants;
use crate::visit::guard::encode_component;

/// What the address of a fleet page says. What makes no sense in it is left out: an address that was edited shows the fleet, not an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Params {
    q: String,
    show: String,
    customer: String,
    maker: String,
    agent: String,
    sort: String,
    page: String,
}

/// Filters that are chosen by a chip: the word in the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Show {
    #[default]
    All,
    Attention,
    Silent,
    Stopped,
    Low,
    Colour,
}

impl Show {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Attention => "attention",
            Self::Silent => "silent",
            Self::Stopped => "stopped",
            Self::Low => "low",
            Self::Colour => "colour",
        }
    }

    fn from_word(word: &str) -> Self {
        [
            Self::Attention,
            Self::Silent,
            Self::Stopped,
            Self::Low,
            Self::Colour,
        ]
        .into_iter()
        .find(|show| show.word() == word)
        .unwrap_or_default()
    }
}

/// The columns that can be sorted by: the word in the address, and whether the first click sorts downwards.
pub(super) const SORTS: [(FleetSort, &str, bool); 9] = [
    (FleetSort::Name, "name", false),
    (FleetSort::Model, "model", false),
    (FleetSort::Serial, "serial", false),
    (FleetSort::Address, "address", false),
    (FleetSort::Status, "status", false),
    (FleetSort::LowestSupply, "lowest", false),
    (FleetSort::BilledTotal, "total", true),
    (FleetSort::Seen, "seen", true),
    (FleetSort::FirstSeen, "first", true),
];

/// The word of a sort in an address, here and in the API.
pub(crate) fn sort_of(word: &str) -> Option<(FleetSort, bool)> {
    let (name, descending) = word
        .strip_prefix('-')
        .map_or((word, false), |name| (name, true));
    SORTS
        .iter()
        .find(|(_, known, _)| *known == name)
        .map(|(sort, ..)| (*sort, descending))
}

/// The checked parameters.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) search: String,
    pub(crate) show: Show,
    pub(crate) customer: Option<TenantId>,
    pub(crate) maker: Option<String>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) sort: FleetSort,
    pub(crate) descending: bool,
    pub(crate) page: u64,
}

impl From<Params> for Wish {
    fn from(params: Params) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let (sort, descending) = sort_of(&params.sort).unwrap_or((FleetSort::Name, false));
        Self {
            search: params.q.trim().chars().take(SEARCH_CHARS_MAX).collect(),
            show: Show::from_word(&params.show),
            customer: params.customer.parse().ok().map(TenantId),
            maker: some(params.maker),
            agent: AgentId::new(&params.agent).ok(),
            sort,
            descending,
            page: params.page.parse().unwrap_or(1).clamp(1, 1_000_000),
        }
    }
}

impl Wish {
    /// The question to the store.
    pub(crate) fn query(&self, tenants: &Tenants, now: Timestamp) -> FleetQuery {
        FleetQuery {
            search: self.search.clone(),
            search_sites: tenants.sites_named(&self.search),
            attention: self.show == Show::Attention,
            silent: self.show == Show::Silent,
            stopped: self.show == Show::Stopped,
            low: self.show == Show::Low,
            colour: (self.show == Show::Colour).then_some(true),
            manufacturer: self.maker.clone(),
            agent: self.agent.clone(),
            sites: self.customer.map(|id| tenants.sites_of(id)),
            sort: self.sort,
            descending: self.descending,
            offset: (self.page - 1) * u64::from(PAGE_ROWS_DEFAULT),
            limit: PAGE_ROWS_DEFAULT,
            ..FleetQuery::at(now)
        }
    }

    /// The address of this wish. A change of anything but the page begins at the first page.
    pub(crate) fn address(&self, path: &str) -> String {
        let mut address = path.to_owned();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                address.push(if address.contains('?') { '&' } else { '?' });
                address.push_str(key);
                address.push('=');
                address.push_str(&encode_component(value));
            }
        };
        put("q", &self.search);
        put("show", self.show.word());
        let customer = self.customer.map(|id| id.to_string()).unwrap_or_default();
        put("customer", &customer);
        put("maker", self.maker.as_deref().unwrap_or_default());
        put("agent", self.agent.as_ref().map_or("", AgentId::as_str));
        put("sort", &self.sort_word());
        if self.page > 1 {
            put("page", &self.page.to_string());
        }
        address
    }

    /// The word of the sort; empty for the usual one.
    pub(crate) fn sort_word(&self) -> String {
        if self.sort == FleetSort::Name && !self.descending {
            return String::new();
        }
        let word = SORTS
            .iter()
            .find(|(sort, ..)| *sort == self.sort)
            .map_or("name", |(_, word, _)| word);
        format!("{}{word}", if self.descending { "-" } else { "" })
    }

    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut wish = Self {
            page: 1,
            ..self.clone()
        };
        change(&mut wish);
        wish.address("/devices")
    }
}
