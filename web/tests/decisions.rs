//! Who is who, decided on the page and over the API: by those who may, in both languages, in the audit log, and taken back.

mod support;

use registry::{Branch, Role};
use support::{Browser, House, ask, house_with, post, strings};

#[test]
fn two_records_are_joined_and_parted_again_over_the_api() {
    let (house, customer) = house_with(3);
    let viewer = Branch::Tenant(customer.id);
    house.account("gast", Role::Viewer, viewer);
    let other = house.customer("Anders", "Europe/Berlin");
    house.account("fremd", Role::Operator, Branch::Tenant(other.id));
    let ids = strings(&ask(&house, "chef", "/api/v1/devices").json(), "id");
    let [old, new, _] = &ids[..] else {
        panic!("three devices: {ids:?}")
    };
    let path = format!("/api/v1/devices/{new}/decisions");
    let wish = format!(r#"{{"same_as":"{old}"}}"#);
    assert_eq!(post(&house, "gast", &path, &wish).status, 403);
    assert_eq!(post(&house, "fremd", &path, &wish).status, 404);
    assert_eq!(post(&house, "chef", &path, "{}").status, 400);
    let joined = post(&house, "chef", &path, &wish);
    assert_eq!(joined.status, 201, "{}", joined.body);
    let joined = joined.json();
    assert_eq!(
        (joined["kind"].as_str(), joined["by"].as_str()),
        (Some("merge"), Some("chef"))
    );
    assert_eq!(ask(&house, "chef", "/api/v1/devices").json()["total"], 2);
    let kin = ask(&house, "gast", &path).json();
    assert_eq!(kin["superseded_by"].as_str(), Some(old.as_str()));
    assert_eq!(
        ask(&house, "chef", &format!("/api/v1/devices/{new}/readings")).status,
        200,
        "its history is reachable"
    );
    let again = post(&house, "chef", &path, &wish);
    assert_eq!(again.status, 409, "{}", again.body);

    let undo = format!("/api/v1/decisions/{}/undo", joined["id"]);
    assert_eq!(post(&house, "fremd", &undo, "").status, 404);
    assert_eq!(post(&house, "gast", &undo, "").status, 403);
    assert_eq!(post(&house, "chef", &undo, "").status, 200);
    assert_eq!(post(&house, "chef", &undo, "").status, 409);
    assert_eq!(ask(&house, "chef", "/api/v1/devices").json()["total"], 3);
    let kin = ask(&house, "chef", &path).json();
    assert!(kin["superseded_by"].is_null());
    assert!(kin["decisions"][0]["undone_by"].is_u64(), "{kin}");
}

#[test]
fn a_decision_that_is_not_waited_for_is_noted_and_takes_effect_all_the_same() {
    let house = House::start_without_waiting();
    house.account("chef", Role::Admin, Branch::House);
    let customer = house.customer("Meyer Logistik", "Europe/Berlin");
    let devices = support::fleet::devices("MEY", 2, 0, codec::time::Timestamp::now());
    house.deliver(&customer, 1, devices);
    house.wait_until_applied();
    let ids = strings(&ask(&house, "chef", "/api/v1/devices").json(), "id");
    let path = format!("/api/v1/devices/{}/decisions", ids[1]);
    let noted = post(
        &house,
        "chef",
        &path,
        &format!(r#"{{"same_as":"{}"}}"#, ids[0]),
    );
    assert_eq!(noted.status, 202, "{}", noted.body);
    assert!(noted.body.contains("noted for good"), "{}", noted.body);
    house.wait_until_applied();
    let kin = ask(&house, "chef", &path).json();
    assert_eq!(kin["superseded_by"].as_str(), Some(ids[0].as_str()));
    assert_eq!(ask(&house, "chef", "/api/v1/devices").json()["total"], 1);
}

#[test]
fn a_device_page_says_what_it_was_and_is_and_takes_the_decision() {
    let (house, customer) = house_with(3);
    house.account("gast", Role::Viewer, Branch::Tenant(customer.id));
    let page = ask(&house, "chef", "/api/v1/devices").json();
    let ids = strings(&page, "id");
    let serial = page["items"][0]["identity"]["serial"]
        .as_str()
        .expect("a serial");
    let mut browser = Browser::logged_in(&house, "chef");
    let mut german = Browser::logged_in(&house, "gast");
    german.language = "de";
    german.set_cookie("platen_language", "de");

    assert!(
        browser
            .get(&format!("/devices/{}", ids[1]))
            .body
            .contains("Same device as")
    );
    let seen = german.get(&format!("/devices/{}", ids[1])).body;
    assert!(!seen.contains("/same\""), "a viewer gets no form");
    let told = browser.submit(
        &format!("/devices/{}/same", ids[1]),
        &[("other", "no such serial")],
    );
    assert!(told.header("location").ends_with("?told=unknown-device"));
    assert!(
        browser
            .get(told.header("location"))
            .body
            .contains("more than one")
    );

    let told = browser.submit(&format!("/devices/{}/same", ids[1]), &[("other", serial)]);
    assert_eq!(
        told.header("location"),
        format!("/devices/{}?told=done", ids[0])
    );
    let shown = browser.get(told.header("location")).body;
    assert!(shown.contains("It can be taken back"), "{shown}");
    assert!(shown.contains("Former records of this device"));
    assert!(shown.contains("Joined with another record"));
    let former = browser.get(&format!("/devices/{}", ids[1])).body;
    assert!(former.contains("This record turned out to be another device"));

    let undo = shown
        .split("action=\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|action| action.ends_with("/undo"))
        .expect("a way back")
        .to_owned();
    let told = browser.submit(&undo, &[]);
    assert!(
        told.header("location").ends_with("?told=done"),
        "{}",
        told.body
    );
    assert!(
        browser
            .get(told.header("location"))
            .body
            .contains("taken back")
    );
    let told = browser.submit(&format!("/devices/{}/split", ids[2]), &[]);
    assert!(told.header("location").ends_with("?told=done"));
    let audit = browser.get("/audit").body;
    for word in [
        "joined two records",
        "took a decision back",
        "told a device apart",
    ] {
        assert!(audit.contains(word), "{word}");
    }
}
