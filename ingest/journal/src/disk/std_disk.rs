//! The portable disk: plain files, one system call per operation.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Disk, list_folder, remove_file, segment_path, sync_folder};

/// Segments as files, through the standard library.
#[derive(Debug)]
pub struct StdDisk {
    folder: PathBuf,
    /// The segment used last, open.
    open: Option<(u64, File)>,
}

impl StdDisk {
    /// The folder `path`, made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Self {
            folder: path.to_owned(),
            open: None,
        })
    }

    fn file(&mut self, segment: u64) -> io::Result<&mut File> {
        let open = match self.open.take() {
            Some(open) if open.0 == segment => open,
            _ => {
                let path = segment_path(&self.folder, segment);
                (
                    segment,
                    OpenOptions::new().read(true).write(true).open(path)?,
                )
            }
        };
        Ok(&mut self.open.insert(open).1)
    }
}

impl Disk for StdDisk {
    fn name(&self) -> &'static str {
        "std"
    }

    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        list_folder(&self.folder)
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        let path = segment_path(&self.folder, segment);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        self.open = Some((segment, file));
        sync_folder(&self.folder)
    }

    fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        let result = self.file(segment).and_then(|file| {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)
        });
        (result, bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        self.file(segment)?.sync_data()
    }

    fn read(
        &mut self,
        segment: u64,
        offset: u64,
        mut buffer: Vec<u8>,
    ) -> (io::Result<usize>, Vec<u8>) {
        let result = self.file(segment).and_then(|file| {
            file.seek(SeekFrom::Start(offset))?;
            let mut filled = 0;
            while filled < buffer.len() {
                match file.read(&mut buffer[filled..]) {
                    Ok(0) => break,
                    Ok(bytes) => filled += bytes,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(filled)
        });
        (result, buffer)
    }

    fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()> {
        let file = self.file(segment)?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.0 == segment) {
            self.open = None;
        }
        remove_file(&self.folder, segment)
    }
}
