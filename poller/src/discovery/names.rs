//! Host names of ranges, looked up on a thread of their own: a sweep never waits for a resolver, except where a name says what must
//! not be asked.
//!
//! What always holds: of every name that is to be left alone it is said where it is, or that nobody knows ([`Resolved::Unknown`]).

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Addresses that one name may have.
const ADDRESSES_PER_NAME_MAX: usize = 16;

/// A name of a range, and what it is there for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub range: usize,
    pub name: Arc<str>,
    pub port: Option<u16>,
    pub is_excluded: bool,
}

/// What was looked up of the names of ranges, each with the number of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// One of the addresses of a name that is to be asked.
    Asked(usize, Arc<str>, SocketAddr),
    /// All addresses of this name that is to be asked are known now.
    Known(usize, Arc<str>),
    /// One of the addresses of a name that is to be left alone, on this port or on all.
    Excluded(usize, SocketAddr, Option<u16>),
    /// Where a name of this range is that is to be left alone is not known: any address of the range may be it.
    Unknown(usize),
    /// What can be known of the names that are to be left alone is known now, for all ranges.
    ExclusionsKnown,
}

/// Looks names up, one after the other, those to be left alone first, on a thread that ends with the last.
pub fn look_up(mut names: Vec<Wanted>, port: u16) -> Receiver<Resolved> {
    names.sort_by_key(|wanted| !wanted.is_excluded);
    let excluded = names.iter().filter(|wanted| wanted.is_excluded).count();
    let unknown: Vec<usize> = names[..excluded].iter().map(|it| it.range).collect();
    let (sender, receiver) = channel();
    let spare = sender.clone();
    let thread = std::thread::Builder::new().name("sweep-names".to_owned());
    let spawned = thread.spawn(move || {
        // When nobody listens any more, the rest is of no use.
        let (left_alone, asked) = names.split_at(excluded);
        let _ = left_alone
            .iter()
            .try_for_each(|wanted| look_up_one(wanted, port, &sender))
            .and_then(|()| sender.send(Resolved::ExclusionsKnown).ok())
            .and_then(|()| {
                let mut asked = asked.iter();
                asked.try_for_each(|wanted| look_up_one(wanted, port, &sender))
            });
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "the hosts of the ranges cannot be looked up: a range that is to leave some of them alone is left out of this sweep");
        for resolved in unknown.into_iter().map(Resolved::Unknown) {
            let _ = spare.send(resolved);
        }
    }
    receiver
}

/// `None` when nobody listens any more.
fn look_up_one(wanted: &Wanted, port: u16, sender: &Sender<Resolved>) -> Option<()> {
    let Wanted {
        range,
        name,
        is_excluded,
        ..
    } = wanted;
    let mut has_one = false;
    match (&**name, wanted.port.unwrap_or(port)).to_socket_addrs() {
        Ok(addresses) => {
            for address in addresses.take(ADDRESSES_PER_NAME_MAX) {
                has_one = true;
                let resolved = match is_excluded {
                    true => Resolved::Excluded(*range, address, wanted.port),
                    false => Resolved::Asked(*range, Arc::clone(name), address),
                };
                sender.send(resolved).ok()?;
            }
        }
        Err(error) if *is_excluded => {
            tracing::error!(%name, %error, "a host that is to be left alone has no address, so nobody knows which one that is: its range is left out of this sweep");
        }
        Err(error) => tracing::warn!(%name, %error, "a host of a range has no address"),
    }
    let end = match (is_excluded, has_one) {
        (true, true) | (false, false) => return Some(()),
        (true, false) => Resolved::Unknown(*range),
        (false, true) => Resolved::Known(*range, Arc::clone(name)),
    };
    sender.send(end).ok()
}
