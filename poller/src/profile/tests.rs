//! What a profile file may say, and what is said when it may not.

use super::set::EMBEDDED;
use super::*;

fn parse(text: &str) -> Result<Profile, String> {
    parse::profile("test.toml", text).map_err(|error| error.to_string())
}

#[test]
fn every_embedded_profile_is_one() {
    for (file, text) in EMBEDDED {
        let profile = parse::profile(file, text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(*file, format!("{}.toml", profile.name));
    }
}

#[test]
fn an_error_names_file_line_and_key() {
    let cases = [
        (
            "name = \"x\"\nversion = 1\nnonsense = 2\n",
            "test.toml:3: nonsense: ",
        ),
        (
            "name = \"X\"\nversion = 1\n",
            "test.toml:1: name: 1 to 40 characters of a-z, 0-9 and -",
        ),
        (
            "name = \"x\"\nversion = 1\n\n[[meter]]\nwork = \"walk\"\nfrom = \"1.3.6.1.4.1.9\"\n",
            "test.toml:5: meter.work: ",
        ),
        (
            "name = \"x\"\nversion = 1\n[[meter]]\nwork = \"print\"\nfrom = \"1.3.6\"\n",
            "test.toml:5: meter.from: 1.3.6 is too short",
        ),
        (
            "name = \"x\"\nversion = 1\n[[meter]]\nwork = \"print\"\nfrom = { row = \"counters\", code = 1 }\n",
            "test.toml:5: meter.from: there is no table counters",
        ),
        (
            "name = \"x\"\nversion = 1\n[[check]]\ntotal = \"total.total\"\nparts = [\"print.gold\"]\n",
            "test.toml:5: check.parts: print.gold is no work.colour",
        ),
    ];
    for (text, expected) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
    }
}

#[test]
fn a_folder_replaces_and_adds_profiles_and_a_bad_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "mine.toml",
        "name = \"kyocera\"\nversion = 7\n[[match]]\nobject_id = \"1.3.6.1.4.1.1347\"\n",
    );
    write("ignored.txt", "no profile");
    let set = ProfileSet::load(Some(folder.path())).unwrap();
    assert_eq!(set.named("kyocera").unwrap().version, 7);
    assert_eq!(set.iter().count(), EMBEDDED.len());

    write("bad.toml", "name = \"new\"\n");
    let error = ProfileSet::load(Some(folder.path()))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("bad.toml:1: ") && error.contains("version"),
        "{error}"
    );
    assert!(ProfileSet::load(Some(&folder.path().join("absent"))).is_err());
}

#[test]
fn the_rule_that_says_most_decides() {
    let set = ProfileSet::embedded();
    let kyocera: Oid = "1.3.6.1.4.1.1347.41".parse().unwrap();
    let texts = ["KYOCERA Document Solutions Printing System".to_owned()];
    let (profile, _) = set.identify(
        Evidence {
            object_id: Some(&kyocera),
            texts: &texts,
        },
        &|_| false,
    );
    assert_eq!(profile.name, "kyocera");
    let (profile, rule) = set.identify(Evidence::default(), &|_| false);
    assert_eq!((profile.name.as_str(), rule.is_none()), ("standard", true));
}

#[test]
fn a_maker_has_one_spelling() {
    let set = ProfileSet::embedded();
    let maker = |text| {
        set.maker(text)
            .map(|(maker, rest)| (maker.name.as_str(), rest))
    };
    assert_eq!(maker("HP LaserJet 1"), Some(("HP", "LaserJet 1")));
    assert_eq!(maker("hewlett-packard LaserJet"), Some(("HP", "LaserJet")));
    assert_eq!(
        maker("KONICA MINOLTA bizhub C1"),
        Some(("Konica Minolta", "bizhub C1"))
    );
    assert_eq!(maker("HPX 12"), None);
}
