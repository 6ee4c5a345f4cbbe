//! `platen forget`: a customer of a stopped manager is forgotten, for good (Rule 8).

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use codec::id::Scope;
use ingest::{Ingest, Remains};
use olap::Store;
use olap::ask::ReadingsQuery;
use olap::duck::DuckStore;

use crate::cli::ForgetArgs;
use crate::config::PlatenConfig;
use crate::failure::{Doing, Failure};
use crate::manager::{ingest_config, open_registry};
use crate::serve::{log_to_stderr, runtime};

/// Who decided, in journal and audit log.
const WHO: &str = "cli";
/// How often is looked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Says what it concerns, asks for the name, forgets, and waits until no file holds anything any more.
pub fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let config = PlatenConfig::read(&args.config.config)?;
    log_to_stderr("warn")?;
    let registry = open_registry(&config.data)?;
    // Fails while a manager has the store open: that one has a page for it.
    let store: Arc<dyn Store> = Arc::new(
        DuckStore::open(&config.store_path(), &config.store).doing(|| {
            format!(
                "open the store; a running manager forgets on its page /tenants/{}/forget",
                args.customer
            )
        })?,
    );
    let ingest = Ingest::start(
        ingest_config(&config.data, &config.journal),
        registry,
        Arc::clone(&store),
    )?;
    let forgotten = forget(args, &ingest, store.as_ref());
    ingest.stop();
    forgotten
}

fn forget(args: &ForgetArgs, ingest: &Ingest, store: &dyn Store) -> Result<(), Failure> {
    let customer = args.customer;
    let is_known = |known: &ingest::Forgotten| known.customer.customer == customer;
    if !ingest.forgotten()?.iter().any(is_known) {
        let toll = ingest.toll(customer, WHO)?;
        let tombstone = &toll.concerned.tombstone;
        let scope = Scope::Sites(tombstone.sites.iter().copied().collect());
        let devices: u64 = store.facets(&scope)?.sites.values().sum();
        let readings = store.readings(&scope, &ReadingsQuery::default())?.total;
        println!(
            "Customer {customer}, {}: {} sites, {} agents, {devices} devices, {readings} readings, {} reports received, {} accounts.",
            toll.concerned.name,
            tombstone.sites.len(),
            tombstone.agents.len(),
            toll.reports,
            toll.concerned.accounts
        );
        if toll.concerned.devices_elsewhere > 0 {
            println!(
                "{} devices of these agents stand at sites of other customers: what was counted there stays, and a rebuild of the store is without it.",
                toll.concerned.devices_elsewhere
            );
        }
        if args.dry_run {
            return Ok(());
        }
        if ask_name()? != toll.concerned.name {
            return Err(Failure::new(
                "that is not the customer's name; nothing was deleted",
            ));
        }
        runtime()?.block_on(ingest.forget(customer, WHO))?;
        println!("The customer is deleted. Now the files are written anew without him …");
    }
    let mut told = String::new();
    loop {
        let known = ingest.forgotten()?;
        let known = known.iter().find(|known| is_known(known));
        let Some(remains) = known.and_then(|known| known.remains.as_ref()) else {
            println!("Customer {customer} is erased from every file.");
            return Ok(());
        };
        if !remains.trouble.is_empty() {
            return Err(Failure::new(format!(
                "customer {customer} is deleted, and not erased from every file: {}; the next start goes on",
                remains.trouble
            )));
        }
        let now = left(remains);
        if now != told {
            println!("Remaining: {now}");
            told = now;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What remains, in words.
fn left(remains: &Remains) -> String {
    let mut left: Vec<String> = [
        (remains.unapplied, "the decision is not applied"),
        (remains.quarantine, "refused reports"),
        (remains.key, "the key"),
        (remains.registry_file, "the registry's file"),
        (remains.store_file, "the store's file"),
    ]
    .into_iter()
    .filter(|(is_left, _)| *is_left)
    .map(|(_, what)| what.to_owned())
    .collect();
    if remains.live_shards > 0 {
        left.push(format!(
            "{} parts of the journal not yet rewritten",
            remains.live_shards
        ));
    }
    left.join(", ")
}

fn ask_name() -> Result<String, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        print!("This cannot be undone. Type the customer's name to confirm: ");
        std::io::stdout()
            .flush()
            .doing(|| "ask for the name".to_owned())?;
    }
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .doing(|| "read the name".to_owned())?;
    Ok(line.trim().to_owned())
}
