//! Questions that make no sense to the JSON API get a sentence that names what is wrong, never a fault of ours and never another answer.

mod support;

use registry::{Branch, Role};
use support::{Browser, House, ask, house_with, post};

/// The sentence of a refusal.
fn refused(house: &House, path: &str) -> String {
    let answer = ask(house, "chef", path);
    assert_eq!(answer.status, 400, "{path}: {}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    problem["detail"].as_str().expect("a sentence").to_owned()
}

#[test]
fn a_parameter_that_makes_no_sense_is_named() {
    let (house, _) = house_with(1);
    for (path, name) in [
        ("/api/v1/readings?code=%00", "code"),
        ("/api/v1/readings?basis=%01", "basis"),
        ("/api/v1/devices?q=%00", "q"),
        ("/api/v1/devices?manufacturer=a%00b", "manufacturer"),
        (
            "/api/v1/devices?sort=name&cursor=o18446744073709551615",
            "cursor",
        ),
        (
            "/api/v1/devices?sort=name&cursor=o9223372036854775808",
            "cursor",
        ),
        ("/api/v1/devices?sort=name&cursor=o1000001", "cursor"),
        ("/api/v1/devices?bogus=1", "bogus"),
        ("/api/v1/readings?bogus=1", "bogus"),
        ("/api/v1/tenants?bogus=1", "bogus"),
        ("/api/v1/agents?bogus=1", "bogus"),
        ("/api/v1/readings?from=2026-02-02&to=2026-02-01", "from"),
    ] {
        let sentence = refused(&house, path);
        assert!(sentence.contains(name), "{path}: {sentence}");
    }
    let device = ask(&house, "chef", "/api/v1/devices").json()["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for path in [
        format!("/api/v1/devices/{device}?bogus=1"),
        format!("/api/v1/devices/{device}/readings?bogus=1"),
    ] {
        assert!(refused(&house, &path).contains("bogus"), "{path}");
    }
    for after in [i64::MAX as u64 + 1, u64::MAX] {
        for list in [olap::cursor::List::Devices, olap::cursor::List::Readings] {
            let path = match list {
                olap::cursor::List::Devices => "devices",
                _ => "readings",
            };
            let cursor = olap::cursor::Cursor::new(list, after);
            refused(&house, &format!("/api/v1/{path}?cursor={cursor}"));
        }
    }
}

#[test]
fn what_is_odd_but_clear_is_answered() {
    let (house, _) = house_with(2);
    let total = |path: &str| {
        let answer = ask(&house, "chef", path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()["total"].as_u64().expect("a total")
    };
    let all = total("/api/v1/readings");
    assert!(all > 0);
    assert_eq!(total("/api/v1/readings?from=0001-01-01&to=9999-12-31"), all);
    assert_eq!(total("/api/v1/readings?to=9999-12-31T23:59:59Z"), all);
    assert_eq!(total("/api/v1/readings?from=9999-12-31"), 0);
    assert_eq!(total("/api/v1/devices?changed_since=9999-12-31"), 0);
    assert_eq!(total("/api/v1/devices?sort=name&cursor=o1000000"), 2);
}

#[test]
fn pages_pass_over_control_characters() {
    let (house, _) = house_with(1);
    let mut browser = Browser::logged_in(&house, "chef");
    for path in [
        "/devices?q=%00MEY",
        "/devices?maker=%00",
        "/devices?q=%09MEY",
        "/devices.csv?q=%00MEY",
        "/alerts?q=%1f",
    ] {
        assert_eq!(browser.get(path).status, 200, "{path}");
    }
}

#[test]
fn an_agent_without_a_site_stands_where_there_is_no_choice() {
    let (house, customer) = house_with(0);
    house.account("op", Role::Operator, Branch::Tenant(customer.id));
    let add = |login: &str, name: &str| {
        post(
            &house,
            login,
            "/api/v1/agents",
            &format!(r#"{{"name":"{name}"}}"#),
        )
    };
    let made = add("op", "Erster");
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json()["agent"]["site"], customer.site.0);
    let second = format!(
        r#"{{"level":"site","parent":{},"name":"Lager","time_zone":"UTC"}}"#,
        customer.id
    );
    assert_eq!(post(&house, "op", "/api/v1/tenants", &second).status, 201);
    let answer = add("op", "Zweiter");
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(
        answer.json()["detail"]
            .as_str()
            .expect("a sentence")
            .starts_with("site:")
    );
    assert_eq!(add("chef", "Dritter").status, 201);
}
