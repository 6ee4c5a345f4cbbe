//! The fleet's control channel: lines in, one line of answer each, over TCP on loopback or over stdin.
//!
//! `ok: …` says what is so now, `error: …` why nothing changed. The answer comes after the event took effect: a datagram that is
//! sent behind it meets the changed fleet. (`help` alone has several lines; an empty one ends it.)

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::event::{Event, GRAMMAR};
use super::server::Remote;

/// Longest line: the longest event has some 80 characters.
const LINE_BYTES_MAX: u64 = 1024;
/// Connections at once: a test has one, a person another.
const CONNECTIONS_MAX: usize = 16;
/// How often the listener looks whether the fleet has stopped.
const ACCEPT_EVERY: Duration = Duration::from_millis(20);

/// Answers lines from `listen`, which must be a loopback address, until the fleet stops; returns where it listens.
///
/// # Errors
/// When the address is not loopback or cannot be had.
pub fn listen(remote: Remote, listen: SocketAddr) -> io::Result<SocketAddr> {
    if !listen.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the control channel listens on loopback alone",
        ));
    }
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    std::thread::Builder::new()
        .name("fleet-control".to_owned())
        .spawn(move || accept(&remote, &listener))?;
    Ok(address)
}

fn accept(remote: &Remote, listener: &TcpListener) {
    let open = Arc::new(AtomicUsize::new(0));
    while remote.is_running() {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(ACCEPT_EVERY);
            continue;
        };
        if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (remote, counted) = (remote.clone(), Arc::clone(&open));
        let served = std::thread::Builder::new()
            .name("fleet-control".to_owned())
            .spawn(move || {
                // A client that hangs up has heard enough.
                let _ = serve(&remote, &stream);
                counted.fetch_sub(1, Ordering::Relaxed);
            });
        if served.is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(remote: &Remote, stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    converse(remote, stream, stream)
}

/// Reads events from `lines` and writes an answer to each, until one side ends it.
///
/// # Errors
/// When a side cannot be read or written.
pub fn converse(remote: &Remote, lines: impl Read, mut answers: impl Write) -> io::Result<()> {
    let mut lines = BufReader::new(lines);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut lines)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        answers.write_all(answer(remote, text.trim()).as_bytes())?;
        answers.flush()?;
        let is_cut = line.last() != Some(&b'\n') && length as u64 == LINE_BYTES_MAX;
        if is_cut {
            return Ok(());
        }
    }
}

fn answer(remote: &Remote, line: &str) -> String {
    if line == "help" {
        return format!("{GRAMMAR}\n\n");
    }
    let told = line.parse::<Event>().and_then(|event| remote.tell(event));
    match told {
        Ok(now) => format!("ok: {now}\n"),
        Err(error) => format!("error: {error}\n"),
    }
}
