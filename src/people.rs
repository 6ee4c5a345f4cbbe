//! `platen admin`, `platen agent`, `platen tenant`, `platen forget`: what is set up before anybody can log in. They work on the registry's file, also
//! while the manager runs.

pub mod forget;
mod invite;

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal};
use std::path::Path;

use codec::id::{AgentId, Scope, TenantId};
use codec::time::Timestamp;
use registry::{AccountChange, Branch, Entry, NewAccount, NewTenant, Registry};

use crate::cli::{
    AdminArgs, AdminCommand, AgentArgs, AgentCommand, ConfigArgs, TenantArgs, TenantCommand,
};
use crate::config::PlatenConfig;
use crate::failure::{Doing, Failure};
use crate::manager::open_registry;

/// `platen admin`.
pub fn admin(args: &AdminArgs) -> Result<(), Failure> {
    let registry = open(&args.config)?;
    match &args.command {
        AdminCommand::Create {
            login,
            name,
            role,
            branch,
            language,
        } => {
            let password = ask_password()?;
            let account = registry.create_account(
                &NewAccount {
                    login,
                    name: name.as_ref().unwrap_or(login),
                    password: &password,
                    role: *role,
                    branch: branch.map_or(Branch::House, Branch::Tenant),
                    language: *language,
                },
                Timestamp::now(),
            )?;
            note(&registry, "account.create", &account.login, role.word())?;
            println!("{} can log in.", account.login);
        }
        AdminCommand::ResetPassword { login } => {
            let account = registry.account_by_login(login)?.ok_or_else(|| {
                Failure::new(format!(
                    "no account {login}; `platen admin list` shows them"
                ))
            })?;
            registry.reset_password(account.id, &ask_password()?)?;
            if account.disabled {
                let enable = AccountChange {
                    disabled: Some(false),
                    ..AccountChange::default()
                };
                registry.change_account(account.id, &enable)?;
            }
            note(&registry, "account.reset-password", &account.login, "")?;
            println!(
                "{} has a new password; sessions with the old one are over.",
                account.login
            );
        }
        AdminCommand::List => {
            for account in registry.accounts(Branch::House)? {
                let branch = match account.branch {
                    Branch::House => "everything".to_owned(),
                    Branch::Tenant(tenant) => format!("tenant {tenant}"),
                };
                let barred = if account.disabled { ", disabled" } else { "" };
                println!(
                    "{}\t{}\t{branch}{barred}",
                    account.login,
                    account.role.word()
                );
            }
        }
    }
    Ok(())
}

/// `platen agent`.
pub fn agent(args: &AgentArgs) -> Result<(), Failure> {
    let registry = open(&args.config)?;
    match &args.command {
        AgentCommand::Add { name, site } => {
            let known = registry.agents(&Scope::Everything)?;
            if let Some(agent) = known.iter().find(|agent| agent.name == *name) {
                return Err(Failure::new(format!(
                    "there is already an agent {name}; `platen agent rotate-token {}` gives it a new token",
                    agent.id
                )));
            }
            let site = match site {
                Some(site) => *site,
                None => only_site(&registry)?,
            };
            let new = registry.add_agent(name, site, Timestamp::now())?;
            note(&registry, "agent.add", new.agent.id.as_str(), "")?;
            print_token(&registry, &new.agent.id, &new.token)?;
        }
        AgentCommand::AddMany { names, site } => add_agents(&registry, names, *site)?,
        AgentCommand::Enrol {
            name,
            site,
            expires,
        } => {
            let (now, all) = (Timestamp::now(), Scope::Everything);
            let valid_ms = i64::try_from(expires.as_millis()).unwrap_or(i64::MAX);
            let known = registry.agents(&all)?;
            let meant = invite::meant(&known, name, *site)
                .map_err(|candidates| invite::refusal(&registry, name, &candidates))?;
            let new = match (meant, site) {
                (Some(agent), _) => registry.invite_agent_again(&all, &agent.id, valid_ms, now)?,
                (None, Some(site)) => registry.invite_agent(name, *site, valid_ms, now)?,
                (None, None) => {
                    registry.invite_agent(name, only_site(&registry)?, valid_ms, now)?
                }
            };
            let until = format!("until {}", new.expires_at);
            note(&registry, "agent.invite", new.agent.id.as_str(), &until)?;
            let url = PlatenConfig::read(&args.config.config)?.web.public_url;
            eprintln!(
                "Agent {} may enrol once {until}. The token is shown this once; at the customer's:",
                new.agent.id
            );
            println!("platen-agent enrol --manager {url} --token {}", new.token);
        }
        AgentCommand::Revoke { id } => {
            let id: AgentId = id.parse()?;
            registry.revoke_agent_token(&Scope::Everything, &id)?;
            note(&registry, "agent.revoke", id.as_str(), "")?;
            println!("{id} is let in no more; `platen agent enrol {id}` lets it enrol again.");
        }
        AgentCommand::RotateToken { id } => {
            let id: AgentId = id.parse()?;
            let token = registry.rotate_agent_token(&Scope::Everything, &id, Timestamp::now())?;
            note(&registry, "agent.rotate-token", id.as_str(), "")?;
            print_token(&registry, &id, &token)?;
        }
        AgentCommand::List => {
            for agent in registry.agents(&Scope::Everything)? {
                let path = registry.site_path(agent.site)?;
                let barred = match (agent.disabled, agent.has_token, agent.enrols_until) {
                    (true, _, _) => "\tdisabled".to_owned(),
                    (false, true, _) => String::new(),
                    (false, false, Some(until)) => format!("\tmay enrol until {until}"),
                    (false, false, None) => "\twithout a key".to_owned(),
                };
                println!(
                    "{}\t{}\t{} / {} / {}{barred}",
                    agent.id, agent.name, path.dealer.name, path.customer.name, path.site.name
                );
            }
        }
    }
    Ok(())
}

/// Adds an agent for each line of a file.
fn add_agents(registry: &Registry, names: &Path, site: Option<TenantId>) -> Result<(), Failure> {
    let text = if names == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).doing(|| "read the names".to_owned())?
    } else {
        std::fs::read_to_string(names).doing(|| format!("read {}", names.display()))?
    };
    let names: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let known = registry.agents(&Scope::Everything)?;
    let taken: HashSet<&str> = known.iter().map(|agent| agent.name.as_str()).collect();
    let mut seen = HashSet::new();
    for name in &names {
        if taken.contains(name) || !seen.insert(*name) {
            return Err(Failure::new(format!(
                "there would be two agents {name}; nothing was added"
            )));
        }
    }
    let site = match site {
        Some(site) => site,
        None => only_site(registry)?,
    };
    let added = registry.add_agents(&names, site, Timestamp::now())?;
    let how_many = format!("{} agents", added.len());
    note(registry, "agent.add-many", &site.to_string(), &how_many)?;
    for new in added {
        println!("{}\t{}", new.agent.id, new.token);
    }
    Ok(())
}

/// `platen tenant`.
pub fn tenant(args: &TenantArgs) -> Result<(), Failure> {
    let registry = open(&args.config)?;
    match &args.command {
        TenantCommand::Add {
            level,
            name,
            parent,
            number,
            time_zone,
        } => {
            let tenant = registry.create_tenant(
                &NewTenant {
                    level: *level,
                    parent: *parent,
                    name,
                    number: number.as_deref(),
                    time_zone: time_zone.as_deref(),
                },
                Timestamp::now(),
            )?;
            note(
                &registry,
                "tenant.create",
                &tenant.id.to_string(),
                &tenant.name,
            )?;
            println!("{}\t{}\t{}", tenant.id, tenant.level.word(), tenant.name);
        }
        TenantCommand::List => {
            let tenants = registry.tenants(&Scope::Everything)?;
            print_below(&tenants, None, 0);
        }
    }
    Ok(())
}

/// The site, where there is no choice.
fn only_site(registry: &Registry) -> Result<TenantId, Failure> {
    let mut sites = registry.tenants(&Scope::Everything)?;
    sites.retain(|tenant| tenant.level == registry::Level::Site);
    match sites.as_slice() {
        [site] => Ok(site.id),
        sites => {
            let list: Vec<String> = sites
                .iter()
                .map(|site| format!("{} ({})", site.id, site.name))
                .collect();
            Err(Failure::new(format!(
                "say at which site the agent stands: --site NUMBER, one of {}",
                list.join(", ")
            )))
        }
    }
}

/// The token of the agent of that id: drawn anew when the agent is known, else with a new agent at `site`.
pub fn new_token(registry: &Registry, id: &str, site: Option<TenantId>) -> Result<String, Failure> {
    let agent: AgentId = id.parse()?;
    if registry.agent(&Scope::Everything, &agent).is_ok() {
        return Ok(registry.rotate_agent_token(&Scope::Everything, &agent, Timestamp::now())?);
    }
    let site = match site {
        Some(site) => site,
        None => registry.default_site()?,
    };
    Ok(registry.add_agent(id, site, Timestamp::now())?.token)
}

fn open(args: &ConfigArgs) -> Result<Registry, Failure> {
    open_registry(&PlatenConfig::read(&args.config)?.data)
}

fn note(registry: &Registry, action: &str, subject: &str, detail: &str) -> Result<(), Failure> {
    let entry = Entry {
        who: "cli",
        action,
        subject,
        detail,
    };
    Ok(registry.note(&entry, Timestamp::now())?)
}

fn print_token(registry: &Registry, id: &AgentId, token: &str) -> Result<(), Failure> {
    let agent = registry.agent(&Scope::Everything, id)?;
    let site = registry.site_path(agent.site)?.site;
    eprintln!(
        "Agent {id} at {}. Its token is shown this once; put both lines into the table [manager] of agent.toml:",
        site.name
    );
    println!("agent_id = \"{id}\"\ntoken = \"{token}\"");
    Ok(())
}

fn print_below(tenants: &[registry::Tenant], parent: Option<TenantId>, depth: usize) {
    for tenant in tenants.iter().filter(|tenant| tenant.parent == parent) {
        let zone = tenant.time_zone.as_deref().unwrap_or_default();
        println!(
            "{}\t{:indent$}{} {}\t{zone}",
            tenant.id,
            "",
            tenant.level.word(),
            tenant.name,
            indent = depth * 2
        );
        print_below(tenants, Some(tenant.id), depth + 1);
    }
}

/// Asks for a password twice on a terminal; takes one line otherwise.
fn ask_password() -> Result<String, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let read =
            |prompt| rpassword::prompt_password(prompt).doing(|| "read the password".to_owned());
        let password = read("New password: ")?;
        if read("Once more: ")? != password {
            return Err(Failure::new(
                "the two passwords differ; nothing was changed",
            ));
        }
        return Ok(password);
    }
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .doing(|| "read the password".to_owned())?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
