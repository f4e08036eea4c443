//! A request's body, which the server has no use for.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Error, Request, Result, StatusCode, Version};
use tokio::time::timeout;

/// How long a client may go on sending what was refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a request's body to its end and drops it piece by piece. The status
/// to refuse it with, when it has more than `limit` bytes or breaks its own
/// framing.
///
/// # Errors
/// When the client breaks off.
pub async fn drain(
    request: Request<Incoming>,
    limit: u64,
) -> Result<Option<StatusCode>> {
    let is_h2 = request.version() == Version::HTTP_2;
    let mut body = request.into_body();
    // With a Content-Length the answer is known before the first byte. A
    // chunked body does not say, so count as well.
    if body.size_hint().lower() <= limit {
        match fits(&mut body, limit).await {
            Ok(true) => return Ok(None),
            Ok(false) => {}
            Err(error) if is_malformed(&error) => {
                return Ok(Some(StatusCode::BAD_REQUEST));
            }
            Err(error) => return Err(error),
        }
    }
    if is_h2 {
        // A body that is dropped half read resets its stream, and some
        // clients miss the answer then. HTTP/1 ends with its connection:
        // see socket.rs.
        tokio::spawn(timeout(PATIENCE, async move {
            let _ = fits(&mut body, u64::MAX).await;
        }));
    }
    Ok(Some(StatusCode::PAYLOAD_TOO_LARGE))
}

/// True at the end, false after more than `limit` bytes.
async fn fits(body: &mut Incoming, limit: u64) -> Result<bool> {
    let mut length = 0;
    while length <= limit
        && let Some(piece) = body.frame().await
    {
        length += piece?.data_ref().map_or(0, Bytes::len) as u64;
    }
    Ok(length <= limit)
}

/// Whether the client did not keep to its own framing.
fn is_malformed(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &io::Error| {
        [ErrorKind::InvalidInput, ErrorKind::InvalidData]
            .contains(&cause.kind())
    })
}
