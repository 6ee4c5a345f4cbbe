//! Who gets in and what he may do: login, sessions, CSRF tokens, the throttle, API tokens, roles.

mod support;

use registry::{Branch, Role};
use support::{Browser, PASSWORD, client, house_with};

#[test]
fn a_guest_is_led_to_the_login_and_from_there_where_he_wanted_to_go() {
    let (house, _) = house_with(1);
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
    let (house, _) = house_with(0);
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
    let (house, _) = house_with(0);
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
    let (house, _) = house_with(0);
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
    let (house, _) = house_with(0);
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
fn a_token_is_shown_once_works_and_can_be_revoked() {
    let (house, _) = house_with(2);
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
    let (house, _) = house_with(0);
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
fn readers_may_look_but_not_change() {
    let (house, _) = house_with(1);
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
