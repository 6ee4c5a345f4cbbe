//! The listener: TLS or plain, a bound on connections, a bound on silence, a stop that lets requests finish.
//!
//! What always holds: a connection that says nothing for [`CONNECTION_IDLE_MAX`] is closed, and no more than [`CONNECTIONS_MAX`] are open;
//! further ones wait in the kernel's queue.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::limits::{
    CONNECTION_IDLE_MAX, CONNECTIONS_MAX, HANDSHAKE_TIMEOUT, HEADER_BYTES_MAX, HEADERS_MAX,
    STOP_GRACE,
};
use crate::tls::Tls;

/// Serves `router` on `listener` until `stop` resolves; requests in flight then have [`STOP_GRACE`] to finish.
///
/// # Errors
/// When the listener cannot be handed to the runtime or fails for good.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
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
    let guard = Guard {
        permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
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
            let acceptor = RustlsAcceptor::new(tls.into_config())
                .handshake_timeout(HANDSHAKE_TIMEOUT)
                .acceptor(guard);
            server.acceptor(acceptor).serve(service).await
        }
    };
    stopper.abort();
    served
}

/// Admits connections one permit each and wraps them in [`Guarded`].
#[derive(Clone)]
struct Guard {
    permits: Arc<Semaphore>,
}

type Admission<S> = Pin<Box<dyn Future<Output = io::Result<(Guarded, S)>> + Send>>;

impl<S: Send + 'static> Accept<TcpStream, S> for Guard {
    type Stream = Guarded;
    type Service = S;
    type Future = Admission<S>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let permits = Arc::clone(&self.permits);
        Box::pin(async move {
            let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
            stream.set_nodelay(true)?;
            Ok((Guarded::new(stream, permit), service))
        })
    }
}

/// A connection that ends itself when the other side is silent too long, in either direction.
struct Guarded {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Guarded {
    fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            silence: Box::pin(sleep(CONNECTION_IDLE_MAX)),
            _permit: permit,
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
