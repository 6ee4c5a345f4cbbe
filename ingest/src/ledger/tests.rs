//! The ledger's table, row by row.

use codec::key::ContentHash;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);

fn key(epoch: u64, sequence: u64, body: &str) -> ReportKey {
    ReportKey {
        agent: AgentId::new("meyer").unwrap(),
        epoch: SpoolEpoch(epoch),
        stream: Stream::Meters,
        sequence,
        hash: ContentHash::of(body.as_bytes()),
    }
}

fn noted(sequences: impl IntoIterator<Item = u64>) -> Ledger {
    let mut ledger = Ledger::default();
    for sequence in sequences {
        ledger.note(&key(1, sequence, "a"), NOW);
    }
    ledger
}

fn gaps(ledger: &Ledger) -> Vec<(u64, u64)> {
    ledger
        .gaps()
        .flat_map(|(_, _, stream)| &stream.gaps)
        .map(|gap| (gap.from, gap.to))
        .collect()
}

#[test]
fn the_same_report_is_a_duplicate_and_another_with_its_number_a_conflict() {
    let ledger = noted([1, 2, 3]);
    assert_eq!(ledger.judge(&key(1, 2, "a"), NOW), Verdict::Duplicate);
    assert_eq!(ledger.judge(&key(1, 2, "b"), NOW), Verdict::Conflict);
    assert_eq!(ledger.judge(&key(1, 4, "a"), NOW), Verdict::New);
    assert_eq!(ledger.judge(&key(2, 2, "b"), NOW), Verdict::New);
}

#[test]
fn a_gap_is_remembered_and_what_comes_late_is_new() {
    let mut ledger = noted([1, 10]);
    assert_eq!(gaps(&ledger), [(2, 9)]);
    for late in [5, 2, 9] {
        assert_eq!(ledger.judge(&key(1, late, "a"), NOW), Verdict::New);
        ledger.note(&key(1, late, "a"), NOW);
        assert_eq!(ledger.judge(&key(1, late, "a"), NOW), Verdict::Duplicate);
    }
    assert_eq!(gaps(&ledger), [(3, 4), (6, 8)]);
}

#[test]
fn what_is_older_than_the_remembered_hashes_is_a_duplicate() {
    let ledger = noted(1..=RECENT_MAX as u64 + 10);
    assert_eq!(ledger.judge(&key(1, 3, "other"), NOW), Verdict::Duplicate);
}

#[test]
fn where_gaps_were_forgotten_nothing_is_acknowledged() {
    let ledger = noted((1..=2 * GAPS_MAX as u64 + 10).map(|number| number * 2));
    let stream = ledger.streams().next().unwrap().2;
    assert_eq!(stream.gaps.len(), GAPS_MAX);
    assert_eq!(ledger.judge(&key(1, 3, "a"), NOW), Verdict::TooOld);
    let kept = stream.gaps[0].from;
    assert_eq!(ledger.judge(&key(1, kept, "a"), NOW), Verdict::New);
}

#[test]
fn an_agent_has_so_many_spools_until_old_ones_are_forgotten() {
    let mut ledger = Ledger::default();
    for epoch in 0..EPOCHS_PER_AGENT_MAX as u64 {
        ledger.note(&key(epoch, 1, "a"), NOW.plus_ms(epoch.try_into().unwrap()));
    }
    let fresh = key(999, 1, "a");
    assert_eq!(ledger.judge(&fresh, NOW), Verdict::TooManySpools);
    let later = NOW.plus_ms(EPOCH_FORGOTTEN_AFTER_MS + 1);
    assert_eq!(ledger.judge(&fresh, later), Verdict::New);
    ledger.note(&fresh, later);
    assert_eq!(ledger.streams().count(), EPOCHS_PER_AGENT_MAX);
    assert_eq!(ledger.judge(&fresh, later), Verdict::Duplicate);
}

#[test]
fn a_checkpoint_reads_back_with_everything_but_the_older_hashes() {
    let ledger = noted([1, 2, 10, 20, 15]);
    assert_eq!(Ledger::from_bytes(&ledger.to_bytes()), Ok(ledger.clone()));
    let long = noted(1..=100);
    let again = Ledger::from_bytes(&long.to_bytes()).unwrap();
    assert_eq!(again.judge(&key(1, 100, "b"), NOW), Verdict::Conflict);
    assert_eq!(again.judge(&key(1, 10, "b"), NOW), Verdict::Duplicate);
    let bytes = ledger.to_bytes();
    for cut in 1..bytes.len() {
        assert_eq!(
            Ledger::from_bytes(&bytes[..cut]),
            Err(MetaError),
            "cut at {cut}"
        );
    }
}

#[test]
fn what_is_asked_for_again_are_the_missing_ranges_of_that_stream_in_turn() {
    let missing = |ledger: &Ledger, key: &ReportKey| -> Vec<(u64, u64)> {
        let missing = ledger.missing(key);
        missing.iter().map(|range| (range.from, range.to)).collect()
    };
    let ledger = noted([1, 5, 9]);
    assert_eq!(missing(&ledger, &key(1, 9, "a")), [(2, 4), (6, 8)]);
    assert_eq!(missing(&ledger, &key(2, 9, "a")), [], "another spool");
    let holes = ASKED_AGAIN_MAX as u64 + 3;
    let ledger = noted((1..=holes + 1).map(|number| number * 2));
    let asked = missing(&ledger, &key(1, 2, "a"));
    assert_eq!(asked.len(), ASKED_AGAIN_MAX);
    let newest = 2 * (holes + 1) - 1;
    assert_eq!(asked.last(), Some(&(newest, newest)));
    let before = missing(&ledger, &key(1, 3, "a"));
    assert_eq!(
        before,
        [(1, 1), (3, 3), (5, 5), (7, 7)],
        "the next one asks"
    );
    assert_eq!(
        before.len() + asked.len(),
        usize::try_from(holes + 1).unwrap()
    );
    // A store that is ahead of a lost journal: what lies below is not taken any more, so it is not asked for; what came after is.
    let mut restored = Ledger::default();
    restored.raise(&key(1, 1, "a").agent, (SpoolEpoch(1), Stream::Meters), 10);
    restored.note(&key(1, 15, "a"), NOW);
    assert_eq!(missing(&restored, &key(1, 15, "a")), [(11, 14)]);
    // One that is ahead of a torn journal: what was missing before the tear still is.
    let mut torn = Ledger::default();
    torn.note(&key(1, 1, "a"), NOW);
    torn.note(&key(1, 4, "d"), NOW);
    torn.raise(&key(1, 1, "a").agent, (SpoolEpoch(1), Stream::Meters), 10);
    torn.note(&key(1, 11, "k"), NOW);
    assert_eq!(missing(&torn, &key(1, 11, "k")), [(2, 3)]);
    assert_eq!(torn.judge(&key(1, 3, "c"), NOW), Verdict::New);
    assert_eq!(torn.judge(&key(1, 7, "g"), NOW), Verdict::TooOld);
}
