//! The journal's disk on Linux: writes, syncs and reads go through io_uring (`tokio-uring`).
//!
//! The ring belongs to the thread that opened the disk; each call drives it until its own operation is done. What has no
//! operation in the ring's vocabulary (listing, truncating) takes the plain system call.

use std::io;
use std::path::{Path, PathBuf};

use tokio_uring::Runtime;
use tokio_uring::buf::BoundedBuf;
use tokio_uring::fs::{File, OpenOptions};

use super::{Disk, list_folder, remove_file, segment_path, sync_folder};

/// Operations in the ring at once: one call has one in flight, the rest is room.
const RING_ENTRIES: u32 = 8;

/// Segments as files, through io_uring. Its calls block by driving the ring, so they must not be made from async code.
pub struct UringDisk {
    folder: PathBuf,
    /// The segment used last, open. Declared before the runtime: files go before their ring.
    open: Option<(u64, File)>,
    runtime: Runtime,
}

impl UringDisk {
    /// The folder `path`, made if it is missing, after a probe: a ring is set up, and a file is written, synced and read back.
    ///
    /// # Errors
    /// When the folder cannot be made, or when io_uring is missing, forbidden, or lacks an operation.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let runtime = Runtime::new(tokio_uring::builder().entries(RING_ENTRIES))?;
        let probe = path.join("uring.probe");
        let probed = runtime.block_on(probe_ring(&probe));
        std::fs::remove_file(&probe).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        probed?;
        Ok(Self {
            folder: path.to_owned(),
            open: None,
            runtime,
        })
    }

    /// Opens the segment unless it is the open one.
    fn select(&mut self, segment: u64) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|open| open.0 != segment) {
            let path = segment_path(&self.folder, segment);
            let file = self
                .runtime
                .block_on(OpenOptions::new().read(true).write(true).open(path))?;
            self.close();
            self.open = Some((segment, file));
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some((_, file)) = self.open.take() {
            // An error of a close says nothing that a sync has not said before.
            let _ = self.runtime.block_on(file.close());
        }
    }

    fn file(&self) -> &File {
        &self.open.as_ref().expect("select() came before").1
    }
}

async fn probe_ring(path: &Path) -> io::Result<()> {
    const PROBE: &[u8] = b"io_uring works here";
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .await?;
    file.write_all_at(PROBE, 0).await.0?;
    file.sync_data().await?;
    let (result, buffer) = file.read_at(Vec::with_capacity(PROBE.len()), 0).await;
    let read = result?;
    file.close().await?;
    if buffer[..read] == *PROBE {
        Ok(())
    } else {
        Err(io::Error::other("the ring did not read back what it wrote"))
    }
}

impl Disk for UringDisk {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        list_folder(&self.folder)
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        let path = segment_path(&self.folder, segment);
        let file = self.runtime.block_on(
            OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path),
        )?;
        self.close();
        self.open = Some((segment, file));
        sync_folder(&self.folder)
    }

    fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        if bytes.is_empty() {
            return (Ok(()), bytes);
        }
        match self.select(segment) {
            Ok(()) => self
                .runtime
                .block_on(self.file().write_all_at(bytes, offset)),
            Err(error) => (Err(error), bytes),
        }
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        self.select(segment)?;
        self.runtime.block_on(self.file().sync_data())
    }

    fn read(
        &mut self,
        segment: u64,
        offset: u64,
        mut buffer: Vec<u8>,
    ) -> (io::Result<usize>, Vec<u8>) {
        if let Err(error) = self.select(segment) {
            return (Err(error), buffer);
        }
        let wanted = buffer.len();
        let mut filled = 0;
        while filled < wanted {
            let read = self
                .file()
                .read_at(buffer.slice(filled..wanted), offset + filled as u64);
            let (result, slice) = self.runtime.block_on(read);
            buffer = slice.into_inner();
            match result {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(filled), buffer)
    }

    fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()> {
        let path = segment_path(&self.folder, segment);
        let file = std::fs::OpenOptions::new().write(true).open(path)?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.0 == segment) {
            self.close();
        }
        remove_file(&self.folder, segment)
    }
}

impl Drop for UringDisk {
    fn drop(&mut self) {
        self.close();
    }
}
