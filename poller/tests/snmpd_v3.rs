//! SNMPv3 against net-snmp's `snmpd`: every pair of protocols, wrong passwords, unknown users, and an agent that restarts.

mod peer;

use std::time::Duration;

use peer::{Heard, Snmpd};
use poller::conversation::{Ask, Failure};
use poller::credentials::{Credential, Version};
use poller::driver::{Polled, poll_once};
use poller::engine::{Memory, PollError, PollOptions, Target};
use poller::oid::Oid;
use poller::usm::{AuthProtocol, PrivProtocol, User};
use poller::value::Value;

const AUTHS: [(AuthProtocol, &str); 6] = [
    (AuthProtocol::Md5, "MD5"),
    (AuthProtocol::Sha1, "SHA"),
    (AuthProtocol::Sha224, "SHA-224"),
    (AuthProtocol::Sha256, "SHA-256"),
    (AuthProtocol::Sha384, "SHA-384"),
    (AuthProtocol::Sha512, "SHA-512"),
];

const PRIVS: [(PrivProtocol, &str); 6] = [
    (PrivProtocol::Des, "DES"),
    (PrivProtocol::Aes128, "AES"),
    (PrivProtocol::Aes192, "AES-192"),
    (PrivProtocol::Aes256, "AES-256"),
    (PrivProtocol::Aes192Reeder, "AES-192-C"),
    (PrivProtocol::Aes256Reeder, "AES-256-C"),
];

const AUTH_PASSWORD: &str = "authpass1";
const PRIV_PASSWORD: &str = "privpass1";

fn user(name: &str, auth: Option<AuthProtocol>, privacy: Option<PrivProtocol>) -> User {
    User {
        name: name.to_owned(),
        auth: auth.map(|protocol| (protocol, AUTH_PASSWORD.to_owned())),
        privacy: privacy.map(|protocol| (protocol, PRIV_PASSWORD.to_owned())),
        contexts: Vec::new(),
    }
}

fn location() -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 1, 6, 0])
}

fn poll(
    snmpd: &Snmpd,
    credentials: Vec<Credential>,
    memory: Memory,
) -> (Result<Polled, PollError>, Heard) {
    let options = PollOptions {
        credentials,
        timeouts: vec![Duration::from_millis(500); 3],
        ..PollOptions::default()
    };
    let mut heard = Heard::of(vec![Ask::Get(vec![location()])]);
    let target = Target::udp(snmpd.address());
    let polled = poll_once(target, &options, memory, &mut heard);
    (polled, heard)
}

fn is_right(heard: &Heard) -> bool {
    heard.values == [(location(), Some(Value::OctetString(b"lab".to_vec())))]
}

#[test]
fn every_pair_of_protocols_is_understood() {
    let mut configuration = String::from("rocommunity public 127.0.0.1\nsysLocation lab\n");
    let mut users = vec![("open".to_owned(), None, None)];
    configuration += "createUser open\nrouser open noauth\n";
    for (auth, auth_name) in AUTHS {
        let name = format!("u-{auth_name}");
        configuration +=
            &format!("createUser {name} {auth_name} \"{AUTH_PASSWORD}\"\nrouser {name} auth\n");
        users.push((name, Some(auth), None));
        for (privacy, privacy_name) in PRIVS {
            let name = format!("u-{auth_name}-{privacy_name}");
            configuration += &format!(
                "createUser {name} {auth_name} \"{AUTH_PASSWORD}\" {privacy_name} \"{PRIV_PASSWORD}\"\nrouser {name} priv\n"
            );
            users.push((name, Some(auth), Some(privacy)));
        }
    }
    let Some(snmpd) = Snmpd::start(&configuration) else {
        return;
    };
    let mut failed = Vec::new();
    for (name, auth, privacy) in users {
        let credential = Credential::v3(&name, user(&name, auth, privacy));
        let (polled, heard) = poll(&snmpd, vec![credential], Memory::default());
        match polled {
            Ok(polled) if is_right(&heard) => {
                assert_eq!(polled.stats.version, Some(Version::V3));
                assert_eq!(polled.memory.v3_proven, auth.is_some());
                assert!(polled.stats.requests <= 3, "{name}: who, what time, what");
            }
            other => failed.push((name, other.map(|polled| polled.stats))),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

const ONE_USER: &str = "\
rocommunity public 127.0.0.1
sysLocation lab
createUser somebody SHA-256 \"authpass1\" AES \"privpass1\"
rouser somebody priv
";

fn somebody() -> User {
    user(
        "somebody",
        Some(AuthProtocol::Sha256),
        Some(PrivProtocol::Aes128),
    )
}

#[test]
fn what_is_remembered_saves_the_questions_and_survives_a_restart_of_the_agent() {
    let Some(mut snmpd) = Snmpd::start(ONE_USER) else {
        return;
    };
    let credentials = || vec![Credential::v3("somebody", somebody())];
    let (first, _) = poll(&snmpd, credentials(), Memory::default());
    let first = first.expect("it answers");
    let (second, heard) = poll(&snmpd, credentials(), first.memory);
    let second = second.expect("it answers");
    assert!(is_right(&heard));
    assert_eq!(second.stats.requests, 1, "id and clock are known");

    snmpd.restart();
    let (third, heard) = poll(&snmpd, credentials(), second.memory);
    let third = third.expect("it answers again");
    assert!(is_right(&heard));
    assert!(third.stats.requests <= 3, "{}", third.stats.requests);
}

#[test]
fn refusals_are_told_apart_and_do_not_take_the_timeouts() {
    let Some(snmpd) = Snmpd::start(ONE_USER) else {
        return;
    };
    let wrong_auth = User {
        auth: Some((AuthProtocol::Sha256, "notthisone".to_owned())),
        ..somebody()
    };
    let wrong_privacy = User {
        privacy: Some((PrivProtocol::Aes128, "notthisone".to_owned())),
        ..somebody()
    };
    let nobody = User {
        name: "nobody".to_owned(),
        ..somebody()
    };
    for (user, said) in [
        (wrong_auth, "authentication password"),
        (nobody, "does not know the user"),
    ] {
        let (refused, heard) = poll(&snmpd, vec![Credential::v3("it", user)], Memory::default());
        let error = refused.expect_err("it is refused");
        assert!(matches!(error, PollError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(heard.failures, [Some(Failure::Authentication)]);
    }
    // net-snmp drops what it cannot decrypt, or says so, by version.
    let (refused, _) = poll(
        &snmpd,
        vec![Credential::v3("it", wrong_privacy)],
        Memory::default(),
    );
    refused.expect_err("it is refused");
}

#[test]
fn after_an_answer_by_v3_no_community_is_sent_again() {
    let Some(snmpd) = Snmpd::start(ONE_USER) else {
        return;
    };
    let community = Credential::v2c("public", b"public");
    let both = vec![Credential::v3("somebody", somebody()), community.clone()];
    let (polled, _) = poll(&snmpd, both, Memory::default());
    let memory = polled.expect("it answers").memory;
    assert!(memory.v3_proven);

    let (refused, _) = poll(&snmpd, vec![community], memory);
    assert!(matches!(refused, Err(PollError::NoCredential)));
}

#[test]
fn a_user_that_is_refused_is_passed_over_for_a_community() {
    let Some(snmpd) = Snmpd::start(ONE_USER) else {
        return;
    };
    let nobody = User {
        name: "nobody".to_owned(),
        ..somebody()
    };
    let credentials = vec![
        Credential::v3("nobody", nobody),
        Credential::v2c("public", b"public"),
    ];
    let (polled, heard) = poll(&snmpd, credentials, Memory::default());
    let polled = polled.expect("the community is let in");
    assert_eq!(polled.stats.credential.as_deref(), Some("public"));
    assert!(is_right(&heard));
}
