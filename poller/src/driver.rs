//! The engine on real sockets.

mod fleet;
mod once;

pub use fleet::{Fleet, FleetOptions, Full};
pub use once::{Polled, poll_once};

/// Which sockets carry the datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverChoice {
    /// The quickest that works here.
    #[default]
    Auto,
    /// `monoio`: io_uring, or epoll where that is forbidden (Linux).
    Monoio,
    /// `sendmmsg` and `recvmmsg` (Linux).
    Batched,
    /// The standard library's sockets (everywhere).
    Portable,
}
