//! The GETs of `poller/examples/exchanges.rs` through the `async-snmp` crate: 36 variables each, 512 devices at once, one core.
//!
//! `polling-async-snmp ADDRESS:PORT [EXCHANGES]`, where `exchanges --serve` answers. All devices share one socket, as the crate's documentation
//! advises for many of them, and the runtime has one thread, whose CPU time is what is counted. `../run.sh exchanges` runs both sides.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_snmp::transport::UdpTransport;
use async_snmp::{Auth, Client, Oid, Value, oid};
use nix::time::{ClockId, clock_gettime};

const VARIABLES: u32 = 36;
const DEVICES: usize = 512;
/// As the poller's: without room for 512 answers the crate would wait for lost ones most of the time.
const BUFFER_BYTES: usize = 4 << 20;
const EXCHANGES_DEFAULT: usize = 51_200;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.expect("every kernel has that clock").into()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let target: SocketAddr = arguments.next().ok_or("ADDRESS:PORT is missing")?.parse()?;
    let exchanges = arguments
        .next()
        .map_or(Ok(EXCHANGES_DEFAULT), |count| count.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(target, exchanges / DEVICES))
}

async fn run(target: SocketAddr, each: usize) -> Result<(), Box<dyn Error>> {
    let names: Vec<Oid> = (1..=VARIABLES)
        .map(|row| oid!(1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 9, 1, row))
        .collect();
    let shared = UdpTransport::builder()
        .bind("0.0.0.0:0")
        .recv_buffer_size(BUFFER_BYTES)
        .build()
        .await?;
    let mut devices = Vec::new();
    for _ in 0..DEVICES {
        let client = Client::builder(
            (target.ip().to_string(), target.port()),
            Auth::v2c("public"),
        )
        .max_oids_per_request(64)
        .build_with(&shared)
        .await?;
        devices.push((client, names.clone()));
    }
    let (begun, cpu_begun) = (Instant::now(), cpu());
    let polls: Vec<_> = devices
        .into_iter()
        .map(|(client, names)| {
            tokio::spawn(async move {
                let mut sum = 0_u64;
                for _ in 0..each {
                    let response = client.get_many(&names).await?;
                    for binding in &response.varbinds {
                        sum = sum.wrapping_add(match &binding.value {
                            Value::Integer(number) => u64::from(number.unsigned_abs()),
                            Value::Counter32(number) => u64::from(*number),
                            Value::OctetString(octets) => octets.len() as u64,
                            _ => 0,
                        });
                    }
                }
                Ok::<_, Box<async_snmp::Error>>(sum)
            })
        })
        .collect();
    for poll in polls {
        if poll.await?? == 0 {
            return Err("an answer had no values".into());
        }
    }
    let (cpu, wall) = (cpu() - cpu_begun, begun.elapsed());
    let exchanges = (DEVICES * each) as f64;
    println!(
        "{:42} {:>5.1} k per CPU-second, {:>5.1} k per second",
        "async-snmp",
        exchanges / cpu.as_secs_f64() / 1e3,
        exchanges / wall.as_secs_f64() / 1e3
    );
    Ok(())
}
