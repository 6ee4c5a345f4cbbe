//! Who is silent: on the alerts page in both languages, over the API, in the metrics and on the health page, for those who may see it.

mod support;

use codec::time::Timestamp;
use registry::{Branch, Role};
use support::{Browser, ask, fleet, house_with};

const HOUR_MS: i64 = 3_600_000;

#[test]
fn an_agents_silence_opens_is_shown_to_its_people_and_closes_by_itself() {
    let (house, customer) = house_with(5);
    let other = house.customer("Anders", "Europe/Berlin");
    house.account("fremd", Role::Viewer, Branch::Tenant(other.id));
    let look = |hours: i64| {
        let now = Timestamp::now().plus_ms(hours * HOUR_MS);
        house.ingest.look_for_silence(now).expect("it looks");
    };
    look(0);
    assert_eq!(ask(&house, "chef", "/api/v1/silences").json()["total"], 0);
    look(2);
    let silences = ask(&house, "chef", "/api/v1/silences").json();
    assert_eq!(silences["total"], 1, "{silences}");
    let silence = &silences["items"][0];
    assert_eq!(silence["kind"], "agent");
    assert_eq!(silence["agent"], customer.agent.as_str());
    assert_eq!(silence["cause"], "agent");
    assert_eq!(silence["devices"], 5);
    look(2);
    assert_eq!(ask(&house, "fremd", "/api/v1/silences").json()["total"], 0);
    for wrong in ["ever=true", "limit=0", "limit=1001", "cursor=x"] {
        let wrong = ask(&house, "chef", &format!("/api/v1/silences?{wrong}"));
        assert_eq!(wrong.status, 400);
    }
    let past = ask(&house, "chef", "/api/v1/silences?cursor=1&limit=1").json();
    assert_eq!((&past["total"], &past["next"]), (&1.into(), &().into()));
    assert!(past["items"].as_array().is_some_and(Vec::is_empty));

    let mut browser = Browser::logged_in(&house, "chef");
    look(2);
    let page = browser.get("/alerts").body;
    assert!(
        page.contains("the agent does not run, or its line is down"),
        "{page}"
    );
    assert!(page.contains("5 devices are silent because of it"));
    let csrf = browser.csrf.clone();
    browser.post(
        "/language",
        &[("csrf", &csrf), ("language", "de"), ("next", "/alerts")],
    );
    look(2);
    let page = browser.get("/alerts").body;
    assert!(
        page.contains("5 Geräte sind deshalb nicht zu hören"),
        "{page}"
    );
    assert!(browser.get("/health").body.contains("Stumme Agenten"));
    assert!(browser.get("/settings").body.contains("mindestens"));
    let metrics = ask(&house, "chef", "/metrics").body;
    assert!(
        metrics.contains(r#"ingest_silent{kind="agent",cause="agent"} 1"#),
        "{metrics}"
    );

    let now = Timestamp::now();
    house.deliver(&customer, 2, fleet::devices("MEY", 5, 1, now));
    look(0);
    assert_eq!(ask(&house, "chef", "/api/v1/silences").json()["total"], 0);
    let over = ask(&house, "chef", "/api/v1/silences?over=true").json();
    assert!(over["items"][0]["until"].is_string(), "{over}");
    assert!(browser.get("/alerts").body.contains("Wieder gehört"));
}
