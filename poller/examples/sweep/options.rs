//! What is simulated and how it is asked, from the command line.

use std::path::PathBuf;
use std::time::Duration;

use poller::driver::DriverChoice;

/// What is simulated, and how it is asked.
#[derive(Clone, Debug)]
pub struct Setup {
    pub devices: u32,
    pub latency: Duration,
    pub loss_permille: u32,
    pub dead_permille: u32,
    /// Requests per second; 0: no limit.
    pub rate: u32,
    pub inflight: usize,
    pub driver: DriverChoice,
    /// The program that simulates.
    pub fleet: PathBuf,
    /// Where a fleet answers already; else one is started.
    pub port: Option<u16>,
    /// The only poll behind the first, by its name; none: all of them.
    pub poll: Option<String>,
    /// How often each of them is made.
    pub times: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            devices: 10_000,
            latency: Duration::from_millis(100),
            loss_permille: 10,
            dead_permille: 20,
            rate: 10_000,
            inflight: 4_096,
            driver: DriverChoice::Auto,
            fleet: beside_this_program().unwrap_or_else(|| "loadtest".into()),
            port: None,
            poll: None,
            times: 1,
        }
    }
}

/// `target/release/loadtest` stands a folder above `target/release/examples/sweep`.
fn beside_this_program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let path = own.parent()?.parent()?.join("loadtest");
    path.exists().then_some(path)
}

pub fn setup(arguments: impl Iterator<Item = String>) -> Result<Setup, String> {
    let mut setup = Setup::default();
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let number = || {
            value
                .parse::<u32>()
                .map_err(|error| format!("{name}: {error}"))
        };
        match name.as_str() {
            "--devices" => setup.devices = number()?,
            "--latency-ms" => setup.latency = Duration::from_millis(number()?.into()),
            "--loss-permille" => setup.loss_permille = number()?,
            "--dead-permille" => setup.dead_permille = number()?,
            "--rate" => setup.rate = number()?,
            "--inflight" => setup.inflight = number()? as usize,
            "--driver" => {
                setup.driver = match value.as_str() {
                    "auto" => DriverChoice::Auto,
                    "monoio" => DriverChoice::Monoio,
                    "batched" => DriverChoice::Batched,
                    "portable" => DriverChoice::Portable,
                    _ => return Err(format!("no driver is called {value}")),
                }
            }
            "--port" => {
                let port = value.parse().map_err(|error| format!("{name}: {error}"))?;
                setup.port = Some(port);
            }
            "--poll" => setup.poll = Some(value),
            "--times" => setup.times = number()?,
            "--fleet" => setup.fleet = value.into(),
            _ => {
                return Err(format!(
                    "{name} is unknown; the options stand at the top of this file"
                ));
            }
        }
    }
    Ok(setup)
}
