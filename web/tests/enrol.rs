//! How an agent comes by its key, changes it and loses it, and what a stolen report is worth.

mod support;

use codec::id::Scope;
use codec::key::ContentHash;
use codec::time::Timestamp;
use registry::{Branch, Role};
use serde_json::json;
use support::{Answer, Browser, Customer, House, ask, client, fleet, house_with, post, sealed};

const DAY_MS: i64 = 86_400_000;

fn hash(key: &str) -> String {
    ContentHash::of(key.as_bytes()).to_string()
}

fn send(house: &House, path: &str, key: Option<&str>, body: &[u8]) -> Answer {
    let mut request = client().post(house.url(path));
    if let Some(key) = key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    if path == "/v1/reports" {
        request = request.header("Content-Encoding", "gzip");
    }
    Answer::of(request.send(body).expect("an answer"))
}

fn enrol(house: &House, token: &str, key: &str) -> Answer {
    let body = json!({ "token": token, "key_hash": hash(key) }).to_string();
    send(house, "/v1/enrol", None, body.as_bytes())
}

fn next_key(house: &House, key: &str, next: &str) -> Answer {
    let body = json!({ "key_hash": hash(next) }).to_string();
    send(house, "/v1/key", Some(key), body.as_bytes())
}

fn report(customer: &Customer, sequence: u64) -> Vec<u8> {
    let devices = fleet::devices("MEY", 1, sequence, Timestamp::now());
    sealed(&customer.agent, sequence, devices)
}

/// How often something was refused for this reason.
fn refusals(house: &House, surface: &str, status: u16, reason: &str) -> u64 {
    let metrics = Answer::of(client().get(house.url("/metrics")).call().expect("answers"));
    let line = format!(
        "platen_http_refusals_total{{surface=\"{surface}\",status=\"{status}\",reason=\"{reason}\"}} "
    );
    let count = metrics.body.lines().find_map(|l| l.strip_prefix(&line));
    count.map_or(0, |count| count.parse().expect("a number"))
}

#[test]
fn a_token_made_by_an_operator_becomes_a_key_once() {
    let (house, customer) = house_with(1);
    let site = customer.site.0;
    let wish = json!({ "name": "Werk 2", "site": site, "expires_s": 3600 }).to_string();
    let invited = post(&house, "chef", "/api/v1/enrolments", &wish);
    assert_eq!(invited.status, 201, "{}", invited.body);
    let invited = invited.json();
    let token = invited["token"].as_str().expect("a token");
    assert_eq!(invited["agent"]["id"], "werk-2");
    assert_eq!(invited["agent"]["key_since"], json!(null));
    assert!(invited["command"].as_str().is_some_and(|command| {
        command.starts_with("platen-agent enrol --manager http://127.0.0.1:")
            && command.ends_with(token)
    }));
    assert_eq!(send(&house, "/v1/reports", Some(token), b"").status, 401);

    let answer = enrol(&house, token, "key-1");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.json(),
        json!({ "agent": "werk-2", "name": "Werk 2", "key_hash": hash("key-1") })
    );
    let again = enrol(&house, token, "key-1");
    assert_eq!(
        (again.status, again.body),
        (200, answer.body),
        "the answer was lost"
    );
    let thief = enrol(&house, token, "key-2");
    assert_eq!(thief.status, 409);
    assert_eq!(thief.json()["reason"], "used");
    assert!(thief.body.contains("used at"), "{}", thief.body);
    assert_eq!(enrol(&house, "plt_enrol_guessed", "key-2").status, 401);
    assert_eq!(refusals(&house, "enrolment", 409, "used"), 1);
    assert_eq!(refusals(&house, "enrolment", 401, "unknown-token"), 1);
    // Malformed and too large.
    for body in [&b"{}"[..], b"nonsense", br#"{"token":"x","key_hash":"12"}"#] {
        assert_eq!(send(&house, "/v1/enrol", None, body).status, 400);
    }
    let large = vec![b' '; 5000];
    assert_eq!(send(&house, "/v1/enrol", None, &large).status, 413);

    let audit = house.registry.audit_log(None, 10).expect("the audit log");
    let actions: Vec<_> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        ["agent.enrol-refused", "agent.enrol", "agent.invite"]
    );
    assert_eq!(audit[2].who, "chef");
}

#[test]
fn guessing_tokens_is_told_to_wait() {
    let (house, _) = house_with(1);
    let throttled = (0..60)
        .map(|n| enrol(&house, &format!("plt_enrol_{n}"), "key"))
        .find(|answer| answer.status == 429)
        .expect("guesses are throttled");
    assert!(!throttled.header("retry-after").is_empty());
    assert_eq!(throttled.json()["reason"], "throttled");
}

#[test]
fn a_key_follows_another_in_two_steps_and_each_crash_leaves_a_good_one() {
    let house = House::start_on(([127, 0, 0, 1], 0).into(), |mut config| {
        config.agent_key_age_max = Some(std::time::Duration::from_secs(90 * 86_400));
        config
    });
    let customer = house.customer("Meyer", "Europe/Berlin");
    let id = &customer.agent;
    let deliver = |key: &str, sequence| {
        send(
            &house,
            "/v1/reports",
            Some(key),
            &report(&customer, sequence),
        )
    };
    let asks = |answer: &Answer| answer.json()["renew_key"] == json!(true);
    assert!(!asks(&deliver(&customer.token, 1)), "a new key is not old");
    let old = Timestamp::now().plus_ms(-91 * DAY_MS);
    let first = house
        .registry
        .rotate_agent_token(&Scope::Everything, id, old)
        .expect("an old key");
    assert!(asks(&deliver(&first, 2)));

    // Registered, and the agent died before it noted that: it registers the same again, and both keys are good.
    assert_eq!(next_key(&house, &first, "second").status, 200);
    let again = next_key(&house, &first, "second");
    assert_eq!(again.json()["key_hash"], hash("second"));
    let audit = house.registry.audit_log(None, 10).expect("the audit log");
    let registered = audit.iter().filter(|entry| entry.action == "agent.key");
    let subjects: Vec<_> = registered.map(|entry| entry.subject.as_str()).collect();
    assert_eq!(subjects, [id.as_str()], "once");
    assert_eq!(deliver(&first, 3).status, 200);
    // First used: the one before is void.
    let used = deliver("second", 4);
    assert!(used.status == 200 && !asks(&used));
    let void = deliver(&first, 5);
    assert_eq!(void.status, 401);
    assert!(void.body.contains("replaced or revoked"), "{}", void.body);
    assert_eq!(next_key(&house, &first, "third").status, 401);
    assert_eq!(deliver("second", 5).status, 200);
}

#[test]
fn a_stolen_report_is_worth_nothing() {
    let (house, customer) = house_with(3);
    let other = house.customer("Huber", "Europe/Berlin");
    let captured = report(&customer, 2);
    let receipt = send(&house, "/v1/reports", Some(&customer.token), &captured);
    assert_eq!(receipt.status, 200);
    house.wait_until_applied();
    let readings = || ask(&house, "chef", "/api/v1/readings?limit=1000").json()["items"].clone();
    let before = readings();
    assert!(before.as_array().is_some_and(|rows| !rows.is_empty()));

    // Without the key, or with a guess, it is not even read.
    for key in [None, Some(""), Some("plt_agent_guess")] {
        let answer = send(&house, "/v1/reports", key, &captured);
        assert_eq!(answer.status, 401, "{key:?}");
    }
    assert_eq!(refusals(&house, "reports", 401, "unknown-key"), 3);
    // With the key it is acknowledged as before, and changes nothing.
    let again = send(&house, "/v1/reports", Some(&customer.token), &captured);
    assert_eq!((again.status, &again.body), (200, &receipt.body));
    // Under another agent's key it is refused, and not as the report's fault.
    let foreign = send(&house, "/v1/reports", Some(&other.token), &captured);
    assert_eq!(foreign.status, 403, "{}", foreign.body);
    assert!(foreign.body.contains("sealed by agent"), "{}", foreign.body);
    assert_eq!(refusals(&house, "reports", 403, "wrong-agent"), 1);
    // With its number and other content it is refused for good.
    let forged = report(&customer, 2);
    assert_ne!(forged, captured);
    let conflict = send(&house, "/v1/reports", Some(&customer.token), &forged);
    assert_eq!(conflict.status, 409);
    house.wait_until_applied();
    assert_eq!(readings(), before, "none of it had an effect");
}

#[test]
fn a_revoked_key_ends_at_the_next_request_and_the_agent_may_enrol_again() {
    let (house, customer) = house_with(1);
    let revoke = format!("/api/v1/agents/{}/revoke", customer.agent);
    house.account("leser", Role::Viewer, Branch::House);
    assert_eq!(post(&house, "leser", &revoke, "").status, 403);
    let revoked = post(&house, "chef", &revoke, "");
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    assert_eq!(revoked.json()["key_since"], json!(null));
    let captured = report(&customer, 2);
    let refused = send(&house, "/v1/reports", Some(&customer.token), &captured);
    assert_eq!(
        (refused.status, &refused.json()["reason"]),
        (401, &json!("unknown-key"))
    );
    assert_eq!(next_key(&house, &customer.token, "mine").status, 401);

    let wish = json!({ "agent": customer.agent.as_str() }).to_string();
    let invited = post(&house, "chef", "/api/v1/enrolments", &wish).json();
    assert_eq!(invited["agent"]["id"], customer.agent.as_str());
    let token = invited["token"].as_str().expect("a token");
    assert_eq!(enrol(&house, token, "key-2").status, 200);
    assert_eq!(
        send(&house, "/v1/reports", Some("key-2"), &captured).status,
        200
    );
    // Repeating the exchange after a revocation does not bring the key back.
    assert_eq!(post(&house, "chef", &revoke, "").status, 200);
    assert_eq!(enrol(&house, token, "key-2").status, 409);
}

#[test]
fn the_page_makes_a_token_with_its_command_and_revokes_keys() {
    let (house, customer) = house_with(1);
    let mut browser = Browser::logged_in(&house, "chef");
    browser.get("/agents");
    let site = customer.site.to_string();
    let made = browser.submit(
        "/agents",
        &[("name", "Lager"), ("site", &site), ("expires", "7")],
    );
    assert_eq!(made.status, 200, "{}", made.body);
    let command = made
        .body
        .split("platen-agent enrol ")
        .nth(1)
        .expect("a command");
    let token = command
        .split("--token ")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("a token");
    assert!(made.body.contains("lager"));
    assert_eq!(enrol(&house, token, "key-of-lager").status, 200);
    assert_eq!(browser.submit("/agents/lager/revoke", &[]).status, 303);
    assert!(browser.get("/agents").body.contains("without a key"));
    assert_eq!(next_key(&house, "key-of-lager", "next").status, 401);
    let again = browser.submit("/agents/lager/enrol", &[]);
    assert!(again.body.contains("--token plt_enrol_"), "{}", again.body);
    // Neither by whom the role does not allow, nor for an agent that is not his to see.
    house.account("leser", Role::Viewer, Branch::House);
    house.account(
        "huber",
        Role::Operator,
        Branch::Tenant(house.customer("Huber", "Etc/UTC").id),
    );
    let mut reader = Browser::logged_in(&house, "leser");
    reader.get("/agents");
    assert_eq!(reader.submit("/agents/lager/enrol", &[]).status, 403);
    assert_eq!(reader.submit("/agents/lager/revoke", &[]).status, 403);
    let mut stranger = Browser::logged_in(&house, "huber");
    stranger.get("/agents");
    assert_eq!(stranger.submit("/agents/lager/enrol", &[]).status, 404);
    assert_eq!(stranger.submit("/agents/lager/revoke", &[]).status, 404);
}
