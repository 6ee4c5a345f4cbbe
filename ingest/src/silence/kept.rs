//! What was learned of everybody's rhythm, kept over a restart in one file.
//!
//! ```text
//! file:    "PLSR" | version (2) | CRC32C of the rest (4) | looked at (8)
//!          absences (2) × { from (8) | to (8) }
//!          agents   (4) × { id's bytes (1) | id | heard at (8) | fine since (8) | rhythm }
//!          devices  (4) × { id (10) | rhythm }
//! rhythm:  heard at (8) | period began (8) | which gaps are known (1) | those (8 each) | habits (1) × { gap (8) | ended (8) | known (1) }
//! ```
//!
//! Numbers are little-endian, times in milliseconds. What always holds: the file is there as a whole or not at all, and never the only copy of
//! anything: without it, or with a damaged one, rhythms are learned anew, with one line in the log. It is written every [`SAVE_EVERY`] and at
//! the end, so that a kill costs some minutes of learning.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use codec::id::{AgentId, DeviceId};
use codec::time::Timestamp;

use super::absence::Absences;
use super::rhythm::Rhythm;
use super::{AgentTrack, Silences};
use crate::record::{Cursor, MetaError};

/// How often it is written: some 50 bytes a device, which a fleet of 100,000 makes 5 MB.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(300);
/// The largest file that is read: what a million devices take with all their habits.
const FILE_BYTES_MAX: u64 = 128 << 20;
const MAGIC: [u8; 4] = *b"PLSR";
/// Of another version nothing is read: it is learned anew.
const VERSION: u16 = 1;
/// Magic, version and checksum.
const HEAD_BYTES: usize = 10;

/// What the state machine learned, as a file.
#[must_use]
pub(super) fn to_bytes(silences: &Silences) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + silences.devices.len() * 64);
    put_time(&mut out, silences.looked_at.unwrap_or_default());
    let spans = silences.absences.spans();
    put(&mut out, &(spans.len() as u16).to_le_bytes());
    for (from, to) in spans {
        put_time(&mut out, *from);
        put_time(&mut out, *to);
    }
    put(&mut out, &(silences.agents.len() as u32).to_le_bytes());
    for (agent, track) in &silences.agents {
        let id = agent.as_str().as_bytes();
        out.push(u8::try_from(id.len()).expect("an agent id has at most 64 bytes"));
        put(&mut out, id);
        put_time(&mut out, track.heard_at);
        put_time(&mut out, track.fine_since);
        track.rhythm.write(&mut out);
    }
    put(&mut out, &(silences.devices.len() as u32).to_le_bytes());
    for (device, rhythm) in &silences.devices {
        put(&mut out, device.as_bytes());
        rhythm.write(&mut out);
    }
    let mut file = Vec::with_capacity(HEAD_BYTES + out.len());
    put(&mut file, &MAGIC);
    put(&mut file, &VERSION.to_le_bytes());
    put(&mut file, &crc32c::crc32c(&out).to_le_bytes());
    put(&mut file, &out);
    file
}

/// Takes over what was learned before.
///
/// # Errors
/// [`MetaError`] for a file that is damaged or of another version; nothing is taken over then.
pub(super) fn take_over(silences: &mut Silences, file: &[u8]) -> Result<(), MetaError> {
    let mut cursor = Cursor(file);
    let (magic, version) = (cursor.take()?, u16::from_le_bytes(cursor.take()?));
    let checksum = u32::from_le_bytes(cursor.take()?);
    if magic != MAGIC || version != VERSION || crc32c::crc32c(cursor.0) != checksum {
        return Err(MetaError);
    }
    let looked_at = take_time(&mut cursor)?;
    let mut absences = Absences::default();
    for _ in 0..u16::from_le_bytes(cursor.take()?) {
        let (from, to) = (take_time(&mut cursor)?, take_time(&mut cursor)?);
        absences.note(from, to);
    }
    let mut agents = std::collections::HashMap::new();
    for _ in 0..u32::from_le_bytes(cursor.take()?) {
        let [id_bytes] = cursor.take()?;
        let id = cursor.0.split_at_checked(usize::from(id_bytes));
        let (id, rest) = id.ok_or(MetaError)?;
        cursor.0 = rest;
        let id = std::str::from_utf8(id).map_err(|_| MetaError)?;
        let id = AgentId::new(id).map_err(|_| MetaError)?;
        let track = AgentTrack {
            heard_at: take_time(&mut cursor)?,
            fine_since: take_time(&mut cursor)?,
            rhythm: Rhythm::read(&mut cursor)?,
        };
        agents.insert(id, track);
    }
    let mut devices = std::collections::HashMap::new();
    for _ in 0..u32::from_le_bytes(cursor.take()?) {
        let id = DeviceId::from_bytes(cursor.take()?);
        devices.insert(id, Rhythm::read(&mut cursor)?);
    }
    if !cursor.0.is_empty() {
        return Err(MetaError);
    }
    silences.there_until = Some(looked_at);
    silences.absences = absences;
    silences.agents = agents;
    silences.devices = devices;
    Ok(())
}

/// Reads the file at `path` into a state machine that knows nothing yet. What cannot be read is learned anew.
pub(super) fn load(silences: &mut Silences, path: &Path) {
    let read = fs::metadata(path).and_then(|metadata| {
        if metadata.len() > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        fs::read(path)
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "rhythms could not be read and are learned anew");
        }
        Ok(file) => match take_over(silences, &file) {
            Ok(()) => tracing::info!(
                agents = silences.agents.len(),
                devices = silences.devices.len(),
                "rhythms are known"
            ),
            Err(_) => {
                tracing::warn!(path = %path.display(), "rhythms are damaged or of another version and are learned anew");
            }
        },
    }
}

/// Writes the file at `path`.
///
/// # Errors
/// Of the file system; the file is as it was then.
pub(super) fn save(file: &[u8], path: &Path) -> io::Result<()> {
    let part = path.with_extension("part");
    let written = File::create(&part).and_then(|mut out| {
        out.write_all(file)?;
        out.sync_data()
    });
    let renamed = written.and_then(|()| fs::rename(&part, path));
    if renamed.is_err() {
        // Whatever hinders that, too, is the same disk's.
        let _ = fs::remove_file(&part);
    }
    renamed
}

pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

pub(super) fn put_time(out: &mut Vec<u8>, at: Timestamp) {
    put(out, &at.unix_ms.to_le_bytes());
}

pub(super) fn take_time(cursor: &mut Cursor<'_>) -> Result<Timestamp, MetaError> {
    Ok(Timestamp::from_unix_ms(i64::from_le_bytes(cursor.take()?)))
}
