//! The fleet: figures, filters, and a table of two lines a row. Search, filters, sorting and paging live in the address.

mod wish;

use askama::Template;
use axum::extract::{Query, State as Held};
use axum::response::Response;
use codec::id::TenantId;
use codec::time::Timestamp;
use olap::ask::{
    Facets, FleetCounts, FleetItem, FleetPage as Answer, FleetRules, FleetSort, Levels, SomeLeft,
};
use registry::Level as Rank;

use super::people::{self, Tenants};
use super::{Ago, Chrome, Place, draw, html};
use crate::failure::Failure;
use crate::format;
use crate::limits::PAGE_ROWS_DEFAULT;
use crate::state::{Inner, State};
use crate::text::{Lang, fill, words};
use crate::visit::guard::Member;

pub(crate) use wish::{Params, Wish, sort_of};
use wish::{SORTS, Show};

struct Header {
    text: &'static str,
    address: String,
    aria: &'static str,
    class: &'static str,
}

struct Chip {
    text: String,
    address: String,
    current: bool,
}

struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

struct Select {
    name: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
}

struct Row {
    address: String,
    name: String,
    place: String,
    model: String,
    serial: String,
    state: people::State,
    columns: String,
    lowest: String,
    lowest_what: String,
    lowest_low: bool,
    some_left: &'static str,
    some_left_what: String,
    total: String,
    total_note: String,
    seen: Option<Ago>,
    host: String,
}

impl Row {
    /// Whether the device says nothing at all of what is left.
    const fn no_levels(&self) -> bool {
        self.columns.is_empty() && self.lowest.is_empty() && self.some_left.is_empty()
    }
}

struct Figure {
    class: &'static str,
    text: &'static str,
    value: String,
    hint: String,
    address: String,
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetView {
    page: Chrome,
    sub: String,
    search: String,
    hidden: Vec<(&'static str, String)>,
    clear: Option<String>,
    figures: Vec<Figure>,
    chips: Vec<Chip>,
    selects: Vec<Select>,
    headers: Vec<Header>,
    rows: Vec<Row>,
    empty: &'static str,
    range: String,
    previous: Option<String>,
    next: Option<String>,
    export: String,
}

/// `GET /devices`.
pub(crate) async fn show(
    Held(state): Held<State>,
    member: Member,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    state
        .blocking(move |parts| render(parts, &member, &Wish::from(params)))
        .await
}

/// The fleet page as a member sees it.
pub(crate) fn render(parts: &Inner, member: &Member, wish: &Wish) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let tenants = Tenants::load(&parts.registry, &scope)?;
    let now = member.visit.now;
    let answer = people::ask_fleet(parts, &scope, &tenants, &wish.query(&tenants, now))?;
    let counts = parts.counts_now(member.account.branch, now)?;
    let facets = parts.store.facets(&scope)?;
    let lang = member.visit.lang;
    let texts = lang.texts();
    let place = match wish.show {
        Show::Silent => Place::Silent,
        _ => Place::Fleet,
    };
    let title = match wish.show {
        Show::Silent => texts.nav_silent,
        _ => texts.fleet_title,
    };
    let page = Chrome::of(&parts.config, member, place, title, counts);
    let view = FleetView {
        sub: sub_title(lang, answer.total),
        search: wish.search.clone(),
        hidden: hidden_fields(wish),
        clear: (!wish.search.is_empty()).then(|| wish.with(|wish| wish.search.clear())),
        figures: figures(lang, wish, &counts, &FleetRules::at(now)),
        chips: chips(lang, wish, &counts),
        selects: selects(lang, wish, &tenants, &facets),
        headers: headers(lang, wish),
        rows: answer
            .items
            .iter()
            .map(|item| row(lang, &tenants, item, now))
            .collect(),
        empty: if counts.devices == 0 {
            texts.fleet_none
        } else {
            texts.fleet_empty
        },
        range: range(lang, wish.page, &answer),
        previous: (wish.page > 1).then(|| wish.with(|next| next.page = wish.page - 1)),
        next: answer
            .next_offset
            .map(|_| wish.with(|next| next.page = wish.page + 1)),
        export: Wish {
            page: 1,
            ..wish.clone()
        }
        .address("/devices.csv"),
        page,
    };
    html(&view)
}

fn sub_title(lang: Lang, total: u64) -> String {
    let texts = lang.texts();
    let text = if total == 1 {
        texts.fleet_devices_one
    } else {
        texts.fleet_devices
    };
    fill(text, &[("n", &format::number(lang, total))])
}

/// What the search form must carry along so that searching keeps the filters.
fn hidden_fields(wish: &Wish) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("show", wish.show.word().to_owned()),
        ("sort", wish.sort_word()),
        ("maker", wish.maker.clone().unwrap_or_default()),
        (
            "customer",
            wish.customer.map(|id| id.to_string()).unwrap_or_default(),
        ),
        (
            "agent",
            wish.agent
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    fields
}

fn figures(lang: Lang, wish: &Wish, counts: &FleetCounts, rules: &FleetRules) -> Vec<Figure> {
    let texts = lang.texts();
    let number = |value| format::number(lang, value);
    let to = |show| wish.with(|wish| wish.show = show);
    let class = |count, class| if count > 0 { class } else { "" };
    let read_hint = fill(
        texts.fleet_read_share,
        &[("p", &format::share(lang, counts.fresh, counts.devices))],
    );
    let silent_hint = fill(
        texts.fleet_silent_hint,
        &[("age", &format::age(lang, rules.silent_ms))],
    );
    let low_hint = fill(
        texts.fleet_low_hint,
        &[("p", &rules.low_percent.to_string())],
    );
    let confirm = if counts.alerts == 1 {
        texts.fleet_confirm_hint_one
    } else {
        texts.fleet_confirm_hint
    };
    let confirm = fill(confirm, &[("n", &number(counts.alerts))]);
    let figure = |class, text, value, hint, address| Figure {
        class,
        text,
        value: number(value),
        hint,
        address,
    };
    vec![
        figure("", texts.fleet_read, counts.fresh, read_hint, to(Show::All)),
        figure(
            class(counts.attention, "care"),
            texts.fleet_attention,
            counts.attention,
            texts.fleet_attention_hint.to_owned(),
            to(Show::Attention),
        ),
        figure(
            class(counts.silent, "fault"),
            texts.fleet_silent,
            counts.silent,
            silent_hint,
            to(Show::Silent),
        ),
        figure(
            class(counts.low, "care"),
            texts.fleet_low,
            counts.low,
            low_hint,
            to(Show::Low),
        ),
        figure(
            class(counts.stopped, "fault"),
            texts.fleet_stopped,
            counts.stopped,
            confirm,
            to(Show::Stopped),
        ),
    ]
}

fn chips(lang: Lang, wish: &Wish, counts: &FleetCounts) -> Vec<Chip> {
    let texts = lang.texts();
    [
        (Show::All, texts.fleet_all, None),
        (
            Show::Attention,
            texts.fleet_attention,
            Some(counts.attention),
        ),
        (Show::Silent, texts.fleet_silent, Some(counts.silent)),
        (Show::Stopped, texts.fleet_stopped, Some(counts.stopped)),
        (Show::Low, texts.fleet_low, Some(counts.low)),
        (Show::Colour, texts.fleet_colour, None),
    ]
    .into_iter()
    .map(|(show, text, count)| Chip {
        text: count.map_or_else(
            || text.to_owned(),
            |count| format!("{text} {}", format::number(lang, count)),
        ),
        address: wish.with(|wish| wish.show = show),
        current: wish.show == show,
    })
    .collect()
}

/// The drop-downs: customers, makers and agents that occur. One that has a single choice is no choice.
fn selects(lang: Lang, wish: &Wish, tenants: &Tenants, facets: &Facets) -> Vec<Select> {
    let texts = lang.texts();
    let with_devices = |id: TenantId| {
        tenants
            .sites_of(id)
            .iter()
            .any(|site| facets.sites.contains_key(site))
    };
    let customers = tenants
        .ordered
        .iter()
        .filter(|tenant| tenant.level != Rank::Site || wish.customer == Some(tenant.id))
        .filter(|tenant| {
            wish.customer == Some(tenant.id)
                || tenant.level == Rank::Customer && with_devices(tenant.id)
        })
        .map(|tenant| Choice {
            value: tenant.id.to_string(),
            text: tenant.name.clone(),
            chosen: wish.customer == Some(tenant.id),
        })
        .collect();
    let makers = facets
        .manufacturers
        .keys()
        .map(|name| Choice {
            value: name.clone(),
            text: name.clone(),
            chosen: wish.maker.as_ref() == Some(name),
        })
        .collect();
    let agents = facets
        .agents
        .keys()
        .map(|id| Choice {
            value: id.to_string(),
            text: id.to_string(),
            chosen: wish.agent.as_ref() == Some(id),
        })
        .collect();
    [
        Select {
            name: "customer",
            label: texts.device_customer,
            choices: customers,
        },
        Select {
            name: "maker",
            label: texts.device_maker,
            choices: makers,
        },
        Select {
            name: "agent",
            label: texts.device_agent,
            choices: agents,
        },
    ]
    .into_iter()
    .filter(|select| select.choices.len() > 1 || select.choices.iter().any(|choice| choice.chosen))
    .collect()
}

fn headers(lang: Lang, wish: &Wish) -> Vec<Header> {
    let texts = lang.texts();
    [
        (texts.fleet_col_device, FleetSort::Name, ""),
        (texts.fleet_col_model, FleetSort::Model, "narrow-hide"),
        (texts.fleet_col_status, FleetSort::Status, ""),
        (texts.fleet_col_supplies, FleetSort::LowestSupply, ""),
        (texts.fleet_col_total, FleetSort::BilledTotal, "number"),
        (texts.fleet_col_read, FleetSort::Seen, "number"),
    ]
    .into_iter()
    .map(|(text, sort, class)| {
        let current = wish.sort == sort;
        let first_down = SORTS.iter().any(|(known, _, down)| *known == sort && *down);
        let down = if current {
            !wish.descending
        } else {
            first_down
        };
        Header {
            text,
            address: wish.with(|wish| {
                wish.sort = sort;
                wish.descending = down;
            }),
            aria: match (current, wish.descending) {
                (false, _) => "none",
                (true, false) => "ascending",
                (true, true) => "descending",
            },
            class,
        }
    })
    .collect()
}

/// The toner or ink of which a device says that some is left, but not how much: of a device that has no level of any toner.
fn remainder(item: &FleetItem) -> Option<SomeLeft> {
    let has_level = item.levels != Levels::default()
        || item.lowest.is_some_and(|lowest| words::paints(lowest.kind));
    item.some_left.filter(|_| !has_level)
}

fn row(lang: Lang, tenants: &Tenants, item: &FleetItem, now: Timestamp) -> Row {
    let rules = FleetRules::at(now);
    let remainder = remainder(item);
    let identity = &item.identity;
    let zone = tenants.zone(item.site);
    Row {
        address: format!("/devices/{}", item.device),
        name: people::device_name(identity, item.device),
        place: tenants.place(item.site),
        model: people::model_name(identity),
        serial: identity.serial.clone().unwrap_or_default(),
        state: people::state(lang, item, now),
        columns: draw::columns(lang, &item.levels, rules.low_percent),
        lowest: item
            .lowest
            .map(|lowest| format!("{} %", lowest.percent))
            .unwrap_or_default(),
        lowest_what: item
            .lowest
            .map(|lowest| words::supply(lang, lowest.kind, lowest.colorant))
            .unwrap_or_default(),
        lowest_low: item
            .lowest
            .is_some_and(|lowest| lowest.percent <= rules.low_percent),
        some_left: remainder.map_or("", |supply| words::some_left(lang, supply.class)),
        some_left_what: remainder
            .map(|supply| words::supply(lang, supply.kind, None))
            .unwrap_or_default(),
        total: item
            .billed_total
            .as_ref()
            .map_or_else(|| "–".to_owned(), |total| format::number(lang, total.value)),
        total_note: item
            .billed_total
            .as_ref()
            .filter(|total| total.quality != olap::words::Quality::Ok)
            .map(|total| super::device::quality_word(lang, total.quality).to_owned())
            .unwrap_or_default(),
        seen: item.observed_at.map(|at| Ago::new(lang, &zone, at, now)),
        host: identity.address.clone().unwrap_or_default(),
    }
}

fn range(lang: Lang, page: u64, answer: &Answer) -> String {
    let first = (page - 1) * u64::from(PAGE_ROWS_DEFAULT) + 1;
    let rows = answer.items.len() as u64;
    if rows == 0 {
        return String::new();
    }
    fill(
        lang.texts().page_range,
        &[
            ("from", &format::number(lang, first)),
            ("to", &format::number(lang, first + rows - 1)),
            ("n", &format::number(lang, answer.total)),
        ],
    )
}
