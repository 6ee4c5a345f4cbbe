//! A fleet of simulated printers read by the real driver, against the arithmetic floor.
//!
//! `cargo build --release -p platen-loadtest && cargo run --release -p platen-poller --example sweep`
//!
//! Starts `loadtest fleet` as a process of its own, then reads every printer four times: anew (identification, tables, meters), in full
//! by plan, what changes by plan, and as a heartbeat. Of each it says how long it took until 99.9 % of the living had reported, what no client
//! could have gone below ([`floor`]), and what it cost: CPU time of this process, datagrams, bytes with IP and UDP headers, memory.
//!
//! Options: `--devices N --latency-ms N --loss-permille N --dead-permille N --rate N (requests a second, 0: no limit) --inflight N
//! --driver auto|monoio|batched|portable --fleet PATH (the program) --port N (of a fleet that answers already)
//! --poll full|steady|heartbeat (behind the first, which learns, that one alone) --times N (each so often, the first apart)`.

#[cfg(target_os = "linux")]
mod fleet;
#[cfg(target_os = "linux")]
mod floor;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod sweep;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the simulated fleet needs Linux");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match options::setup(std::env::args().skip(1)).and_then(|setup| sweep::run(&setup)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sweep: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
