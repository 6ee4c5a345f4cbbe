//! An append-only durable log: the manager's journal and the agent's spool.
//!
//! | module | what it holds |
//! |---|---|
//! | [`frame`] | the format of a record and of a segment, with byte diagrams |
//! | [`disk`] | the seam to the disk: [`StdDisk`] (portable), `UringDisk` (Linux), and which of them to take |
//! | [`journal`] | [`Journal`]: open and recover, append, sync, roll, remove |
//! | [`reader`] | [`Reader`]: records from a position on, stepping over damage |
//! | [`archive`] | sealed segments, compressed, each owner's bytes sealed by themselves, and kept; read like live ones |
//! | [`inspect`] | check and dump, for the command line |
//! | [`sim`] | a disk in memory that tears writes, forgets syncs, flips bits and fills up: for tests, here and in other crates |
//!
//! What always holds:
//!
//! - What [`Journal::sync`] confirmed survives the loss of power, unless the disk itself loses it.
//! - A [`Position`] never changes its meaning and is never given out twice: a segment is written by one life of the process,
//!   every open starts a new one, and segment numbers only grow.
//! - Damage never stops a start: a torn tail is cut off and counted; damage with valid records behind it is stepped over and
//!   reported, and the records behind it are read.
//! - A reader yields only bytes whose checksum holds, at the place where they were written.

pub mod archive;
pub mod config;
pub mod disk;
pub mod error;
pub mod frame;
pub mod inspect;
pub mod journal;
pub mod reader;
pub mod sim;

pub use archive::ArchiveDisk;
pub use config::Config;
pub use disk::{Disk, DiskChoice, StdDisk};
pub use error::Error;
pub use frame::{Position, Record};
pub use journal::{Journal, Recovery, SegmentInfo};
pub use reader::{Damage, Entry, Item, Reader, Withheld};
