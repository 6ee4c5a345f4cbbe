//! What the journal of decisions holds of a customer who is forgotten (Rule 8), and what else may stand in it.
//!
//! A tombstone ([`KIND_FORGET`]) has this meta part (little-endian):
//!
//! ```text
//!  0    1            9             17
//! +----+------------+-------------+----------…--+
//! | 1  | customer   | decided     | who        |
//! |    |            | unix ms     | 0 to 128 B |
//! +----+------------+-------------+----------…--+
//! ```
//!
//! Its body: the number of his sites (u32), each site (i64); the number of his agents (u32), each agent (its length as one byte, then its id).
//!
//! What always holds: it names nobody but the one who decided; everything else in it is ids. It cannot be undone: no decision speaks of it.

use std::path::Path;

use codec::id::{AgentId, TenantId};
use codec::time::Timestamp;
use journal::{Item, Position};
use registry::{Decision, Tombstone};

use crate::record::{Cursor, KIND_FORGET, MetaError, WHO_BYTES_MAX};
use crate::shard::{DiskFactory, ShardError};

const VERSION: u8 = 1;

/// What a record of the journal of decisions says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Who is who.
    Who(Decision),
    /// A customer is forgotten.
    Forget(Tombstone),
}

/// A tombstone in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it says.
    pub tombstone: Tombstone,
    /// Where it ends: a store that has applied so much has applied it.
    pub end: Position,
}

/// Appends the two parts of a tombstone's record.
pub fn write(tombstone: &Tombstone, meta: &mut Vec<u8>, body: &mut Vec<u8>) {
    meta.push(VERSION);
    meta.extend_from_slice(&tombstone.customer.0.to_le_bytes());
    meta.extend_from_slice(&tombstone.at.unix_ms.to_le_bytes());
    let who = &tombstone.who;
    meta.extend_from_slice(&who.as_bytes()[..who.floor_char_boundary(WHO_BYTES_MAX)]);
    let count = |count: usize| u32::try_from(count).expect("a registry has fewer than 2^32 rows");
    body.extend_from_slice(&count(tombstone.sites.len()).to_le_bytes());
    for site in &tombstone.sites {
        body.extend_from_slice(&site.0.to_le_bytes());
    }
    body.extend_from_slice(&count(tombstone.agents.len()).to_le_bytes());
    for agent in &tombstone.agents {
        let agent = agent.as_str().as_bytes();
        body.push(u8::try_from(agent.len()).expect("an agent id has at most 64 bytes"));
        body.extend_from_slice(agent);
    }
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// [`MetaError`] for anything else.
pub fn read(meta: &[u8], body: &[u8]) -> Result<Tombstone, MetaError> {
    let mut cursor = Cursor(meta);
    if cursor.take()? != [VERSION] {
        return Err(MetaError);
    }
    let customer = TenantId(i64::from_le_bytes(cursor.take()?));
    let at = Timestamp::from_unix_ms(i64::from_le_bytes(cursor.take()?));
    let who = std::str::from_utf8(cursor.0).map_err(|_| MetaError)?;
    let mut cursor = Cursor(body);
    let (mut sites, mut agents) = (Vec::new(), Vec::new());
    for _ in 0..u32::from_le_bytes(cursor.take()?) {
        sites.push(TenantId(i64::from_le_bytes(cursor.take()?)));
    }
    for _ in 0..u32::from_le_bytes(cursor.take()?) {
        let [length] = cursor.take()?;
        let (agent, rest) = cursor
            .0
            .split_at_checked(usize::from(length))
            .ok_or(MetaError)?;
        cursor.0 = rest;
        let agent = std::str::from_utf8(agent).map_err(|_| MetaError)?;
        agents.push(AgentId::new(agent).map_err(|_| MetaError)?);
    }
    if !cursor.0.is_empty() {
        return Err(MetaError);
    }
    Ok(Tombstone {
        customer,
        sites,
        agents,
        who: who.to_owned(),
        at,
    })
}

/// Every tombstone in the journal of decisions in `folder`, in order: to be known before reports are replayed. One that cannot be read is an
/// error, since nothing may be replayed that it forbids.
///
/// # Errors
/// Of the disk; [`std::io::ErrorKind::InvalidData`] for a tombstone of a later version.
pub fn all(folder: &Path, disks: &DiskFactory) -> Result<Vec<Placed>, ShardError> {
    let failed = |source| ShardError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let disk = disks(folder).map_err(failed)?;
    let mut placed = Vec::new();
    let mut is_foreign = false;
    let read = journal::inspect::dump(disk, Position::START, |item| {
        if let Item::Record(entry) = item
            && entry.kind == KIND_FORGET
        {
            match read(entry.meta, entry.body) {
                Ok(tombstone) => placed.push(Placed {
                    tombstone,
                    end: entry.next,
                }),
                Err(MetaError) => is_foreign = true,
            }
        }
        true
    });
    read.map_err(|source| ShardError::Journal {
        folder: folder.to_owned(),
        source,
    })?;
    if is_foreign {
        let why = "a customer was forgotten by a later version of this program: use that";
        return Err(failed(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            why,
        )));
    }
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_reads_back_and_nothing_else_does() {
        let tombstone = Tombstone {
            customer: TenantId(17),
            sites: vec![TenantId(18), TenantId(1 << 40)],
            agents: vec![AgentId::new("a").unwrap(), AgentId::new("werk-2").unwrap()],
            who: "jürgen".to_owned(),
            at: Timestamp::from_unix_ms(-3),
        };
        let (mut meta, mut body) = (Vec::new(), Vec::new());
        write(&tombstone, &mut meta, &mut body);
        assert_eq!(read(&meta, &body), Ok(tombstone));
        for cut in 0..17 {
            assert_eq!(read(&meta[..cut], &body), Err(MetaError));
        }
        for cut in 0..body.len() {
            assert_eq!(read(&meta, &body[..cut]), Err(MetaError));
        }
        body.push(0);
        assert_eq!(read(&meta, &body), Err(MetaError));
    }
}
