//! The pages: server-rendered, complete without script, in the visitor's language.
//!
//! Each module answers the addresses of one page: it asks registry and store, makes a view of strings, and fills its template. Templates
//! escape everything but the SVG that [`draw`] and [`crate::chart`] make.

pub(crate) mod account;
pub(crate) mod accounts;
pub(crate) mod agents;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod csv;
pub(crate) mod device;
pub(crate) mod draw;
pub(crate) mod error;
pub(crate) mod fleet;
pub(crate) mod forget;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod people;
pub(crate) mod settings;
pub(crate) mod tenants;

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use codec::time::Timestamp;
use olap::ask::FleetCounts;

use crate::assets;
use crate::config::Config;
use crate::failure::Failure;
use crate::format;
use crate::state::State;
use crate::text::{Lang, Texts};
use crate::visit::Visit;
use crate::visit::guard::Member;

/// What every page's frame shows.
pub(crate) struct Chrome {
    pub(crate) lang: Lang,
    pub(crate) t: &'static Texts,
    pub(crate) title: String,
    pub(crate) brand: String,
    /// Which entry of the menu is the current one.
    pub(crate) place: Place,
    pub(crate) csrf: String,
    pub(crate) name: String,
    pub(crate) administers: bool,
    pub(crate) operates: bool,
    pub(crate) counts: FleetCounts,
    pub(crate) now: Timestamp,
    pub(crate) here: String,
}

/// An entry of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Fleet,
    Silent,
    Alerts,
    Tenants,
    Agents,
    Accounts,
    Settings,
    Audit,
    Health,
    Account,
    Nowhere,
}

impl Chrome {
    /// The frame of a member's page.
    pub(crate) fn of(
        config: &Config,
        member: &Member,
        place: Place,
        title: impl Into<String>,
        counts: FleetCounts,
    ) -> Self {
        Self {
            name: member.account.name.clone(),
            administers: member.account.role.administers(),
            operates: member.account.role.operates(),
            place,
            counts,
            ..Self::guest(config, &member.visit, title)
        }
    }

    /// The frame of a page for somebody who is not logged in.
    pub(crate) fn guest(config: &Config, visit: &Visit, title: impl Into<String>) -> Self {
        Self {
            lang: visit.lang,
            t: visit.lang.texts(),
            title: title.into(),
            brand: config.brand.clone(),
            place: Place::Nowhere,
            csrf: visit.csrf.clone(),
            name: String::new(),
            administers: false,
            operates: false,
            counts: FleetCounts::default(),
            now: visit.now,
            here: visit.here.clone(),
        }
    }

    /// Where the stylesheet is, with its version.
    pub(crate) fn css(&self) -> &'static str {
        assets::css_address()
    }

    /// Where the script is, with its version.
    pub(crate) fn js(&self) -> &'static str {
        assets::js_address()
    }

    /// The units of ages, for the script.
    pub(crate) fn units(&self) -> String {
        format::age_units(self.lang).join(",")
    }

    /// `aria-current` for the menu's entry of the current page.
    pub(crate) fn current(&self, place: Place) -> &'static str {
        if self.place == place {
            r#" aria-current="page""#
        } else {
            ""
        }
    }

    /// A count in the page's language.
    pub(crate) fn number(&self, value: &u64) -> String {
        format::number(self.lang, *value)
    }

    /// The languages to switch to: tag, name, whether it is the current one.
    pub(crate) fn languages(&self) -> [(&'static str, &'static str, bool); 2] {
        Lang::ALL.map(|lang| (lang.tag(), lang.name(), lang == self.lang))
    }
}

/// A time on a page: what is said, what the script keeps alive, and the exact moment for who looks closer.
#[derive(Clone, Debug)]
pub(crate) struct Ago {
    pub(crate) text: String,
    pub(crate) unix_ms: i64,
    pub(crate) exact: String,
}

impl Ago {
    /// How long before `now` something was, on a site's clock.
    pub(crate) fn new(
        lang: Lang,
        zone: &jiff::tz::TimeZone,
        at: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            text: format::age(lang, now.ms_since(at)),
            unix_ms: at.unix_ms,
            exact: format::moment_full(lang, zone, at),
        }
    }
}

/// A filled template as a page that no cache keeps: what it shows is for this visitor and this moment.
pub(crate) fn html(template: &impl Template) -> Result<Response, Failure> {
    let mut response = Html(template.render()?).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The menu's figures for a member.
pub(crate) async fn counts(state: &State, member: &Member) -> Result<FleetCounts, Failure> {
    let (branch, now) = (member.account.branch, member.visit.now);
    state.blocking(move |parts| parts.counts(branch, now)).await
}
