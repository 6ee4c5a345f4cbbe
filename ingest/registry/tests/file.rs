//! The registry as a file: it outlives its handles, is shared by several, and refuses what is none.

use codec::id::Scope;
use codec::time::Timestamp;
use registry::{Branch, References};
use registry::{Error, Evidence, Language, NewAccount, Registry, Role};

const NOW: Timestamp = Timestamp::from_unix_ms(7);

#[test]
fn what_was_written_is_there_after_the_file_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.sqlite");
    let (token, device) = {
        let registry = Registry::open(&path).unwrap();
        let new = registry
            .add_agent("werk", registry.default_site().unwrap(), NOW)
            .unwrap();
        let evidence = evidence(&new.agent.id);
        let device = registry.resolve(&evidence).unwrap().device;
        let references = References {
            contract_no: Some(" C-1 ".to_owned()),
            reference1: Some(" ".to_owned()),
            ..References::default()
        };
        registry
            .set_device_references(&Scope::Everything, device, &references, NOW)
            .unwrap();
        (new.token, device)
    };
    let registry = Registry::open(&path).unwrap();
    let agent = registry.agent_by_token(&token).unwrap();
    let resolution = registry.resolve(&evidence(&agent.id)).unwrap();
    assert_eq!(resolution.device, device);
    assert_eq!(resolution.findings, []);
    let expected = References {
        contract_no: Some("C-1".to_owned()),
        ..References::default()
    };
    assert_eq!(
        registry.device_notes(&[device]).unwrap()[0].references,
        expected
    );

    let copy = dir.path().join("copy.sqlite");
    registry.backup(&copy).unwrap();
    assert!(
        Registry::open(&copy)
            .unwrap()
            .agent_by_token(&token)
            .is_ok()
    );
    assert!(
        registry.backup(&copy).is_err(),
        "a backup overwrites nothing"
    );

    assert_eq!(registry.check().unwrap(), [""; 0]);
    let connection = rusqlite::Connection::open(&copy).unwrap();
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    connection
        .execute("UPDATE agent SET site = 99", [])
        .unwrap();
    drop(connection);
    let faults = Registry::open(&copy).unwrap().check().unwrap();
    assert_eq!(faults, ["a row of agent points at no row of tenant"]);
}

fn evidence(agent: &codec::id::AgentId) -> Evidence<'_> {
    Evidence {
        agent,
        observed_at: NOW,
        manufacturer: Some("Kyocera"),
        model: Some("M3540"),
        serial: Some("VXF0417732"),
        mac: Some("00:17:c8:00:00:01"),
        address: Some("192.0.2.10"),
        handle: "h1",
    }
}

#[test]
fn many_threads_read_and_write_one_registry() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join("registry.sqlite")).unwrap();
    let site = registry.default_site().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let registry = registry.clone();
            scope.spawn(move || {
                for number in 0..5 {
                    let new = registry
                        .add_agent(&format!("agent {thread} {number}"), site, NOW)
                        .unwrap();
                    assert_eq!(
                        registry.agent_by_token(&new.token).unwrap().id,
                        new.agent.id
                    );
                    registry.resolve(&evidence(&new.agent.id)).unwrap();
                    assert!(!registry.tenants(&Scope::Everything).unwrap().is_empty());
                }
            });
        }
    });
    assert_eq!(registry.agents(&Scope::Everything).unwrap().len(), 40);
}

#[test]
fn a_full_cost_hash_is_checked_by_a_registry_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join("registry.sqlite")).unwrap();
    let new = NewAccount {
        login: "erp",
        name: "ERP",
        password: "vier gute worte hier",
        role: Role::Erp,
        branch: Branch::House,
        language: Language::En,
    };
    registry.create_account(&new, NOW).unwrap();
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    assert!(
        registry
            .verify_password("erp", "vier gute worte hier", here, NOW)
            .is_ok()
    );
    assert!(
        registry
            .verify_password("erp", "vier gute worte hie", here, NOW)
            .is_err()
    );
}

#[test]
fn a_file_that_is_no_registry_or_a_newer_one_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    std::fs::write(&text, "not a database at all, but a text of some length").unwrap();
    assert!(matches!(
        Registry::open(&text),
        Err(Error::Open { .. } | Error::Sql { .. })
    ));

    let other = dir.path().join("other.sqlite");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(connection);
    assert!(matches!(Registry::open(&other), Err(Error::Invalid(_))));

    let newer = dir.path().join("newer.sqlite");
    drop(Registry::open(&newer).unwrap());
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(
        Registry::open(&newer),
        Err(Error::SchemaTooNew { found: 99, .. })
    ));
}

#[test]
fn what_another_process_changes_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.sqlite");
    let manager = Registry::open(&path).unwrap();
    let site = manager.default_site().unwrap();
    assert!(manager.agents(&Scope::Everything).unwrap().is_empty());
    let new = NewAccount {
        login: "anna",
        name: "Anna",
        password: "vier gute worte hier",
        role: Role::Admin,
        branch: Branch::House,
        language: Language::De,
    };
    let account = manager.create_account(&new, NOW).unwrap();
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    let logs_in = |password: &str| manager.verify_password("anna", password, here, NOW).is_ok();
    assert!(logs_in("vier gute worte hier"));

    // A second handle to the file stands for the CLI: it shares nothing with the first but the file.
    let cli = Registry::open(&path).unwrap();
    let agent = cli.add_agent("werk", site, NOW).unwrap();
    assert!(
        manager.agent_by_token(&agent.token).is_ok(),
        "a new agent is let in at once"
    );
    cli.reset_password(account.id, "ein neues gutes wort")
        .unwrap();
    assert!(!logs_in("vier gute worte hier") && logs_in("ein neues gutes wort"));
    cli.revoke_agent_token(&Scope::Everything, &agent.agent.id)
        .unwrap();
    let begun = std::time::Instant::now();
    while manager.agent_by_token(&agent.token).is_ok() {
        assert!(
            begun.elapsed().as_secs() < 20,
            "the revocation was never noticed"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_file_of_each_older_schema_opens_and_its_agents_are_let_in() {
    let steps = [
        include_str!("../src/schema_1.sql"),
        include_str!("../src/schema_2.sql"),
        include_str!("../src/schema_3.sql"),
        include_str!("../src/schema_4.sql"),
    ];
    for version in 1..=steps.len() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old.sqlite");
        let old = rusqlite::Connection::open(&path).unwrap();
        for step in &steps[..version] {
            old.execute_batch(step).unwrap();
        }
        old.execute_batch(
            "INSERT INTO tenant (id, level, parent, name, time_zone, created_at) VALUES
                 (1, 1, NULL, 'Dealer', NULL, 0), (2, 2, 1, 'Customer', NULL, 0), (3, 3, 2, 'Site', 'Etc/UTC', 0);",
        )
        .unwrap();
        let token = "plt_agent_of-an-older-program";
        let hash: [u8; 32] = codec::key::ContentHash::of(token.as_bytes()).0;
        old.execute(
            "INSERT INTO agent (id, name, site, domain, token_hash, created_at) VALUES ('werk', 'Werk', 3, 2, ?1, 7)",
            [hash],
        )
        .unwrap();
        old.pragma_update(None, "user_version", i64::try_from(version).unwrap())
            .unwrap();
        old.pragma_update(None, "application_id", 0x506c_746e)
            .unwrap();
        drop(old);

        let registry = Registry::open(&path).unwrap();
        let agent = registry.agent_by_token(token).unwrap();
        assert_eq!(agent.id.as_str(), "werk", "version {version}");
        assert_eq!(agent.key_since, Some(NOW), "as old as the agent");
        registry
            .invite_agent_again(&Scope::Everything, &agent.id, 60_000, NOW)
            .unwrap();
        assert_eq!(registry.check().unwrap(), [""; 0]);
    }
}
