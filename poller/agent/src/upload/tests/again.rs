//! A manager that was restored from a backup asks for what it had acknowledged.

use super::*;

/// What the script's manager asks for with the receipt of the fourth report.
const LOST: Act = Act::NeedAgain(1, 3);

fn sequences(seen: &[server::Seen]) -> Vec<u64> {
    seen.iter().map(|seen| seen.sequence).collect()
}

#[test]
fn what_a_restored_manager_lacks_is_sent_again_before_what_is_newer() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.put(Stream::Meters);
    }
    // Then it was restored: it knows none of them, and asks for them with the next receipt; what came meanwhile waits.
    let script = [Act::Receipt, Act::Receipt, Act::Receipt, LOST];
    let manager = Manager::start(&script, fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    fixture.put(Stream::Meters);
    let seen = manager.wait_for(7);
    fixture.wait_for_empty();
    assert_eq!(sequences(&seen), [1, 2, 3, 4, 1, 2, 3]);
    fixture.put(Stream::Meters);
    assert_eq!(sequences(&manager.wait_for(8))[7..], [5]);
    fixture.wait_for_empty();
    let status = fixture.end().read();
    assert_eq!(status.streams[0].receipts, 8);
    assert_eq!(status.streams[0].dropped, 0);
}

#[test]
fn what_is_on_its_way_or_gone_is_not_sent_twice() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.put(Stream::State);
    }
    // Report 2 waits, 9 never was, and the other stream has nothing.
    let script = [Act::NeedAgain(2, 2), Act::NeedAgain(9, 12), Act::Receipt];
    let manager = Manager::start(&script, fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    fixture.put(Stream::State);
    assert_eq!(sequences(&manager.wait_for(4)), [1, 2, 3, 4]);
    fixture.wait_for_empty();
    assert_eq!(fixture.end().read().streams[1].receipts, 4);
}

#[test]
fn what_was_refused_for_good_is_not_sent_again_though_the_manager_lacks_it() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.put(Stream::Meters);
    }
    // The second is refused, so its number is missing at the manager: every receipt says so from then on.
    let gap = Act::NeedAgain(2, 2);
    let script = [Act::Receipt, Act::Refusal("400 Bad Request"), gap, gap, gap];
    let manager = Manager::start(&script, fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    for _ in 0..3 {
        fixture.put(Stream::Meters);
        fixture.wait_for_empty();
    }
    assert_eq!(sequences(&manager.wait_for(6)), [1, 2, 3, 4, 5, 6]);
    let status = fixture.end().read();
    assert_eq!(status.streams[0].receipts, 5);
    assert_eq!(manager.wait_for(6).len(), 6);
}
