//! Models that must not be polled: asked once who they are, and then left alone.

mod printer;
mod support;

use printer::Printer;
use support::{start_agent, wait_until, write_config};

#[test]
fn a_model_that_must_not_be_polled_is_asked_once_and_not_again_by_sweeps_or_by_the_next_life() {
    let printer = Printer::start_at("127.0.92.3");
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    std::fs::create_dir(&profiles).unwrap();
    let profile = |rule: &str| {
        let text = format!(
            "name = \"example\"\nversion = 1\n\n[[match]]\nobject_id = \"1.3.6.1.4.1.99999\"\n{rule}"
        );
        std::fs::write(profiles.join("example.toml"), text).unwrap();
    };
    profile("do_not_touch = true\n");
    let config = write_config(
        folder.path(),
        "http://127.0.0.1:9",
        &printer.address.to_string(),
        "",
    );
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text
        .replace(
            "[polling]\n",
            "[polling]\nprofiles_directory = \"profiles\"\n",
        )
        .replace(
            "inventory = \"1h\"",
            "inventory = \"1h\"\ndiscovery = \"1 s\"",
        );
    std::fs::write(&config, text).unwrap();
    let answers = || printer.state.lock().unwrap().answers[0];
    let sweeps = || {
        let log = std::fs::read_to_string(folder.path().join("agent.log")).unwrap();
        log.matches("discovery ended").count()
    };
    let agent = start_agent(&config);
    wait_until("a sweep has ended", || sweeps() >= 1);
    let asked = answers();
    assert!(asked > 0, "it was asked who it is");
    wait_until("three more have", || sweeps() >= 4);
    assert_eq!(answers(), asked, "and never again");

    support::stop(agent);
    let agent = start_agent(&config);
    wait_until("sweeps of the next life have ended", || sweeps() >= 2);
    assert_eq!(answers(), asked, "not by the next life either");
    assert_eq!(
        support::status_of(&config).map(|status| status.devices_known),
        Some(0)
    );

    // Profiles that say something else lift it.
    profile("");
    wait_until("it is polled", || {
        support::status_of(&config).is_some_and(|status| status.devices_known == 1)
    });
    drop(agent);
}
