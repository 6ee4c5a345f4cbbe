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
fn a_profile_that_asks_for_what_is_forbidden_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nosy.toml");
    let head = "name = \"nosy\"\nversion = 1\n";
    let nosy = |rest: &str| {
        std::fs::write(&file, format!("{head}{rest}")).unwrap();
        ProfileSet::load(Some(folder.path()))
            .unwrap_err()
            .to_string()
    };
    // A job's name; a whole branch around the jobs; a column that a table names; a probe; the commands of an Epson; the user of an HP job.
    for (rest, at, what) in [
        (
            "[identity]\nasset = [\"1.3.6.1.4.1.2699.1.1.1.3.1.1.2.1.1\"]\n",
            "nosy.toml:4: identity.asset: 1.3.6.1.4.1.2699.1.1.1.3.1.1.2.1.1",
            "jobs (Job Monitoring MIB)",
        ),
        (
            "[identity]\nmodel = [\"1.3.6.1.4.1.2699\"]\n",
            "nosy.toml:4: identity.model: 1.3.6.1.4.1.2699",
            "jobs (Job Monitoring MIB)",
        ),
        (
            "[table.jobs]\nname = \"1.3.6.1.4.1.1347.47.6.1.1\"\n",
            "nosy.toml:4: table.jobs.name: 1.3.6.1.4.1.1347.47.6.1.1",
            "Kyocera jobs and logs",
        ),
        (
            "[[match]]\npresent = \"1.3.6.1.2.1.25.4.2.1.2.1\"\n",
            "nosy.toml:4: match.present: 1.3.6.1.2.1.25.4.2.1.2.1",
            "running software",
        ),
        (
            "[supplies]\nprivate_level = \"1.3.6.1.4.1.1248.1.2.2.44.1.1.2.1\"\n",
            "nosy.toml:4: supplies.private_level: 1.3.6.1.4.1.1248.1.2.2.44.1.1.2.1",
            "Epson commands",
        ),
        (
            "[[meter]]\nwork = \"print\"\nfrom = { first = [\"1.3.6.1.4.1.9.9.9.0\", \"1.3.6.1.4.1.11.2.3.9.4.2.1.1.6.5.1.0\"] }\n",
            "nosy.toml:5: meter.from: 1.3.6.1.4.1.11.2.3.9.4.2.1.1.6.5.1.0",
            "HP jobs",
        ),
    ] {
        let error = nosy(rest);
        assert!(
            error.contains(at) && error.contains(what),
            "{error}\nexpected {at}"
        );
        assert!(error.ends_with("no profile may ask for that"), "{error}");
    }
}

#[test]
fn the_list_takes_nothing_forbidden_from_whatever_profile() {
    let mut profile = Profile::clone(ProfileSet::embedded().standard());
    let texts = [
        "1.3.6.1.4.1.2699.1.1.1.3.1.1.2.1.1",
        "1.3.6.1.4.1.99999.1.2.0",
    ];
    profile.identity.asset = texts
        .iter()
        .map(|text| Source::Scalar {
            oid: oid(text),
            form: crate::profile::Form::Number,
            guard: None,
        })
        .collect();
    let list = AllowList::of(&[Arc::new(profile)]);
    assert!(!list.permits(&oid(texts[0])));
    assert!(list.permits(&oid(texts[1])));
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
