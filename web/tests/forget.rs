//! A customer is forgotten on the page and over the API: by administrators of the house alone, who type his name.

mod support;

use std::time::{Duration, Instant};

use registry::{Branch, Role};
use support::{Browser, House, ask, house_with, post, strings};

/// Waits until no file holds anything of the customer.
fn wait_until_erased(house: &House, path: &str) -> serde_json::Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let told = ask(house, "chef", path).json();
        if told["remains"].is_null() && !told["erased_at"].is_null() {
            return told;
        }
        assert!(Instant::now() < until, "waited in vain: {told}");
        std::thread::yield_now();
    }
}

#[test]
fn a_customer_is_forgotten_over_the_api_by_who_may_and_knows_the_name() {
    let (house, customer) = house_with(3);
    house.account("gast", Role::Viewer, Branch::Tenant(customer.id));
    house.account("leiter", Role::Admin, Branch::Tenant(customer.id));
    house.account("helfer", Role::Operator, Branch::House);
    let other = house.customer("Anders", "Europe/Berlin");
    house.deliver(
        &other,
        1,
        support::fleet::devices("ZZ", 2, 0, codec::time::Timestamp::now()),
    );
    house.wait_until_applied();
    let name = "Meyer Logistik";
    let path = format!("/api/v1/customers/{}/forget", customer.id);
    let wish = format!(r#"{{"name":"{name}"}}"#);
    for login in ["gast", "leiter", "helfer"] {
        assert_eq!(ask(&house, login, &path).status, 403, "{login}");
        assert_eq!(post(&house, login, &path, &wish).status, 403, "{login}");
    }
    let told = ask(&house, "chef", &path).json();
    let concerns = &told["concerns"];
    assert_eq!(
        (concerns["devices"].as_u64(), concerns["agents"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(
        (concerns["reports"].as_u64(), concerns["accounts"].as_u64()),
        (Some(1), Some(2))
    );
    assert!(concerns["readings"].as_u64() > Some(0) && told["by"].is_null());
    assert_eq!(
        post(&house, "chef", &path, r#"{"name":"Anders"}"#).status,
        409
    );
    assert_eq!(
        post(&house, "chef", "/api/v1/customers/999/forget", &wish).status,
        404
    );
    let site = format!("/api/v1/customers/{}/forget", customer.site);
    assert_eq!(
        post(&house, "chef", &site, &wish).status,
        404,
        "a site is no customer"
    );
    assert_eq!(ask(&house, "chef", "/api/v1/devices").json()["total"], 5);

    let done = post(&house, "chef", &path, &wish);
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(done.json()["by"], "chef");
    assert_eq!(ask(&house, "chef", "/api/v1/devices").json()["total"], 2);
    let agents = ask(&house, "chef", "/api/v1/agents").json();
    assert_eq!(strings(&agents, "id"), [other.agent.to_string()]);
    let refused = support::client()
        .post(house.url("/v1/reports"))
        .header("authorization", format!("Bearer {}", customer.token))
        .send(&support::sealed(&customer.agent, 2, Vec::new())[..])
        .map(support::Answer::of)
        .expect("an answer");
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("forgotten"), "{}", refused.body);
    assert_eq!(post(&house, "chef", &path, &wish).status, 404, "once");
    let told = wait_until_erased(&house, &path);
    assert_eq!(told["by"], "chef");
    assert!(told["concerns"].is_null());
}

#[test]
fn the_page_says_what_it_concerns_asks_for_the_name_and_says_what_remains() {
    let (house, customer) = house_with(3);
    house.account("leiter", Role::Admin, Branch::Tenant(customer.id));
    let path = format!("/tenants/{}/forget", customer.id);
    let api = format!("/api/v1/customers/{}/forget", customer.id);
    let mut theirs = Browser::logged_in(&house, "leiter");
    assert!(!theirs.get("/tenants").body.contains("/forget"));
    assert_eq!(theirs.get(&path).status, 403);
    let mut browser = Browser::logged_in(&house, "chef");
    assert!(browser.get("/tenants").body.contains(&path));
    let page = browser.get(&path).body;
    assert!(page.contains("This cannot be undone") && page.contains("Reports received"));
    let name = "Meyer Logistik";
    let refused = browser.submit(&path, &[("name", "somebody else")]);
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("Nothing was deleted"));
    assert!(
        house
            .registry
            .tenant(&codec::id::Scope::Everything, customer.id)
            .is_ok()
    );

    let done = browser.submit(&path, &[("name", name)]);
    assert_eq!(done.header("location"), path, "{}", done.body);
    let shown = browser.get(&path).body;
    assert!(shown.contains("Forgotten by chef") && !shown.contains(name));
    wait_until_erased(&house, &api);
    let shown = browser.get(&path).body;
    assert!(shown.contains("Erased from every file") && !shown.contains("remaining"));
    let list = browser.get("/tenants").body;
    assert!(list.contains("Forgotten customers") && !list.contains(name));
    assert!(browser.get("/audit").body.contains("forgot a customer"));
}

#[test]
fn who_is_not_waited_for_is_told_that_it_is_noted_and_it_takes_effect_all_the_same() {
    let house = House::start_without_waiting();
    house.account("chef", Role::Admin, Branch::House);
    let (first, second) = (
        house.customer("Meyer Logistik", "Europe/Berlin"),
        house.customer("Anders", "Europe/Berlin"),
    );
    let path = format!("/api/v1/customers/{}/forget", first.id);
    let noted = post(&house, "chef", &path, r#"{"name":"Meyer Logistik"}"#);
    assert_eq!(noted.status, 202, "{}", noted.body);
    assert_eq!(noted.json()["customer"].as_i64(), Some(first.id.0));
    assert_eq!(wait_until_erased(&house, &path)["by"], "chef");

    let mut browser = Browser::logged_in(&house, "chef");
    let page = format!("/tenants/{}/forget", second.id);
    browser.get(&page);
    let done = browser.submit(&page, &[("name", "Anders")]);
    assert_eq!(done.status, 303, "{}", done.body);
    let api = format!("/api/v1/customers/{}/forget", second.id);
    wait_until_erased(&house, &api);
    assert!(browser.get(&page).body.contains("Forgotten by chef"));
}
