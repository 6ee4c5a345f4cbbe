//! Bodies that nobody sends by accident: every one is answered with SOAP, at once.

mod common;

use common::{House, NOW, envelope_11, texts};
use soap::{REQUEST_BYTES_MAX, SoapRequest};

/// What a mutation puts between.
const MARKUP: &[u8] = b"<>&'\":/= \xff]!?#;";

#[test]
fn hostile_bodies_are_refused_at_once() {
    let house = House::new();
    let bomb = format!(
        "<!DOCTYPE x [<!ENTITY a0 'ha'>{}]>{}",
        (1..30)
            .map(|n| format!("<!ENTITY a{n} '&a{0};&a{0};'>", n - 1))
            .collect::<String>(),
        envelope_11("", "<GetServiceInfo>&a29;</GetServiceInfo>")
    );
    let large = envelope_11(
        "",
        &format!(
            "<ListDevices><max>{}</max></ListDevices>",
            "1".repeat(REQUEST_BYTES_MAX)
        ),
    );
    let deep = envelope_11("", &"<a>".repeat(10_000));
    let cut = &envelope_11("", "<GetServiceInfo/>")[..150];
    for body in [
        bomb.as_str(),
        large.as_str(),
        deep.as_str(),
        cut,
        "",
        "\u{0}",
        "GET / HTTP/1.1",
    ] {
        let response = house.ask(Some("erp"), body);
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, 500, "{text}");
        assert_eq!(texts(&text, "code"), ["malformedRequest"], "{text}");
    }
}

#[test]
fn no_mutation_of_a_request_makes_the_service_panic_or_answer_anything_but_soap() {
    let house = House::new();
    let seed_bodies = [
        envelope_11(
            "<o:Security xmlns:o='urn:x'/>",
            "<GetMeterReadings><cursor>r1-0-00</cursor><max>5</max></GetMeterReadings>",
        ),
        envelope_11(
            "<a:MessageID xmlns:a='http://www.w3.org/2005/08/addressing'>&#x41;</a:MessageID>",
            "<ListDevices><![CDATA[x]]><max> 1</max></ListDevices>",
        ),
    ];
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % sides as u64).unwrap()
    };
    let account = house.registry.account_by_login("erp").unwrap();
    for round in 0..5_000 {
        let mut body = seed_bodies[roll(2)].clone().into_bytes();
        for _ in 0..=roll(4) {
            let (at, other) = (roll(body.len()), roll(body.len()));
            match roll(5) {
                0 => body[at] = u8::try_from(roll(256)).unwrap(),
                1 => body.truncate(at + 1),
                2 => body.insert(at, MARKUP[roll(MARKUP.len())]),
                3 => drop(body.drain(at.min(other)..at.max(other))),
                _ => body.extend_from_within(at.min(other)..at.max(other)),
            }
            if body.is_empty() {
                break;
            }
        }
        let response = house.service.handle(&SoapRequest {
            content_type: None,
            soap_action: None,
            body: &body,
            account: account.clone(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            now: NOW,
        });
        let text = String::from_utf8(response.body).unwrap();
        assert!(
            text.ends_with("</soap:Body></soap:Envelope>"),
            "round {round}: {text}"
        );
        assert!(
            [200, 400, 500].contains(&response.status),
            "round {round}: {}",
            response.status
        );
    }
}
