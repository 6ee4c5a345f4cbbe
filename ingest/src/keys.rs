//! The customers' keys: what archived reports are encrypted under, one for each customer, so that what a customer sent can be forgotten by
//! destroying 32 bytes (Rule 8).
//!
//! A key is a file of its own in `keys/` of the manager's data folder, `customer-<tenant id>.key`, readable by the manager's user alone.
//! 64 bytes (little-endian):
//!
//! ```text
//!  0            8      10     12      16          24                                  56      60       64
//! +------------+------+------+-------+-----------+-----------------------------------+-------+--------+
//! | "PLATENKY" | ver. | 64   | 0     | customer  | the key, drawn at random          | 0     | CRC32C |
//! +------------+------+------+-------+-----------+-----------------------------------+-------+--------+
//! ```
//!
//! Beside it may stand earlier keys of his that were put back from a backup, `customer-<tenant id>-<anything>.key`: archives are read with
//! them too, and nothing is encrypted under them.
//!
//! What always holds: a file under its final name is whole and durable before anything is encrypted under it; a key is never written over by
//! another one, also where its file is damaged: that is an error for a person to look at, who may have a copy of it. Whether a customer
//! *shall* have no key is not known here: the decision to forget him is in the journal, and who starts a manager applies it (a copy of the
//! keys that was restored from a backup brings nothing back).
//!
//! Destroying writes over the file before it removes it. A disk that moves blocks as it likes (flash, copying file systems, snapshots) may
//! keep the old ones for a while: where that matters, the data folder belongs on an encrypted volume.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use codec::id::TenantId;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

mod seals;
mod stopped;

pub use seals::{ArchiveSealer, NOBODY, Owners, STRANGERS, Seals};

/// The folder of the keys in the manager's data folder.
pub const FOLDER: &str = "keys";
/// Bytes of a key: AES-256's.
pub const KEY_BYTES: usize = 32;
/// Bytes of a key's name.
pub const KEY_ID_BYTES: usize = 8;
const MAGIC: [u8; 8] = *b"PLATENKY";
const VERSION: u16 = 1;
const FILE_BYTES: usize = 64;
const EXTENSION: &str = "key";
const MAKING: &str = "key-making";
/// What a key's name is a digest of, before the key: no other use of the key makes the same digest.
const ID_CONTEXT: &[u8] = b"platen: the name of a customer's key";

/// A customer's key. It shows itself to nobody: its `Debug` is its name.
pub struct Key {
    bytes: [u8; KEY_BYTES],
    id: [u8; KEY_ID_BYTES],
}

impl Key {
    fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(ID_CONTEXT);
        context.update(&bytes);
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&context.finish().as_ref()[..KEY_ID_BYTES]);
        Self { bytes, id }
    }

    /// The key itself.
    const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// What tells it from other keys and does not tell what it is.
    #[must_use]
    pub const fn id(&self) -> [u8; KEY_ID_BYTES] {
        self.id
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:016x})", u64::from_be_bytes(self.id))
    }
}

/// The keys of all customers. One manager uses a folder at a time.
#[derive(Debug)]
pub struct CustomerKeys {
    folder: PathBuf,
    known: Mutex<Known>,
}

/// Keys that were read or made.
#[derive(Debug, Default)]
struct Known {
    /// What is encrypted under.
    current: HashMap<TenantId, Arc<Key>>,
    /// All, by their names.
    named: HashMap<(TenantId, [u8; KEY_ID_BYTES]), Arc<Key>>,
}

impl Known {
    fn is_current(&mut self, customer: TenantId, key: &Arc<Key>) {
        self.named.insert((customer, key.id()), Arc::clone(key));
        self.current.insert(customer, Arc::clone(key));
    }
}

impl CustomerKeys {
    /// Opens the folder, or makes it, and removes what a crash left of making a key.
    ///
    /// # Errors
    /// Of the file system. A damaged key is an error only for who asks for it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        make_folder(folder)?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == MAKING) {
                remove(&path)?;
            }
        }
        Ok(Self::at(folder))
    }

    /// The keys in a folder that need not be there, for a program that only reads: nothing is made by opening.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            known: Mutex::default(),
        }
    }

    /// The customers that have a key, damaged or not, in order.
    ///
    /// # Errors
    /// Of the file system.
    pub fn customers(&self) -> io::Result<Vec<TenantId>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut customers = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix("customer-")?.strip_suffix(".key"))
                .and_then(|name| {
                    // The first character may be a sign.
                    let end = name.get(1..)?.find('-').map_or(name.len(), |at| at + 1);
                    name[..end].parse().ok()
                });
            customers.extend(number.map(TenantId));
        }
        customers.sort_unstable();
        customers.dedup();
        Ok(customers)
    }

    /// The customer's key; `None` when he has none.
    ///
    /// # Errors
    /// Of the file system; [`ErrorKind::InvalidData`] when the file is there and is no whole key.
    pub fn get(&self, customer: TenantId) -> io::Result<Option<Arc<Key>>> {
        let mut known = self.known();
        if let Some(key) = known.current.get(&customer) {
            return Ok(Some(Arc::clone(key)));
        }
        let key = read(&self.path(customer), customer)?;
        if let Some(key) = &key {
            known.is_current(customer, key);
        }
        Ok(key)
    }

    /// The customer's key of that name, be it one of before; `None` when he has none such.
    ///
    /// # Errors
    /// As [`get`](Self::get), when none that can be read is it.
    pub fn named(
        &self,
        customer: TenantId,
        id: &[u8; KEY_ID_BYTES],
    ) -> io::Result<Option<Arc<Key>>> {
        let mut known = self.known();
        if let Some(key) = known.named.get(&(customer, *id)) {
            return Ok(Some(Arc::clone(key)));
        }
        let mut fault = None;
        for path in self.files(customer)? {
            match read(&path, customer) {
                Ok(Some(key)) => {
                    let name = (customer, key.id());
                    known.named.insert(name, Arc::clone(&key));
                    if key.id() == *id {
                        return Ok(Some(key));
                    }
                }
                Ok(None) => {}
                Err(error) => fault = Some(error),
            }
        }
        fault.map_or(Ok(None), Err)
    }

    /// The customer's key to encrypt under, drawn and made durable now if he has none. It is in its file when this returns: one that went from
    /// there while this program knew it is put back, and one that another was put in the place of is kept beside it.
    ///
    /// # Errors
    /// As [`get`](Self::get), and of the random generator.
    pub fn get_or_make(&self, customer: TenantId) -> io::Result<Arc<Key>> {
        let mut known = self.known();
        let was = known.current.get(&customer).cloned();
        let path = self.path(customer);
        if let Some(key) = read(&path, customer)? {
            if let Some(was) = was.filter(|was| was.id() != key.id()) {
                let id = u64::from_be_bytes(was.id());
                let beside = format!("customer-{customer}-{id:016x}.{EXTENSION}");
                let beside = self.folder.join(beside);
                if !beside.try_exists()? {
                    self.write(&beside, customer, was.bytes())?;
                }
            }
            known.is_current(customer, &key);
            return Ok(key);
        }
        let key = match was {
            Some(was) => was,
            None => {
                let mut bytes = [0; KEY_BYTES];
                SystemRandom::new()
                    .fill(&mut bytes)
                    .map_err(|_| io::Error::other("the system gives no random numbers"))?;
                Arc::new(Key::new(bytes))
            }
        };
        self.write(&path, customer, key.bytes())?;
        known.is_current(customer, &key);
        Ok(key)
    }

    /// Destroys the customer's key: what was encrypted under it can be read by nobody any more. Says whether there was one; well if there
    /// was none. With it goes the key of what is [nobody's](NOBODY), of which nobody knows whether it speaks of this customer.
    ///
    /// # Errors
    /// Of the file system: the key may be there still.
    pub fn destroy(&self, customer: TenantId) -> io::Result<bool> {
        let mut known = self.known();
        if customer != NOBODY && !self.files(customer)?.is_empty() {
            self.destroy_files(NOBODY, &mut known)?;
        }
        self.destroy_files(customer, &mut known)
    }

    fn destroy_files(&self, customer: TenantId, known: &mut Known) -> io::Result<bool> {
        known.current.remove(&customer);
        known.named.retain(|(of, _), _| *of != customer);
        let paths = self.files(customer)?;
        for path in &paths {
            let mut file = OpenOptions::new().write(true).open(path)?;
            let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(FILE_BYTES);
            file.write_all(&vec![0; bytes.max(FILE_BYTES)])?;
            file.sync_all()?;
            remove(path)?;
        }
        if !paths.is_empty() {
            sync_folder(&self.folder)?;
        }
        Ok(!paths.is_empty())
    }

    /// The files that are there of a customer's keys, in order.
    fn files(&self, customer: TenantId) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let (own, beside) = (
            format!("customer-{customer}.{EXTENSION}"),
            format!("customer-{customer}-"),
        );
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let is_his = name.is_some_and(|name| {
                name == own || name.starts_with(&beside) && name.ends_with(".key")
            });
            if is_his {
                files.push(path);
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Writes a key that was not there, and makes it durable.
    fn write(&self, path: &Path, customer: TenantId, key: &[u8; KEY_BYTES]) -> io::Result<()> {
        make_folder(&self.folder)?;
        let making = path.with_extension(MAKING);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&making)?;
        allow_owner_alone(&making, 0o600)?;
        file.write_all(&file_of(customer, key))?;
        file.sync_all()?;
        drop(file);
        if path.try_exists()? {
            remove(&making)?;
            return Err(ErrorKind::AlreadyExists.into());
        }
        fs::rename(&making, path)?;
        sync_folder(&self.folder)
    }

    fn path(&self, customer: TenantId) -> PathBuf {
        self.folder.join(format!("customer-{customer}.{EXTENSION}"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_of(customer: TenantId, key: &[u8; KEY_BYTES]) -> [u8; FILE_BYTES] {
    let mut file = [0; FILE_BYTES];
    file[0..8].copy_from_slice(&MAGIC);
    file[8..10].copy_from_slice(&VERSION.to_le_bytes());
    file[10..12].copy_from_slice(&(FILE_BYTES as u16).to_le_bytes());
    file[16..24].copy_from_slice(&customer.0.to_le_bytes());
    file[24..56].copy_from_slice(key);
    let crc = crc32c::crc32c(&file[..60]);
    file[60..64].copy_from_slice(&crc.to_le_bytes());
    file
}

/// The key in a file of this customer's; `None` when it is none.
fn parse(bytes: &[u8], customer: TenantId) -> Option<[u8; KEY_BYTES]> {
    let file: &[u8; FILE_BYTES] = bytes.try_into().ok()?;
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&file[24..56]);
    // All of it is known but for the key: so it is compared as a whole.
    (file_of(customer, &key) == *file).then_some(key)
}

/// The key in a file; `None` where there is none.
fn read(path: &Path, customer: TenantId) -> io::Result<Option<Arc<Key>>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let bytes = parse(&bytes, customer).ok_or_else(|| {
        io::Error::new(
            ErrorKind::InvalidData,
            format!(
                "the key of customer {customer}, {}, is damaged: put back a copy of it; without it the customer's archived reports cannot be \
                 read, and segments with reports of his are not archived as long as the file is there",
                path.display()
            ),
        )
    })?;
    Ok(Some(Arc::new(Key::new(bytes))))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn allow_owner_alone(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Elsewhere the folder's own rules hold.
#[cfg(not(unix))]
fn allow_owner_alone(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Makes the folder of keys, for its owner alone, so that it is there also after a power cut: else the keys in it would not be.
fn make_folder(folder: &Path) -> io::Result<()> {
    let is_new = !folder.try_exists()?;
    fs::create_dir_all(folder)?;
    allow_owner_alone(folder, 0o700)?;
    let parent = folder.parent();
    match parent.filter(|parent| is_new && !parent.as_os_str().is_empty()) {
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

/// Makes a change of the folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // A folder cannot be opened as a file on Windows; NTFS journals its changes itself.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEYER: TenantId = TenantId(7);
    const SCHULZ: TenantId = TenantId(8);

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        let keys = CustomerKeys::open(&folder).unwrap();
        assert!(keys.get(MEYER).unwrap().is_none());
        let made = keys.get_or_make(MEYER).unwrap();
        let other = keys.get_or_make(SCHULZ).unwrap();
        assert_ne!(made.bytes(), other.bytes());
        assert_ne!(made.id(), other.id());
        fs::write(folder.join("customer-9.key-making"), b"half").unwrap();
        let again = CustomerKeys::open(&folder).unwrap();
        assert_eq!(again.get_or_make(MEYER).unwrap().bytes(), made.bytes());
        assert_eq!(again.get(SCHULZ).unwrap().unwrap().id(), other.id());
        assert_eq!(again.customers().unwrap(), [MEYER, SCHULZ]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        assert!(!format!("{made:?}").contains(&format!("{:?}", made.bytes())));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_keys() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        let keys = CustomerKeys::open(&folder).unwrap();
        keys.get_or_make(MEYER).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("customer-7.key")), 0o600);
    }

    #[test]
    fn a_destroyed_key_is_gone_and_may_be_destroyed_again() {
        let folder = tempfile::tempdir().unwrap();
        let keys = CustomerKeys::open(folder.path()).unwrap();
        let made = keys.get_or_make(MEYER).unwrap();
        keys.get_or_make(SCHULZ).unwrap();
        assert!(keys.destroy(MEYER).unwrap());
        assert!(!keys.destroy(MEYER).unwrap());
        assert!(keys.get(MEYER).unwrap().is_none());
        assert!(keys.get(SCHULZ).unwrap().is_some());
        let anew = keys.get_or_make(MEYER).unwrap();
        assert_ne!(anew.bytes(), made.bytes());
    }

    #[test]
    fn a_damaged_key_is_an_error_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        CustomerKeys::open(folder.path())
            .unwrap()
            .get_or_make(MEYER)
            .unwrap();
        let path = folder.path().join("customer-7.key");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 4;
            fs::write(&path, &bad).unwrap();
            let keys = CustomerKeys::open(folder.path()).unwrap();
            let error = keys.get_or_make(MEYER).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "byte {at}");
            assert!(error.to_string().contains("customer-7.key"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
        for bad in [&good[..0], &good[..63]] {
            fs::write(&path, bad).unwrap();
            let keys = CustomerKeys::open(folder.path()).unwrap();
            assert!(keys.get(MEYER).is_err());
        }
        // One that was put under another customer's name is none of his.
        fs::write(folder.path().join("customer-8.key"), &good).unwrap();
        let keys = CustomerKeys::open(folder.path()).unwrap();
        assert!(keys.get(SCHULZ).is_err());
        // One beside it is read, by its name alone, and goes with it.
        fs::write(folder.path().join("customer-8.key"), b"").unwrap();
        fs::write(
            folder.path().join("customer-8-earlier.key"),
            file_of(SCHULZ, &[3; 32]),
        )
        .unwrap();
        let id = Key::new([3; 32]).id();
        assert_eq!(keys.named(SCHULZ, &id).unwrap().unwrap().id(), id);
        assert!(keys.named(SCHULZ, &[1; 8]).is_err());
        assert_eq!(keys.customers().unwrap(), [MEYER, SCHULZ]);
        // A damaged one can be destroyed.
        assert!(keys.destroy(SCHULZ).unwrap());
        assert!(keys.named(SCHULZ, &id).unwrap().is_none());
        assert_eq!(keys.customers().unwrap(), [MEYER]);
    }

    #[test]
    fn nothing_is_encrypted_under_a_key_that_is_in_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let keys = CustomerKeys::open(folder.path()).unwrap();
        let made = keys.get_or_make(STRANGERS).unwrap();
        let path = folder.path().join("customer--1.key");
        fs::remove_file(&path).unwrap();
        assert_eq!(keys.get_or_make(STRANGERS).unwrap().id(), made.id());
        assert!(path.exists(), "it is put back");
        fs::write(&path, file_of(STRANGERS, &[3; 32])).unwrap();
        let other = keys.get_or_make(STRANGERS).unwrap();
        assert_eq!(other.bytes(), &[3; 32]);
        // Also after a start, both can be read.
        let again = CustomerKeys::open(folder.path()).unwrap();
        for key in [&made, &other] {
            let found = again.named(STRANGERS, &key.id()).unwrap();
            assert_eq!(found.unwrap().bytes(), key.bytes());
        }
        assert_eq!(again.customers().unwrap(), [STRANGERS]);
        assert!(again.destroy(STRANGERS).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
