//! A request's body, which the server has no use for.

use http_body_util::BodyExt;
use hyper::Result;
use hyper::body::{Body, Bytes, Incoming};

/// Reads `body` to its end and drops it piece by piece. False, and it is not
/// read on, when it has more than `limit` bytes.
///
/// # Errors
/// When the client breaks off or does not keep to its own framing.
pub async fn fits(mut body: Incoming, limit: u64) -> Result<bool> {
    // With a Content-Length the answer is known before the first byte. A
    // chunked body does not say, so count as well.
    if body.size_hint().lower() > limit {
        return Ok(false);
    }
    let mut length = 0;
    while length <= limit
        && let Some(piece) = body.frame().await
    {
        length += piece?.data_ref().map_or(0, Bytes::len) as u64;
    }
    Ok(length <= limit)
}
