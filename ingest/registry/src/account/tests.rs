//! Accounts, logins and API tokens.

use std::net::{IpAddr, Ipv4Addr};

use codec::id::TenantId;

use super::*;
use crate::tenant::{Level, NewTenant};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PASSWORD: &str = "vier gute worte hier";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_ms(seconds * 1_000)
}

fn add(registry: &Registry, login: &str, role: Role, branch: Branch) -> Account {
    let new = NewAccount {
        login,
        name: login,
        password: PASSWORD,
        role,
        branch,
        language: Language::De,
    };
    registry.create_account(&new, at(0)).unwrap()
}

fn login(
    registry: &Registry,
    login: &str,
    password: &str,
    seconds: i64,
) -> Result<Account, LoginError> {
    registry.verify_password(login, password, HERE, at(seconds))
}

#[test]
fn a_person_logs_in_whatever_the_case_of_the_login_and_only_with_the_password() {
    let registry = Registry::in_memory().unwrap();
    let account = add(
        &registry,
        "Anna.Meyer@example.com",
        Role::Operator,
        Branch::House,
    );
    assert_eq!(account.login, "anna.meyer@example.com");
    let logged_in = login(&registry, "ANNA.MEYER@example.com", PASSWORD, 1).unwrap();
    assert_eq!(logged_in.id, account.id);
    assert!(matches!(
        login(&registry, "anna.meyer@example.com", "falsch falsch", 2),
        Err(LoginError::Refused)
    ));
    assert!(matches!(
        login(&registry, "nobody", PASSWORD, 3),
        Err(LoginError::Refused)
    ));
    assert_eq!(
        registry.account(account.id).unwrap().last_login_at,
        Some(at(1))
    );
}

#[test]
fn guessing_is_throttled_and_the_right_password_must_wait_too() {
    let registry = Registry::in_memory().unwrap();
    add(&registry, "admin", Role::Admin, Branch::House);
    let mut refused = 0;
    let throttled = loop {
        match login(&registry, "admin", "geraten geraten", 0) {
            Err(LoginError::Refused) => refused += 1,
            other => break other,
        }
        assert!(refused < 100, "never throttled");
    };
    assert!(
        matches!(throttled, Err(LoginError::Throttled { retry_after_s: 1 })),
        "{throttled:?}"
    );
    assert!(matches!(
        login(&registry, "admin", PASSWORD, 0),
        Err(LoginError::Throttled { .. })
    ));
    login(&registry, "admin", PASSWORD, 2).unwrap();
}

#[test]
fn a_remembered_password_is_forgotten_when_the_account_changes() {
    let registry = Registry::in_memory().unwrap();
    add(&registry, "boss", Role::Admin, Branch::House);
    let account = add(&registry, "erp", Role::Erp, Branch::House);
    for _ in 0..100 {
        login(&registry, "erp", PASSWORD, 1).unwrap();
    }
    registry
        .reset_password(account.id, "ein neues gutes wort")
        .unwrap();
    assert!(matches!(
        login(&registry, "erp", PASSWORD, 2),
        Err(LoginError::Refused)
    ));
    login(&registry, "erp", "ein neues gutes wort", 3).unwrap();
    let barred = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    registry.change_account(account.id, &barred).unwrap();
    assert!(matches!(
        login(&registry, "erp", "ein neues gutes wort", 4),
        Err(LoginError::Refused)
    ));
}

#[test]
fn the_last_administrator_of_the_house_cannot_be_barred_or_demoted() {
    let registry = Registry::in_memory().unwrap();
    let boss = add(&registry, "boss", Role::Admin, Branch::House);
    for change in [
        AccountChange {
            disabled: Some(true),
            ..AccountChange::default()
        },
        AccountChange {
            role: Some(Role::Viewer),
            ..AccountChange::default()
        },
        AccountChange {
            branch: Some(Branch::Tenant(TenantId(1))),
            ..AccountChange::default()
        },
    ] {
        assert!(matches!(
            registry.change_account(boss.id, &change),
            Err(Error::Invalid(_))
        ));
    }
    let renamed = AccountChange {
        name: Some("Chefin"),
        ..AccountChange::default()
    };
    assert_eq!(
        registry.change_account(boss.id, &renamed).unwrap().name,
        "Chefin"
    );
    add(&registry, "second", Role::Admin, Branch::House);
    let barred = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    assert!(registry.change_account(boss.id, &barred).unwrap().disabled);
}

#[test]
fn two_changes_at_once_both_hold() {
    let registry = Registry::in_memory().unwrap();
    let account = add(&registry, "erp", Role::Admin, Branch::House);
    for round in 0..100 {
        let name = format!("Name {round}");
        let language = if round % 2 == 0 {
            Language::De
        } else {
            Language::En
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let change = AccountChange {
                    name: Some(&name),
                    ..AccountChange::default()
                };
                registry.change_account(account.id, &change).unwrap();
            });
            let change = AccountChange {
                language: Some(language),
                ..AccountChange::default()
            };
            registry.change_account(account.id, &change).unwrap();
        });
        let now = registry.account(account.id).unwrap();
        assert_eq!((now.name, now.language), (name, language));
    }
}

#[test]
fn accounts_are_listed_within_the_askers_branch() {
    let registry = Registry::in_memory().unwrap();
    let site = registry.default_site().unwrap();
    let path = registry.site_path(site).unwrap();
    let new = NewTenant {
        level: Level::Dealer,
        parent: None,
        name: "South",
        number: None,
        time_zone: None,
    };
    let south = registry.create_tenant(&new, at(0)).unwrap().id;
    add(&registry, "house", Role::Admin, Branch::House);
    add(
        &registry,
        "dealer",
        Role::Admin,
        Branch::Tenant(path.dealer.id),
    );
    add(
        &registry,
        "customer",
        Role::Viewer,
        Branch::Tenant(path.customer.id),
    );
    add(&registry, "south", Role::Admin, Branch::Tenant(south));
    let logins = |asker| {
        let accounts = registry.accounts(asker).unwrap();
        accounts
            .into_iter()
            .map(|account| account.login)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        logins(Branch::House),
        ["customer", "dealer", "house", "south"]
    );
    assert_eq!(
        logins(Branch::Tenant(path.dealer.id)),
        ["customer", "dealer"]
    );
    assert_eq!(logins(Branch::Tenant(path.customer.id)), ["customer"]);
    assert_eq!(logins(Branch::Tenant(south)), ["south"]);
}

#[test]
fn a_login_is_unique_and_has_neither_spaces_nor_colons() {
    let registry = Registry::in_memory().unwrap();
    add(&registry, "anna", Role::Viewer, Branch::House);
    let create = |login: &str| {
        let new = NewAccount {
            login,
            name: "x",
            password: PASSWORD,
            role: Role::Viewer,
            branch: Branch::House,
            language: Language::En,
        };
        registry.create_account(&new, at(0))
    };
    assert!(matches!(create(" ANNA "), Err(Error::Taken { .. })));
    for bad in ["", "a b", "a:b", "a\u{7}", &"x".repeat(101)] {
        assert!(matches!(create(bad), Err(Error::Invalid(_))), "{bad:?}");
    }
}

#[test]
fn an_api_token_speaks_for_its_account_until_it_is_revoked_or_the_account_barred() {
    let registry = Registry::in_memory().unwrap();
    add(&registry, "boss", Role::Admin, Branch::House);
    let account = add(&registry, "erp", Role::Erp, Branch::House);
    let (token, secret) = registry
        .create_api_token(account.id, "nightly", at(0))
        .unwrap();
    assert!(
        secret.starts_with("plt_api_") && secret.len() == 51,
        "{secret}"
    );
    let speaks_for = |secret: &str, seconds| {
        registry
            .account_of_api_token(secret, at(seconds))
            .unwrap()
            .map(|account| account.id)
    };
    assert_eq!(speaks_for(&secret, 5), Some(account.id));
    assert_eq!(
        registry.api_tokens(account.id).unwrap()[0].last_used_at,
        Some(at(5))
    );
    assert_eq!(speaks_for("plt_api_nonsense", 5), None);
    assert_eq!(speaks_for(&"x".repeat(100_000), 5), None);
    let barred = |disabled| AccountChange {
        disabled: Some(disabled),
        ..AccountChange::default()
    };
    registry.change_account(account.id, &barred(true)).unwrap();
    assert_eq!(speaks_for(&secret, 6), None);
    registry.change_account(account.id, &barred(false)).unwrap();
    assert_eq!(speaks_for(&secret, 7), Some(account.id));
    assert!(
        registry.revoke_api_token(AccountId(1), token.id).is_err(),
        "it is another's"
    );
    registry.revoke_api_token(account.id, token.id).unwrap();
    assert_eq!(speaks_for(&secret, 8), None);
}
