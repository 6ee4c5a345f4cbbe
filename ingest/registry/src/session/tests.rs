//! Sessions begin and end.

use super::*;
use crate::account::{Language, NewAccount, Role};
use crate::tenant::Branch;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn house() -> (Registry, AccountId) {
    let registry = Registry::in_memory().unwrap();
    let new = NewAccount {
        login: "anna",
        name: "Anna",
        password: "vier gute worte hier",
        role: Role::Admin,
        branch: Branch::House,
        language: Language::De,
    };
    let account = registry.create_account(&new, at(0)).unwrap().id;
    (registry, account)
}

#[test]
fn a_session_stands_while_it_is_used_and_ends_when_it_was_idle_too_long() {
    let (registry, account) = house();
    let new = registry.create_session(account, at(0)).unwrap();
    let mut now = 0;
    for _ in 0..5 {
        now += IDLE_MS_MAX - 1;
        let session = registry
            .session(&new.token, at(now))
            .unwrap()
            .expect("it is in use");
        assert_eq!(session.account.id, account);
        assert!(session.csrf_fits(&new.csrf) && !session.csrf_fits(""));
    }
    assert!(
        registry
            .session(&new.token, at(now + IDLE_MS_MAX))
            .unwrap()
            .is_none()
    );
    assert!(
        registry.session(&new.token, at(now)).unwrap().is_none(),
        "what has ended stays ended"
    );
}

#[test]
fn a_session_ends_after_a_week_however_busy() {
    let (registry, account) = house();
    let new = registry.create_session(account, at(0)).unwrap();
    let mut now = 0;
    while now + IDLE_MS_MAX / 2 < AGE_MS_MAX {
        now += IDLE_MS_MAX / 2;
        assert!(registry.session(&new.token, at(now)).unwrap().is_some());
    }
    assert!(registry.session(&new.token, new.ends_at).unwrap().is_none());
}

#[test]
fn sessions_end_one_by_one_all_at_once_and_with_the_password() {
    let (registry, account) = house();
    let open = || registry.create_session(account, at(0)).unwrap().token;
    let stands = |token: &str| registry.session(token, at(1)).unwrap().is_some();
    let (one, two, three) = (open(), open(), open());
    registry.end_session(&one).unwrap();
    assert!(!stands(&one) && stands(&two) && stands(&three));
    registry.end_sessions_of(account).unwrap();
    assert!(!stands(&two) && !stands(&three));
    let four = open();
    registry
        .reset_password(account, "ein neues gutes wort")
        .unwrap();
    assert!(!stands(&four));
}

#[test]
fn an_account_has_a_bounded_number_of_sessions_and_the_oldest_goes() {
    let (registry, account) = house();
    let tokens: Vec<String> = (0..=SESSIONS_PER_ACCOUNT_MAX)
        .map(|ms| registry.create_session(account, at(ms)).unwrap().token)
        .collect();
    let stands = |token: &str| registry.session(token, at(100)).unwrap().is_some();
    assert!(!stands(&tokens[0]) && stands(&tokens[1]) && stands(&tokens[tokens.len() - 1]));
    assert!(!stands("") && !stands(&"x".repeat(100_000)));
}

#[test]
fn on_a_full_disk_who_is_known_gets_in_and_who_was_barred_or_changed_his_password_does_not() {
    let (registry, account) = house();
    let (_, api_token) = registry.create_api_token(account, "erp", at(0)).unwrap();
    let before = registry.create_session(account, at(0)).unwrap();
    let full = |is_full: bool| {
        let writer = registry.inner.database.writer();
        writer.pragma_update(None, "query_only", is_full).unwrap();
    };
    full(true);
    let here = std::net::IpAddr::from([127, 0, 0, 1]);
    let verified = registry.verify_password("anna", "vier gute worte hier", here, at(1));
    assert_eq!(verified.unwrap().id, account);
    assert!(
        registry
            .verify_password("anna", "wrong", here, at(1))
            .is_err()
    );
    let minutes = |minutes: i64| at(minutes * 60_000);
    assert!(
        registry
            .session(&before.token, minutes(5))
            .unwrap()
            .is_some()
    );
    let known = registry.account_of_api_token(&api_token, minutes(5));
    assert!(known.unwrap().is_some());
    let new = registry.create_session(account, minutes(5)).unwrap();
    let found = registry.session(&new.token, minutes(6)).unwrap().unwrap();
    assert!(found.account.id == account && found.csrf_fits(&new.csrf));
    assert!(registry.session(&new.token, minutes(66)).unwrap().is_none());
    let left = registry.create_session(account, minutes(5)).unwrap();
    registry.end_session(&left.token).unwrap();
    assert!(registry.session(&left.token, minutes(6)).unwrap().is_none());
    assert!(registry.session(&new.token, minutes(6)).unwrap().is_some());
    assert!(
        registry.end_session(&before.token).is_err(),
        "a session that was written ends where that can be written, and not seemingly"
    );
    full(false);
    registry
        .reset_password(account, "ein neues gutes wort")
        .unwrap();
    assert!(registry.session(&new.token, minutes(7)).unwrap().is_none());
}
