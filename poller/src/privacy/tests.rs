//! What the allow-list holds, and what it never may.

use super::*;

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

#[test]
fn what_names_jobs_users_and_documents_cannot_be_reached() {
    let profiles = ProfileSet::embedded();
    let list = profiles.allowed();
    for (subtree, purpose) in FORBIDDEN {
        for instance in [
            oid(subtree),
            oid(subtree).child(&[1, 1]),
            Oid::new(&oid(subtree).arcs()[..6]),
        ] {
            assert!(!list.permits(&instance), "{purpose}: {instance}");
        }
        for allowed in list.list() {
            assert!(
                allowed.subtree.suffix_of(&oid(subtree)).is_none(),
                "{} opens {purpose}",
                allowed.subtree
            );
            assert!(
                oid(subtree).suffix_of(&allowed.subtree).is_none(),
                "{} opens {purpose}",
                allowed.subtree
            );
        }
    }
    // jmJobTable, jmAttributeTable; ppmPrinterSnmpCommunityName; hrSWRun; a Kyocera job log
    for text in [
        "1.3.6.1.4.1.2699.1.1.1.3.1.1.2.1.1",
        "1.3.6.1.4.1.2699.1.1.1.4.1.1.4.1.1",
        "1.3.6.1.4.1.2699.1.2.1.2.1.1.7.1",
        "1.3.6.1.2.1.25.4.2.1.2.1",
        "1.3.6.1.4.1.1347.47.6.1.1.1",
    ] {
        assert!(!list.permits(&oid(text)), "{text}");
    }
}

#[test]
fn no_branch_is_open_as_a_whole_and_every_entry_says_why() {
    for allowed in list(&ProfileSet::embedded()) {
        assert!(
            allowed.subtree.arcs().len() >= 9,
            "{} is too wide",
            allowed.subtree
        );
        assert!(!allowed.purpose.is_empty());
    }
}

#[test]
fn a_profile_cannot_open_what_is_forbidden() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = \"nosy\"\nversion = 1\n[identity]\nasset = [\"1.3.6.1.4.1.2699.1.1.1.3.1.1.2.1.1\", \"1.3.6.1.4.1.2699\", \"1.3.6.1.4.1.99999.1.2.0\"]\n";
    std::fs::write(folder.path().join("nosy.toml"), text).unwrap();
    let profiles = ProfileSet::load(Some(folder.path())).unwrap();
    assert!(
        !profiles
            .allowed()
            .permits(&oid("1.3.6.1.4.1.2699.1.1.1.3.1.1.2.1.1"))
    );
    assert!(!profiles.allowed().permits(&oid("1.3.6.1.4.1.2699.1.1")));
    assert!(profiles.allowed().permits(&oid("1.3.6.1.4.1.99999.1.2.0")));
}

#[test]
fn what_the_standard_and_the_profiles_read_is_permitted() {
    let profiles = ProfileSet::embedded();
    for text in [
        "1.3.6.1.2.1.1.1.0",
        "1.3.6.1.2.1.43.11.1.1.9.1.1",
        "1.3.6.1.2.1.43.11.1.1.9",
        "1.3.6.1.4.1.1347.43.10.1.1.12.1.1",
        "1.3.6.1.4.1.367.3.2.1.2.19.5.1.9.4",
    ] {
        assert!(profiles.allowed().permits(&oid(text)), "{text}");
    }
    assert!(!profiles.allowed().permits(&oid("1.3.6.1.2.1.43.11.1.1")));
}
