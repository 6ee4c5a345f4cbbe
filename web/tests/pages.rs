//! What people see on the pages, over real sockets: the fleet, a device, searching, paging, both languages.

mod support;

use codec::time::Timestamp;
use registry::{Branch, Role};
use support::{Browser, House, PASSWORD, client, fleet};

/// A house with one customer of `count` devices and an administrator.
fn house_with(count: u64) -> House {
    let house = House::start();
    house.account("chef", Role::Admin, Branch::House);
    let customer = house.customer("Meyer Logistik", "Europe/Berlin");
    house.deliver(
        &customer,
        1,
        fleet::devices("MEY", count, 0, Timestamp::now()),
    );
    house
}

/// The addresses of the devices on a page, in its order.
fn devices_on(body: &str) -> Vec<String> {
    body.split("<tr><td><a href=\"/devices/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn paging_shows_every_device_once_and_in_the_order_of_the_api() {
    let house = house_with(120);
    let mut browser = Browser::logged_in(&house, "chef");
    for sort in ["", "&sort=-total", "&sort=serial", "&sort=lowest"] {
        let mut seen = Vec::new();
        for page in 1..=3 {
            seen.extend(devices_on(
                &browser.get(&format!("/devices?page={page}{sort}")).body,
            ));
        }
        let api = browser.get(&format!(
            "/api/v1/devices?limit=1000{}",
            if sort.is_empty() { "&sort=name" } else { sort }
        ));
        let listed: Vec<_> = api.json()["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["id"].as_str().expect("an id").to_owned())
            .collect();
        assert_eq!(seen.len(), 120);
        assert_eq!(seen, listed, "{sort}");
    }
}

#[test]
fn pages_say_what_the_api_says() {
    let house = house_with(12);
    let mut browser = Browser::logged_in(&house, "chef");
    let fleet = browser.get("/devices");
    let list = browser.get("/api/v1/devices").json();
    assert_eq!(list["total"], 12);
    for item in list["items"].as_array().expect("items") {
        assert!(fleet.body.contains(item["name"].as_str().expect("a name")));
        assert!(
            fleet
                .body
                .contains(item["identity"]["serial"].as_str().expect("a serial"))
        );
        let total = item["billed_total"]["value"].as_u64().expect("a total");
        assert!(fleet.body.contains(&grouped(total)), "{total}");

        let id = item["id"].as_str().expect("an id");
        let device = browser.get(&format!("/devices/{id}"));
        let json = browser.get(&format!("/api/v1/devices/{id}")).json();
        assert_eq!(device.status, 200);
        for meter in json["meters"].as_array().expect("meters") {
            assert!(
                device
                    .body
                    .contains(&grouped(meter["value"].as_u64().expect("a value")))
            );
            let read_where = meter["oid"].as_str().expect("an OID");
            assert!(
                device.body.contains(read_where) || meter["parts"].is_array(),
                "{read_where}"
            );
        }
        for supply in json["supplies"].as_array().expect("supplies") {
            match &supply["level"] {
                serde_json::Value::String(word) if word == "unknown" => {
                    assert!(device.body.contains("device reports no level"));
                }
                serde_json::Value::String(_) => assert!(
                    device.body.contains("some left") || device.body.contains("some space left")
                ),
                _ => assert!(device.body.contains("class=\"level\"")),
            }
        }
    }
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let mut groups = vec![&digits[..first]];
    groups.extend(
        (first..digits.len())
            .step_by(3)
            .map(|at| &digits[at..at + 3]),
    );
    groups.retain(|group| !group.is_empty());
    groups.join(",")
}

#[test]
fn search_and_filters_live_in_the_address() {
    let house = house_with(40);
    let mut browser = Browser::logged_in(&house, "chef");
    let found = |browser: &mut Browser<'_>, query: &str| {
        devices_on(&browser.get(&format!("/devices?{query}")).body).len()
    };
    assert_eq!(found(&mut browser, "q=MEY4100017"), 1);
    assert_eq!(
        found(&mut browser, "q=meyer+kyocera"),
        4,
        "words of customer and maker together"
    );
    assert_eq!(
        found(&mut browser, "q=%25"),
        0,
        "a per cent sign means itself"
    );
    assert_eq!(found(&mut browser, "maker=Kyocera"), 4);
    assert_eq!(found(&mut browser, "show=silent"), 0);
    let page = browser.get("/devices?show=low&maker=HP&q=mey");
    assert!(
        page.body
            .contains(r#"<input type="hidden" name="show" value="low">"#)
    );
    assert!(
        page.body
            .contains(r#"<input type="hidden" name="maker" value="HP">"#)
    );
    let nonsense = browser.get("/devices?page=-7&sort=%00&show=x&customer=abc&agent=%2F%2F");
    assert_eq!(nonsense.status, 200, "an edited address shows the fleet");
}

#[test]
fn the_pages_speak_german_to_who_prefers_it_and_to_who_chose_it() {
    let house = house_with(11);
    let mut browser = Browser::new(&house);
    browser.language = "de-AT,de;q=0.9,en;q=0.5";
    assert!(browser.get("/login").body.contains("Anmelden"));
    browser.language = "en";
    assert!(browser.get("/login").body.contains("Log in"));
    assert_eq!(
        browser
            .submit("/language", &[("language", "de"), ("next", "/login")])
            .status,
        303
    );
    assert!(
        browser.get("/login").body.contains(r#"<html lang="de">"#),
        "a guest's choice is kept"
    );

    browser.login("chef", PASSWORD);
    assert!(
        browser.get("/devices").body.contains("Search"),
        "the account's own language counts"
    );
    browser.submit("/language", &[("language", "de"), ("next", "/devices")]);
    let page = browser.get("/devices").body;
    for word in [
        r#"<html lang="de">"#,
        "Geräte",
        "Abrechnungszähler",
        "Papierstau",
        "11 Geräte",
        "12.000",
    ] {
        assert!(page.contains(word), "{word}");
    }
    let mut later = Browser::logged_in(&house, "chef");
    assert!(
        later.get("/devices").body.contains("Geräte"),
        "the account remembers"
    );
}

#[test]
fn every_page_answers_in_both_languages_with_the_security_headers_and_nothing_inline() {
    let house = house_with(3);
    let mut browser = Browser::logged_in(&house, "chef");
    let device = devices_on(&browser.get("/devices").body).remove(0);
    let device = format!("/devices/{device}");
    for language in ["de", "en"] {
        browser.get("/account");
        browser.submit("/language", &[("language", language), ("next", "/")]);
        for path in [
            "/devices",
            &device,
            "/alerts",
            "/tenants",
            "/agents",
            "/accounts",
            "/account",
            "/settings",
            "/audit",
            "/health",
        ] {
            let page = browser.get(path);
            assert_eq!(page.status, 200, "{path}");
            assert!(
                page.body.contains(&format!(r#"<html lang="{language}">"#)),
                "{path}"
            );
            assert!(
                page.header("content-security-policy")
                    .starts_with("default-src 'self'")
            );
            assert_eq!(page.header("x-content-type-options"), "nosniff");
            assert_eq!(page.header("cache-control"), "no-store");
            for inline in [
                " style=",
                "<style",
                " onclick=",
                "<script>",
                "=\"http",
                "url(",
            ] {
                assert!(!page.body.contains(inline), "{path} has {inline}");
            }
            assert!(
                page.body.matches("<form method=\"post\"").count()
                    <= page.body.matches("name=\"csrf\"").count()
            );
        }
    }
}

#[test]
fn what_the_network_says_is_escaped() {
    let house = House::start();
    house.account("chef", Role::Admin, Branch::House);
    let customer = house.customer("<i>Meyer</i>", "Europe/Berlin");
    let mut device = fleet::device("MEY", 5, 0, Timestamp::now());
    device.identity.hostname = Some("<script>alert(1)</script>".to_owned());
    house.deliver(&customer, 1, vec![device]);
    let mut browser = Browser::logged_in(&house, "chef");
    let page = browser.get("/devices").body;
    assert!(!page.contains("<script>alert") && !page.contains("<i>Meyer"));
    let id = devices_on(&page).remove(0);
    let page = browser.get(&format!("/devices/{id}")).body;
    assert!(!page.contains("<script>alert") && !page.contains("<B2>"));
}

#[test]
fn what_is_not_there_is_a_page_and_not_a_blank() {
    let house = house_with(0);
    let mut browser = Browser::logged_in(&house, "chef");
    for path in ["/nowhere", "/devices/abc", "/devices/aaaaaaaaaaaaaaaa"] {
        let page = browser.get(path);
        assert_eq!(page.status, 404, "{path}");
        assert!(
            page.body.contains("This page does not exist."),
            "{path}: {}",
            page.body
        );
    }
    assert_eq!(browser.post("/devices", &[]).status, 405);
    let long = "x".repeat(100_000);
    assert_eq!(browser.submit("/tenants", &[("name", &long)]).status, 413);
}

#[test]
fn what_exists_already_is_said_in_the_form_that_was_sent() {
    let house = house_with(0);
    let mut browser = Browser::logged_in(&house, "chef");
    browser.get("/account");
    browser.submit("/language", &[("language", "de"), ("next", "/")]);
    browser.get("/accounts");
    let page = browser.submit(
        "/accounts",
        &[
            ("login", "chef"),
            ("name", "Zweiter Chef"),
            ("role", "erp"),
            ("password", PASSWORD),
        ],
    );
    assert_eq!(page.status, 409);
    for text in [
        "Das gibt es schon.",
        "value=\"Zweiter Chef\"",
        "<option value=\"erp\" selected>",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(!page.body.contains(PASSWORD));

    let dealer = [("level", "dealer"), ("name", "Bürotechnik \"Nord\"")];
    browser.get("/tenants");
    assert_eq!(browser.submit("/tenants", &dealer).status, 303);
    browser.get("/tenants");
    let page = browser.submit("/tenants", &dealer);
    assert_eq!(page.status, 409);
    assert!(page.body.contains("Das gibt es schon."));
    assert!(page.body.contains("value=\"Bürotechnik &#34;Nord&#34;\""));
}

#[test]
fn a_device_without_toner_levels_says_what_is_left() {
    let house = house_with(11);
    let mut browser = Browser::logged_in(&house, "chef");
    let row = |body: &str, name: &str| {
        body.split("<tr>")
            .find(|row| row.contains(&format!("<b>{name}</b>")))
            .expect("a row")
            .to_owned()
    };
    let body = browser.get("/devices").body;
    let some = row(&body, "mey-004");
    assert!(some.contains("some left") && some.contains("Black drum 71 %"));
    let none = row(&body, "mey-008");
    assert!(none.contains("71 %") && !none.contains("some left"));
    assert!(!body.contains("no levels"));
    assert!(row(&body, "mey-001").contains("asleep"));
    assert!(row(&body, "mey-006").contains("dot care\"><span>needs service"));
}

#[test]
fn an_agent_enrolled_from_the_page_can_deliver_at_once() {
    let house = house_with(0);
    let mut browser = Browser::logged_in(&house, "chef");
    let page = browser.get("/agents").body;
    let site = page
        .split("<option value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a site")
        .to_owned();
    let page = browser
        .submit("/agents", &[("name", "Werk Süd"), ("site", &site)])
        .body;
    let token = page.split("plt_enrol_").nth(1).expect("a token");
    let token: String = token
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    let key_hash = codec::key::ContentHash::of(b"a key of its own");
    let wish = format!(r#"{{"token":"plt_enrol_{token}","key_hash":"{key_hash}"}}"#);
    let enrolled = client()
        .post(house.url("/v1/enrol"))
        .send(wish)
        .expect("an answer");
    assert_eq!(enrolled.status(), 200);
    let sealed = support::sealed(
        &codec::id::AgentId::new("werk-sued").expect("an id"),
        1,
        fleet::devices("X", 1, 0, Timestamp::now()),
    );
    let answer = client()
        .post(house.url("/v1/reports"))
        .header("Authorization", "Bearer a key of its own")
        .header("Content-Encoding", "gzip")
        .send(&sealed[..])
        .expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[test]
fn the_list_as_csv_has_every_device_of_the_filter() {
    let house = house_with(60);
    let mut browser = Browser::logged_in(&house, "chef");
    let csv = browser.get("/devices.csv");
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.body.lines().count(), 61);
    assert_eq!(
        browser
            .get("/devices.csv?maker=Kyocera")
            .body
            .lines()
            .count(),
        7
    );
    let id = devices_on(&browser.get("/devices").body).remove(0);
    assert!(
        browser
            .get(&format!("/devices/{id}/readings.csv"))
            .body
            .contains("total.total.impressions")
    );
    assert_eq!(Browser::new(&house).get("/devices.csv").status, 303);
}
