//! A folder of live segments with its archive behind it, as one disk: who reads does not know which is which.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{EXTENSION, Open, Opener, Owner, Why, list, path_of};
use crate::disk::Disk;

/// Live segments, and behind them archived ones. What is written goes to the live ones; archives never change.
#[derive(Debug)]
pub struct ArchiveDisk<D> {
    live: D,
    folder: PathBuf,
    opener: Arc<dyn Opener>,
    open: Option<Open>,
}

impl<D: Disk> ArchiveDisk<D> {
    /// The segments of `live`, and those archived in `folder`, which need not be there.
    #[must_use]
    pub fn new(live: D, folder: &Path, opener: Arc<dyn Opener>) -> Self {
        Self {
            live,
            folder: folder.to_owned(),
            opener,
            open: None,
        }
    }

    fn archived(&mut self, segment: u64) -> io::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) if open.segment == segment => open,
            _ => {
                let path = path_of(&self.folder, segment, EXTENSION);
                Open::read(&path, segment, &self.opener)?
            }
        };
        Ok(self.open.insert(open))
    }
}

impl<D: Disk> Disk for ArchiveDisk<D> {
    fn name(&self) -> &'static str {
        self.live.name()
    }

    /// The live ones first: a segment that is archived meanwhile is seen in one of the two.
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let live = self.live.list()?;
        let archived = list(&self.folder)?;
        let mut all: BTreeMap<u64, u64> = archived
            .into_iter()
            .map(|info| (info.segment, info.raw_bytes))
            .collect();
        all.extend(live);
        Ok(all.into_iter().collect())
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        self.live.create(segment)
    }

    fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        self.live.append(segment, offset, bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        self.live.sync(segment)
    }

    fn read(&mut self, segment: u64, offset: u64, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        let (result, mut buffer) = self.live.read(segment, offset, buffer);
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let result = self
                    .archived(segment)
                    .and_then(|open| open.fill(offset, &mut buffer));
                (result, buffer)
            }
            result => (result, buffer),
        }
    }

    fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()> {
        self.live.truncate(segment, bytes)
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.live.remove(segment)
    }

    fn withheld(&mut self, segment: u64, from: u64, to: u64) -> io::Result<Option<(Owner, Why)>> {
        // What was read last is what is asked about: of a live segment nothing is withheld.
        match &mut self.open {
            Some(open) if open.segment == segment => open.withheld(from, to),
            _ => Ok(None),
        }
    }
}
