//! Bodies of requests, read whole before anything is done with them: nobody
//! holds a turn while a slow client sends, and all of them together have a bound.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::server::config::{BODIES_BYTES_MAX, BODY_TIMEOUT};
use crate::server::net::reply;

/// The room that bodies have together.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

/// A body, and its part of the room until it is dropped.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) held: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Debug, PartialEq, Eq)]
enum Unread {
    TooLong,
    TooSlow,
    Broken,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_BYTES_MAX)))
    }

    /// All of `body`, of at most `max` bytes.
    ///
    /// # Errors
    /// The answer: it is too long, took too long, or broke off.
    pub(crate) async fn read(&self, body: Body, max: usize) -> Result<Whole, Box<Response>> {
        if body.is_end_stream() {
            return Ok(Whole { bytes: Bytes::new(), held: None });
        }
        let read = timeout(BODY_TIMEOUT, self.gather(body, max)).await.unwrap_or(Err(Unread::TooSlow));
        read.map_err(|unread| Box::new(unread.answer(max)))
    }

    /// Room is taken as bytes come: whoever announces much and sends little holds little.
    async fn gather(&self, mut body: Body, max: usize) -> Result<Whole, Unread> {
        let mut bytes = Vec::new();
        let mut held: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            if bytes.len() + piece.len() > max {
                drop((bytes, held));
                // A client that is still sending would not read the answer.
                while let Some(Ok(_)) = body.frame().await {}
                return Err(Unread::TooLong);
            }
            let count = u32::try_from(piece.len()).map_err(|_| Unread::TooLong)?;
            let more = Arc::clone(&self.0).acquire_many_owned(count).await.map_err(|_| Unread::Broken)?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Whole { bytes: bytes.into(), held })
    }
}

impl Unread {
    fn answer(&self, max: usize) -> Response {
        let (status, code, message) = match self {
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_body",
                format!("请求体最多 {max} 字节 / the body may have at most {max} bytes"),
            ),
            Self::TooSlow => {
                let seconds = BODY_TIMEOUT.as_secs();
                let message = format!(
                    "请求体 {seconds} 秒内没有收完，请重发 / the body did not come within {seconds} s; send it again"
                );
                (StatusCode::REQUEST_TIMEOUT, "timeout", message)
            }
            Self::Broken => (StatusCode::BAD_REQUEST, "invalid_body", "请求体没有收完 / the body broke off".to_owned()),
        };
        reply::error(status, code, &message)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;

    /// A body in pieces, after which nothing more comes.
    fn stalled(pieces: Vec<&'static [u8]>) -> Body {
        Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)).chain(stream::pending()))
    }

    #[tokio::test]
    async fn a_body_holds_the_room_of_what_came_and_gives_it_back() {
        let room = Room::new();
        let whole = room.read(Body::from("1234567890"), 10).await.unwrap();
        assert_eq!(whole.bytes, "1234567890");
        assert_eq!(room.0.available_permits(), BODIES_BYTES_MAX - 10);
        drop(whole);
        assert_eq!(room.0.available_permits(), BODIES_BYTES_MAX);
        assert_eq!(room.gather(Body::from("12345678901"), 10).await.unwrap_err(), Unread::TooLong);
    }

    #[tokio::test]
    async fn a_body_waits_for_room_and_a_stalled_one_holds_little() {
        let room = Room(Arc::new(Semaphore::new(8)));
        let slow = room.gather(stalled(vec![b"12"]), 8);
        let mut slow = std::pin::pin!(slow);
        assert!((&mut slow).now_or_never().is_none());
        assert_eq!(room.0.available_permits(), 6);
        let large = room.gather(Body::from("1234567"), 8);
        let mut large = std::pin::pin!(large);
        assert!((&mut large).now_or_never().is_none(), "there is no room");
        slow.set(room.gather(stalled(vec![]), 8));
        assert_eq!(large.await.unwrap().bytes.len(), 7, "the room came back");
    }
}
