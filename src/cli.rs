//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use codec::id::TenantId;
use registry::{Language, Level, Role};

/// Collects meters, supplies, status and alerts from printer fleets and turns them into billing-grade data.
#[derive(Parser)]
#[command(name = "platen", version, about, long_about = None, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Everything in one process, with simulated printers: to look at Platen without owning a printer.
    #[command(
        after_help = "Examples:\n  platen demo\n  platen demo --devices 2000 --data demo-data --admin-password 'correct horse battery'"
    )]
    Demo(DemoArgs),
    /// The manager: takes reports from agents, stores them, serves pages, API and SOAP.
    Manager(ConfigArgs),
    /// The manager and an agent on one box.
    All(ConfigArgs),
    /// Accounts of administrators.
    Admin(AdminArgs),
    /// The agents that may deliver reports.
    Agent(AgentArgs),
    /// Dealers, their customers, and the customers' sites.
    Tenant(TenantArgs),
    /// Forget a customer for good, with all that is kept of him. For a manager that is stopped; a running one has a page for it.
    #[command(
        after_help = "Example: platen forget 17\nIt says what it concerns, and asks for the customer's name. It cannot be undone."
    )]
    Forget(ForgetArgs),
    /// Look into the journal of a manager that is stopped.
    Journal(JournalArgs),
    /// Look after the store of a manager that is stopped.
    Store(StoreArgs),
    /// Make the store of a stopped manager anew from its journal; the old one is kept beside it.
    Rebuild(RebuildArgs),
    /// Show the report that a reading came from, as it was received, from a manager that is stopped.
    #[command(
        after_help = "Example: platen evidence werk2:3de002cb981964c4:meters:2:37:total.total.impressions"
    )]
    Evidence(EvidenceArgs),
}

#[derive(Args)]
pub struct ConfigArgs {
    /// The configuration file; platen.example.toml explains every key.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "platen.toml"
    )]
    pub config: PathBuf,
}

#[derive(Args)]
pub struct DemoArgs {
    /// How many printers are simulated.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub devices: u32,
    /// Where the pages, the API and the SOAP service are served.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Keep the data in this folder across restarts; without it, they live in a temporary folder that is removed.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The password of the login `admin`; without it, one is drawn and printed.
    #[arg(long, value_name = "PASSWORD")]
    pub admin_password: Option<String>,
}

#[derive(Args)]
pub struct AdminArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(subcommand)]
    pub command: AdminCommand,
}

#[derive(Subcommand)]
pub enum AdminCommand {
    /// Create an account. The password is asked for, or read from standard input when that is no terminal.
    Create {
        /// What is typed to log in.
        login: String,
        /// What is shown; the login when left out.
        #[arg(long)]
        name: Option<String>,
        /// What the account may do: admin, operator, viewer or erp.
        #[arg(long, default_value = "admin", value_parser = role)]
        role: Role,
        /// What it may see: the number of a dealer, customer or site; everything when left out.
        #[arg(long, value_name = "TENANT", value_parser = tenant)]
        branch: Option<TenantId>,
        /// The language of its pages: en or de.
        #[arg(long, default_value = "en", value_parser = language)]
        language: Language,
    },
    /// Set a new password and end the account's sessions.
    ResetPassword {
        /// The account's login.
        login: String,
    },
    /// List the accounts.
    List,
}

#[derive(Args)]
pub struct AgentArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(subcommand)]
    pub command: AgentCommand,
}

#[derive(Subcommand)]
pub enum AgentCommand {
    /// Add an agent and print its token, once.
    Add {
        /// What people call it, such as `meyer-werk2`.
        name: String,
        /// The number of the site where it stands (`platen tenant list`); may be left out while there is one site.
        #[arg(long, value_name = "SITE", value_parser = tenant)]
        site: Option<TenantId>,
    },
    /// Add many agents at once, all or none, and print a line for each: its id, a tab, its token. For whoever moves a fleet here.
    AddMany {
        /// Their names, one a line; `-` reads standard input.
        #[arg(value_name = "FILE")]
        names: PathBuf,
        /// The number of the site where they stand; may be left out while there is one site.
        #[arg(long, value_name = "SITE", value_parser = tenant)]
        site: Option<TenantId>,
    },
    /// Make a one-time token with which an agent enrols: it draws a key of its own and exchanges the token for it.
    #[command(
        after_help = "Example:\n  platen agent enrol meyer-werk2 --site 3 --expires 7d\n\nThen, at the customer's: platen-agent enrol --manager URL --token TOKEN"
    )]
    Enrol {
        /// What people call it. Where one agent of that id or name is there already, the token gives it a new key.
        name: String,
        /// The number of the site where it stands, or a new agent will (`platen tenant list`); may be left out for an agent that is there
        /// and alone of its name, and while there is one site.
        #[arg(long, alias = "tenant", value_name = "SITE", value_parser = tenant)]
        site: Option<TenantId>,
        /// How long the token is good: 30m, 24h, 7d.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = span)]
        expires: std::time::Duration,
    },
    /// Take an agent's key and its open enrolment token away; takes effect at its next delivery.
    Revoke {
        /// The agent's id.
        id: String,
    },
    /// Replace an agent's token by a new one, printed once; the old one is void at once.
    RotateToken {
        /// The agent's id.
        id: String,
    },
    /// List the agents.
    List,
}

#[derive(Args)]
pub struct TenantArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(subcommand)]
    pub command: TenantCommand,
}

#[derive(Subcommand)]
pub enum TenantCommand {
    /// Add a dealer, a customer or a site.
    Add {
        /// dealer, customer or site.
        #[arg(value_parser = level)]
        level: Level,
        /// Its name, unique beside its siblings.
        name: String,
        /// The number of the dealer (of a customer) or of the customer (of a site).
        #[arg(long, value_name = "TENANT", value_parser = tenant)]
        parent: Option<TenantId>,
        /// What the ERP calls it.
        #[arg(long, value_name = "NUMBER")]
        number: Option<String>,
        /// Of a site: where its month ends, an IANA name such as Europe/Berlin.
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
    },
    /// List all tenants with their numbers.
    List,
}

#[derive(Args)]
pub struct ForgetArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The customer's number; `platen tenant list` shows it.
    #[arg(value_parser = tenant)]
    pub customer: TenantId,
    /// Say what it would concern, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct JournalArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(subcommand)]
    pub command: JournalCommand,
}

#[derive(Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum JournalCommand {
    /// Read every record and say what is damaged.
    Check,
    /// Print one line for each record.
    Dump,
    /// Cut damaged tails off, and seal archives of before there were keys. A manager does both too.
    Repair,
}

#[derive(Args)]
pub struct RebuildArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Also when the oldest segments of the journal are kept no longer or a customer's key is missing, so that the new store is without what they
    /// held.
    #[arg(long)]
    pub from_what_is_left: bool,
}

#[derive(Args)]
pub struct EvidenceArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The reading's id, as the API and the SOAP service give it.
    pub reading: String,
}

#[derive(Args)]
pub struct StoreArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(subcommand)]
    pub command: StoreCommand,
}

#[derive(Subcommand)]
pub enum StoreCommand {
    /// Read the whole store and count what is in it.
    Check,
    /// Write a copy of store and registry into a folder.
    Backup {
        /// The folder; made when it is missing.
        folder: PathBuf,
    },
}

fn tenant(text: &str) -> Result<TenantId, String> {
    text.parse()
        .map(TenantId)
        .map_err(|_| "not the number of a tenant; `platen tenant list` shows them".to_owned())
}

fn span(text: &str) -> Result<std::time::Duration, String> {
    let refused = || "a whole number with m, h or d behind it: 30m, 24h, 7d".to_owned();
    let unit = text.chars().last().ok_or_else(refused)?;
    let seconds: u64 = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(refused()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| refused())?;
    Ok(std::time::Duration::from_secs(u64::from(number) * seconds))
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_word(text).ok_or_else(|| "one of admin, operator, viewer, erp".to_owned())
}

fn language(text: &str) -> Result<Language, String> {
    Language::from_word(text).ok_or_else(|| "en or de".to_owned())
}

fn level(text: &str) -> Result<Level, String> {
    Level::from_word(text).ok_or_else(|| "one of dealer, customer, site".to_owned())
}
