//! `platen-agent enrol`: a one-time token becomes the agent's own key.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agent::AgentConfig;
use agent::clock::Clock;
use agent::config::{EXAMPLE, PLACEHOLDER, Secret, Way};
use agent::upload::exchange::{self, EnrolError};
use agent::upload::keys::KeyFile;
use codec::id::AgentId;

use super::{Failure, Outcome};
use crate::cli::EnrolArgs;

/// How the key file ends; before that it is called as the configuration is, unless that names another.
const KEY_ENDING: &str = "key";

/// Exchanges the token, and writes a configuration where there is none.
pub fn enrol(args: &EnrolArgs) -> Outcome {
    let is_new = !args.config.exists();
    let way = way(args, is_new)?;
    let folder = args.config.parent().unwrap_or(Path::new(""));
    let key_file = way
        .key_file
        .clone()
        .unwrap_or_else(|| args.config.with_extension(KEY_ENDING));
    refuse_another_s_key(&way, &key_file, is_new)?;
    let nobody = AgentId::new("enrolling").expect("a valid id");
    let no_key = Secret::new(String::new());
    let mut config = AgentConfig::new(way.url.clone(), nobody, no_key, PathBuf::new());
    config.manager.tls = way.tls.clone();
    config.manager.proxy = way.proxy.clone();
    let agent = exchange::enrol(&config.manager, args.token.trim(), &key_file, Clock::new())?;
    eprintln!(
        "This is the agent {agent} now; its key is in {}.",
        key_file.display()
    );
    if is_new {
        let key_name = shown_in(folder, &key_file);
        std::fs::write(
            &args.config,
            first_config(args, &way.url, &agent, &key_name),
        )?;
        eprintln!(
            "{} is written: say under [[range]] where the printers are, then run `platen-agent run --config {0}`.",
            args.config.display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let knows = AgentConfig::read(&args.config).is_ok_and(|config| {
        config.manager.agent_id == agent && config.manager.key_file.as_ref() == Some(&key_file)
    });
    if !knows {
        eprintln!(
            "{} is as it was. Put these lines into its table [manager], instead of `token` or `token_file`:",
            args.config.display()
        );
        println!(
            "agent_id = \"{agent}\"\nkey_file = {:?}",
            shown_in(folder, &key_file)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A path as a configuration in this folder says it.
fn shown_in(folder: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    inside.display().to_string()
}

/// A key that is in use is not written over: it must be that of the agent whom the configuration is for.
fn refuse_another_s_key(way: &Way, key_file: &Path, is_new: bool) -> Result<(), Failure> {
    let file = KeyFile::read(key_file).map_err(EnrolError::from)?;
    let Some(holder) = file.as_ref().and_then(KeyFile::holder) else {
        return Ok(());
    };
    let why = match &way.agent_id {
        Some(agent) if agent == holder => return Ok(()),
        Some(agent) => format!("the configuration is for {agent}"),
        None if is_new => "there is no configuration that says whose it is to be".to_owned(),
        None => "the configuration is for nobody".to_owned(),
    };
    Err(Failure::new(format!(
        "{} holds the key of the agent {holder}, and {why}: give another name with --config, or move that key away",
        key_file.display()
    )))
}

/// The way to the manager: what the configuration says, or what the command line does.
fn way(args: &EnrolArgs, is_new: bool) -> Result<Way, Failure> {
    let mut way = match (&args.manager, is_new) {
        (None, true) => {
            return Err(Failure::new(format!(
                "--manager URL is missing, and there is no {} that names one",
                args.config.display()
            )));
        }
        (Some(url), true) => Way::to(url)?,
        (None, false) => Way::read(&args.config)?,
        (Some(url), false) => {
            let (given, said) = (Way::to(url)?, Way::read(&args.config)?);
            if given.url != said.url {
                return Err(Failure::new(format!(
                    "{} names the manager {}, --manager {}: correct one of the two",
                    args.config.display(),
                    said.url,
                    given.url
                )));
            }
            said
        }
    };
    if let Some(path) = &args.ca_file {
        way.tls.ca_file = Some(path.clone());
    }
    if let Some(path) = &args.pinned_ca_file {
        way.tls.pinned_ca_file = Some(path.clone());
    }
    if let Some(proxy) = &args.proxy {
        way.proxy = Some(proxy.clone());
    }
    Ok(way)
}

/// The example, with what is known filled in.
fn first_config(args: &EnrolArgs, url: &str, agent: &AgentId, key_name: &str) -> String {
    let absolute = |path: &PathBuf| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        format!("{:?}", path.display().to_string())
    };
    let mut in_manager = false;
    let mut text = String::with_capacity(EXAMPLE.len() + 200);
    for line in EXAMPLE.lines() {
        if line.trim_start_matches('#').starts_with('[') {
            in_manager = line.trim_start_matches('#').starts_with("[manager");
        }
        let key = line
            .trim_start_matches('#')
            .split_once(" = ")
            .map(|(key, _)| key);
        let written = match (in_manager, key) {
            (true, Some("url")) if !line.starts_with('#') => Some(format!("url = \"{url}\"")),
            (true, Some("agent_id")) => Some(format!("agent_id = \"{agent}\"")),
            (true, Some("key_file")) => Some(format!("key_file = {key_name:?}")),
            (true, Some("token")) => Some(format!("#token = \"{PLACEHOLDER}\"")),
            (true, Some("ca_file")) => args
                .ca_file
                .as_ref()
                .map(|path| format!("ca_file = {}", absolute(path))),
            (true, Some("pinned_ca_file")) => args
                .pinned_ca_file
                .as_ref()
                .map(|path| format!("pinned_ca_file = {}", absolute(path))),
            _ => None,
        };
        text.push_str(written.as_deref().unwrap_or(line));
        text.push('\n');
    }
    if let Some(proxy) = &args.proxy {
        text = text.replacen("#[manager.proxy]", "[manager.proxy]", 1);
        text = text.replacen(
            "#url = \"http://proxy.example.com:3128\"",
            &format!("url = \"http://{}:{}\"", proxy.url_host(), proxy.port),
            1,
        );
    }
    text
}
