//! Bodies of pages, API and SOAP: read whole, before a request takes one of the places where work is done.
//!
//! What always holds: a declared length above the limit is refused before a byte is read; a body has [`BODY_TIMEOUT`] to arrive; and all
//! bodies that are held here at once fit into the [`Room`], which counts what came, so that a silent sender takes nothing from others.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State as Held};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::Failure;
use crate::limits::{BODY_TIMEOUT, FORM_BODY_BYTES_MAX};

/// Room for bodies, in bytes. A clone is another handle to the same room.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Takes so many bytes of it, if there are so many; they come back with the permit's end.
    pub(crate) fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}

/// A body that was read, with the room it takes until this is dropped.
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// The declared length of a body; `None` when it comes in chunks or not at all.
pub(crate) fn declared(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(
    room: &Room,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Taken, Failure> {
    if declared(headers).is_some_and(|length| length > limit as u64) {
        return Err(Failure::TooLarge);
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(room, body, limit))
        .await
        .unwrap_or(Err(Failure::Wait {
            status: StatusCode::REQUEST_TIMEOUT,
            retry_after_s: 2,
        }))
}

async fn collect(room: &Room, mut body: Body, limit: usize) -> Result<Taken, Failure> {
    let mut held = room.take(0).ok_or_else(Failure::busy)?;
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // The connection broke, or what came is no HTTP: hardly anybody will read this answer.
        let frame = frame.map_err(|_| Failure::Invalid("The body broke off.".to_owned()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(Failure::TooLarge);
        }
        held.merge(room.take(data.len()).ok_or_else(Failure::busy)?);
        bytes.extend_from_slice(&data);
    }
    Ok(Taken {
        bytes: bytes.into(),
        _room: held,
    })
}

/// Reads the body of a form or a JSON document before the request goes on.
pub(crate) async fn take(
    Held(room): Held<Room>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let (head, body) = request.into_parts();
    let taken = read(&room, &head.headers, body, FORM_BODY_BYTES_MAX).await?;
    let request = Request::from_parts(head, Body::from(taken.bytes.clone()));
    let response = next.run(request).await;
    drop(taken);
    Ok(response)
}

/// For addresses that read no body: a declared one is refused when it is larger than a form.
pub(crate) async fn refuse_large(request: Request, next: Next) -> Result<Response, Response> {
    if declared(request.headers()).is_some_and(|length| length > FORM_BODY_BYTES_MAX as u64) {
        return Err(axum::response::IntoResponse::into_response((
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large\n",
        )));
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_stay_within_the_limit_and_the_room_and_give_it_back() {
        let room = Room::new(100);
        let read = |length: usize, limit| {
            let room = room.clone();
            async move { read(&room, &HeaderMap::new(), vec![7; length].into(), limit).await }
        };
        let first = read(60, 60).await.ok().unwrap();
        assert_eq!(first.bytes.len(), 60);
        assert_eq!(read(60, 60).await.err(), Some(Failure::busy()));
        drop(first);
        assert!(read(100, 100).await.is_ok());
        assert_eq!(read(61, 60).await.err(), Some(Failure::TooLarge));
        assert!(read(0, 0).await.is_ok());
    }
}
