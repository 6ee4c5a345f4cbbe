//! `/metrics` as a monitoring system scrapes it: the names that alerts and dashboards rely on, each with a help that names its unit.

mod support;

use std::collections::BTreeMap;

use support::{Answer, client, house_with};

/// What is shown from the start: who adds, renames or drops a name says so here, and to whoever has alerts on it.
const AT_ONCE: [&str; 36] = [
    "platen_connections_refused",
    "platen_ingest_acknowledged",
    "platen_ingest_append_seconds",
    "platen_ingest_applied_devices",
    "platen_ingest_applied_reports",
    "platen_ingest_applied_rows",
    "platen_ingest_apply_lag_seconds",
    "platen_ingest_archive_errors",
    "platen_ingest_archived_segments",
    "platen_ingest_archives_removed",
    "platen_ingest_bases_read",
    "platen_ingest_decisions",
    "platen_ingest_decoded_again",
    "platen_ingest_decoded_bytes",
    "platen_ingest_duplicates",
    "platen_ingest_full_asked",
    "platen_ingest_group_reports",
    "platen_ingest_inflight_bytes",
    "platen_ingest_inflight_reports",
    "platen_ingest_journal_damage",
    "platen_ingest_journal_errors",
    "platen_ingest_journaled_bytes",
    "platen_ingest_last_heard_timestamp_seconds",
    "platen_ingest_quarantine_unkept",
    "platen_ingest_quarantined",
    "platen_ingest_reread",
    "platen_ingest_store_errors",
    "platen_ingest_store_seconds",
    "platen_ingest_sync_seconds",
    "platen_ingest_unreadable_customers",
    "platen_process_cpu_seconds",
    "platen_process_open_files",
    "platen_process_resident_memory_bytes",
    "platen_process_resident_memory_peak_bytes",
    "platen_process_threads",
    "platen_tls_certificate_unusable",
];

/// What is shown once there is something to show, by reason, shard, cause and so on.
const LATER: [&str; 18] = [
    "platen_http_refusals",
    "platen_http_request_duration_seconds",
    "platen_http_requests",
    "platen_ingest_archive_bytes",
    "platen_ingest_archive_raw_bytes",
    "platen_ingest_findings",
    "platen_ingest_hindered",
    "platen_ingest_hot_bytes",
    "platen_ingest_journal_bytes",
    "platen_ingest_missing_reports",
    "platen_ingest_rejected",
    "platen_ingest_silent",
    "platen_ingest_skipped",
    "platen_ingest_unapplied_bytes",
    "platen_store_memory_bytes",
    "platen_tls_certificate_reloads",
    "platen_tls_handshakes",
    "platen_tls_handshakes_failed",
];

/// The help and the type of every name in a scrape.
fn described(text: &str) -> BTreeMap<String, (String, String)> {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let (Some("#"), Some(what), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let rest = words.next().unwrap_or_default().to_owned();
        let entry = found.entry(name.to_owned()).or_default();
        match what {
            "HELP" => entry.0 = rest,
            "TYPE" => entry.1 = rest,
            _ => {}
        }
    }
    found
}

#[test]
fn a_scrape_has_the_names_that_are_relied_on_and_each_says_what_it_counts_and_in_which_unit() {
    let (house, _) = house_with(1);
    let scrape = || {
        let answer = client().get(house.url("/metrics")).call();
        Answer::of(answer.expect("an answer")).body
    };
    // The second time the first request is counted.
    scrape();
    let text = scrape();
    let described = described(&text);
    let is_new = |name: &&String| {
        let name = name.as_str();
        !AT_ONCE.contains(&name) && !LATER.contains(&name)
    };
    let unlisted: Vec<_> = described.keys().filter(is_new).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
    let mut missing = AT_ONCE.to_vec();
    missing.retain(|name| !described.contains_key(*name));
    assert!(missing.is_empty(), "{missing:?}");
    let (_, requests) = &described["platen_http_requests"];
    assert_eq!(requests, "counter");
    for (name, (help, kind)) in &described {
        assert!(!help.trim_end_matches('.').is_empty(), "{name} has no help");
        assert!(
            ["counter", "gauge", "histogram"].contains(&kind.as_str()),
            "{name} is a {kind}"
        );
        for unit in ["seconds", "bytes"] {
            if name.contains(unit) {
                assert!(help.to_lowercase().contains(unit), "{name}: {help}");
            }
        }
    }
    // What tells of every lag and drop is there also before anything happened, so that an alert on it can be tried.
    for line in [
        "platen_ingest_quarantine_unkept 0",
        "platen_ingest_journal_errors_total 0",
        "platen_ingest_store_errors_total 0",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
}
