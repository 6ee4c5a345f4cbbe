//! The timeline of a device: what happened to it, in sentences, with the alerts that stand.

use codec::model::MeterSet;
use codec::time::Timestamp;
use jiff::tz::TimeZone;
use olap::ask::{DeviceDetail, Event};
use olap::words::EventKind;

use super::parts::AlertWords;
use crate::format;
use crate::pages::people::Tenants;
use crate::text::Lang;

/// The most lines of the timeline.
const ITEMS_MAX: usize = 30;

/// A line of the timeline.
pub(super) struct Item {
    pub(super) at: Timestamp,
    pub(super) time: String,
    pub(super) what: String,
    pub(super) detail: String,
}

/// The newest first.
pub(super) fn items(
    lang: Lang,
    zone: &TimeZone,
    tenants: &Tenants,
    detail: &DeviceDetail,
    now: Timestamp,
) -> Vec<Item> {
    let moment = |at| format::moment(lang, zone, at, now);
    let mut items: Vec<_> = detail
        .events
        .iter()
        .map(|event| Item {
            at: event.at,
            time: moment(event.at),
            what: kind(lang, event.kind).to_owned(),
            detail: change(lang, tenants, event),
        })
        .collect();
    items.extend(detail.alerts_open.iter().map(|item| Item {
        at: item.observed_since,
        time: moment(item.observed_since),
        what: lang.texts().event_alert.to_owned(),
        detail: AlertWords::of(lang, item).line(),
    }));
    if !detail
        .events
        .iter()
        .any(|event| event.kind == EventKind::New)
    {
        items.push(Item {
            at: detail.item.first_seen_at,
            time: moment(detail.item.first_seen_at),
            what: lang.texts().event_first_seen.to_owned(),
            detail: String::new(),
        });
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.at));
    items.truncate(ITEMS_MAX);
    items
}

/// What was before and after, and of what.
fn change(lang: Lang, tenants: &Tenants, event: &Event) -> String {
    let name = |text: &str| match event.kind {
        EventKind::SiteChanged => text.parse().map_or_else(
            |_| text.to_owned(),
            |id| tenants.name(codec::id::TenantId(id)).to_owned(),
        ),
        EventKind::MeterSetChanged => meter_set(lang, text).to_owned(),
        _ => text.to_owned(),
    };
    let values = passage(
        event.before.as_deref().map(name),
        event.after.as_deref().map(name),
    );
    match (&event.subject, values.is_empty()) {
        (Some(subject), true) => subject.clone(),
        (Some(subject), false) => format!("{subject}: {values}"),
        (None, _) => values,
    }
}

/// From what to what; a dash where there was or is nothing.
fn passage(before: Option<String>, after: Option<String>) -> String {
    if before.is_none() && after.is_none() {
        return String::new();
    }
    let side = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    format!("{} → {}", side(before), side(after))
}

const fn kind(lang: Lang, kind: EventKind) -> &'static str {
    match kind {
        EventKind::New => lang.texts().event_first_seen,
        EventKind::AddressChanged => lang.pick("Moved to another address", "Neue Adresse"),
        EventKind::HostnameChanged => lang.pick("Calls itself otherwise", "Neuer Hostname"),
        EventKind::FirmwareChanged => lang.pick("Other firmware", "Andere Firmware"),
        EventKind::SiteChanged => lang.pick("Moved to another site", "Anderer Standort"),
        EventKind::AgentChanged => lang.pick("Read by another agent", "Anderer Agent"),
        EventKind::MeterReset => lang.pick("A meter went back", "Zähler zurückgesetzt"),
        EventKind::MeterRollover => lang.pick("A meter passed its end", "Zählerüberlauf"),
        EventKind::MeterSetChanged => lang.pick("Sums of the meters", "Summen der Zähler"),
        EventKind::SupplyReplaced => lang.pick("Supply replaced", "Material gewechselt"),
        EventKind::IdentityChanged => lang.pick("Identity changed", "Identität geändert"),
        EventKind::Merged => lang.pick("Joined with another record", "Zusammengeführt"),
        EventKind::Split => lang.pick("Found to be two devices", "In zwei Geräte getrennt"),
        EventKind::Silent => lang.pick("Fell silent", "Verstummt"),
        EventKind::Heard => lang.pick("Heard from again", "Wieder gehört"),
    }
}

/// What a word of [`MeterSet`] means, in the timeline's language.
fn meter_set(lang: Lang, word: &str) -> &str {
    let texts = lang.texts();
    match MeterSet::from_word(word) {
        Some(MeterSet::Unverified) => texts.device_meters_unverified,
        Some(MeterSet::Verified) => texts.device_meters_verified,
        Some(MeterSet::Conflicting) => texts.device_meters_conflicting,
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_what_came_read_differently() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(passage(some("A"), some("B")), "A → B");
        assert_eq!(passage(some("A"), None), "A → –");
        assert_eq!(passage(None, some("B")), "– → B");
        assert_eq!(passage(None, None), "");
    }
}
