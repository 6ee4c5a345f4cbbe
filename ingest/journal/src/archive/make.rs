//! Writing an archive: whose is what, and then chunk by chunk each owner's bytes apart, compressed and sealed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use zstd::bulk::Compressor;

use super::format::Head;
use super::seal::{NO_KEY, Place, SALT_BYTES, Sealer, Share, Stretch, Survey, Why};
use super::{CHUNK_BYTES, Due, LEVEL};
use crate::disk::Disk;
use crate::frame::{FRAME_HEADER_BYTES, Position};
use crate::reader::{Item, Reader};

/// Writes all of it and makes it durable. Returns the CRC32C of what a reader is to find in it: the segment's bytes, with zeros where an owner
/// is forgotten.
pub(super) fn make(
    path: &Path,
    source: &mut dyn Disk,
    due: &Due,
    sealer: &mut dyn Sealer,
) -> io::Result<u32> {
    let Survey {
        shares, stretches, ..
    } = survey(source, due, sealer)?;
    let salt = sealer.salt()?;
    let head = Head {
        due: *due,
        salt: Some(salt),
        shares,
    };
    let mut file = File::create(path)?;
    file.write_all(&head.write())?;
    let mut packer = Packer {
        sealer,
        salt,
        segment: due.segment,
        shares: &head.shares,
        compressor: Compressor::new(LEVEL)?,
        runs: Vec::new(),
        plain: Vec::new(),
        content: Vec::new(),
    };
    let (mut offset, mut raw_crc, mut at) = (0, 0, 0);
    let mut buffer = Vec::new();
    while offset < due.bytes {
        let wanted = (due.bytes - offset).min(CHUNK_BYTES as u64);
        buffer.resize(usize::try_from(wanted).unwrap_or(CHUNK_BYTES), 0);
        let (read, back) = source.read(due.segment, offset, buffer);
        buffer = back;
        if read? != buffer.len() {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the segment is shorter than it was",
            ));
        }
        while stretches
            .get(at)
            .is_some_and(|stretch| stretch.to <= offset)
        {
            at += 1;
        }
        let content = packer.pack(&mut buffer, offset, &stretches[at..])?;
        raw_crc = crc32c::crc32c_append(raw_crc, &buffer);
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&crc32c::crc32c(content).to_le_bytes())?;
        file.write_all(content)?;
        offset += wanted;
    }
    file.write_all(&head.write_behind())?;
    file.sync_all()?;
    Ok(raw_crc)
}

/// Finds out whose is what, before anything is written: the head says it.
pub(super) fn survey(
    source: &mut dyn Disk,
    due: &Due,
    sealer: &mut dyn Sealer,
) -> io::Result<Survey> {
    let mut survey = Survey::default();
    let from = Position::new(due.segment, 0);
    let until = Position::new(due.segment, due.bytes);
    let mut reader = Reader::new(source, from, until).map_err(io::Error::other)?;
    while let Some(item) = reader.next().map_err(io::Error::other)? {
        match item {
            Item::Record(entry) => {
                if let Some(owned) = sealer.record(entry.kind, entry.meta) {
                    let data = entry.position.offset + FRAME_HEADER_BYTES as u64;
                    let from = data + owned.from as u64;
                    survey.note((owned.owner, from, entry.next.offset), || {
                        sealer.key(owned.owner)
                    })?;
                }
            }
            Item::Damage(damage) => {
                if let Some(owner) = sealer.damage() {
                    survey.note((owner, damage.from.offset, damage.to), || sealer.key(owner))?;
                }
            }
            // Of an archive that is made again: what was left out stays so.
            Item::Withheld(withheld) if withheld.why == Why::Forgotten => {
                let from = withheld.position.offset + FRAME_HEADER_BYTES as u64;
                survey.note((withheld.owner, from, withheld.next.offset), || Ok(None))?;
            }
            Item::Withheld(withheld) => {
                return Err(io::Error::other(format!(
                    "the key of owner {} is not there",
                    withheld.owner
                )));
            }
        }
    }
    drop(reader);
    // Bytes of no valid record may be those of whoever is left out: where somebody is, they are as well.
    if let Some(owner) = sealer.damage()
        && survey.shares.iter().any(|share| share.key == NO_KEY)
        && let Some(share) = survey.shares.iter_mut().find(|share| share.owner == owner)
    {
        share.key = NO_KEY;
    }
    Ok(survey)
}

/// Makes chunks.
struct Packer<'a> {
    sealer: &'a mut dyn Sealer,
    salt: [u8; SALT_BYTES],
    segment: u64,
    shares: &'a [Share],
    compressor: Compressor<'static>,
    runs: Vec<u8>,
    plain: Vec<u8>,
    content: Vec<u8>,
}

impl Packer<'_> {
    /// The content of the chunk that begins at `offset`; `stretches` begin with the first that reaches into it. What is left out becomes zeros
    /// in `chunk`.
    fn pack(&mut self, chunk: &mut [u8], offset: u64, stretches: &[Stretch]) -> io::Result<&[u8]> {
        self.runs.clear();
        self.plain.clear();
        self.content.clear();
        // The parts in the order in which their owners come.
        let mut parts: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut by_share: BTreeMap<usize, usize> = BTreeMap::new();
        let (mut runs, mut done) = (0, 0);
        for stretch in stretches {
            let from = stretch.from.saturating_sub(offset);
            if from >= chunk.len() as u64 {
                break;
            }
            // Both are within the chunk.
            let from = from as usize;
            let to = (stretch.to - offset).min(chunk.len() as u64) as usize;
            let number = *by_share.entry(stretch.share).or_insert_with(|| {
                parts.push((stretch.share, Vec::new()));
                parts.len() - 1
            });
            put_number(&mut self.runs, from - done);
            put_number(&mut self.runs, to - from);
            put_number(&mut self.runs, number);
            runs += 1;
            self.plain.extend_from_slice(&chunk[done..from]);
            if self.shares[stretch.share].key == NO_KEY {
                chunk[from..to].fill(0);
            } else {
                parts[number].1.extend_from_slice(&chunk[from..to]);
            }
            done = to;
        }
        let mut open = Vec::new();
        put_number(&mut open, runs);
        open.append(&mut self.runs);
        open.append(&mut self.plain);
        open.extend_from_slice(&chunk[done..]);

        let number = u32::try_from(offset / CHUNK_BYTES as u64).map_err(io::Error::other)?;
        put_count(&mut self.content, open.len())?;
        let frame = self.compressor.compress(&open)?;
        put_count(&mut self.content, frame.len())?;
        put_count(&mut self.content, parts.len())?;
        let mut sealed_parts = Vec::with_capacity(parts.len());
        for (share, bytes) in parts {
            let Share { owner, key, .. } = self.shares[share];
            let mut sealed = Vec::new();
            if key != NO_KEY {
                sealed = self.compressor.compress(&bytes)?;
                let place = Place {
                    salt: self.salt,
                    segment: self.segment,
                    chunk: number,
                    owner,
                    key,
                };
                self.sealer.seal(&place, &mut sealed)?;
            }
            put_count(&mut self.content, share)?;
            put_count(&mut self.content, sealed.len())?;
            sealed_parts.push(sealed);
        }
        self.content.extend_from_slice(&frame);
        for sealed in sealed_parts {
            self.content.extend_from_slice(&sealed);
        }
        Ok(&self.content)
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let count = u32::try_from(count).map_err(io::Error::other)?;
    out.extend_from_slice(&count.to_le_bytes());
    Ok(())
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put_number(out: &mut Vec<u8>, number: usize) {
    let mut rest = number;
    while rest >= 0x80 {
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
