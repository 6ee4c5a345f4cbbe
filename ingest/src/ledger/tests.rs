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
