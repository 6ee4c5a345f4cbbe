//! The listener: TLS or plain, a bound on connections, a bound on silence, a stop that lets requests finish.
//!
//! What always holds: a connection that says nothing for [`CONNECTION_IDLE_MAX`] is closed, and no more than [`CONNECTIONS_MAX`] are open,
//! or fewer where the process may have fewer descriptors, and of those no more than [`CONNECTIONS_EACH_PERCENT`] by one client; further
//! ones are closed at once, and counted in the log.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::connections::Connections;
use crate::limits::{
    CONNECTION_IDLE_MAX, CONNECTIONS_EACH_PERCENT, CONNECTIONS_MAX, DESCRIPTORS_KEPT,
    HEADER_BYTES_MAX, HEADERS_MAX, STOP_GRACE,
};
use crate::tls::{ClientCertificates, Tls};

mod handshake;

use handshake::{Asking, Handshake};
pub(crate) use handshake::{Client, NotShown};

/// Serves `router` on `listener`, counting in `connections`, until `stop` resolves; requests in flight then have [`STOP_GRACE`] to finish.
///
/// # Errors
/// When the listener cannot be handed to the runtime or fails for good.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    connections: Connections,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let handle = Handle::new();
    let stopper = tokio::spawn({
        let handle = handle.clone();
        async move {
            stop.await;
            handle.graceful_shutdown(Some(STOP_GRACE));
        }
    });
    let guard = Guard::new(connections_max(), connections.clone());
    let mut server = axum_server::from_tcp(listener)?.handle(handle).http1_only();
    server
        .http_builder()
        .http1()
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .half_close(false);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = match tls {
        None => server.acceptor(guard).serve(service).await,
        Some(tls) => {
            let asks = *tls.clients() != ClientCertificates::Off;
            let handshake = Handshake::new(guard, tls, connections);
            if asks {
                server.acceptor(Asking(handshake)).serve(service).await
            } else {
                server.acceptor(handshake).serve(service).await
            }
        }
    };
    stopper.abort();
    served
}

/// How many connections there may be at once: [`CONNECTIONS_MAX`], or fewer where the system lets this process have fewer descriptors.
fn connections_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    connections_within(&limits)
}

/// The same from the text of `/proc/self/limits`; without such a text nothing is known, and the constant counts.
fn connections_within(limits: &str) -> usize {
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|soft| soft.parse::<usize>().ok())
        .map_or(CONNECTIONS_MAX, |soft| {
            soft.saturating_sub(DESCRIPTORS_KEPT)
                .clamp(1, CONNECTIONS_MAX)
        })
}

/// Admits connections, one [`Place`] each, and wraps them in [`Guarded`]; closes those for which there is none.
#[derive(Clone)]
struct Guard {
    permits: Arc<Semaphore>,
    held: Arc<Held>,
    each_max: usize,
    connections: Connections,
}

/// How many connections each network has.
type Held = Mutex<HashMap<IpAddr, usize>>;

impl Guard {
    fn new(connections_max: usize, connections: Connections) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections_max)),
            held: Arc::default(),
            each_max: (connections_max * CONNECTIONS_EACH_PERCENT / 100).max(1),
            connections,
        }
    }

    /// A place for a connection from `peer`, if there is one now.
    fn place(&self, peer: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let network = network(peer);
        let mut held = lock(&self.held);
        let count = held.entry(network).or_default();
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Place {
            network,
            held: Arc::clone(&self.held),
            _permit: permit,
        })
    }

    /// Counts a refusal; the log hears of the first, the second, the fourth and so on, so that it cannot be flooded.
    fn refuse(&self) -> io::Error {
        let count = self.connections.refuse();
        if count.is_power_of_two() {
            tracing::warn!(count, "too many connections: one was closed at once");
        }
        io::Error::other("too many connections")
    }
}

/// What one household has: an IPv4 address, or the first half of an IPv6 address.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn lock(held: &Held) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    // Nothing that is done with it can leave it half done.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to one connection, given back at its end.
struct Place {
    network: IpAddr,
    held: Arc<Held>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = lock(&self.held).entry(self.network) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

type Admission<S> = Pin<Box<dyn Future<Output = io::Result<(Guarded, S)>> + Send>>;

impl<S: Send + 'static> Accept<TcpStream, S> for Guard {
    type Stream = Guarded;
    type Service = S;
    type Future = Admission<S>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // Decided here and now: a socket that waited for its turn would be one more descriptor.
        let admitted = stream
            .peer_addr()
            .and_then(|peer| self.place(peer.ip()).ok_or_else(|| self.refuse()));
        Box::pin(async move {
            let place = admitted?;
            stream.set_nodelay(true)?;
            Ok((Guarded::new(stream, place), service))
        })
    }
}

/// A connection that ends itself when the other side is silent too long, in either direction.
struct Guarded {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    _place: Place,
}

impl Guarded {
    fn new(stream: TcpStream, place: Place) -> Self {
        Self {
            stream,
            silence: Box::pin(sleep(CONNECTION_IDLE_MAX)),
            _place: place,
        }
    }

    /// Starts the clock anew when something moved; ends the wait when nothing did for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.silence
                .as_mut()
                .reset(Instant::now() + CONNECTION_IDLE_MAX);
            return progress;
        }
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch(cx, progress)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_below_the_descriptors_that_the_process_may_have() {
        let limits = |soft: &str| {
            format!(
                "Limit  Soft Limit  Hard Limit  Units\nMax open files            {soft}                 4096                 files\n"
            )
        };
        assert_eq!(connections_within(&limits("1024")), 1024 - DESCRIPTORS_KEPT);
        assert_eq!(connections_within(&limits("1000000")), CONNECTIONS_MAX);
        assert_eq!(connections_within(&limits("512")), 512 - DESCRIPTORS_KEPT);
        assert_eq!(connections_within(&limits("100")), 1);
        assert_eq!(connections_within(&limits("unlimited")), CONNECTIONS_MAX);
        assert_eq!(connections_within(""), CONNECTIONS_MAX);
    }

    #[tokio::test]
    async fn a_connection_too_many_is_closed_at_once_and_a_place_comes_back() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let guard = Guard::new(1, Connections::default());
        let knock = async || {
            let client = TcpStream::connect(address).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let admitted = guard.accept(stream, ()).await.ok();
            (client, admitted)
        };
        let (_first, admitted) = knock().await;
        assert!(admitted.is_some());
        let (second, refused) = knock().await;
        assert!(refused.is_none());
        second.readable().await.unwrap();
        assert_eq!(second.try_read(&mut [0]).unwrap(), 0, "it was closed");
        assert_eq!(guard.connections.refused(), 1);
        drop(admitted);
        assert!(knock().await.1.is_some());
    }

    #[test]
    fn one_client_does_not_take_all_places() {
        let guard = Guard::new(8, Connections::default());
        let place = |peer: &str| guard.place(peer.parse().unwrap());
        let one: Vec<_> = (0..8)
            .filter_map(|host| place(&format!("2001:db8::{host}")))
            .collect();
        assert_eq!(one.len(), 8 * CONNECTIONS_EACH_PERCENT / 100);
        let other = place("192.0.2.1");
        assert!(other.is_some() && place("::ffff:192.0.2.1").is_some());
        assert_eq!(guard.permits.available_permits(), 8 - one.len() - 1);
        drop((one, other));
        assert_eq!(guard.permits.available_permits(), 8);
        assert!(lock(&guard.held).is_empty());
    }
}
