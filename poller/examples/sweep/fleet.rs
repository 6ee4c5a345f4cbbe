//! The simulated printers: a child process that ends with this one.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::options::Setup;

/// The first printer's address.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 96, 0, 1);

/// A running fleet.
#[derive(Debug)]
pub struct Fleet {
    /// Ours, which ends when its input does; none where the fleet is somebody else's.
    child: Option<(Child, ChildStdin)>,
    port: u16,
    devices: u32,
}

impl Fleet {
    /// Starts it, unless there is one, and waits until it answers.
    pub fn start(setup: &Setup) -> Result<Self, String> {
        if let Some(port) = setup.port {
            return Ok(Self {
                child: None,
                port,
                devices: setup.devices,
            });
        }
        let mut child = Command::new(&setup.fleet)
            .arg("fleet")
            .arg("--stdin")
            .args(["--port", "0", "--asleep-permille", "0"])
            .args(["--first", &FIRST.to_string()])
            .args(["--devices", &setup.devices.to_string()])
            .args(["--latency-ms", &setup.latency.as_millis().to_string()])
            .args(["--loss-permille", &setup.loss_permille.to_string()])
            .args(["--dead-permille", &setup.dead_permille.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!(
                    "cannot start {} (cargo build --release -p platen-loadtest makes it): {error}",
                    setup.fleet.display()
                )
            })?;
        let stdin = child.stdin.take().ok_or("the fleet has no input")?;
        let stdout = child.stdout.take().ok_or("the fleet has no output")?;
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.map_err(|error| format!("the fleet says nothing: {error}"))?;
        // "10000 printers answer on UDP port 16100 from …"
        let port = line
            .split("port ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .and_then(|port| port.parse().ok());
        let port = port.ok_or(format!("the fleet did not start: {line:?}"))?;
        Ok(Self {
            child: Some((child, stdin)),
            port,
            devices: setup.devices,
        })
    }

    /// Where the printers are: one after the other, without addresses that end in 0 or 255.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        (FIRST.to_bits()..)
            .map(Ipv4Addr::from_bits)
            .filter(|address| !matches!(address.octets()[3], 0 | 255))
            .take(self.devices as usize)
            .map(|address| SocketAddr::new(IpAddr::V4(address), self.port))
            .collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some((mut child, stdin)) = self.child.take() {
            drop(stdin);
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
