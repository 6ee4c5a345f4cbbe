//! `platen journal`, `platen store`, `platen rebuild`, `platen evidence`: what a stopped manager left on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codec::envelope::Inflater;
use codec::id::Scope;
use codec::key::ContentHash;
use codec::limits::INFLATED_BYTES_MAX;
use codec::time::Timestamp;
use ingest::Ingest;
use ingest::archive::{folder_of, unreadable};
use ingest::keys::{NOBODY, Seals};
use ingest::record::{
    KIND_CHECKPOINT, KIND_DECISION, KIND_FORGET, KIND_REPORT, ReportMeta, read_decision,
};
use ingest::shard::decisions::FOLDER as DECISIONS_FOLDER;
use ingest::tombstone;
use journal::archive::{Sealing, Why};
use journal::{ArchiveDisk, Item, Position, StdDisk};
use olap::duck::DuckStore;
use olap::reading::ReadingId;

use crate::cli::{EvidenceArgs, JournalArgs, JournalCommand, RebuildArgs, StoreArgs, StoreCommand};
use crate::config::PlatenConfig;
use crate::failure::{Doing, Failure};
use crate::manager::{ingest_config, open_registry};

/// `platen journal`.
pub fn journal(args: &JournalArgs) -> Result<(), Failure> {
    let config = PlatenConfig::read(&args.config.config)?;
    let shards = shard_folders(&config)?;
    // A check makes nothing: not a registry either.
    let registry = crate::config::registry_path(&config.data).exists();
    let registry = registry.then(|| open_registry(&config.data)).transpose()?;
    let seals = Seals::of_stopped(&config.data, registry)?;
    let mut damaged = 0;
    for shard in shards {
        let name = shard
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let opened = || StdDisk::open(&shard).doing(|| format!("open {}", shard.display()));
        let archive = folder_of(&shard);
        let disk = ArchiveDisk::new(opened()?, &archive, seals.opener());
        match args.command {
            JournalCommand::Check => {
                let report = journal::inspect::check(disk)?;
                println!("{name}\n{report}");
                let archived = journal::archive::list(&archive)
                    .doing(|| format!("list {}", archive.display()))?;
                let (raw, kept) = archived.iter().fold((0, 0), |(raw, kept), info| {
                    (raw + info.raw_bytes, kept + info.file_bytes)
                });
                println!(
                    "{} of these segments are archived: {raw} bytes in {kept}",
                    archived.len()
                );
                let clear = archived.iter().filter(|info| !info.is_sealed).count();
                if clear > 0 {
                    println!(
                        "{clear} of the archives are in the clear, from before there were keys: a manager seals them, and so does `platen journal repair`"
                    );
                }
                damaged += usize::from(!report.is_sound());
            }
            JournalCommand::Dump => journal::inspect::dump(disk, Position::START, |item| {
                println!("{name} {}", line(item));
                true
            })?,
            JournalCommand::Repair => {
                // What archives hold never changes; what a crash left of making one is cleaned up.
                let cut = journal::inspect::repair(opened()?)?;
                let mended = journal::archive::mend(&archive, &mut opened()?, &seals.opener())
                    .doing(|| format!("mend {}", archive.display()))?;
                println!(
                    "{name}: {} damaged tails cut off, {} halves of archives removed",
                    cut.len(),
                    mended.swept + mended.removed.len()
                );
                let mut sealed = 0;
                let archived = journal::archive::list(&archive)
                    .doing(|| format!("list {}", archive.display()))?;
                for info in archived.iter().filter(|info| !info.is_sealed) {
                    let made = journal::archive::seal(
                        &archive,
                        info.segment,
                        &mut seals.sealer(),
                        &seals.opener(),
                    );
                    match made.doing(|| format!("seal the archive of segment {}", info.segment))? {
                        Sealing::Sealed(_) => sealed += 1,
                        Sealing::WasSealed => {}
                        Sealing::Damaged => println!(
                            "{name}: the archive of segment {} is damaged and stays as it is, in the clear",
                            info.segment
                        ),
                    }
                }
                if sealed > 0 {
                    println!("{name}: {sealed} archives were in the clear and are sealed");
                }
                for segment in mended.unlike {
                    println!(
                        "{name}: segment {segment} is not what its archive holds; both are kept, and the archive's checksums hold or it could \
                         not be read"
                    );
                }
            }
        }
    }
    let unreadable = unreadable(&config.journal_path(), &seals).doing(|| {
        format!(
            "look at the archives in {}",
            config.journal_path().display()
        )
    })?;
    if damaged == 0 && !unreadable.is_empty() && args.command == JournalCommand::Check {
        return Err(Failure::new(format!(
            "archived reports cannot be read, and their customers are not forgotten: {}. Put their keys back from a backup",
            told(&unreadable)
        )));
    }
    if damaged > 0 {
        return Err(Failure::new(format!(
            "{damaged} shards are damaged. A start needs no hand: it cuts off torn tails, steps over the rest, and agents are asked again for \
             numbers that are missing; what the store has of them stays. `platen journal dump` shows what stands around the damage; a rebuild \
             would be without it"
        )));
    }
    Ok(())
}

/// `platen store`.
pub fn store(args: &StoreArgs) -> Result<(), Failure> {
    let config = PlatenConfig::read(&args.config.config)?;
    let path = config.store_path();
    if !path.exists() {
        return Err(Failure::new(format!(
            "there is no store at {}",
            path.display()
        )));
    }
    let store = DuckStore::open(&path, &config.store)?;
    match &args.command {
        StoreCommand::Check => {
            let report = store.check()?;
            for (table, rows) in &report.rows {
                println!("{table}\t{rows}");
            }
            if !report.is_sound() {
                return Err(Failure::new(report.faults.join("; ")));
            }
            println!("sound");
        }
        StoreCommand::Backup { folder } => {
            std::fs::create_dir_all(folder).doing(|| format!("make {}", folder.display()))?;
            let registry = open_registry(&config.data)?;
            // The registry first: what the store knows of devices and sites must be in it.
            registry.backup(&crate::config::registry_path(folder))?;
            store.backup(&crate::config::store_path(folder))?;
            println!(
                "registry and store are in {}; copy {} and {} as they are: without its keys no archive of the journal can be read. Who has a copy                  of both can read what a customer sent also after he was forgotten here; put back, such a key is destroyed at the next start",
                folder.display(),
                config.journal_path().display(),
                config.data.join(ingest::keys::FOLDER).display()
            );
        }
    }
    Ok(())
}

/// `platen rebuild`.
pub fn rebuild(args: &RebuildArgs) -> Result<(), Failure> {
    let config = PlatenConfig::read(&args.config.config)?;
    crate::serve::log_to_stderr(&config.log)?;
    let path = config.store_path();
    let making = sibling(&path, "rebuilding");
    let old = sibling(
        &path,
        &format!("before-{}", Timestamp::now().unix_ms / 1000),
    );
    if path.exists() {
        // Fails while a manager has the store open.
        drop(DuckStore::open(&path, &config.store)?);
    }
    let forgotten = ingest::evidence::forgotten(&config.journal_path())?;
    if !forgotten.is_empty() {
        let told = told(&forgotten);
        if !args.from_what_is_left {
            return Err(Failure::new(format!(
                "the journal's oldest segments are kept no longer: {told}. A new store would be without what they held; \
                 --from-what-is-left makes it all the same"
            )));
        }
        println!("The new store is without what is kept no longer: {told}");
    }
    let registry = open_registry(&config.data)?;
    let seals = Seals::of_stopped(&config.data, Some(registry.clone()))?;
    let unreadable = unreadable(&config.journal_path(), &seals).doing(|| {
        format!(
            "look at the archives in {}",
            config.journal_path().display()
        )
    })?;
    if !unreadable.is_empty() {
        let told = told(&unreadable);
        if !args.from_what_is_left {
            return Err(Failure::new(format!(
                "archived reports cannot be read, and their customers are not forgotten: {told}. Put their keys back from a backup; a new store                  would be without these reports; --from-what-is-left makes it all the same"
            )));
        }
        println!("The new store is without what cannot be read: {told}");
    }
    remove_store(&making)?;
    let store = Arc::new(DuckStore::open(&making, &config.store)?);
    println!(
        "Replaying the journal in {} …",
        config.journal_path().display()
    );
    ingest::rebuild_from_what_is_left(
        ingest_config(&config.data, &config.journal),
        registry,
        store.clone(),
    )?;
    store.checkpoint()?;
    let report = store.check()?;
    drop(store);
    if !report.is_sound() {
        return Err(Failure::new(format!(
            "the new store is not sound: {}",
            report.faults.join("; ")
        )));
    }
    if path.exists() {
        std::fs::rename(&path, &old).doing(|| format!("put {} aside", path.display()))?;
    }
    std::fs::rename(&making, &path).doing(|| format!("put the new store to {}", path.display()))?;
    for (table, rows) in &report.rows {
        println!("{table}\t{rows}");
    }
    println!(
        "The store is made anew; the old one, if there was one, is {}",
        old.display()
    );
    Ok(())
}

/// `platen evidence`.
pub fn evidence(args: &EvidenceArgs) -> Result<(), Failure> {
    let config = PlatenConfig::read(&args.config.config)?;
    crate::serve::log_to_stderr("warn")?;
    let id: ReadingId = args.reading.parse()?;
    let registry = open_registry(&config.data)?;
    let store = Arc::new(DuckStore::open(&config.store_path(), &config.store)?);
    let ingest = Ingest::start_without_archiver(
        ingest_config(&config.data, &config.journal),
        registry,
        store,
    )?;
    let found = ingest.evidence(&Scope::Everything, &id);
    ingest.stop();
    let Some(evidence) = found? else {
        return Err(Failure::new(format!(
            "there is no reading {id}, or the report it came from is kept no longer"
        )));
    };
    let meta = &evidence.meta;
    eprintln!(
        "From {} (epoch {}, {} {}), received {}, SHA-256 {}{}, shard {} at {}",
        meta.key.agent,
        meta.key.epoch,
        meta.key.stream.name(),
        meta.key.sequence,
        meta.received_at,
        meta.key.hash,
        if ContentHash::of(&evidence.body) == meta.key.hash {
            ", which fits"
        } else {
            ", WHICH DOES NOT FIT"
        },
        evidence.shard,
        evidence.position
    );
    let mut inflater = Inflater::new();
    let xml = inflater.inflate(meta.encoding, &evidence.body, INFLATED_BYTES_MAX)?;
    println!("{}", String::from_utf8_lossy(xml));
    Ok(())
}

fn told(these: &[impl ToString]) -> String {
    let told: Vec<String> = these.iter().map(ToString::to_string).collect();
    told.join(", ")
}

/// The file beside `path` with `what` in its name.
fn sibling(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    path.with_file_name(name)
}

/// Removes what an earlier rebuild left that did not end.
fn remove_store(path: &Path) -> Result<(), Failure> {
    for path in [path.to_owned(), sibling(path, "wal")] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).doing(|| format!("remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn shard_folders(config: &PlatenConfig) -> Result<Vec<PathBuf>, Failure> {
    let folder = config.journal_path();
    let mut shards = Vec::new();
    for entry in std::fs::read_dir(&folder).doing(|| format!("read {}", folder.display()))? {
        let entry = entry.doing(|| format!("read {}", folder.display()))?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("shard-") || name == DECISIONS_FOLDER {
            shards.push(entry.path());
        }
    }
    shards.sort();
    Ok(shards)
}

/// A record in one line.
fn line(item: &Item<'_>) -> String {
    match item {
        Item::Withheld(withheld) => format!(
            "{} kind {} stamp {}{}, {} bytes: {}",
            withheld.position,
            withheld.kind,
            withheld.sequence,
            if withheld.owner.0 == NOBODY.0 {
                String::new()
            } else {
                format!(" of customer {}", withheld.owner)
            },
            withheld.data_bytes,
            match withheld.why {
                Why::Forgotten => "forgotten on request, the key was destroyed",
                Why::NoKey => "THE KEY IS NOT THERE",
            }
        ),
        Item::Damage(damage) => format!(
            "{} damaged up to {}: {}",
            damage.from, damage.to, damage.reason
        ),
        Item::Record(entry) if entry.kind == KIND_REPORT => match ReportMeta::read(entry.meta) {
            Ok(meta) => format!(
                "{} report {} stamp {} {} epoch {} {} {} received {} {} bytes{}",
                entry.position,
                meta.key.hash,
                entry.sequence,
                meta.key.agent,
                meta.key.epoch,
                meta.key.stream.name(),
                meta.key.sequence,
                meta.received_at,
                entry.body.len(),
                if ContentHash::of(entry.body) == meta.key.hash {
                    ""
                } else {
                    " HASH DIFFERS"
                }
            ),
            Err(error) => format!("{} report: {error}", entry.position),
        },
        Item::Record(entry) if entry.kind == KIND_FORGET => {
            match tombstone::read(entry.meta, entry.body) {
                Ok(tombstone) => format!(
                    "{} stamp {} customer {} forgotten by {} at {}, with {} sites and {} agents",
                    entry.position,
                    entry.sequence,
                    tombstone.customer,
                    tombstone.who,
                    tombstone.at,
                    tombstone.sites.len(),
                    tombstone.agents.len()
                ),
                Err(error) => format!("{} tombstone: {error}", entry.position),
            }
        }
        Item::Record(entry) if entry.kind == KIND_DECISION => match read_decision(entry.meta) {
            Ok(decision) => format!(
                "{} decision stamp {} {:?} by {} at {}",
                entry.position, entry.sequence, decision.op, decision.who, decision.at
            ),
            Err(error) => format!("{} decision: {error}", entry.position),
        },
        Item::Record(entry) if entry.kind == KIND_CHECKPOINT => {
            format!("{} checkpoint, {} bytes", entry.position, entry.body.len())
        }
        Item::Record(entry) => format!(
            "{} kind {}, {} bytes",
            entry.position,
            entry.kind,
            entry.body.len()
        ),
    }
}
