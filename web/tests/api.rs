//! What programs do with the JSON API: lists, devices, readings, tenants, agents, and what they may not see.

mod support;

use std::collections::BTreeSet;

use codec::time::Timestamp;
use registry::{Branch, Role};
use support::{Answer, Browser, House, ask, client, fleet, house_with, post, strings};

#[test]
fn lists_are_paged_without_gaps_or_repetitions() {
    let (house, _) = house_with(57);
    for (path, name, total) in [
        ("/api/v1/devices?limit=10", "id", 57),
        ("/api/v1/devices?limit=10&sort=-total", "id", 57),
        ("/api/v1/readings?limit=100", "reading", 0),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        let total_said = loop {
            let page = ask(&house, "chef", &format!("{path}&cursor={cursor}")).json();
            seen.extend(strings(&page, name));
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break page["total"].as_u64().expect("a total"),
            }
        };
        assert_eq!(seen.len() as u64, total_said, "{path}");
        assert!(total == 0 || total_said == total, "{path}");
        assert_eq!(
            seen.iter().collect::<BTreeSet<_>>().len(),
            seen.len(),
            "{path}"
        );
    }
}

#[test]
fn a_device_reads_like_its_report() {
    let (house, _) = house_with(12);
    let page = ask(&house, "chef", "/api/v1/devices?sort=name").json();
    let id = strings(&page, "id").remove(0);
    let device = ask(&house, "chef", &format!("/api/v1/devices/{id}")).json();
    assert_eq!(device["id"], id.as_str());
    assert_eq!(device["site"]["customer"], "Meyer Logistik");
    assert_eq!(device["site"]["time_zone"], "Europe/Berlin");
    assert_eq!(device["agent"], "meyer-logistik");
    for field in ["first_seen", "last_seen", "observed_at"] {
        assert!(
            device[field].as_str().expect("a time").ends_with('Z'),
            "{field}"
        );
    }
    let sent = fleet::device("MEY", 0, 0, Timestamp::now());
    assert_eq!(
        device["identity"],
        serde_json::to_value(&sent.identity).expect("JSON")
    );
    assert_eq!(
        device["supplies"],
        serde_json::to_value(&sent.supplies).expect("JSON")
    );
    assert_eq!(
        device["trays"],
        serde_json::to_value(&sent.trays).expect("JSON")
    );
    assert_eq!(
        device["meters"].as_array().expect("meters").len(),
        sent.meters.read().expect("read").len()
    );
}

#[test]
fn readings_are_asked_for_by_time_meter_and_basis() {
    let (house, customer) = house_with(2);
    let now = Timestamp::now();
    house.deliver(&customer, 2, fleet::devices("MEY", 2, 5, now));
    let id = strings(&ask(&house, "chef", "/api/v1/devices").json(), "id").remove(0);
    let count = |query: &str| {
        let answer = ask(
            &house,
            "chef",
            &format!("/api/v1/devices/{id}/readings?{query}"),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["total"].as_u64().expect("a total")
    };
    let all = count("");
    assert!(all >= 10);
    assert_eq!(count("code=total.total.impressions"), 2);
    assert_eq!(count("basis=billing") + count("basis=engine"), all);
    assert_eq!(count("to=2020-01-01"), 0);
    assert_eq!(count("from=2020-01-01"), all);
    for bad in [
        "from=gestern",
        "basis=x",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=nonsense",
    ] {
        let answer = ask(
            &house,
            "chef",
            &format!("/api/v1/devices/{id}/readings?{bad}"),
        );
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(
            answer.json()["detail"].as_str().expect("a sentence").len() > 10,
            "{bad}"
        );
    }
}

#[test]
fn neither_of_two_customers_sees_the_other_anywhere() {
    let house = House::start();
    house.account("chef", Role::Admin, Branch::House);
    let mut customers = Vec::new();
    for (name, prefix, login) in [
        ("Meyer Logistik", "MEY", "mey"),
        ("Stadtwerke Unna", "SWU", "swu"),
    ] {
        let customer = house.customer(name, "Europe/Berlin");
        house.account(login, Role::Admin, Branch::Tenant(customer.id));
        house.deliver(&customer, 1, fleet::devices(prefix, 9, 0, Timestamp::now()));
        customers.push((customer, name, prefix, login));
    }
    for (own, other) in [(0, 1), (1, 0)] {
        let (_, name, prefix, login) = &customers[own];
        let (foreign, foreign_name, foreign_prefix, foreign_login) = &customers[other];
        let foreign_id =
            strings(&ask(&house, foreign_login, "/api/v1/devices").json(), "id").remove(0);
        let mut browser = Browser::logged_in(&house, login);
        let csv = "/devices.csv";
        for path in [
            "/devices",
            "/devices?q=Hauptstelle",
            "/alerts",
            "/tenants",
            "/agents",
            "/accounts",
            "/account",
            "/health",
            csv,
            "/api/v1/devices",
            "/api/v1/devices?sort=name",
            "/api/v1/readings?limit=1000",
            "/api/v1/tenants",
            "/api/v1/agents",
        ] {
            let answer = browser.get(path);
            assert_eq!(answer.status, 200, "{path}");
            for foreign in [foreign_name, foreign_prefix, foreign_login] {
                assert!(
                    !answer.body.contains(*foreign),
                    "{login} sees {foreign} on {path}: {}",
                    answer.body
                );
            }
            let names = path != "/accounts"
                && path != "/account"
                && path != "/health"
                && !path.contains("readings");
            assert!(
                !names || answer.body.contains(*name) || answer.body.contains(*prefix),
                "{path} shows the own"
            );
        }
        for path in [
            format!("/devices/{foreign_id}"),
            format!("/devices/{foreign_id}/readings.csv"),
            format!("/api/v1/devices/{foreign_id}"),
            format!("/api/v1/devices/{foreign_id}/readings"),
        ] {
            assert_eq!(browser.get(&path).status, 404, "{path}");
        }
        for query in [
            format!("customer={}", foreign.id),
            format!("agent={}", foreign.agent),
            format!("q={foreign_prefix}"),
        ] {
            let page = browser.get(&format!("/devices?{query}"));
            assert!(!page.body.contains("<tr><td><a"), "{query}");
            let tenant = format!("/api/v1/devices?tenant={}", foreign.id);
            assert_eq!(browser.get(&tenant).json()["total"], 0);
        }
        let answer = post(
            &house,
            login,
            "/api/v1/agents",
            &format!(r#"{{"name":"x","site":{}}}"#, foreign.site),
        );
        assert_eq!(answer.status, 404, "{}", answer.body);
        let wish = format!(
            r#"{{"level":"site","parent":{},"name":"x","time_zone":"UTC"}}"#,
            foreign.id
        );
        assert_eq!(post(&house, login, "/api/v1/tenants", &wish).status, 404);
        assert_eq!(
            browser.get("/audit").status,
            403,
            "the log names the whole house"
        );
        browser.get("/agents");
        let renew = format!("/agents/{}/enrol", foreign.agent);
        assert_eq!(browser.submit(&renew, &[]).status, 404);
    }
}

#[test]
fn tenants_and_agents_are_made_by_the_api() {
    let (house, _) = house_with(0);
    let tenants = ask(&house, "chef", "/api/v1/tenants").json();
    let dealer = tenants["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|tenant| tenant["level"] == "dealer")
        .expect("a dealer");
    let wish = format!(
        r#"{{"level":"customer","parent":{},"name":"Hage","number":"K7"}}"#,
        dealer["id"]
    );
    let made = post(&house, "chef", "/api/v1/tenants", &wish);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(post(&house, "chef", "/api/v1/tenants", &wish).status, 409);
    let site = |zone: &str| {
        let wish = format!(
            r#"{{"level":"site","parent":{},"name":"Werk","time_zone":"{zone}"}}"#,
            made.json()["id"]
        );
        post(&house, "chef", "/api/v1/tenants", &wish)
    };
    assert_eq!(site("Europe/Nowhere").status, 400);
    let site = site("Europe/Vienna").json();
    let agent = post(
        &house,
        "chef",
        "/api/v1/agents",
        &format!(r#"{{"name":"Hage Werk","site":{}}}"#, site["id"]),
    );
    assert_eq!(agent.status, 201);
    assert_eq!(agent.json()["agent"]["id"], "hage-werk");
    assert!(
        agent.json()["token"]
            .as_str()
            .expect("a token")
            .starts_with("plt_agent_")
    );
    for bad in ["", "{", "[]", r#"{"name":"x","sites":1}"#, r#"{"name":5}"#] {
        assert_eq!(
            post(&house, "chef", "/api/v1/agents", bad).status,
            400,
            "{bad}"
        );
    }
}

#[test]
fn a_cookie_alone_cannot_write_through_the_api() {
    let (house, _) = house_with(0);
    let mut browser = Browser::logged_in(&house, "chef");
    browser.get("/account");
    let session = browser
        .cookie("platen_session")
        .expect("a session")
        .to_owned();
    let write = |csrf: &str| {
        client()
            .post(house.url("/api/v1/agents"))
            .header("Cookie", format!("platen_session={session}"))
            .header("X-CSRF-Token", csrf)
            .send(r#"{"name":"x"}"#)
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(write("wrong"), 403);
    assert_eq!(write(&browser.csrf), 201);
}

#[test]
fn who_is_not_known_gets_a_problem_and_no_data() {
    let (house, _) = house_with(1);
    for path in [
        "/api/v1/devices",
        "/api/v1/readings",
        "/api/v1/tenants",
        "/api/v1/agents",
    ] {
        for credentials in [
            "",
            "Basic !!!",
            "Basic eDp5",
            "Bearer plt_api_x",
            "Digest x",
            "Basic",
        ] {
            let mut request = client().get(house.url(path));
            if !credentials.is_empty() {
                request = request.header("Authorization", credentials);
            }
            let answer = Answer::of(request.call().expect("an answer"));
            assert_eq!(answer.status, 401, "{path} {credentials}");
            assert!(answer.header("www-authenticate").starts_with("Basic"));
            assert_eq!(answer.json()["status"], 401);
        }
    }
    let answer = ask(&house, "chef", "/api/v1/nowhere");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (404, "application/problem+json")
    );
    assert_eq!(post(&house, "chef", "/api/v1/devices", "").status, 405);
}
