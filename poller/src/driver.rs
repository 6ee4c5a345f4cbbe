//! The engine on real sockets.
//!
//! [`Fleet`] runs thousands of polls on a thread of its own, [`poll_once`] one poll on the calling thread. Both move their datagrams
//! through the same seam, of which there are three implementations; which one is used is logged when it starts.

#[cfg(target_os = "linux")]
mod batched;
mod fleet;
pub(crate) mod frame;
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
    /// The quickest that works here.
    #[default]
    Auto,
    /// `monoio`: io_uring, or epoll where that is forbidden (Linux; elsewhere as `Portable`).
    Monoio,
    /// `sendmmsg` and `recvmmsg` (Linux; elsewhere as `Portable`).
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
        match self {
            Self::Auto | Self::Batched => {
                let spare = Self::spare(&shared)?;
                match batched::Batched::new(shared) {
                    Ok(driver) => return Ok((Box::new(driver), waker)),
                    Err(error) => return Ok(Self::fall_back(spare, waker, &error)),
                }
            }
            Self::Monoio => {
                let spare = Self::spare(&shared)?;
                match ring::Ring::new(shared) {
                    Ok(driver) => return Ok((Box::new(driver), waker)),
                    Err(error) => return Ok(Self::fall_back(spare, waker, &error)),
                }
            }
            Self::Portable => {}
        }
        Ok((Box::new(Portable::new(shared)), waker))
    }

    #[cfg(target_os = "linux")]
    fn spare(shared: &Shared) -> io::Result<Shared> {
        Ok(Shared {
            socket: shared.socket.try_clone()?,
            is_ipv6: shared.is_ipv6,
        })
    }

    #[cfg(target_os = "linux")]
    fn fall_back(
        spare: Shared,
        waker: socket::Waker,
        error: &io::Error,
    ) -> (Box<dyn Datagrams>, socket::Waker) {
        tracing::warn!(%error, "falling back to portable sockets");
        (Box::new(Portable::new(spare)), waker)
    }
}

#[cfg(test)]
mod tests;
