//! What people do with the pages, over real sockets: log in, look, search, change the language, be refused.

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
fn a_guest_is_led_to_the_login_and_from_there_where_he_wanted_to_go() {
    let house = house_with(1);
    let mut browser = Browser::new(&house);
    let answer = browser.get("/devices?q=mey");
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/login?next=/devices%3Fq%3Dmey");
    let page = browser.get("/login?next=/devices%3Fq%3Dmey");
    assert!(
        page.body.contains(r#"name="next" value="/devices?q=mey""#),
        "{}",
        page.body
    );
    let answer = browser.submit(
        "/login",
        &[
            ("login", "CHEF"),
            ("password", PASSWORD),
            ("next", "/devices?q=mey"),
        ],
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/devices?q=mey")
    );
    let cookie = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .find_map(|cookie| {
            cookie
                .to_str()
                .ok()
                .filter(|cookie| cookie.starts_with("platen_session="))
        });
    let cookie = cookie.expect("a session");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(browser.get("/devices?q=mey").status, 200);
}

#[test]
fn a_login_never_leads_to_another_host() {
    let house = house_with(0);
    for next in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let mut browser = Browser::new(&house);
        browser.get("/login");
        let fields = [("login", "chef"), ("password", PASSWORD), ("next", next)];
        assert_eq!(
            browser.submit("/login", &fields).header("location"),
            "/",
            "{next}"
        );
    }
}

#[test]
fn a_login_begins_a_new_session_and_a_planted_one_is_worth_nothing() {
    let house = house_with(0);
    let mut browser = Browser::new(&house);
    browser.set_cookie("platen_session", "planted-by-somebody-else");
    browser.login("chef", PASSWORD);
    let first = browser
        .cookie("platen_session")
        .expect("a session")
        .to_owned();
    assert_ne!(first, "planted-by-somebody-else");
    let mut again = Browser::logged_in(&house, "chef");
    assert_ne!(again.cookie("platen_session"), Some(first.as_str()));

    again.get("/devices");
    let old = again
        .cookie("platen_session")
        .expect("a session")
        .to_owned();
    assert_eq!(
        again.submit("/logout", &[]).header("location"),
        "/login?out=1"
    );
    again.set_cookie("platen_session", &old);
    assert_eq!(
        again.get("/devices").status,
        303,
        "the session is over on the server, too"
    );
}

#[test]
fn a_form_without_the_right_token_is_refused_and_does_nothing() {
    let house = house_with(0);
    let mut guest = Browser::new(&house);
    guest.get("/login");
    let answer = guest.post("/login", &[("login", "chef"), ("password", PASSWORD)]);
    assert_eq!(answer.status, 403);
    assert!(guest.cookie("platen_session").is_none());

    let mut browser = Browser::logged_in(&house, "chef");
    let fields = [("level", "dealer"), ("name", "Fremd"), ("csrf", "wrong")];
    assert_eq!(browser.post("/tenants", &fields).status, 403);
    assert!(!browser.get("/tenants").body.contains("Fremd"));
    let answer = browser.submit("/tenants", &[("level", "dealer"), ("name", "Eigen")]);
    assert_eq!(answer.header("location"), "/tenants?made=Eigen");
    assert!(browser.get("/tenants").body.contains("Eigen"));
}

#[test]
fn guessing_is_slowed_down_with_a_clear_answer() {
    let house = house_with(0);
    let mut browser = Browser::new(&house);
    let throttled = (0..50)
        .map(|_| browser.login("chef", "not the password"))
        .find(|answer| answer.status != 401)
        .expect("fifty guesses are too many");
    assert_eq!(throttled.status, 429);
    assert!(
        throttled
            .header("retry-after")
            .parse::<u64>()
            .expect("seconds")
            > 0
    );
    assert!(
        throttled.body.contains("Too many failed attempts"),
        "{}",
        throttled.body
    );
    assert_eq!(
        browser.login("chef", PASSWORD).status,
        429,
        "nothing is looked at meanwhile"
    );
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
fn a_token_is_shown_once_works_and_can_be_revoked() {
    let house = house_with(2);
    let mut browser = Browser::logged_in(&house, "chef");
    browser.get("/account");
    let page = browser.submit("/account/tokens", &[("name", "Auswertung")]);
    let token = page
        .body
        .split("id=\"token\">")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("a token")
        .to_owned();
    assert!(!browser.get("/account").body.contains(&token));
    let ask = || {
        let request = client()
            .get(house.url("/api/v1/devices"))
            .header("Authorization", format!("Bearer {token}"));
        request.call().expect("an answer").status().as_u16()
    };
    assert_eq!(ask(), 200);
    let page = browser.get("/account").body;
    let id = page
        .split("/account/tokens/")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .expect("an id")
        .to_owned();
    assert_eq!(
        browser
            .submit(&format!("/account/tokens/{id}/revoke"), &[])
            .status,
        303
    );
    assert_eq!(ask(), 401);
}

#[test]
fn a_changed_password_ends_the_other_sessions() {
    let house = house_with(0);
    let mut other = Browser::logged_in(&house, "chef");
    let mut browser = Browser::logged_in(&house, "chef");
    browser.get("/account");
    let new = "ein neues langes Passwort";
    let wrong = [("old", "falsch"), ("new", new), ("again", new)];
    assert_eq!(browser.submit("/account/password", &wrong).status, 403);
    let differ = [("old", PASSWORD), ("new", new), ("again", "anders")];
    assert_eq!(browser.submit("/account/password", &differ).status, 400);
    let right = [("old", PASSWORD), ("new", new), ("again", new)];
    assert_eq!(browser.submit("/account/password", &right).status, 303);
    assert_eq!(browser.get("/devices").status, 200);
    assert_eq!(other.get("/devices").status, 303);
    assert_eq!(Browser::new(&house).login("chef", new).status, 303);
}

#[test]
fn an_agent_added_on_the_page_can_deliver_at_once() {
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
    let token = page.split("plt_agent_").nth(1).expect("a token");
    let token: String = token
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    let sealed = support::sealed(
        &codec::id::AgentId::new("werk-sued").expect("an id"),
        1,
        fleet::devices("X", 1, 0, Timestamp::now()),
    );
    let answer = client()
        .post(house.url("/v1/reports"))
        .header("Authorization", format!("Bearer plt_agent_{token}"))
        .header("Content-Encoding", "gzip")
        .send(&sealed[..])
        .expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[test]
fn readers_may_look_but_not_change() {
    let house = house_with(1);
    house.account("leser", Role::Viewer, Branch::House);
    house.account("erp", Role::Erp, Branch::House);
    let mut browser = Browser::logged_in(&house, "leser");
    assert_eq!(browser.get("/devices").status, 200);
    for path in ["/accounts", "/settings", "/audit"] {
        assert_eq!(browser.get(path).status, 403, "{path}");
    }
    browser.get("/tenants");
    assert_eq!(
        browser
            .submit("/tenants", &[("level", "dealer"), ("name", "X")])
            .status,
        403
    );
    assert_eq!(
        browser
            .submit("/agents", &[("name", "X"), ("site", "3")])
            .status,
        403
    );
    assert_eq!(
        Browser::new(&house).login("erp", PASSWORD).status,
        401,
        "programs see no pages"
    );
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
