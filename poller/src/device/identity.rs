//! Who the device is: serial, maker in one spelling, model without the maker, names, MAC, firmware (quirks I1 to I12).

use codec::model::Identity;

use super::view::View;
use super::{mib, text};
use crate::oid::Oid;
use crate::profile::{STANDARD, Template};
use crate::value::Value;

/// Reads the identity. `rule_maker` is what the rule says that found the profile; `address` the device's, as in the report.
#[must_use]
pub fn identity(
    view: &View<'_>,
    rule_maker: Option<&str>,
    address: &str,
    collect_contact: bool,
) -> Identity {
    let description = view.text_at(&mib::system(1));
    let device_text = device_text(view);
    let device_id = device_id(view);
    let taken = taken(view, description.as_deref(), device_text.as_deref());
    let model = model(
        view,
        &taken,
        device_text.as_deref(),
        device_id.as_deref(),
        description.as_deref(),
    );
    let manufacturer = manufacturer(
        view,
        rule_maker,
        model.as_deref(),
        description.as_deref(),
        device_id.as_deref(),
    );
    let model = model.map(|model| strip(view, &model));
    // Some give their model for a host name until they have one.
    let is_host = |name: &String| {
        !model
            .as_ref()
            .is_some_and(|model| strip(view, name).eq_ignore_ascii_case(model))
    };
    Identity {
        serial: serial(view)
            .map(|(serial, _)| serial)
            .or_else(|| told_serial(&taken, device_id.as_deref(), description.as_deref())),
        manufacturer,
        hostname: view
            .text_at(&mib::system(5))
            .or_else(|| first(view, &view.profile.identity.hostname).filter(is_host)),
        model,
        dns_name: None,
        address: Some(address.to_owned()),
        mac: mac(view, address).map(|(mac, _)| mac),
        location: view.text_at(&mib::system(6)),
        contact: collect_contact
            .then(|| view.text_at(&mib::system(4)))
            .flatten(),
        firmware: first(view, &view.profile.identity.firmware)
            .map(version)
            .or_else(|| place(&taken, "firmware")),
        description,
        object_id: object_id(view).map(|oid| oid.to_string()),
        asset: first(view, &view.profile.identity.asset),
        profile: Some(view.profile.label()),
    }
}

/// `sysObjectID`, unless it says nothing (0.0).
#[must_use]
pub fn object_id(view: &View<'_>) -> Option<Oid> {
    let oid = match view.facts.get(&mib::system(2))? {
        Value::ObjectId(oid) => oid.clone(),
        // Made a string by some agents.
        Value::OctetString(text) => std::str::from_utf8(text).ok()?.trim().parse().ok()?,
        _ => return None,
    };
    (oid.arcs().len() > 2).then_some(oid)
}

/// `hrDeviceDescr` of the printer. Where the device names no printer, that of a processor or a disk is no model.
fn device_text(view: &View<'_>) -> Option<String> {
    let index = [view.device];
    let part = match view.facts.get(&mib::hr_device(2).child(&index)) {
        Some(Value::ObjectId(kind)) => matches!(
            kind.arcs(),
            [1, 3, 6, 1, 2, 1, 25, 3, 1, 3 | 4 | 6 | 12 | 20 | 21]
        ),
        _ => false,
    };
    if part {
        None
    } else {
        view.text_in(&mib::hr_device(3), &index)
    }
}

/// The IEEE 1284 device id: the profile's place first, then the standard ones.
fn device_id(view: &View<'_>) -> Option<String> {
    let standard = &view.profiles.standard().identity.device_id;
    first(view, &view.profile.identity.device_id).or_else(|| first(view, standard))
}

/// What tells the device apart for ever, and where it was read: the proof in later polls.
#[must_use]
pub fn serial(view: &View<'_>) -> Option<(String, Option<Oid>)> {
    let identity = &view.profile.identity;
    let general = mib::general(17).child(&[view.device]);
    let of = |source| view.text(source).filter(|text| text::is_serial(text));
    if let Some(serial) = identity.serial_first.iter().find_map(of) {
        return Some((serial, None));
    }
    if let Some(serial) = view.text_at(&general).filter(|text| text::is_serial(text)) {
        return Some((serial, Some(general)));
    }
    identity
        .serial
        .iter()
        .find_map(of)
        .map(|serial| (serial, None))
}

/// A serial that stands inside another text: `SN:` of the 1284 id, `SN:` or `S/N` of `sysDescr`, or a place of a template.
fn told_serial(
    taken: &[(String, String)],
    device_id: Option<&str>,
    description: Option<&str>,
) -> Option<String> {
    let of_id = device_id
        .and_then(|id| text::device_id_value(id, &["SN", "SERN", "SERIALNUMBER", "SER"]))
        .map(str::to_owned);
    let of_description = description.and_then(|description| {
        let mut pieces = description.split([',', ';']);
        pieces.find_map(|piece| {
            let piece = piece.trim();
            let told = piece.strip_prefix("SN:").or_else(|| {
                let rest = piece.strip_prefix("S/N")?;
                rest.strip_prefix([':', ' '])
            });
            told.map(|serial| serial.trim().to_owned())
        })
    });
    place(taken, "serial")
        .or(of_id)
        .or(of_description)
        .filter(|serial| text::is_serial(serial))
}

/// The MAC and where it stands: of the interface that has the address, else the first that has one.
#[must_use]
pub fn mac(view: &View<'_>, address: &str) -> Option<(String, Oid)> {
    let column = mib::if_phys_address();
    let octets = address
        .parse::<std::net::Ipv4Addr>()
        .ok()
        .map(|address| address.octets().map(u32::from));
    let interface =
        octets.and_then(|octets| view.facts.integer(&mib::ip_if_index().child(&octets)));
    let interface = interface
        .and_then(|index| u32::try_from(index).ok())
        .map(|index| vec![index]);
    let all = view.facts.rows(&column).map(|(index, _)| index.to_vec());
    interface.into_iter().chain(all).find_map(|index| {
        let oid = column.child(&index);
        Some((text::mac(view.facts.octets(&oid)?)?, oid))
    })
}

fn first(view: &View<'_>, sources: &[crate::profile::Source]) -> Option<String> {
    sources.iter().find_map(|source| view.text(source))
}

/// What the profile's templates take from the device's texts; the first that fits of each kind.
fn taken(
    view: &View<'_>,
    description: Option<&str>,
    device_text: Option<&str>,
) -> Vec<(String, String)> {
    let own = &view.profile.identity;
    let standard = &view.profiles.standard().identity;
    let mut all = fitting(
        own.device_text.iter().chain(&standard.device_text),
        device_text,
    );
    all.extend(fitting(
        own.system_text.iter().chain(&standard.system_text),
        description,
    ));
    all
}

fn fitting<'a>(
    mut templates: impl Iterator<Item = &'a Template>,
    text: Option<&str>,
) -> Vec<(String, String)> {
    let found = text.and_then(|text| templates.find_map(|template| template.take(text)));
    let pairs = found.into_iter().flatten();
    pairs
        .map(|(name, part)| (name.to_owned(), part.to_owned()))
        .collect()
}

fn place(taken: &[(String, String)], name: &str) -> Option<String> {
    taken
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, part)| part.clone())
}

/// The model with whatever stands before it: the vendor's own place, `hrDeviceDescr`, the 1284 id, the printer's name, `sysDescr`.
fn model(
    view: &View<'_>,
    taken: &[(String, String)],
    device_text: Option<&str>,
    device_id: Option<&str>,
    description: Option<&str>,
) -> Option<String> {
    let own = first(view, &view.profile.identity.model);
    let identity = &view.profile.identity;
    let standard = &view.profiles.standard().identity.device_text;
    let taken_from_it = fitting(identity.device_text.iter().chain(standard), device_text);
    let cut_only = identity.device_text.is_empty() || view.profile.name == STANDARD;
    let whole = device_text.filter(|_| cut_only);
    let of_device_text = place(&taken_from_it, "model").or_else(|| whole.map(str::to_owned));
    let of_id = || {
        device_id
            .and_then(|id| text::device_id_value(id, &["MDL", "MODEL"]))
            .map(str::to_owned)
    };
    let of_pid = || {
        let mut pieces = description?.split([',', ';']);
        pieces.find_map(|piece| {
            piece
                .trim()
                .strip_prefix("PID:")
                .map(|model| model.trim().to_owned())
        })
    };
    let of_name = || view.text_at(&mib::general(16).child(&[view.device]));
    // The description speaks of the network card on many devices: it counts only where it begins with a maker.
    let of_description = || {
        description
            .filter(|text| {
                view.profiles
                    .maker(text)
                    .is_some_and(|(maker, _)| !maker.print_server)
            })
            .map(str::to_owned)
    };
    let is_model = |text: &String| {
        let lists = [
            &identity.no_model,
            &view.profiles.standard().identity.no_model,
        ];
        let mut patterns = lists.into_iter().flatten();
        !patterns.any(|pattern| pattern.matches(text))
    };
    own.filter(is_model)
        .or_else(|| of_device_text.filter(is_model))
        .or_else(|| of_pid().filter(is_model))
        .or_else(|| place(taken, "model").filter(is_model))
        .or_else(|| of_id().filter(is_model))
        .or_else(|| of_name().filter(is_model))
        .or_else(|| device_text.map(str::to_owned).filter(is_model))
        .or_else(|| of_description().filter(is_model))
        .and_then(text::meaningful)
}

/// The model without the maker and without the endings that are no part of it.
fn strip(view: &View<'_>, model: &str) -> String {
    let standard = &view.profiles.standard().identity.device_text;
    let taken = place(&fitting(standard.iter(), Some(model)), "model");
    let mut model = taken.as_deref().unwrap_or(model).trim();
    if let Some((maker, rest)) = view.profiles.maker(model) {
        model = rest.trim();
        // Some say it twice ("TOSHIBA TOSHIBA e-STUDIO"); another maker's name is a part of the model.
        if let Some((again, rest)) = view.profiles.maker(model)
            && again.name == maker.name
            && !rest.is_empty()
        {
            model = rest.trim();
        }
    }
    for ending in &view.profile.identity.model_endings {
        model = model.strip_suffix(ending.as_str()).unwrap_or(model).trim();
    }
    model.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A version without the words before it: `Firmware Ver.1.14`.
fn version(told: String) -> String {
    let rest = told.strip_prefix("Firmware Ver.").map(str::trim);
    match rest {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => told,
    }
}

/// The maker: as the model says, as the rule that found the device says, as `sysDescr` or the 1284 id says, as the profile says.
fn manufacturer(
    view: &View<'_>,
    rule_maker: Option<&str>,
    model: Option<&str>,
    description: Option<&str>,
    device_id: Option<&str>,
) -> Option<String> {
    let named = |text: &str| {
        view.profiles
            .maker(text)
            .map(|(maker, _)| maker.name.clone())
    };
    let of_description = || {
        let (maker, _) = view.profiles.maker(description?)?;
        let foreign = maker.print_server
            && view
                .profile
                .manufacturer
                .as_deref()
                .is_some_and(|own| own != maker.name);
        (!foreign).then(|| maker.name.clone())
    };
    let of_id = || {
        let told = text::device_id_value(device_id?, &["MFG", "MANUFACTURER", "MANUFACTURE"])?;
        named(told).or_else(|| text::meaningful(told.to_owned()))
    };
    model
        .and_then(named)
        .or_else(|| rule_maker.map(str::to_owned))
        .or_else(of_description)
        .or_else(of_id)
        .or_else(|| view.profile.manufacturer.clone())
}
