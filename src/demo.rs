//! `platen demo`: simulated printers, an agent and a manager in one process, over real loopback sockets.
//!
//! The printers are a function of the time of day, so a demo that keeps its data goes on where it stopped, and its meters have
//! counted in between.

mod progress;
mod tenants;

use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::AgentConfig;
use agent::config::{RangeConfig, RangeEntry, Secret};
use codec::id::{AgentId, Scope};
use codec::time::Timestamp;
use loadtest::fleet::printer::{Behaviour, Printer};
use loadtest::fleet::{Fleet, FleetConfig, FleetError};
use olap::duck::DuckOptions;
use poller::credentials::Credential;
use registry::{Branch, Language, NewAccount, Registry, Role};
use serde::Serialize;

use crate::cli::DemoArgs;
use crate::config::JournalConfig;
use crate::failure::{Doing, Failure};
use crate::manager::{Manager, ManagerConfig, bind};
use crate::serve::{LocalAgent, log_to_stderr, runtime, write_secret};
use crate::stop::{Stop, on_signals};

const LOGIN: &str = "admin";
/// The agents, one at each site, in the order of the sites; `demo.json` names the first.
const AGENTS: [&str; 5] = [
    "demo-agent",
    "demo-agent-2",
    "demo-agent-3",
    "demo-agent-4",
    "demo-agent-5",
];
/// Where the printers listen, unless another demo has the port: kept the same so that kept data see the same addresses.
const PRINTER_PORT: u16 = 16_161;

/// What scripts need to know, as `demo.json` in the data folder.
#[derive(Serialize)]
struct DemoFile<'a> {
    url: &'a str,
    login: &'a str,
    password: &'a str,
    agent_id: &'a str,
    agent_token: &'a str,
}

/// Runs the demo until it is asked to end.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    log_to_stderr("warn")?;
    runtime()?.block_on(demo(args))
}

/// The folder of a demo: kept where the user said, else gone with the demo.
enum DataFolder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl DataFolder {
    fn new(kept: Option<&Path>) -> Result<Self, Failure> {
        match kept {
            Some(path) => {
                std::fs::create_dir_all(path)
                    .doing(|| format!("make the folder {}", path.display()))?;
                Ok(Self::Kept(path.to_owned()))
            }
            None => tempfile::Builder::new()
                .prefix("platen-demo-")
                .tempdir()
                .map(Self::Temporary)
                .doing(|| "make a temporary folder".to_owned()),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

async fn demo(args: &DemoArgs) -> Result<(), Failure> {
    let stop = on_signals();
    let listener = bind(args.listen)?;
    let folder = DataFolder::new(args.data.as_deref())?;
    let data = folder.path();
    let address = listener
        .local_addr()
        .doing(|| "read the listener's address".to_owned())?;
    let url = format!("http://{address}");

    if let Some(password) = &args.admin_password {
        registry::password::check_strength(password)?;
    }
    println!(
        "Starting {} simulated printers, their agents and a manager …",
        args.devices
    );
    let fleet = start_fleet(args.devices)?;
    let mut manager = Manager::start(ManagerConfig {
        data,
        store: &DuckOptions::default(),
        journal: &JournalConfig {
            disk: journal::DiskChoice::Auto,
            shards: None,
            evidence_days: None,
            evidence_bytes_max: None,
        },
        silence: ingest::SilenceRules::default(),
        web: web::Config::loopback(address),
    })?;
    let password = prepare_login(&manager.registry, args.admin_password.as_deref())?;
    let sites = tenants::plant(&manager.registry)?;
    let tokens = AGENTS
        .iter()
        .zip(&sites)
        .map(|(agent, site)| crate::people::new_token(&manager.registry, agent, Some(*site)))
        .collect::<Result<Vec<_>, _>>()?;
    manager.serve(listener, None)?;
    let demo_file = serde_json::to_string_pretty(&DemoFile {
        url: &url,
        login: LOGIN,
        password: &password,
        agent_id: AGENTS[0],
        agent_token: &tokens[0],
    })?;
    write_secret(&data.join("demo.json"), &demo_file).doing(|| "write demo.json".to_owned())?;
    println!("\n  Open      {url}\n  Login     {LOGIN}\n  Password  {password}");
    println!("  API       curl -u '{LOGIN}:{password}' {url}/api/v1/devices");
    println!("  SOAP      {url}/soap/v1?wsdl");
    println!(
        "  Data      {}{}\n",
        data.display(),
        match &folder {
            DataFolder::Kept(_) => "",
            DataFolder::Temporary(_) => " (removed at the end; --data DIR keeps them)",
        }
    );

    let mut agents = Vec::new();
    // Each site has its share of the printers; the first has one more where they cannot be shared evenly.
    let share = fleet.printers().len().div_ceil(AGENTS.len());
    for ((printers, id), token) in fleet.printers().chunks(share).zip(AGENTS).zip(&tokens) {
        let config = agent_config(&url, id, token, printers, fleet.port(), data)?;
        agents.push(LocalAgent::start(config)?);
    }
    watch(&fleet, &manager, &agents, stop).await;
    println!("\nStopping …");
    for agent in &agents {
        agent.ask_to_stop();
    }
    for agent in agents {
        agent.stop().await;
    }
    manager.stop().await;
    fleet.stop();
    drop(folder);
    println!("Stopped.");
    Ok(())
}

/// Shows the start's progress, and how things stand now and then, until the end is asked for.
async fn watch(fleet: &Fleet, manager: &Manager, agents: &[LocalAgent], stop: Stop) {
    let living = fleet
        .printers()
        .iter()
        .filter(|printer| printer.behaviour != Behaviour::Dead)
        .count();
    let mut progress = progress::Progress::new(living, fleet.printers().len());
    while !stop.is_asked() {
        let store = manager.store.clone();
        let counted = tokio::task::spawn_blocking(move || {
            let rules = olap::ask::FleetRules::at(Timestamp::now());
            store.fleet_counts(&Scope::Everything, &rules)
        });
        if let Ok(Ok(counts)) = counted.await {
            let doing: Vec<_> = agents.iter().map(|agent| agent.status.read()).collect();
            progress.show(&doing, counts);
        }
        tokio::select! {
            () = stop.clone().wait() => break,
            () = tokio::time::sleep(progress.pause()) => {}
        }
    }
}

fn start_fleet(devices: u32) -> Result<Fleet, Failure> {
    let config = FleetConfig {
        devices,
        port: PRINTER_PORT,
        ..FleetConfig::default()
    };
    match Fleet::start(config.clone()) {
        Err(FleetError::Socket { .. }) => Ok(Fleet::start(FleetConfig { port: 0, ..config })?),
        started => Ok(started?),
    }
}

/// The account `admin`, with the password that was asked for or one that is drawn.
fn prepare_login(registry: &Registry, password: Option<&str>) -> Result<String, Failure> {
    let password = match password {
        Some(password) => password.to_owned(),
        None => draw_password()?,
    };
    match registry.account_by_login(LOGIN)? {
        Some(account) => registry.reset_password(account.id, &password)?,
        None => {
            registry.create_account(
                &NewAccount {
                    login: LOGIN,
                    name: "Demo",
                    password: &password,
                    role: Role::Admin,
                    branch: Branch::House,
                    language: Language::En,
                },
                Timestamp::now(),
            )?;
        }
    }
    Ok(password)
}

/// Four groups of four letters and digits: 80 bits, and easy to type.
fn draw_password() -> Result<String, Failure> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("cannot draw a password: {error}")))?;
    let text = data_encoding::BASE32_NOPAD
        .encode(&bytes)
        .to_ascii_lowercase();
    let groups: Vec<&str> = (0..4).map(|at| &text[at * 4..at * 4 + 4]).collect();
    Ok(groups.join("-"))
}

fn agent_config(
    url: &str,
    id: &str,
    token: &str,
    printers: &[Printer],
    port: u16,
    data: &Path,
) -> Result<AgentConfig, Failure> {
    let mut config = AgentConfig::new(
        url.to_owned(),
        id.parse::<AgentId>()?,
        Secret::new(token.to_owned()),
        data.join("spool").join(id),
    );
    let (Some(first), Some(last)) = (printers.first(), printers.last()) else {
        return Err(Failure::new("an agent without printers"));
    };
    let (first, last) = (first.address, last.address);
    let span = format!("{first}-{last}:{port}");
    let entry =
        RangeEntry::parse(&span).map_err(|error| Failure::new(format!("{span}: {error}")))?;
    config.ranges = vec![RangeConfig {
        name: "demo".to_owned(),
        include: vec![entry],
        exclude: Vec::new(),
        transport: poller::engine::Transport::Udp,
        credentials: vec![Credential::v2c("public", b"public")],
        file: None,
    }];
    // A demo is looked at for minutes: everything is read far more often than a real agent would.
    config.schedule.status = Duration::from_secs(10);
    config.schedule.supplies = Duration::from_secs(20);
    config.schedule.meters = Duration::from_secs(20);
    config.schedule.discovery = Duration::from_secs(120);
    config.schedule.dead_retry_max = Duration::from_secs(30);
    config.report.age_max = Duration::from_millis(500);
    config.polling.devices_at_once = 1000;
    config.polling.packets_per_second = 20_000;
    config.polling.packets_per_second_subnet = 20_000;
    Ok(config)
}
