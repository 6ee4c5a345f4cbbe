//! Host names of ranges, looked up on a thread of their own: a sweep never waits for a resolver, except where a name says what must
//! not be asked.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, channel};

/// Addresses that one name may have.
const ADDRESSES_PER_NAME_MAX: usize = 16;

/// A name of a range, and what it is there for.
#[derive(Debug)]
pub struct Wanted {
    pub range: usize,
    pub name: String,
    pub port: Option<u16>,
    pub is_excluded: bool,
}

/// What was looked up.
#[derive(Debug)]
pub enum Resolved {
    /// One of the addresses of a name that is to be asked.
    Asked(usize, SocketAddr),
    /// One of the addresses of a name that is to be left alone, on this port or on all.
    Excluded(usize, SocketAddr, Option<u16>),
    /// All names that are to be left alone are known now.
    ExclusionsKnown,
}

/// Looks names up, one after the other, those to be left alone first, on a thread that ends with the last.
pub fn look_up(mut names: Vec<Wanted>, port: u16) -> Receiver<Resolved> {
    names.sort_by_key(|wanted| !wanted.is_excluded);
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("sweep-names".to_owned());
    let spawned = thread.spawn(move || {
        let mut exclusions_known = false;
        for wanted in names {
            if !wanted.is_excluded && !std::mem::replace(&mut exclusions_known, true) {
                let _ = sender.send(Resolved::ExclusionsKnown);
            }
            let name = (wanted.name.as_str(), wanted.port.unwrap_or(port));
            match name.to_socket_addrs() {
                Ok(addresses) => {
                    for address in addresses.take(ADDRESSES_PER_NAME_MAX) {
                        let resolved = if wanted.is_excluded {
                            Resolved::Excluded(wanted.range, address, wanted.port)
                        } else {
                            Resolved::Asked(wanted.range, address)
                        };
                        if sender.send(resolved).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(name = wanted.name, %error, "a host of a range has no address");
                }
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "the hosts of the ranges cannot be looked up");
    }
    receiver
}
