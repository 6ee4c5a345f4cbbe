//! The fleet and a device's readings as CSV (RFC 4180), with the words and times of the API: for spreadsheets and for programs.

use axum::extract::{Path, Query, State as Held};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use codec::id::DeviceId;
use codec::time::Timestamp;
use olap::ask::{FleetRules, PAGE_ITEMS_MAX, ReadingsQuery};

use super::fleet::{Params, Wish};
use super::people::{Tenants, ask_fleet, device_name};
use crate::failure::Failure;
use crate::limits::EXPORT_ROWS_MAX;
use crate::state::{Inner, State};
use crate::visit::guard::Member;

/// A table that is being written.
struct Table(String);

impl Table {
    fn new(columns: &[&str]) -> Self {
        // The mark tells spreadsheets that the text is UTF-8.
        let mut table = Self("\u{feff}".to_owned());
        table.row(columns.iter().copied());
        table
    }

    fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        for (nth, cell) in cells.into_iter().enumerate() {
            if nth > 0 {
                self.0.push(',');
            }
            self.cell(cell);
        }
        self.0.push_str("\r\n");
    }

    /// A text that a spreadsheet would take for a formula gets an apostrophe: device names come from the network.
    fn cell(&mut self, cell: &str) {
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            "'"
        } else {
            ""
        };
        if cell.contains([',', '"', '\r', '\n', ';']) {
            self.0.push('"');
            self.0.push_str(guard);
            self.0.push_str(&cell.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(guard);
            self.0.push_str(cell);
        }
    }

    fn response(self, name: &str) -> Response {
        let disposition = format!("attachment; filename=\"{name}\"");
        let mut response = (
            [
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("text/csv; charset=utf-8"),
                ),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ],
            self.0,
        )
            .into_response();
        if let Ok(value) = HeaderValue::try_from(disposition) {
            response
                .headers_mut()
                .insert(header::CONTENT_DISPOSITION, value);
        }
        response
    }
}

fn text(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// `GET /devices.csv`: the list as it is filtered and sorted, all pages of it.
pub(crate) async fn devices(
    Held(state): Held<State>,
    member: Member,
    Query(params): Query<Params>,
) -> Result<Response, Failure> {
    state
        .blocking(move |parts| devices_of(parts, &member, &Wish::from(params)))
        .await
}

fn devices_of(parts: &Inner, member: &Member, wish: &Wish) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let tenants = Tenants::load(&parts.registry, &scope)?;
    let mut query = wish.query(&tenants, member.visit.now);
    query.offset = 0;
    query.limit = PAGE_ITEMS_MAX;
    let mut table = Table::new(&[
        "id",
        "name",
        "customer",
        "site",
        "manufacturer",
        "model",
        "serial",
        "address",
        "mac",
        "agent",
        "status",
        "errors",
        "black",
        "cyan",
        "magenta",
        "yellow",
        "billed_total",
        "first_seen",
        "last_seen",
        "silent",
    ]);
    loop {
        let page = ask_fleet(parts, &scope, &tenants, &query)?;
        for item in &page.items {
            let percent = |percent: Option<u8>| {
                percent
                    .map(|percent| percent.to_string())
                    .unwrap_or_default()
            };
            let errors: Vec<_> = item
                .status
                .errors
                .iter()
                .map(|error| error.word())
                .collect();
            let total = item
                .billed_total
                .as_ref()
                .map(|total| total.value.to_string());
            let identity = &item.identity;
            table.row([
                item.device.to_string().as_str(),
                &device_name(identity, item.device),
                tenants.customer(item.site),
                tenants.name(item.site),
                text(identity.manufacturer.as_ref()),
                text(identity.model.as_ref()),
                text(identity.serial.as_ref()),
                text(identity.address.as_ref()),
                text(identity.mac.as_ref()),
                item.agent.as_str(),
                item.status.device.map_or("", |status| status.word()),
                &errors.join(" "),
                &percent(item.levels.black),
                &percent(item.levels.cyan),
                &percent(item.levels.magenta),
                &percent(item.levels.yellow),
                &total.unwrap_or_default(),
                &item.first_seen_at.to_string(),
                &time(item.observed_at),
                if item.silent { "true" } else { "false" },
            ]);
        }
        match page.next_offset {
            Some(offset) if offset < EXPORT_ROWS_MAX => query.offset = offset,
            _ => return Ok(table.response("devices.csv")),
        }
    }
}

/// `GET /devices/{id}/readings.csv`: every reading of a device, in the order in which they came.
pub(crate) async fn readings(
    Held(state): Held<State>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id: DeviceId = id.parse().map_err(|_| Failure::NotFound)?;
    state
        .blocking(move |parts| readings_of(parts, &member, id))
        .await
}

fn readings_of(parts: &Inner, member: &Member, id: DeviceId) -> Result<Response, Failure> {
    let scope = member.scope(parts);
    let rules = FleetRules::at(member.visit.now);
    if parts.store.device(&scope, id, &rules)?.is_none() {
        return Err(Failure::NotFound);
    }
    let mut query = ReadingsQuery {
        device: Some(id),
        limit: PAGE_ITEMS_MAX,
        ..ReadingsQuery::default()
    };
    let mut table = Table::new(&[
        "reading",
        "device",
        "code",
        "value",
        "continuous",
        "basis",
        "quality",
        "observed_at",
        "confirmed_until",
        "received_at",
        "oid",
        "profile",
    ]);
    let mut rows = 0;
    loop {
        let page = parts.store.readings(&scope, &query)?;
        for reading in &page.items {
            table.row([
                reading.id.to_string().as_str(),
                &reading.device.to_string(),
                &reading.code,
                &reading.value.to_string(),
                &reading.continuous.to_string(),
                reading.basis.word(),
                reading.quality.word(),
                &reading.observed_at.to_string(),
                &reading.confirmed_until.to_string(),
                &reading.received_at.to_string(),
                &reading.oid,
                text(reading.profile.as_ref()),
            ]);
        }
        rows += page.items.len() as u64;
        match page.next {
            Some(next) if rows < EXPORT_ROWS_MAX => query.cursor = Some(next),
            _ => return Ok(table.response(&format!("readings-{id}.csv"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_cell_is_a_formula() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["x, \"y\"", "=HYPERLINK(1)"]);
        table.row(["@sum;1", "-3"]);
        assert_eq!(
            table.0,
            "\u{feff}a,b\r\n\"x, \"\"y\"\"\",'=HYPERLINK(1)\r\n\"'@sum;1\",'-3\r\n"
        );
    }
}
