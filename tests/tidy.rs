//! Rules of the house that no lint knows: the arrows between crates, what the agent may link, how files look.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// The longest source file, in lines. What is longer has two jobs.
const FILE_LINES_MAX: usize = 600;

/// Which crates of ours each crate may use. A line upward here is a line upward in the house.
const ARROWS: [(&str, &[&str]); 11] = [
    ("platen-codec", &[]),
    ("platen-journal", &[]),
    ("platen-poller", &["platen-codec"]),
    ("platen-olap", &["platen-codec"]),
    ("platen-registry", &["platen-codec"]),
    (
        "platen-agent",
        &["platen-codec", "platen-journal", "platen-poller"],
    ),
    (
        "platen-ingest",
        &[
            "platen-codec",
            "platen-journal",
            "platen-olap",
            "platen-registry",
        ],
    ),
    ("platen-loadtest", &["platen-codec", "platen-poller"]),
    (
        "platen-soap",
        &["platen-codec", "platen-olap", "platen-registry"],
    ),
    (
        "platen-web",
        &[
            "platen-codec",
            "platen-ingest",
            "platen-olap",
            "platen-registry",
            "platen-soap",
        ],
    ),
    (
        "platen",
        &[
            "platen-agent",
            "platen-codec",
            "platen-ingest",
            "platen-journal",
            "platen-loadtest",
            "platen-olap",
            "platen-poller",
            "platen-registry",
            "platen-soap",
            "platen-web",
        ],
    ),
];

/// What must never be part of the program that runs at a customer's site.
const NOT_IN_THE_AGENT: [&str; 5] = [
    "libduckdb-sys",
    "duckdb",
    "rusqlite",
    "libsqlite3-sys",
    "axum",
];

/// Files that may hold `unsafe`: drivers, what is said to the allocator, and tests that count allocations.
const MAY_BE_UNSAFE: [&str; 6] = [
    "src/allocator.rs",
    "poller/src/driver/",
    "loadtest/src/fleet/server/mmsg.rs",
    "ingest/journal/src/disk/",
    "codec/tests/",
    "poller/tests/",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo metadata runs in the workspace")
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = VecDeque::from([root.to_owned()]);
    while let Some(folder) = folders.pop_front() {
        for entry in std::fs::read_dir(folder).expect("the checkout can be read") {
            let path = entry.expect("the checkout can be read").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push_back(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).expect("a source file is UTF-8");
                let path = path.strip_prefix(root).expect("below the root").to_owned();
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 50, "the search found the sources");
    files
}

#[test]
fn crates_use_only_what_stands_below_them() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(name, below)| (*name, below.iter().copied().collect()))
        .collect();
    let members = metadata.workspace_packages();
    let names: BTreeSet<&str> = members
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(
        names,
        allowed.keys().copied().collect(),
        "every crate has a line in ARROWS"
    );
    for package in &members {
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            assert!(
                !names.contains(name) || allowed[package.name.as_str()].contains(name),
                "{} must not use {name}",
                package.name
            );
        }
    }
}

#[test]
fn the_agent_links_no_database_and_no_pages() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("the graph is resolved");
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let agent = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "platen-agent")
        .expect("the agent is a member");
    let mut linked = HashSet::from([&agent.id]);
    let mut open = vec![&agent.id];
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let normal = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            if normal && linked.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    let found: Vec<&str> = metadata
        .packages
        .iter()
        .filter(|package| linked.contains(&package.id))
        .map(|package| package.name.as_str())
        .filter(|name| NOT_IN_THE_AGENT.contains(name))
        .collect();
    assert_eq!(found, Vec::<&str>::new());
}

#[test]
fn every_source_file_says_at_its_top_what_it_is() {
    let silent: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#!["))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(silent, Vec::<PathBuf>::new());
}

#[test]
fn no_source_file_is_too_long_to_enjoy() {
    let long: Vec<(PathBuf, usize)> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .collect();
    assert_eq!(long, Vec::<(PathBuf, usize)>::new());
}

#[test]
fn unsafe_code_stays_in_the_drivers() {
    let word = concat!("allow(", "unsafe_code)");
    let elsewhere: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains(word))
        .map(|(path, _)| path)
        .filter(|path| !MAY_BE_UNSAFE.iter().any(|folder| path.starts_with(folder)))
        .collect();
    assert_eq!(elsewhere, Vec::<PathBuf>::new());
}

#[test]
fn there_is_no_set_pdu() {
    // A printer is asked, never told: the tag of SetRequest (RFC 3416) must not be written anywhere.
    let tags = [
        concat!("0x", "a3"),
        concat!("0x", "A3"),
        concat!("Set", "Request"),
    ];
    let found: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("poller/src") || path.starts_with("poller/agent/src"))
        // Tests make one, to see it refused.
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .filter(|(_, text)| tags.iter().any(|tag| text.contains(tag)))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(found, Vec::<PathBuf>::new());
}
