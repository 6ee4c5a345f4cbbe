//! `platen manager` and `platen all`.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use agent::{AgentConfig, StatusHandle, StopHandle};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::config::PlatenConfig;
use crate::failure::{Doing, Failure};
use crate::manager::{Manager, ManagerConfig, bind};
use crate::stop::on_signals;

/// The id of the agent that `platen all` runs.
const LOCAL_AGENT: &str = "local";
/// How long a stopping agent may take to finish what it is doing.
const AGENT_STOP_MAX: Duration = Duration::from_secs(15);

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
    let mut manager = Manager::start(ManagerConfig {
        data: &config.data,
        store: &config.store,
        journal: &config.journal,
        web: web::Config {
            public_url: config.web.public_url.clone(),
            trusted_proxies: config.web.trusted_proxies.clone(),
            secure_cookies: config.web.public_url.starts_with("https://"),
            brand: config.web.brand.clone(),
            metrics: config.web.metrics.clone(),
        },
    })?;
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
    let agent = match parts {
        Parts::Manager => None,
        Parts::ManagerAndAgent => Some(start_local_agent(config, path, &mut manager)?),
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
                move || {
                    if let Err(error) = agent::run_observed(config, stop, status) {
                        error!(error = %Failure::from(error), "the agent ended");
                    }
                }
            })
            .doing(|| "start the agent's thread".to_owned())?;
        Ok(Self {
            stop,
            status,
            thread,
        })
    }

    /// Asks it to end and waits for it, but not for ever.
    pub async fn stop(self) {
        self.stop.stop();
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

/// Starts the agent of `platen all`: it delivers over a loopback listener of its own, so that no certificate is in the way.
fn start_local_agent(
    config: &PlatenConfig,
    path: &Path,
    manager: &mut Manager,
) -> Result<LocalAgent, Failure> {
    let Some(file) = &config.agent else {
        return Err(Failure::new(format!(
            "{}: `platen all` needs the table [agent] with the key config, the path of an agent.toml",
            path.display()
        )));
    };
    let mut text = std::fs::read_to_string(file).doing(|| format!("read {}", file.display()))?;
    let has_manager =
        toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key("manager"));
    if !has_manager {
        let address = manager.serve(bind(([127, 0, 0, 1], 0).into())?, None)?;
        let token_file = local_agent_token(config, manager)?;
        // Behind the operator's own lines, so that errors in those keep their numbers.
        text.push_str(&format!(
            "\n[manager]\nurl = \"http://{address}\"\nagent_id = \"{LOCAL_AGENT}\"\ntoken_file = {:?}\n",
            token_file.display().to_string()
        ));
    }
    let base = file.parent().unwrap_or(Path::new(""));
    let agent = AgentConfig::parse(&text, &file.display().to_string(), base)?;
    LocalAgent::start(agent)
}

/// The file with the token of the local agent, which is registered when it is not yet.
fn local_agent_token(
    config: &PlatenConfig,
    manager: &Manager,
) -> Result<std::path::PathBuf, Failure> {
    let path = config.data.join("local-agent.token");
    let known = std::fs::read_to_string(&path)
        .is_ok_and(|token| manager.registry.agent_by_token(token.trim()).is_ok());
    if !known {
        let token = crate::people::new_token(&manager.registry, LOCAL_AGENT, None)?;
        write_secret(&path, &token).doing(|| format!("write {}", path.display()))?;
    }
    // The agent takes relative paths from its own file's folder.
    std::path::absolute(&path).doing(|| format!("find {}", path.display()))
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
