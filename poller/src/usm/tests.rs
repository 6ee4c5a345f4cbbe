//! Keys against the examples of RFC 3414, and messages against ourselves: `tests/snmpd.rs` has them against net-snmp.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::cipher::Moment;
use super::keys::{localize, password_to_key};
use super::message::{Incoming, Outgoing, write};
use super::*;
use crate::ber::{MESSAGE_BYTES_MAX, Writer};
use crate::oid::Oid;
use crate::pdu::{Envelope, Request, write_request};

/// RFC 3414, A.3.1 and A.3.2.
#[test]
fn keys_are_those_of_the_examples_of_the_standard() {
    let engine_id = HEXLOWER.decode(b"000000000000000000000002").expect("hex");
    for (protocol, key, localized) in [
        (
            AuthProtocol::Md5,
            "9faf3283884e92834ebc9847d8edd963",
            "526f5eed9fcce26f8964c2930787d82b",
        ),
        (
            AuthProtocol::Sha1,
            "9fb5cc0381497b3793528939ff788d5d79145211",
            "6695febc9288e36282235fc7151f128497b38f3f",
        ),
    ] {
        let ku = password_to_key(protocol, b"maplesyrup");
        assert_eq!(HEXLOWER.encode(ku.bytes()), key);
        let kul = localize(protocol, ku.bytes(), &engine_id);
        assert_eq!(HEXLOWER.encode(kul.bytes()), localized);
    }
}

#[test]
fn no_secret_is_printed() {
    let principal = Principal::new(user(Some(AuthProtocol::Sha256), Some(PrivProtocol::Aes128)));
    let keys = principal.at_engine(b"engine");
    let printed = format!("{principal:?} {keys:?} {:?}", principal.user());
    assert!(!printed.contains("maplesyrup"), "{printed}");
    assert!(!printed.contains("pancakes"), "{printed}");
}

fn user(auth: Option<AuthProtocol>, privacy: Option<PrivProtocol>) -> User {
    User {
        name: "somebody".to_owned(),
        auth: auth.map(|protocol| (protocol, "maplesyrup".to_owned())),
        privacy: privacy.map(|protocol| (protocol, "pancakes".to_owned())),
        contexts: Vec::new(),
    }
}

const AUTHS: [AuthProtocol; 6] = [
    AuthProtocol::Md5,
    AuthProtocol::Sha1,
    AuthProtocol::Sha224,
    AuthProtocol::Sha256,
    AuthProtocol::Sha384,
    AuthProtocol::Sha512,
];

const PRIVS: [PrivProtocol; 6] = [
    PrivProtocol::Des,
    PrivProtocol::Aes128,
    PrivProtocol::Aes192,
    PrivProtocol::Aes256,
    PrivProtocol::Aes192Reeder,
    PrivProtocol::Aes256Reeder,
];

const MOMENT: Moment = Moment {
    boots: 7,
    time: 1_234_567,
};

fn message(keys: &EngineKeys, names: &[Oid], salt: u64) -> Vec<u8> {
    let mut writer = Writer::new(MESSAGE_BYTES_MAX);
    let message = Outgoing {
        id: 42,
        is_reportable: true,
        engine_id: b"engine",
        moment: MOMENT,
        user: b"somebody",
        keys,
        context_engine_id: b"engine",
        context: b"Jetdirect",
        salt,
    };
    write(&mut writer, &message, |w| {
        write_request(w, Request::Get, 42, names.iter());
    });
    writer.finish().expect("it fits").to_vec()
}

fn read(bytes: &[u8]) -> Option<Incoming<'_>> {
    let envelope = Envelope::read(bytes).ok()?;
    Incoming::read(bytes, envelope.rest).ok()
}

#[test]
fn every_pair_of_protocols_opens_what_it_closed() {
    let names = [Oid::new(&[1, 3, 6, 1, 2, 1, 1, 1, 0])];
    let privacies = PRIVS.map(Some).into_iter().chain([None]);
    for privacy in privacies {
        for auth in AUTHS {
            let keys = Principal::new(user(Some(auth), privacy)).at_engine(b"engine");
            let bytes = message(&keys, &names, 0x0123_4567_89ab_cdef);
            let incoming = read(&bytes).expect("sound");
            assert_eq!(incoming.level(), (true, privacy.is_some()));
            assert_eq!((incoming.id, incoming.moment), (42, MOMENT));
            assert!(incoming.is_authentic(&keys), "{auth:?} {privacy:?}");
            let other = Principal::new(User {
                auth: Some((auth, "maplesirup".to_owned())),
                ..user(None, None)
            });
            assert!(!incoming.is_authentic(&other.at_engine(b"engine")));
            let mut scratch = Vec::new();
            let scoped = incoming.open(&keys, &mut scratch).expect("it opens");
            assert_eq!(scoped.context, b"Jetdirect");
            assert_eq!(scoped.context_engine_id, b"engine");
            assert_eq!(scoped.pdu.request_id, 42);
            assert_eq!(scoped.pdu.bindings.count(), 1);
        }
    }
}

#[test]
fn what_is_encrypted_cannot_be_read_and_differs_with_each_salt() {
    let names = [Oid::new(&[1, 3, 6, 1, 2, 1, 1, 1, 0])];
    for privacy in PRIVS {
        let user = user(Some(AuthProtocol::Sha1), Some(privacy));
        let keys = Principal::new(user).at_engine(b"engine");
        let one = message(&keys, &names, 1);
        let two = message(&keys, &names, 2);
        assert!(!one.windows(9).any(|window| window == b"Jetdirect"));
        let (one, two) = (read(&one).expect("sound"), read(&two).expect("sound"));
        assert_ne!(one.data_for_test(), two.data_for_test());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_changed_message_is_not_authentic(
        at in any::<prop::sample::Index>(),
        change in 1..=255_u8,
        auth in prop::sample::select(AUTHS.to_vec()),
    ) {
        let keys = shared(auth);
        let mut bytes = message(&keys, &[Oid::new(&[1, 3, 6])], 9);
        *at.get_mut(&mut bytes) ^= change;
        if let Some(incoming) = read(&bytes) {
            let is_claimed = incoming.level().0;
            prop_assert!(!is_claimed || !incoming.is_authentic(&keys));
            let _ = incoming.open(&keys, &mut Vec::new());
        }
    }

    #[test]
    fn no_noise_is_opened_with_a_panic(
        noise in prop::collection::vec(any::<u8>(), 0..40),
        at in any::<prop::sample::Index>(),
    ) {
        let keys = shared(AuthProtocol::Md5);
        let mut bytes = message(&keys, &[Oid::new(&[1, 3, 6])], 9);
        let at = at.index(bytes.len());
        bytes.splice(at..(at + noise.len() / 2).min(bytes.len()), noise);
        if let Some(incoming) = read(&bytes) {
            let _ = incoming.open(&keys, &mut Vec::new());
        }
    }
}

/// Keys take long to derive: once for all cases.
fn shared(auth: AuthProtocol) -> std::sync::Arc<EngineKeys> {
    use std::sync::{LazyLock, Mutex};
    type Known = Mutex<std::collections::HashMap<AuthProtocol, std::sync::Arc<EngineKeys>>>;
    static KNOWN: LazyLock<Known> = LazyLock::new(Known::default);
    let mut known = KNOWN.lock().expect("no test panicked with it");
    let keys = known.entry(auth).or_insert_with(|| {
        Principal::new(user(Some(auth), Some(PrivProtocol::Aes256))).at_engine(b"engine")
    });
    keys.clone()
}
