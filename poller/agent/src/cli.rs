//! The command line.

use std::path::PathBuf;

use agent::config::ProxyConfig;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Polls printers over SNMP and delivers their meters, supplies, status and alerts to a Platen manager.
#[derive(Parser)]
#[command(name = "platen-agent", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to log, as in RUST_LOG: `info`, `debug`, `warn,agent::upload=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "RUST_LOG")]
    pub log: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the agent: find printers, poll them by their schedule, deliver to the manager.
    #[command(
        after_help = "Example:\n  platen-agent run --config agent.toml\n\n`platen-agent example > agent.toml` writes a configuration with every key explained."
    )]
    Run(RunArgs),
    /// Exchange a one-time token for a key of the agent's own; write a first agent.toml where there is none.
    #[command(
        after_help = "Example:\n  platen-agent enrol --manager https://platen.example.com --token plt_enrol_…\n\nThe manager's page \"Agents\", or `platen agent enrol NAME` there, makes the token. When the line breaks, run the same command again: it goes on where it stopped."
    )]
    Enrol(EnrolArgs),
    /// Poll one printer now and print its device report.
    #[command(
        after_help = "Examples:\n  platen-agent poll 10.1.0.17\n  platen-agent poll printer.example.com --community secret --version 1\n  \
                            platen-agent poll 10.1.0.17:1161 --format xml\n  \
                            platen-agent poll 10.1.0.17 --config agent.toml\n  \
                            platen-agent poll 10.1.0.17 --user platen --auth sha256 --auth-password … --privacy aes128 --privacy-password …\n  \
                            platen-agent poll --recording printer.snmprec"
    )]
    Poll(PollArgs),
    /// Ask every address of some ranges and list the printers that answer.
    #[command(
        after_help = "Examples:\n  platen-agent discover 10.1.0.0/22 10.2.0.10-99\n  \
                            platen-agent discover 10.1.0.0/16 --exclude 10.1.5.0/24 --packets-per-second 200 --format json\n  \
                            platen-agent discover --file printers.csv --hints icmp,tcp7\n  \
                            platen-agent discover --config agent.toml --format csv > printers.csv\n\n\
                            What it prints as CSV or JSON can be given to `--file`, and to `include_file` in the agent's configuration."
    )]
    Discover(DiscoverArgs),
    /// Record what a printer answers, without names, addresses and serial numbers: a test case for its model.
    #[command(
        after_help = "Example:\n  platen-agent record 10.1.0.17 > printer.snmprec\n\nIt walks only what `platen-agent privacy` lists."
    )]
    Record(RecordArgs),
    /// Say what a running agent is doing: devices, polls, traps, deliveries.
    #[command(
        after_help = "Example:\n  platen-agent status --config agent.toml\n\nThe agent writes its status every few seconds into the folder of its spool."
    )]
    Status(StatusArgs),
    /// Look into the spool of an agent that is stopped.
    Spool(SpoolArgs),
    /// List everything that the agent can ever ask a printer for.
    Privacy(PrivacyArgs),
    /// Print an example configuration with every key explained.
    Example,
}

/// Arguments of `run`.
#[derive(Args)]
pub struct RunArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "agent.toml")]
    pub config: PathBuf,
    /// Only check the configuration.
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `status`.
#[derive(Args)]
pub struct StatusArgs {
    /// The configuration file of the agent.
    #[arg(long, value_name = "FILE", default_value = "agent.toml")]
    pub config: PathBuf,
    /// How the status is printed.
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
}

/// Arguments of `enrol`.
#[derive(Args)]
pub struct EnrolArgs {
    /// The manager's address; may be left out where the configuration names it.
    #[arg(long, value_name = "URL")]
    pub manager: Option<String>,
    /// The one-time token.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "PLATEN_ENROL_TOKEN",
        hide_env_values = true
    )]
    pub token: String,
    /// The configuration file; written when there is none, left alone otherwise.
    #[arg(long, value_name = "FILE", default_value = "agent.toml")]
    pub config: PathBuf,
    /// Certificate authorities (PEM) trusted besides the public ones.
    #[arg(long, value_name = "FILE", conflicts_with = "pinned_ca_file")]
    pub ca_file: Option<PathBuf>,
    /// Certificate authorities (PEM) trusted instead of the public ones.
    #[arg(long, value_name = "FILE")]
    pub pinned_ca_file: Option<PathBuf>,
    /// An HTTP proxy on the way; one that wants a login is named in the configuration.
    #[arg(long, value_name = "HOST:PORT", value_parser = proxy)]
    pub proxy: Option<ProxyConfig>,
}

/// `HOST:PORT` or `http://HOST:PORT`.
fn proxy(text: &str) -> Result<ProxyConfig, String> {
    let url = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    ProxyConfig::at(&url).map_err(|problem| {
        format!("{problem}; HOST:PORT is wanted, such as proxy.example.com:3128 or [fd00::7]:3128")
    })
}

/// How a device is asked.
#[derive(Args)]
pub struct AccessArgs {
    /// A community to try; several are tried in their order.
    #[arg(long, value_name = "COMMUNITY", default_value = "public")]
    pub community: Vec<String>,
    /// The SNMP version; without it, 2c and then 1, or 3 when there is a user.
    #[arg(long, value_name = "VERSION")]
    pub version: Option<Version>,
    /// The SNMPv3 user.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// How the SNMPv3 user authenticates.
    #[arg(long, value_name = "PROTOCOL", requires = "auth_password")]
    pub auth: Option<Auth>,
    /// The password of that.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "PLATEN_SNMP_AUTH_PASSWORD",
        hide_env_values = true
    )]
    pub auth_password: Option<String>,
    /// How SNMPv3 messages are encrypted.
    #[arg(long, value_name = "PROTOCOL", requires_all = ["privacy_password", "auth"])]
    pub privacy: Option<Privacy>,
    /// The password of that.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "PLATEN_SNMP_PRIVACY_PASSWORD",
        hide_env_values = true
    )]
    pub privacy_password: Option<String>,
    /// The SNMPv3 context.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Ask as this agent's configuration says: credentials, transport and port of the range that has the address, timeouts, profiles.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["community", "version", "user"])]
    pub config: Option<PathBuf>,
    /// Ask as this range of the configuration is asked, also what lies outside it.
    #[arg(long, value_name = "NAME", requires = "config")]
    pub range: Option<String>,
    /// How long the first attempt waits for an answer; each further one waits twice as long.
    ///
    /// Without it as the configuration says, else 1 s.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<std::time::Duration>,
    /// Attempts after the first.
    ///
    /// Without it as the configuration says, else 2; in a discovery 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10))]
    pub retries: Option<u32>,
    /// A folder with device profiles that replace or extend those in the program.
    #[arg(long, value_name = "DIR")]
    pub profiles: Option<PathBuf>,
}

/// Arguments of `poll`.
#[derive(Args)]
pub struct PollArgs {
    /// The printer: a name or an address, with its port where that is not 161.
    #[arg(value_name = "HOST[:PORT]", required_unless_present = "recording")]
    pub host: Option<String>,
    /// Replay this recording instead of asking a printer.
    #[arg(long, value_name = "FILE", conflicts_with = "host")]
    pub recording: Option<PathBuf>,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Do not ask the name server for the name of the address.
    #[arg(long)]
    pub no_dns: bool,
    /// Say on stderr what the poll cost.
    #[arg(long)]
    pub stats: bool,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Arguments of `discover`.
#[derive(Args)]
pub struct DiscoverArgs {
    /// Networks (10.1.0.0/22), spans (10.2.0.10-99), addresses or host names, each with its port where that is not 161.
    ///
    /// Without any, and without --file: the ranges of --config.
    #[arg(value_name = "RANGE", required_unless_present_any = ["file", "config"])]
    pub ranges: Vec<String>,
    /// A list of devices: CSV, or JSON as `discover` prints it.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What not to ask.
    #[arg(long, value_name = "RANGE")]
    pub exclude: Vec<String>,
    /// The most requests per second.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub packets_per_second: u32,
    /// Signs of life to ask for where SNMP is not answered; they never keep an address from being asked.
    #[arg(long, value_enum, value_name = "SIGN", value_delimiter = ',')]
    pub hints: Vec<HintArg>,
    /// List what answers and is no printer as well.
    #[arg(long)]
    pub all: bool,
    /// How the devices are printed.
    #[arg(long, value_enum, default_value_t = FoundFormat::Table)]
    pub format: FoundFormat,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Arguments of `record`.
#[derive(Args)]
pub struct RecordArgs {
    /// The printer: a name or an address, with its port where that is not 161.
    #[arg(value_name = "HOST[:PORT]")]
    pub host: String,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Arguments of `spool`.
#[derive(Args)]
pub struct SpoolArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: SpoolCommand,
}

/// What to do with a spool.
#[derive(Subcommand)]
pub enum SpoolCommand {
    /// Read all of it, verify every checksum, and say what waits.
    Check {
        /// The spool's folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// List every report in it, or print one as XML.
    Dump {
        /// The spool's folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Only this stream.
        #[arg(long, value_enum)]
        stream: Option<StreamArg>,
        /// Print the XML of this report; needs `--stream`.
        #[arg(long, value_name = "NUMBER", requires = "stream")]
        sequence: Option<u64>,
    },
}

/// Arguments of `privacy`.
#[derive(Args)]
pub struct PrivacyArgs {
    /// A folder with device profiles that replace or extend those in the program.
    #[arg(long, value_name = "DIR")]
    pub profiles: Option<PathBuf>,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As the design's JSON.
    Json,
    /// As a report of one device, as it travels.
    Xml,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// How devices that were found are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FoundFormat {
    /// For people.
    Table,
    /// For programs, and for `--file`.
    Json,
    /// For spreadsheets, and for `--file`.
    Csv,
}

/// Signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HintArg {
    /// ICMP echo.
    Icmp,
    /// A connection to TCP port 7, taken or refused.
    Tcp7,
}

/// SNMP versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Version {
    /// SNMPv1
    #[value(name = "1")]
    V1,
    /// SNMPv2c
    #[value(name = "2c")]
    V2c,
    /// SNMPv3
    #[value(name = "3")]
    V3,
}

/// Authentication protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names of the protocols say it")]
pub enum Auth {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Privacy protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names of the protocols say it")]
pub enum Privacy {
    Des,
    Aes128,
    Aes192,
    Aes256,
    Aes192Reeder,
    Aes256Reeder,
}

/// The streams of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StreamArg {
    /// Meters.
    Meters,
    /// Everything else.
    State,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    agent::config::units::duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("not {}", agent::config::units::DURATION_FORM))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_poll_needs_a_host_or_a_recording_and_a_password_its_protocol() {
        for (line, is_taken) in [
            ("poll 10.1.0.1", true),
            ("poll", false),
            ("poll --recording x", true),
            ("poll h --recording x", false),
            ("poll h --user u --auth sha256", false),
            (
                "poll h --user u --auth sha256 --auth-password long-enough",
                true,
            ),
            ("poll h --version 4", false),
            ("poll h --config a.toml --range north", true),
            ("poll h --range north", false),
            ("poll h --config a.toml --community c", false),
            ("discover", false),
            ("spool dump d --sequence 3", false),
            ("enrol --token t --proxy http://[::1]:3128", true),
            ("enrol --token t --proxy [fd00::7]:3128", true),
            ("enrol --token t --proxy proxy.example:3128", true),
            ("enrol --token t --proxy fd00::7:3128", false),
            ("enrol --token t --proxy [fd00::7]", false),
            ("enrol --token t --proxy https://p:3128", false),
        ] {
            let words = ["platen-agent"].into_iter().chain(line.split(' '));
            assert_eq!(Cli::try_parse_from(words).is_ok(), is_taken, "{line}");
        }
    }
}
