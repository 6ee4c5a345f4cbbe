//! The demo, as somebody meets it on the first day: every interface says the same.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use common::{
    Demo, SOON, command_with_input, helper, peer_is_here, peers_python, program, wait_for,
};

/// Of sixty simulated printers one is switched off.
const LIVING: u64 = 59;

#[test]
fn every_living_printer_appears_with_its_identity_levels_and_meters() {
    let demo = Demo::start(60);
    demo.wait_for_devices(LIVING);
    let devices = demo.asker.items("/api/v1/devices");
    let ids: BTreeSet<&str> = devices
        .iter()
        .filter_map(|device| device["id"].as_str())
        .collect();
    assert_eq!(
        (devices.len() as u64, ids.len() as u64),
        (LIVING, LIVING),
        "each is there once"
    );
    let makers: BTreeSet<&str> = devices
        .iter()
        .filter_map(|device| device["identity"]["manufacturer"].as_str())
        .collect();
    assert!(makers.len() >= 8, "{makers:?}");
    for device in &devices {
        let identity = &device["identity"];
        for key in [
            "serial",
            "manufacturer",
            "model",
            "address",
            "mac",
            "hostname",
        ] {
            assert!(
                identity[key].as_str().is_some_and(|text| !text.is_empty()),
                "{key}: {device}"
            );
        }
        let id = device["id"].as_str().expect("an id");
        let detail = demo.asker.json(&format!("/api/v1/devices/{id}"));
        for list in ["meters", "supplies", "trays"] {
            assert!(
                detail[list].as_array().is_some_and(|rows| !rows.is_empty()),
                "{list}: {detail}"
            );
        }
    }
    assert_eq!(demo.running.interrupt(), Some(0), "Ctrl-C stops it cleanly");
}

#[test]
fn meters_grow_while_the_demo_runs_and_an_identity_does_not_flicker() {
    let demo = Demo::start(20);
    let path = "/api/v1/devices";
    wait_for("all devices", SOON, || {
        (demo.asker.items(path).len() == 20).then_some(())
    });
    let serials = |devices: &[Value]| -> BTreeMap<String, Value> {
        devices
            .iter()
            .map(|device| {
                (
                    device["id"].to_string(),
                    device["identity"]["serial"].clone(),
                )
            })
            .collect()
    };
    let total = |devices: &[Value]| -> u64 {
        devices
            .iter()
            .filter_map(|device| device["billed_total"]["value"].as_u64())
            .sum()
    };
    let first = demo.asker.items(path);
    let known = serials(&first);
    wait_for("a meter that grew", SOON, || {
        let now = demo.asker.items(path);
        assert_eq!(serials(&now), known);
        (total(&now) > total(&first)).then_some(())
    });
}

#[test]
fn a_demo_that_keeps_its_data_goes_on_where_it_stopped() {
    let demo = Demo::start(20);
    wait_for("all devices", SOON, || {
        (demo.asker.items("/api/v1/devices").len() == 20).then_some(())
    });
    let first_seen = |devices: Vec<Value>| -> BTreeMap<String, String> {
        devices
            .iter()
            .map(|device| (device["id"].to_string(), device["first_seen"].to_string()))
            .collect()
    };
    let before = first_seen(demo.asker.items("/api/v1/devices"));
    let data = demo.data;
    assert_eq!(demo.running.interrupt(), Some(0));
    std::fs::remove_file(data.path().join("demo.json")).expect("demo.json is there");
    let again = Demo::start_in(data, 20);
    assert_eq!(first_seen(again.asker.items("/api/v1/devices")), before);
}

/// What one interface says of a reading.
type Said = BTreeMap<String, (String, u64)>;

fn api_readings(demo: &Demo) -> Said {
    let readings = demo.asker.items("/api/v1/readings");
    readings
        .iter()
        .map(|reading| {
            let text = |key: &str| reading[key].as_str().expect("a text").to_owned();
            (
                text("reading"),
                (text("code"), reading["value"].as_u64().expect("a value")),
            )
        })
        .collect()
}

fn soap_readings(command: &mut Command, demo: &Demo) -> Said {
    let asker = &demo.asker;
    let output = command_with_input(
        command.args([&asker.url, &asker.login, &asker.password]),
        "",
    );
    output
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [id, code, value] = fields[..] else {
                panic!("three fields a line: {line}");
            };
            (
                id.to_owned(),
                (code.to_owned(), value.parse().expect("a number")),
            )
        })
        .collect()
}

#[test]
fn the_soap_readings_are_the_apis_readings_for_zeep_and_for_php() {
    let demo = Demo::start(20);
    wait_for("readings of all devices", SOON, || {
        (demo.asker.items("/api/v1/devices").len() == 20).then_some(())
    });
    let clients = [
        ("zeep", peers_python(), "readings.py"),
        ("PHP", program("php"), "readings.php"),
    ];
    for (name, peer, script) in clients {
        let Some(peer) = peer_is_here(name, peer) else {
            continue;
        };
        let before = api_readings(&demo);
        let soap = soap_readings(Command::new(peer).arg(helper(script)), &demo);
        let after = api_readings(&demo);
        assert!(before.len() > 100, "{name}: the demo has readings");
        // Polls go on in between: what was there before must be said, and nothing that is not there afterwards.
        for (id, said) in &before {
            assert_eq!(soap.get(id), Some(said), "{name}: {id}");
        }
        for (id, said) in &soap {
            assert_eq!(after.get(id), Some(said), "{name}: {id}");
        }
    }
}

#[test]
fn the_pages_in_a_browser_show_what_the_api_says() {
    let node = peer_is_here("node with playwright-core", common::peers_node());
    let chromium = peer_is_here("chromium", program("chromium"));
    let (Some((node, modules)), Some(chromium)) = (node, chromium) else {
        return;
    };
    let demo = Demo::start(20);
    wait_for("all devices", SOON, || {
        (demo.asker.items("/api/v1/devices").len() == 20).then_some(())
    });
    let asker = &demo.asker;
    let output = command_with_input(
        Command::new(node)
            .arg(helper("pages.mjs"))
            .args([&asker.url, &asker.login, &asker.password])
            .env("CHROMIUM", chromium)
            .env("PLAYWRIGHT", modules),
        "",
    );
    let seen: Value = serde_json::from_str(&output).expect("the browser's script writes JSON");
    let host = asker.url.strip_prefix("http://").expect("plain HTTP");
    assert_eq!(
        seen["hosts"],
        serde_json::json!([host]),
        "no request to any other host"
    );
    let api: BTreeSet<String> = asker
        .items("/api/v1/devices")
        .iter()
        .filter_map(|device| Some(format!("/devices/{}", device["id"].as_str()?)))
        .collect();
    let pages: BTreeSet<String> = seen["devices"]
        .as_array()
        .expect("links")
        .iter()
        .filter_map(|link| link.as_str().map(str::to_owned))
        .collect();
    assert_eq!(pages, api);
    let path = seen["device"].as_str().expect("a device was opened");
    let device = asker.json(&format!("/api/v1{path}"));
    let text = seen["text"].as_str().expect("the page's text");
    for key in ["serial", "model", "mac"] {
        let value = device["identity"][key].as_str().expect("the API knows it");
        assert!(
            text.contains(value),
            "{key} {value} is not on the page: {text}"
        );
    }
    for supply in device["supplies"].as_array().expect("supplies") {
        let description = supply["description"].as_str().expect("a description");
        assert!(
            text.contains(description),
            "{description} is not on the page: {text}"
        );
    }
    assert_eq!(
        seen["errors"],
        serde_json::json!([]),
        "the browser has nothing to complain about"
    );
}
