//! Real SOAP clients call the service over a loopback socket: zeep and PHP's SoapClient, in both versions of SOAP, logged in
//! by HTTP Basic and by a UsernameToken. Each writes what it understood, and that must be what store and registry hold.

mod common;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use codec::id::Scope;
use codec::time::Timestamp;
use common::http::Door;
use common::{DAY_MS, House, NOW, PASSWORD, body_of, envelope_11, peer};
use olap::ask::{DevicesQuery, FleetRules};

/// A house whose service answers at the URL.
fn open_house() -> (House, String) {
    let door = Door::new();
    let url = door.url();
    let house = House::served_at(&url, 2);
    door.serve(house.registry.clone(), house.service.clone());
    (house, url)
}

fn or_dash(text: Option<&str>) -> &str {
    text.unwrap_or("-")
}

/// What every client must have understood.
fn expected(house: &House) -> Vec<String> {
    let mut lines = vec![
        "info\tPlaten\t1\terp\t-\t5000".to_owned(),
        "site\t-\tDefault customer\tDefault site\tEtc/UTC".to_owned(),
        "site\tK-4711\tMeyer & Söhne <GmbH>\tWerk 2\tEurope/Berlin".to_owned(),
        "site\tK-0815\tSchulze\tBüro\tEurope/Vienna".to_owned(),
        "agent\tmeyer-werk-2\tMeyer Werk 2\tfalse\t3".to_owned(),
        "agent\tschulze\tSchulze\tfalse\t0".to_owned(),
    ];
    let query = DevicesQuery {
        limit: 100,
        rules: FleetRules::at(NOW),
        ..DevicesQuery::at(NOW)
    };
    let devices = house
        .store
        .devices(&Scope::Everything, &query)
        .unwrap()
        .items;
    assert_eq!(devices.len(), 4);
    for item in &devices {
        let references = house
            .registry
            .device_notes(&[item.device])
            .unwrap()
            .remove(0)
            .references;
        let path = house.registry.site_path(item.site).unwrap();
        let customer_no = references.customer_no.or(path.customer.number);
        lines.push(format!(
            "device\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\tfalse\t{}",
            item.device,
            or_dash(item.identity.serial.as_deref()),
            or_dash(item.identity.model.as_deref()),
            or_dash(item.identity.location.as_deref()),
            or_dash(customer_no.as_deref()),
            or_dash(references.contract_no.as_deref()),
            or_dash(references.cost_centre.as_deref()),
            path.site.name,
            item.first_seen_at,
        ));
    }
    lines.push("meters\t175".to_owned());
    let readings = house.readings();
    assert_eq!(readings.len(), 24);
    for reading in &readings {
        let item = devices
            .iter()
            .find(|item| item.device == reading.device)
            .unwrap();
        let contract_no = house
            .registry
            .device_notes(&[reading.device])
            .unwrap()
            .remove(0)
            .references
            .contract_no;
        lines.push(format!(
            "reading\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            reading.id,
            reading.device,
            or_dash(item.identity.serial.as_deref()),
            reading.code,
            reading.value,
            reading.continuous,
            reading.observed_at,
            reading.quality,
            reading.basis,
            or_dash(contract_no.as_deref()),
        ));
    }
    lines.push("again\t0\tsame".to_owned());
    // At the cutoff, the first moment of the 21st in UTC, each total's last value is that of the day before NOW.
    let cutoff: Timestamp = "2026-11-21T00:00:00.000Z".parse().unwrap();
    for reading in readings
        .iter()
        .filter(|reading| reading.code == "total.total.impressions")
    {
        let stands =
            reading.observed_at <= cutoff && reading.superseded_at.is_none_or(|at| at > cutoff);
        if stands {
            let read_at = reading.confirmed_until.min(cutoff).max(reading.observed_at);
            let age = cutoff.ms_since(read_at) / 3_600_000;
            lines.push(format!(
                "billing\t{}\t{}\t{}\t{read_at}\t{age}\tok",
                reading.device, reading.code, reading.value
            ));
        }
    }
    lines
}

/// Calls a client in every way in; each time it must have understood everything.
fn every_way_in(client: impl Fn() -> Command, script: &str) {
    let (house, url) = open_house();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    for (login_by, version, side) in [
        ("basic", "soap11", "Client"),
        ("basic", "soap12", "Sender"),
        ("wsse", "soap11", "Client"),
        ("wsse", "soap12", "Sender"),
    ] {
        let mut lines = expected(&house);
        lines.push(format!("fault\t{side}\tinvalidCursor"));
        let mut client = client();
        client
            .arg(&script)
            .args([&url, login_by, version, "erp", PASSWORD]);
        assert_eq!(peer::lines_of(&mut client), lines, "{login_by} {version}");
    }
}

#[test]
fn zeep_reads_what_the_store_holds() {
    match peer::python_with_zeep() {
        Some(python) => every_way_in(|| Command::new(&python), "client.py"),
        None => peer::missing(
            "zeep",
            "python3 -m venv ~/.cache/platen-peers/python && ~/.cache/platen-peers/python/bin/pip install zeep",
        ),
    }
}

#[test]
fn phps_soap_client_reads_what_the_store_holds() {
    match peer::php_with_soap() {
        Some(php) => every_way_in(|| Command::new(&php), "client.php"),
        None => peer::missing("PHP's SoapClient", "apt-get install php-cli php-soap"),
    }
}

#[test]
fn npms_soap_reads_what_the_store_holds() {
    match peer::node_modules_with_soap() {
        Some(modules) => every_way_in(
            || {
                let mut node = Command::new("node");
                node.env("NODE_PATH", &modules);
                node
            },
            "client.js",
        ),
        None => peer::missing(
            "npm's soap",
            "npm install --prefix ~/.cache/platen-peers/node soap",
        ),
    }
}

#[test]
fn what_is_answered_is_valid_by_the_schema_in_the_wsdl() {
    let Some(xmllint) = peer::xmllint() else {
        return peer::missing("xmllint", "apt-get install libxml2-utils");
    };
    let dir = tempfile::tempdir().unwrap();
    let house = House::new();
    let wsdl = house.service.wsdl();
    let (_, schema) = wsdl.split_once("<wsdl:types>").unwrap();
    let (schema, _) = schema.split_once("</wsdl:types>").unwrap();
    let declared = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:tns=\"urn:platen:soap:v1\" ";
    let file = |name: &str| dir.path().join(name);
    std::fs::write(
        file("platen.xsd"),
        schema.replacen("<xs:schema ", declared, 1),
    )
    .unwrap();
    std::fs::write(file("platen.wsdl"), wsdl).unwrap();

    let validate = |name: &str, body: &str| {
        std::fs::write(file(name), body).unwrap();
        let output = Command::new(&xmllint)
            .args(["--noout", "--schema"])
            .args([file("platen.xsd"), file(name)])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{name}: {}\n{body}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let well_formed = Command::new(&xmllint)
        .arg("--noout")
        .arg(file("platen.wsdl"))
        .output()
        .unwrap();
    assert!(
        well_formed.status.success(),
        "{}",
        String::from_utf8_lossy(&well_formed.stderr)
    );
    let mut cutoff = String::new();
    write!(
        cutoff,
        "<GetBillingReadings><cutoff>{}</cutoff></GetBillingReadings>",
        NOW.plus_ms(-DAY_MS / 2)
    )
    .unwrap();
    for operation in [
        "<GetServiceInfo/>",
        "<ListCustomers/>",
        "<ListAgents/>",
        "<ListDevices/>",
        "<ListDevices><max>1</max></ListDevices>",
        "<ListMeterTypes/>",
        "<GetMeterReadings/>",
        "<GetMeterReadings><meterCode>no.such.meter</meterCode></GetMeterReadings>",
        &cutoff,
    ] {
        validate("answer.xml", &house.call("erp", operation));
        let qualified = operation.replacen('>', " xmlns=\"urn:platen:soap:v1\">", 1);
        let qualified = if operation.ends_with("/>") {
            operation.replace("/>", " xmlns=\"urn:platen:soap:v1\"/>")
        } else {
            qualified
        };
        validate("question.xml", &qualified);
    }
    let fault = house.ask(Some("erp"), &envelope_11("", "<NoSuchOperation/>"));
    let fault = String::from_utf8(fault.body).unwrap();
    let (_, detail) = body_of(&fault).split_once("<detail>").unwrap();
    validate("fault.xml", detail.split_once("</detail>").unwrap().0);
}

#[test]
fn gsoaps_compilers_make_a_client_of_the_wsdl() {
    if !peer::has_gsoap() {
        return peer::missing("gSOAP", "apt-get install gsoap");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("platen.wsdl"), House::new().service.wsdl()).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
        let lower = said.to_lowercase();
        assert!(
            !lower.contains("warning") && !lower.contains("error"),
            "{program}: {said}"
        );
    };
    run(
        "wsdl2h",
        &["-s", "-Nplaten", "-o", "platen.h", "platen.wsdl"],
    );
    run("soapcpp2", &["-j", "-C", "-x", "platen.h"]);
    let header = std::fs::read_to_string(dir.path().join("platen.h")).unwrap();
    for operation in ["GetServiceInfo", "ListDevices", "GetMeterReadings"] {
        assert!(header.contains(operation), "{operation}");
    }
}
