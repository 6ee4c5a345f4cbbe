//! What can go wrong between the journal and its disk.

use std::io;

/// A failed operation of the journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder's segments could not be listed.
    #[error("listing the journal's segments failed")]
    List {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A segment could not be made. Nothing was written.
    #[error("creating journal segment {segment} failed")]
    Create {
        /// The segment.
        segment: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A write failed; none of the records of this append is in the journal.
    #[error("writing to journal segment {segment} failed")]
    Append {
        /// The segment.
        segment: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A sync failed. Everything appended since the last good sync was taken back and must be appended again.
    #[error(
        "syncing journal segment {segment} failed; what was appended since the last sync is not in the journal"
    )]
    Sync {
        /// The segment.
        segment: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A read failed.
    #[error("reading journal segment {segment} failed")]
    Read {
        /// The segment.
        segment: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A segment could not be cut to its valid length.
    #[error("truncating journal segment {segment} failed")]
    Truncate {
        /// The segment.
        segment: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A segment could not be removed.
    #[error("removing journal segment {segment} failed")]
    Remove {
        /// The segment.
        segment: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The record is larger than the format allows.
    #[error(
        "a record of {meta_bytes} + {body_bytes} bytes is larger than the journal's format allows"
    )]
    TooLarge {
        /// Bytes of the meta part.
        meta_bytes: usize,
        /// Bytes of the body.
        body_bytes: usize,
    },
}

impl Error {
    /// Whether the disk said that it is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Create { source, .. }
            | Self::Append { source, .. }
            | Self::Sync { source, .. } => {
                matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
            }
            _ => false,
        }
    }
}
