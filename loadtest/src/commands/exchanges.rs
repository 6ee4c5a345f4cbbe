//! `loadtest exchanges`: what an exchange costs the simulator. A client that does as little as possible asks all printers in turn; what
//! counts is the processor time of the fleet's own thread, so that the client may run beside it.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use clap::Args;
use loadtest::fleet::ber::encode_oid;
use loadtest::fleet::{Fleet, FleetConfig};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

/// Requests under way at once: what fits into a socket's buffer, answers included.
const BATCH: usize = 64;
/// An answer that does not come within this is lost, and the next batch goes out.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);

/// The options of `loadtest exchanges`.
#[derive(Args)]
pub struct ExchangesArgs {
    /// How many printers.
    #[arg(long, default_value_t = 10_000)]
    devices: u32,
    /// Variables in each GET.
    #[arg(long, default_value_t = 36, value_parser = clap::value_parser!(u32).range(1..=60))]
    variables: u32,
    /// How many exchanges.
    #[arg(long, default_value_t = 1_000_000)]
    exchanges: u64,
}

/// What a poller asks of most printers: supplies, trays, status, identity, meters.
fn oids(count: u32) -> Vec<String> {
    let rows = |table: &str, rows: u32| -> Vec<String> {
        (1..=rows).map(|row| format!("{table}.{row}")).collect()
    };
    [
        rows("1.3.6.1.2.1.43.11.1.1.9.1", 5),
        rows("1.3.6.1.2.1.43.8.2.1.10.1", 3),
        rows("1.3.6.1.2.1.43.11.1.1.8.1", 5),
        rows("1.3.6.1.2.1.43.11.1.1.6.1", 5),
        vec![
            "1.3.6.1.2.1.1.3.0".to_owned(),
            "1.3.6.1.2.1.25.3.2.1.5.1".to_owned(),
            "1.3.6.1.2.1.25.3.5.1.1.1".to_owned(),
            "1.3.6.1.2.1.25.3.5.1.2.1".to_owned(),
            "1.3.6.1.2.1.43.5.1.1.17.1".to_owned(),
            "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
        ],
        rows("1.3.6.1.2.1.43.8.2.1.9.1", 3),
        rows("1.3.6.1.2.1.43.12.1.1.4.1", 4),
        rows("1.3.6.1.2.1.43.11.1.1.7.1", 5),
        rows("1.3.6.1.2.1.43.11.1.1.5.1", 5),
        rows("1.3.6.1.2.1.43.8.2.1.13.1", 3),
        rows("1.3.6.1.2.1.43.8.2.1.12.1", 3),
        rows("1.3.6.1.2.1.43.11.1.1.4.1", 5),
        rows("1.3.6.1.2.1.43.11.1.1.3.1", 5),
        rows("1.3.6.1.2.1.43.11.1.1.2.1", 5),
    ]
    .concat()
    .into_iter()
    .take(count as usize)
    .collect()
}

/// A v2c GET.
fn get(oids: &[String]) -> Vec<u8> {
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len())
            .expect("60 variables stay below 64 kB")
            .to_be_bytes();
        [&[tag, 0x82, high, low], content].concat()
    }
    let bindings: Vec<u8> = oids
        .iter()
        .flat_map(|oid| {
            let oid = encode_oid(oid).expect("the list holds OIDs");
            tlv(0x30, &[tlv(6, &oid), vec![5, 0]].concat())
        })
        .collect();
    let pdu = [vec![2, 1, 7, 2, 1, 0, 2, 1, 0], tlv(0x30, &bindings)].concat();
    tlv(
        0x30,
        &[vec![2, 1, 1], tlv(4, b"public"), tlv(0xa0, &pdu)].concat(),
    )
}

/// Measures and prints.
pub fn run(args: &ExchangesArgs) -> Result<(), Box<dyn std::error::Error>> {
    let fleet = Fleet::start(FleetConfig {
        devices: args.devices,
        dead_permille: 0,
        asleep_permille: 0,
        ..FleetConfig::default()
    })?;
    let task = fleet_task()?;
    let addresses: Vec<SockaddrIn> = fleet.addresses().map(SockaddrIn::from).collect();
    let request = get(&oids(args.variables));
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let cpu_before = cpu_seconds(&task)?;
    let began = Instant::now();
    let (mut answered, mut bytes, mut next) = (0, 0, 0);
    while answered < args.exchanges {
        let batch: Vec<Option<SockaddrIn>> = (0..BATCH)
            .map(|at| addresses.get((next + at) % addresses.len()).copied())
            .collect();
        next += BATCH;
        let (count, length) = exchange(&socket, &batch, &request)?;
        answered += count as u64;
        bytes += length as u64;
        if began.elapsed() > Duration::from_secs(120) {
            return Err(format!("only {answered} answers within two minutes").into());
        }
    }
    let wall = began.elapsed().as_secs_f64();
    let after = cpu_seconds(&task)?;
    let [own, kernel] = [after[0] - cpu_before[0], after[1] - cpu_before[1]];
    let cpu = own + kernel;
    fleet.stop();
    println!(
        "{answered} exchanges of {} variables with {} printers, answers of {} bytes\n\
         {:.0} exchanges per processor second of the fleet's thread ({:.2} µs each, {:.2} of them in the kernel)\n\
         {:.0} exchanges per second, client and fleet together on this machine",
        args.variables,
        args.devices,
        bytes / answered.max(1),
        answered as f64 / cpu,
        cpu / answered as f64 * 1e6,
        kernel / answered as f64 * 1e6,
        answered as f64 / wall,
    );
    Ok(())
}

/// Sends a request to each address and takes the answers; how many came, and their bytes.
fn exchange(
    socket: &UdpSocket,
    addresses: &[Option<SockaddrIn>],
    request: &[u8],
) -> nix::Result<(usize, usize)> {
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(addresses.len(), None);
    let slices: Vec<_> = addresses.iter().map(|_| [IoSlice::new(request)]).collect();
    sendmmsg(
        socket.as_raw_fd(),
        &mut headers,
        slices.iter(),
        addresses,
        [],
        MsgFlags::empty(),
    )?;
    let (mut count, mut bytes) = (0, 0);
    let mut buffers = vec![[0; 1500]; addresses.len()];
    while count < addresses.len() {
        let mut slices: Vec<_> = buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let arrived = recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            MsgFlags::MSG_WAITFORONE,
            None,
        );
        match arrived {
            Ok(arrived) => {
                for message in arrived {
                    count += 1;
                    bytes += message.bytes;
                }
            }
            // What is lost is lost.
            Err(nix::Error::EAGAIN) => break,
            Err(error) => return Err(error),
        }
    }
    Ok((count, bytes))
}

/// The folder of the fleet's thread below `/proc`. A thread takes its name when it first runs.
fn fleet_task() -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        for task in std::fs::read_dir("/proc/self/task")? {
            let task = task?.path();
            let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
            if name.trim() == "printer-fleet" {
                return Ok(task);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("the fleet's thread does not run".into())
}

/// Processor seconds of a thread so far, by itself and in the kernel, which Linux counts in hundredths.
fn cpu_seconds(task: &std::path::Path) -> Result<[f64; 2], Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string(task.join("stat"))?;
    // The second field is the thread's name in parentheses: count from behind it.
    let (_, rest) = stat.rsplit_once(')').ok_or("the thread has no name")?;
    let mut ticks = rest.split_whitespace().skip(11).map(str::parse::<f64>);
    let mut next = || ticks.next().ok_or("the line is too short");
    Ok([next()?? / 100.0, next()?? / 100.0])
}
