//! `platen manager` and `platen all`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::{AgentConfig, StatusHandle, StopHandle};
use registry::Registry;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::config::PlatenConfig;
use crate::failure::{Doing, Failure};
use crate::manager::{Manager, ManagerConfig, bind, open_registry};
use crate::stop::on_signals;
use crate::waiting::{Door, check_data, start_when_possible};

/// The id of the agent that `platen all` runs.
const LOCAL_AGENT: &str = "local";
/// How long a stopping agent may take to finish what it is doing.
const AGENT_STOP_MAX: Duration = Duration::from_secs(15);

/// How long an agent that ended by itself rests.
const AGENT_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What of the house runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// The manager alone.
    Manager,
    /// The manager, and an agent beside it.
    ManagerAndAgent,
}

/// Sends the log to standard error.
pub fn log_to_stderr(filter: &str) -> Result<(), Failure> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| filter.to_owned());
    let filter =
        EnvFilter::try_new(&filter).doing(|| format!("understand the log filter {filter:?}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

/// The runtime for everything that speaks HTTP.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("platen")
        .build()
        .doing(|| "start the runtime".to_owned())
}

/// Runs until it is asked to end.
pub fn run(path: &Path, parts: Parts) -> Result<(), Failure> {
    let config = PlatenConfig::read(path)?;
    log_to_stderr(&config.log)?;
    runtime()?.block_on(serve(&config, path, parts))
}

async fn serve(config: &PlatenConfig, path: &Path, parts: Parts) -> Result<(), Failure> {
    let stop = on_signals();
    let listener = bind(config.web.listen)?;
    check_data(&config.data)?;
    let web = web::Config {
        public_url: config.web.public_url.clone(),
        trusted_proxies: config.web.trusted_proxies.clone(),
        secure_cookies: config.web.public_url.starts_with("https://"),
        brand: config.web.brand.clone(),
        metrics: config.web.metrics.clone(),
        agent_key_age_max: config.agent_key_age_max,
    };
    let door = Door {
        listener: &listener,
        tls: config.web.tls.as_ref(),
        web: &web,
    };
    let start = || {
        // What may be wrong with the agent is found before anything is started.
        let local = match parts {
            Parts::Manager => None,
            Parts::ManagerAndAgent => {
                let door = bind(([127, 0, 0, 1], 0).into())?;
                let address = door
                    .local_addr()
                    .doing(|| "read the listener's address".to_owned())?;
                let registry = open_registry(&config.data)?;
                Some((door, local_agent_config(config, path, &registry, address)?))
            }
        };
        let manager = Manager::start(ManagerConfig {
            data: &config.data,
            store: &config.store,
            journal: &config.journal,
            silence: config.silence,
            web: web.clone(),
        })?;
        Ok((manager, local))
    };
    let Some((mut manager, local)) = start_when_possible(&config.data, door, &stop, start).await?
    else {
        info!("stopped before the manager could begin");
        return Ok(());
    };
    if manager
        .registry
        .accounts(registry::Branch::House)?
        .is_empty()
    {
        warn!(
            "nobody can log in yet: run `platen admin --config {} create LOGIN`",
            path.display()
        );
    }
    manager.serve(listener, config.web.tls.clone())?;
    info!(url = config.web.public_url, data = %config.data.display(), "the manager is ready");
    let agent = match local {
        None => None,
        Some((door, agent)) => {
            manager.serve(door, None)?;
            Some(LocalAgent::start(agent)?)
        }
    };
    stop.wait().await;
    info!("stopping");
    if let Some(agent) = agent {
        agent.stop().await;
    }
    manager.stop().await;
    info!("stopped");
    Ok(())
}

/// An agent that runs in this process.
pub struct LocalAgent {
    stop: StopHandle,
    /// What it is doing.
    pub status: StatusHandle,
    thread: std::thread::JoinHandle<()>,
}

impl LocalAgent {
    /// Starts an agent on a thread of its own.
    pub fn start(config: AgentConfig) -> Result<Self, Failure> {
        let (stop, status) = (StopHandle::new(), StatusHandle::new());
        let thread = std::thread::Builder::new()
            .name("agent".to_owned())
            .spawn({
                let (stop, status) = (stop.clone(), status.clone());
                move || keep_running(&config, &stop, &status)
            })
            .doing(|| "start the agent's thread".to_owned())?;
        Ok(Self {
            stop,
            status,
            thread,
        })
    }

    /// Asks it to end, without waiting.
    pub fn ask_to_stop(&self) {
        self.stop.stop();
    }

    /// Asks it to end and waits for it, but not for ever.
    pub async fn stop(self) {
        self.ask_to_stop();
        let thread = self.thread;
        let joined = tokio::time::timeout(
            AGENT_STOP_MAX,
            tokio::task::spawn_blocking(move || thread.join()),
        );
        if joined.await.is_err() {
            warn!("the agent did not end in time; its spool keeps what was not delivered");
        }
    }
}

/// Runs the agent until it is asked to end; one that ended by itself begins anew after a while, since the manager beside it goes on.
fn keep_running(config: &AgentConfig, stop: &StopHandle, status: &StatusHandle) {
    loop {
        let life = StopHandle::new();
        stop.on_stop({
            let life = life.clone();
            move || life.stop()
        });
        let Err(error) = agent::run_observed(config.clone(), life, status.clone()) else {
            return;
        };
        let again_after = AGENT_AGAIN_AFTER.as_secs();
        error!(error = %Failure::from(error), again_after, "the agent ended; it begins anew after so many seconds");
        if stop.wait_for(AGENT_AGAIN_AFTER) {
            return;
        }
    }
}

/// The agent of `platen all`, as its file says. It delivers over `listener`, a loopback listener of its own, so that no certificate
/// is in the way, unless its file names a manager.
fn local_agent_config(
    config: &PlatenConfig,
    path: &Path,
    registry: &Registry,
    listener: SocketAddr,
) -> Result<AgentConfig, Failure> {
    let Some(file) = &config.agent else {
        return Err(Failure::new(format!(
            "{}: `platen all` needs the table [agent] with the key config, the path of an agent.toml",
            path.display()
        )));
    };
    let mut text = std::fs::read_to_string(file).doing(|| format!("read {}", file.display()))?;
    let tables: toml::Table = toml::from_str(&text).unwrap_or_default();
    let absolute = |path: PathBuf| {
        // The agent takes relative paths from its own file's folder.
        std::path::absolute(&path)
            .map(|path| path.display().to_string())
            .doing(|| format!("find {}", path.display()))
    };
    // Behind the operator's own lines, so that errors in those keep their numbers.
    if !tables.contains_key("manager") {
        let token_file = absolute(local_agent_token(config, registry)?)?;
        text.push_str(&format!(
            "\n[manager]\nurl = \"http://{listener}\"\nagent_id = \"{LOCAL_AGENT}\"\ntoken_file = {token_file:?}\n"
        ));
    }
    if !tables.contains_key("spool") {
        let spool = absolute(config.data.join("spool"))?;
        text.push_str(&format!("\n[spool]\ndirectory = {spool:?}\n"));
    }
    let base = file.parent().unwrap_or(Path::new(""));
    let agent = AgentConfig::parse(&text, &file.display().to_string(), base)?;
    match agent.placeholders.first() {
        Some(placeholder) => Err(Failure::new(placeholder.to_string())),
        None => Ok(agent),
    }
}

/// The file with the token of the local agent, which is registered when it is not yet.
fn local_agent_token(config: &PlatenConfig, registry: &Registry) -> Result<PathBuf, Failure> {
    let path = config.data.join("local-agent.token");
    let known = std::fs::read_to_string(&path)
        .is_ok_and(|token| registry.agent_by_token(token.trim()).is_ok());
    if !known {
        let token = crate::people::new_token(registry, LOCAL_AGENT, None)?;
        write_secret(&path, &token).doing(|| format!("write {}", path.display()))?;
    }
    Ok(path)
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
