//! Which devices: conditions and orders, and the tables that they need.

use codec::id::{Scope, TenantId};
use codec::model::ErrorState;
use duckdb::Connection;

use std::collections::BTreeSet;

use super::items::billed_meters;
use crate::ask::{FleetQuery, FleetRules, FleetSort, SEARCH_CHARS_MAX, SEARCH_WORDS_MAX};
use crate::duck::readers::Answer;
use crate::duck::sql;

/// Error states that stop a printer or will not go away without a person.
const STOPPING: [ErrorState; 9] = [
    ErrorState::NoPaper,
    ErrorState::NoToner,
    ErrorState::DoorOpen,
    ErrorState::Jammed,
    ErrorState::Offline,
    ErrorState::ServiceRequested,
    ErrorState::InputTrayMissing,
    ErrorState::MarkerSupplyMissing,
    ErrorState::OutputFull,
];

/// Conditions on devices, and which tables beside `device` they look at.
#[derive(Debug, Default)]
pub(super) struct Filter {
    conditions: Vec<String>,
    /// The words searched for, in the order of the question marks in the conditions.
    pub words: Vec<String>,
    seen: bool,
    status: bool,
    level: bool,
    alerts: bool,
    billed: bool,
}

impl Filter {
    pub fn of_scope(scope: &Scope, sites: Option<&BTreeSet<TenantId>>) -> Self {
        let mut filter = Self::default();
        filter
            .conditions
            .push(sql::sites_condition("d.site", scope, sites));
        filter.conditions.push(sql::STANDS.to_owned());
        filter
    }

    pub fn of_query(scope: &Scope, query: &FleetQuery) -> Self {
        let mut filter = Self::of_scope(scope, query.sites.as_ref());
        filter.search(&query.search, &query.search_sites);
        if let Some(manufacturer) = &query.manufacturer {
            let literal = sql::text_literal(manufacturer);
            filter
                .conditions
                .push(format!("d.manufacturer = {literal}"));
        }
        if let Some(agent) = &query.agent {
            let literal = sql::text_literal(agent.as_str());
            filter.conditions.push(format!("d.agent = {literal}"));
        }
        if let Some(colour) = query.colour {
            filter.level = true;
            filter
                .conditions
                .push(format!("coalesce(l.coloured, false) = {colour}"));
        }
        if query.silent {
            let silent = filter.silent(&query.rules);
            filter.conditions.push(silent);
        }
        if query.low {
            let low = filter.low(&query.rules);
            filter.conditions.push(low);
        }
        if query.stopped {
            let stopped = filter.stopped();
            filter.conditions.push(stopped);
        }
        if query.attention {
            let attention = filter.attention(&query.rules);
            filter.conditions.push(attention);
        }
        filter
    }

    fn search(&mut self, search: &str, sites: &BTreeSet<TenantId>) {
        let search: String = search.chars().take(SEARCH_CHARS_MAX).collect();
        let words: Vec<String> = search
            .to_lowercase()
            .split_whitespace()
            .take(SEARCH_WORDS_MAX)
            .map(str::to_owned)
            .collect();
        if words.is_empty() {
            return;
        }
        let found = vec!["contains(d.search, ?)"; words.len()].join(" AND ");
        let at_sites = sql::number_condition("d.site", sites.iter().map(|site| site.0));
        self.conditions.push(format!("({found} OR {at_sites})"));
        self.words = words;
    }

    /// All conditions at once.
    pub fn condition(&self) -> String {
        self.conditions.join(" AND ")
    }

    pub fn silent(&mut self, rules: &FleetRules) -> String {
        self.seen = true;
        let since = rules.now.plus_ms(-rules.silent_ms).unix_ms;
        format!("(coalesce(s.observed_ms, d.first_seen_ms) < {since})")
    }

    pub fn fresh(&mut self, rules: &FleetRules) -> String {
        self.seen = true;
        let since = rules.now.plus_ms(-rules.fresh_ms).unix_ms;
        format!("(s.observed_ms >= {since})")
    }

    pub fn low(&mut self, rules: &FleetRules) -> String {
        self.level = true;
        format!("(coalesce(l.lowest, 255) <= {})", rules.low_percent)
    }

    /// A printer that does not print.
    pub fn stopped(&mut self) -> String {
        self.status = true;
        self.alerts = true;
        let mask = sql::errors_mask(&STOPPING);
        format!(
            "(coalesce(t.device_status = 'down', false) OR (coalesce(t.errors, 0) & {mask}) <> 0 OR coalesce(a.critical, 0) > 0)"
        )
    }

    fn conflicting(&mut self) -> String {
        self.status = true;
        "coalesce(t.meter_set = 'conflicting', false)".to_owned()
    }

    pub fn attention(&mut self, rules: &FleetRules) -> String {
        let parts = [
            self.silent(rules),
            self.stopped(),
            self.conflicting(),
            self.low(rules),
        ];
        format!("({})", parts.join(" OR "))
    }

    /// What to sort by.
    pub fn sorted_by(&mut self, sort: FleetSort, rules: &FleetRules) -> String {
        match sort {
            FleetSort::Name => "d.sort_name".to_owned(),
            FleetSort::Model => "d.sort_model".to_owned(),
            FleetSort::Serial => "d.serial".to_owned(),
            FleetSort::Address => "d.sort_address".to_owned(),
            FleetSort::FirstSeen => "d.first_seen_ms".to_owned(),
            FleetSort::Seen => {
                self.seen = true;
                "s.observed_ms".to_owned()
            }
            FleetSort::LowestSupply => {
                self.level = true;
                "l.lowest".to_owned()
            }
            FleetSort::BilledTotal => {
                self.billed = true;
                "b.value".to_owned()
            }
            FleetSort::Status => {
                let (silent, stopped) = (self.silent(rules), self.stopped());
                let (conflicting, low) = (self.conflicting(), self.low(rules));
                format!(
                    "(CASE WHEN {silent} THEN 0 WHEN {stopped} THEN 1 WHEN {conflicting} THEN 2 WHEN {low} THEN 3 \
                     WHEN coalesce(t.errors, 0) <> 0 OR coalesce(t.device_status = 'warning', false) THEN 4 \
                     WHEN coalesce(a.other, 0) > 0 THEN 5 ELSE 6 END)"
                )
            }
        }
    }

    /// The tables that the conditions and orders so far look at.
    pub fn from(&self, connection: &Connection) -> Answer<String> {
        let mut from = "device d".to_owned();
        for (needed, table, alias) in [
            (self.seen, "device_seen", "s"),
            (self.status, "device_status", "t"),
            (self.level, "device_level", "l"),
        ] {
            if needed {
                from.push_str(&format!(
                    " LEFT JOIN {table} {alias} ON {alias}.device_no = d.device_no"
                ));
            }
        }
        if self.alerts {
            from.push_str(
                " LEFT JOIN (SELECT device_no, count(*) FILTER (severity = 'critical') AS critical, \
                 count(*) FILTER (severity <> 'critical') AS other FROM alert_open GROUP BY device_no) a \
                 ON a.device_no = d.device_no",
            );
        }
        if self.billed {
            let meters = billed_meters(connection)?;
            let among = sql::number_condition("meter_no", meters.keys());
            let mut rank = "CASE meter_no".to_owned();
            for (meter, (at, _)) in &meters {
                rank.push_str(&format!(" WHEN {meter} THEN {at}"));
            }
            rank.push_str(" ELSE 99 END");
            from.push_str(&format!(
                " LEFT JOIN (SELECT device_no, arg_min(value, {rank}) AS value FROM run_now WHERE {among} GROUP BY device_no) b \
                 ON b.device_no = d.device_no"
            ));
        }
        Ok(from)
    }
}
