//! The engine on real sockets.
//!
//! [`Fleet`] runs thousands of polls on a thread of its own, [`poll_once`] one poll on the calling thread. Both move their datagrams
//! through the same seam, of which there are three implementations; which one is used is logged when it starts.

#[cfg(target_os = "linux")]
mod batched;
mod fleet;
pub(crate) mod frame;
#[cfg(target_os = "linux")]
mod mmsg;
mod once;
mod portable;
#[cfg(target_os = "linux")]
mod ring;
mod run;
mod socket;
mod tcp;

use std::io;

pub use fleet::{Fleet, FleetOptions, Full};
pub use once::{Polled, poll_once};
use portable::Portable;
pub(crate) use run::Loop;
use socket::{Datagrams, Shared};

/// Which sockets carry the datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverChoice {
    /// The first that works here: `Monoio`, `Batched`, `Portable`. The first two move datagrams in the same batches and differ in how
    /// they wait; per CPU-second they carry as much as each other (`examples/exchanges.rs`).
    #[default]
    Auto,
    /// `monoio` waits, by io_uring, or by epoll where that is forbidden; `sendmmsg` and `recvmmsg` move (Linux; elsewhere as `Portable`).
    Monoio,
    /// `poll` waits, `sendmmsg` and `recvmmsg` move (Linux; elsewhere as `Portable`).
    Batched,
    /// The standard library's sockets (everywhere).
    Portable,
}

impl DriverChoice {
    /// Opens a socket. What cannot be had falls back to what always works, and says so.
    ///
    /// # Errors
    /// When there is no socket to be had at all.
    pub(crate) fn open(self) -> io::Result<(Box<dyn Datagrams>, socket::Waker)> {
        let shared = Shared::open()?;
        let waker = shared.waker()?;
        #[cfg(target_os = "linux")]
        {
            let mut error = None;
            if matches!(self, Self::Auto | Self::Monoio) {
                match ring::Ring::new(shared.try_clone()?) {
                    Ok(driver) => return Ok((Box::new(driver), waker)),
                    Err(refused) => error = Some(refused),
                }
            }
            if matches!(self, Self::Auto | Self::Batched) {
                match batched::Batched::new(shared.try_clone()?) {
                    Ok(driver) => return Ok((Box::new(driver), waker)),
                    Err(refused) => error = Some(refused),
                }
            }
            if let Some(error) = error {
                tracing::warn!(%error, "falling back to portable sockets");
            }
        }
        Ok((Box::new(Portable::new(shared)), waker))
    }
}

#[cfg(test)]
mod tests;
