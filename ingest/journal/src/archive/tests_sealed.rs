//! Sealed archives, with a cipher that hides nothing from who knows it: whose is what, what is withheld and why, and what is damage.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Mutex;

use super::format::Head;
use super::*;
use crate::{Config, Item, Journal, Position, Reader, Record, StdDisk, inspect};

/// A record that belongs to nobody.
const KIND_OPEN: u8 = 2;
const ANNA: Owner = Owner(1);
const BERT: Owner = Owner(2);
const CLARA: Owner = Owner(3);

/// Whose keys are there; `None` for who is forgotten. Others get one when they are first asked for.
#[derive(Clone, Debug, Default)]
struct Safe(Arc<Mutex<BTreeMap<Owner, Option<KeyId>>>>);

impl Safe {
    fn set(&self, owner: Owner, key: Option<KeyId>) {
        self.0.lock().unwrap().insert(owner, key);
    }

    fn lose(&self, owner: Owner) {
        self.0.lock().unwrap().remove(&owner);
    }

    fn opener(&self) -> Arc<dyn Opener> {
        Arc::new(self.clone())
    }

    fn sum(place: &Place, bytes: &[u8]) -> [u8; 4] {
        let mut all = place.salt.to_vec();
        all.extend_from_slice(&place.segment.to_le_bytes());
        all.extend_from_slice(&place.chunk.to_le_bytes());
        all.extend_from_slice(&place.key);
        all.extend_from_slice(bytes);
        crc32c::crc32c(&all).to_le_bytes()
    }

    fn turn(place: &Place, bytes: &mut [u8]) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte ^= 0x55 ^ place.key[at % 8];
        }
    }
}

impl Sealer for Safe {
    fn salt(&mut self) -> io::Result<[u8; SALT_BYTES]> {
        Ok([9; SALT_BYTES])
    }

    fn record(&mut self, kind: u8, meta: &[u8]) -> Option<Owned> {
        (kind != KIND_OPEN).then(|| Owned {
            owner: Owner(i64::from(meta[0])),
            from: 1,
        })
    }

    fn damage(&mut self) -> Option<Owner> {
        Some(Owner(0))
    }

    fn key(&mut self, owner: Owner) -> io::Result<Option<KeyId>> {
        let made = Some([0x80 | owner.0 as u8; 8]);
        Ok(*self.0.lock().unwrap().entry(owner).or_insert(made))
    }

    fn seal(&mut self, place: &Place, bytes: &mut Vec<u8>) -> io::Result<()> {
        let sum = Self::sum(place, bytes);
        Self::turn(place, bytes);
        bytes.extend_from_slice(&sum);
        Ok(())
    }
}

impl Opener for Safe {
    fn access(&self, owner: Owner, key: &KeyId) -> Access {
        match self.0.lock().unwrap().get(&owner) {
            Some(Some(known)) if known == key => Access::Open,
            Some(None) => Access::Withheld(Why::Forgotten),
            _ => Access::Withheld(Why::NoKey),
        }
    }

    fn open(&self, place: &Place, bytes: &mut Vec<u8>) -> bool {
        let Some(length) = bytes.len().checked_sub(4) else {
            return false;
        };
        let sum = bytes.split_off(length);
        Self::turn(place, bytes);
        sum == Self::sum(place, bytes)
    }
}

/// What the bodies of an owner's records say over and over.
fn word(owner: Owner) -> String {
    format!("the serial of owner {owner}; ")
}

struct House {
    folder: tempfile::TempDir,
    archive: PathBuf,
    due: Due,
    written: Vec<(Position, Owner, Vec<u8>)>,
}

impl House {
    /// A segment of three chunks with records of three owners, some larger than what is left of a chunk, and some that are nobody's.
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = StdDisk::open(folder.path()).unwrap();
        let (mut journal, _) = Journal::open(disk, Config::default()).unwrap();
        let mut written = Vec::new();
        let mut random = 7_u64;
        for sequence in 0..60_u64 {
            let owner = [ANNA, BERT, CLARA, BERT][sequence as usize % 4];
            let kind = if sequence % 20 == 0 { KIND_OPEN } else { 1 };
            let mut body = Vec::new();
            while body.len() < 20_000 + 700 * sequence as usize {
                body.extend_from_slice(word(owner).as_bytes());
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                body.extend_from_slice(&random.to_le_bytes());
            }
            let record = Record {
                kind,
                sequence,
                meta: &[owner.0 as u8, 7, 7],
                body: &body,
            };
            let owner = if kind == KIND_OPEN { Owner(0) } else { owner };
            written.push((journal.append(&[record]).unwrap()[0], owner, body));
        }
        journal.seal().unwrap();
        let sealed = journal.sealed()[0];
        assert!(sealed.bytes > 2 * CHUNK_BYTES as u64 && journal.sealed().len() == 1);
        Self {
            archive: folder.path().join("archive"),
            folder,
            due: Due {
                segment: sealed.segment,
                bytes: sealed.bytes,
                begun_ms: 1_000,
                ended_ms: 2_000,
            },
            written,
        }
    }

    fn live(&self) -> StdDisk {
        StdDisk::open(self.folder.path()).unwrap()
    }

    fn write(&self, safe: &Safe) -> Archived {
        write(
            &self.archive,
            &mut self.live(),
            &self.due,
            &mut safe.clone(),
            &safe.opener(),
        )
        .unwrap()
    }

    /// As version 1 would have been written.
    fn write_version_1(&self) {
        let path = self.path();
        std::fs::create_dir_all(&self.archive).unwrap();
        let head = Head {
            due: self.due,
            salt: None,
            shares: Vec::new(),
        };
        let mut file = File::create(&path).unwrap();
        file.write_all(&head.write()).unwrap();
        let raw = vec![0; self.due.bytes as usize];
        let (read, raw) = self.live().read(self.due.segment, 0, raw);
        assert_eq!(read.unwrap(), raw.len());
        for chunk in raw.chunks(CHUNK_BYTES) {
            let frame = zstd::bulk::compress(chunk, LEVEL).unwrap();
            file.write_all(&(frame.len() as u32).to_le_bytes()).unwrap();
            file.write_all(&crc32c::crc32c(&frame).to_le_bytes())
                .unwrap();
            file.write_all(&frame).unwrap();
        }
    }

    fn path(&self) -> PathBuf {
        path_of(&self.archive, self.due.segment, EXTENSION)
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    fn disk(&self, safe: &Safe) -> ArchiveDisk<StdDisk> {
        ArchiveDisk::new(self.live(), &self.archive, safe.opener())
    }

    /// What can be read, what is withheld, and how many damaged ranges there are.
    #[allow(clippy::type_complexity, reason = "three lists side by side")]
    fn read(&self, safe: &Safe) -> (Vec<(Position, Vec<u8>)>, Vec<(Position, Owner, Why)>, usize) {
        let (mut records, mut withheld, mut damaged) = (Vec::new(), Vec::new(), 0);
        let mut reader = Reader::new(self.disk(safe), Position::START, Position::END).unwrap();
        while let Some(item) = reader.next().unwrap() {
            match item {
                Item::Record(entry) => records.push((entry.position, entry.body.to_vec())),
                Item::Withheld(item) => withheld.push((item.position, item.owner, item.why)),
                Item::Damage(_) => damaged += 1,
            }
        }
        (records, withheld, damaged)
    }

    /// Checks that all can be read but for what is one owner's, and that that is withheld for this reason.
    fn assert_withheld(&self, safe: &Safe, whose: Owner, why: Why) {
        let (records, withheld, damaged) = self.read(safe);
        let (gone, there): (Vec<_>, Vec<_>) = self
            .written
            .iter()
            .partition(|(_, owner, _)| *owner == whose);
        let there: Vec<_> = there
            .into_iter()
            .map(|(at, _, body)| (*at, body.clone()))
            .collect();
        let gone: Vec<_> = gone
            .into_iter()
            .map(|(at, owner, _)| (*at, *owner, why))
            .collect();
        assert!(records == there && gone.len() > 10);
        assert_eq!((withheld, damaged), (gone, 0));
        // Each by itself as well.
        for (at, _, body) in &self.written {
            let mut reader = Reader::new(self.disk(safe), *at, Position::END).unwrap();
            match reader.next().unwrap() {
                Some(Item::Record(entry)) => assert!(entry.position == *at && entry.body == body),
                Some(Item::Withheld(item)) => assert_eq!((item.position, item.owner), (*at, whose)),
                other => panic!("at {at}: {other:?}"),
            }
            assert!(reader.next().is_ok());
        }
        let report = inspect::check(self.disk(safe)).unwrap();
        assert!(report.is_sound());
        let count = report.withheld(why)[&whose];
        assert_eq!(
            count,
            self.written
                .iter()
                .filter(|(_, owner, _)| *owner == whose)
                .count() as u64
        );
    }
}

/// Whether a text is in the bytes, or in any zstd frame that begins in them.
fn says(bytes: &[u8], text: &str) -> bool {
    let has = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    let frames = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&[0x28, 0xB5, 0x2F, 0xFD]));
    has(bytes)
        || frames.into_iter().any(|at| {
            let mut inflated = Vec::new();
            let mut decoder = zstd::stream::read::Decoder::new(&bytes[at..]).unwrap();
            // What follows the frame is none.
            let _ = decoder.read_to_end(&mut inflated);
            has(&inflated)
        })
}

#[test]
fn what_was_sealed_reads_as_it_was_and_tells_nobody_else() {
    let (house, safe) = (House::build(), Safe::default());
    let archived = house.write(&safe);
    assert!(archived.is_sealed && archived.ended_ms == 2_000);
    house.live().remove(house.due.segment).unwrap();
    let (records, withheld, damaged) = house.read(&safe);
    let written: Vec<_> = house
        .written
        .iter()
        .map(|(at, _, body)| (*at, body.clone()))
        .collect();
    assert!(records == written && withheld.is_empty() && damaged == 0);

    let shares = shares(&house.archive, house.due.segment).unwrap();
    let owners: Vec<Owner> = shares.iter().map(|share| share.owner).collect();
    assert_eq!(
        owners,
        [BERT, CLARA, ANNA],
        "in the order in which they come"
    );
    let bodies = |owner| house.written.iter().filter(move |(_, of, _)| *of == owner);
    for share in shares {
        let bytes = bodies(share.owner)
            .map(|(_, _, body)| body.len() as u64 + 2)
            .sum();
        assert_eq!(
            (share.key, share.bytes),
            ([0x80 | share.owner.0 as u8; 8], bytes)
        );
    }
    assert!(
        says(&house.bytes(), &word(ANNA)),
        "in a record that is nobody's"
    );
    assert!(!says(&house.bytes(), "owner 3; "), "all of hers are sealed");
}

#[test]
fn what_the_forgotten_had_is_neither_damage_nor_an_error_and_a_missing_key_is_told_from_it() {
    let (house, safe) = (House::build(), Safe::default());
    house.write(&safe);
    house.live().remove(house.due.segment).unwrap();
    safe.set(CLARA, None);
    house.assert_withheld(&safe, CLARA, Why::Forgotten);
    safe.lose(CLARA);
    house.assert_withheld(&safe, CLARA, Why::NoKey);
    safe.set(CLARA, Some([1; 8]));
    house.assert_withheld(&safe, CLARA, Why::NoKey);
    let told = inspect::check(house.disk(&safe)).unwrap().to_string();
    assert!(
        told.contains("15 records of owner 3: THE KEY IS NOT THERE"),
        "{told}"
    );
}

#[test]
fn what_is_archived_of_the_forgotten_is_left_out_and_no_key_is_made() {
    let (house, safe) = (House::build(), Safe::default());
    safe.set(CLARA, None);
    house.write(&safe);
    // A crash before the live one was removed: that it still has it is no difference.
    let mended = mend(&house.archive, &mut house.live(), &safe.opener()).unwrap();
    assert_eq!(mended.doubled, [house.due.segment]);
    house.live().remove(house.due.segment).unwrap();
    house.assert_withheld(&safe, CLARA, Why::Forgotten);
    // Nor does a key bring it back.
    safe.set(CLARA, Some([0x83; 8]));
    house.assert_withheld(&safe, CLARA, Why::Forgotten);
    let share = shares(&house.archive, house.due.segment).unwrap();
    assert!(
        share
            .iter()
            .any(|share| share.owner == CLARA && share.key == NO_KEY)
    );
}

#[test]
fn a_live_segment_is_not_given_up_for_an_archive_whose_key_is_not_there() {
    let (house, safe) = (House::build(), Safe::default());
    house.write(&safe);
    let mend = |safe: &Safe| mend(&house.archive, &mut house.live(), &safe.opener()).unwrap();
    assert_eq!(mend(&safe).doubled, [house.due.segment]);
    safe.lose(BERT);
    assert_eq!(mend(&safe).unlike, [house.due.segment]);
    safe.set(BERT, None);
    assert_eq!(mend(&safe).doubled, [house.due.segment]);
}

#[test]
fn a_flipped_bit_anywhere_is_damage_and_costs_one_chunk_at_the_most() {
    let (house, safe) = (House::build(), Safe::default());
    house.write(&safe);
    house.live().remove(house.due.segment).unwrap();
    let whole = house.bytes();
    let head = 96 + 3 * 24;
    let mut damages = 0;
    for step in 0..24 {
        let at = step * whole.len() / 24 + step;
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (step % 8);
        std::fs::write(house.path(), &damaged).unwrap();
        let (records, withheld, damaged) = house.read(&safe);
        let in_a_head = at < head || at >= whole.len() - head - 4;
        assert!(
            withheld.is_empty() && (damaged > 0) != in_a_head,
            "byte {at}"
        );
        assert!(records.len() >= 20, "byte {at}: {}", records.len());
        let is_written = |(at, body): &(Position, Vec<u8>)| {
            house
                .written
                .iter()
                .any(|(position, _, known)| position == at && known == body)
        };
        assert!(records.iter().all(is_written));
        damages += damaged;
    }
    assert!(damages >= 20);

    // Also where the checksum was made anew: what cannot be opened is missing by itself.
    let length = u32::from_le_bytes(*whole[head..].first_chunk().unwrap()) as usize;
    let mut forged = whole.clone();
    forged[head + 8 + length - 1] ^= 1;
    let crc = crc32c::crc32c(&forged[head + 8..head + 8 + length]);
    forged[head + 4..head + 8].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(house.path(), &forged).unwrap();
    let (records, withheld, damaged) = house.read(&safe);
    assert!(withheld.is_empty() && damaged > 0);
    assert!(
        records.len() > house.written.len() - 15,
        "{}",
        records.len()
    );

    // And where both heads are gone, nothing is made up.
    let mut headless = whole.clone();
    headless[20] ^= 1;
    let second = whole.len() - head - 4 + 20;
    headless[second] ^= 1;
    std::fs::write(house.path(), &headless).unwrap();
    let (records, withheld, damaged) = house.read(&safe);
    assert!(records.is_empty() && withheld.is_empty() && damaged > 0);
}

#[test]
fn an_archive_of_version_1_is_read_and_becomes_one_that_is_sealed() {
    let (house, safe) = (House::build(), Safe::default());
    house.write_version_1();
    let opener = safe.opener();
    let mended = mend(&house.archive, &mut house.live(), &opener).unwrap();
    assert_eq!(mended.doubled, [house.due.segment]);
    house.live().remove(house.due.segment).unwrap();
    assert!(!list(&house.archive).unwrap()[0].is_sealed);
    assert!(says(&house.bytes(), "owner 3; "));
    let before = house.read(&safe);
    assert_eq!(
        (before.0.len(), before.1.len(), before.2),
        (house.written.len(), 0, 0)
    );

    // A crash in the middle leaves it as it was.
    let half = path_of(&house.archive, house.due.segment, MAKING);
    std::fs::write(&half, b"half").unwrap();
    assert!(house.read(&safe) == before);
    let mended = mend(&house.archive, &mut house.live(), &opener).unwrap();
    assert_eq!((mended.swept, half.exists()), (1, false));

    let seal = || {
        seal(
            &house.archive,
            house.due.segment,
            &mut safe.clone(),
            &opener,
        )
        .unwrap()
    };
    let Sealing::Sealed(archived) = seal() else {
        panic!("it was not sealed");
    };
    assert!(archived.is_sealed && archived.begun_ms == 1_000);
    assert!(house.read(&safe) == before);
    assert!(!says(&house.bytes(), "owner 3; "));
    assert_eq!(seal(), Sealing::WasSealed);
    safe.set(CLARA, None);
    house.assert_withheld(&safe, CLARA, Why::Forgotten);
}

#[test]
fn a_damaged_archive_of_version_1_is_made_again_only_when_somebody_in_it_is_forgotten() {
    let (house, safe) = (House::build(), Safe::default());
    house.write_version_1();
    house.live().remove(house.due.segment).unwrap();
    let mut damaged = house.bytes();
    let length = damaged.len();
    damaged[length - 1_000] ^= 1;
    std::fs::write(house.path(), &damaged).unwrap();
    let (records, _, ranges) = house.read(&safe);
    assert!(records.len() > 30 && ranges > 0);
    let seal = || {
        let opener = safe.opener();
        seal(
            &house.archive,
            house.due.segment,
            &mut safe.clone(),
            &opener,
        )
        .unwrap()
    };
    assert_eq!(seal(), Sealing::Damaged);
    assert!(house.bytes() == damaged);
    safe.set(CLARA, None);
    assert!(matches!(seal(), Sealing::Sealed(_)));
    let (left, withheld, still) = house.read(&safe);
    assert!(!says(&house.bytes(), "owner 3; "));
    assert_eq!(
        (left.len() + withheld.len(), still),
        (records.len(), ranges)
    );
    assert!(withheld.len() > 5 && left.iter().all(|record| records.contains(record)));
}
