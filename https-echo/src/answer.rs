//! Answers one request: what http-echo teaches. HTTP/2 has
//! the same requests and responses; only their bytes differ.

use anyhow::Result;
use common::log;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;

use crate::limits::TIMEOUT;

/// The longest body that is accepted, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Reads the request's body and drops it; answers with the path.
///
/// # Errors
/// When the client breaks off.
pub async fn answer(request: Request<Incoming>) -> Result<Response<String>> {
    // Over HTTP/2 the URI is whole, with scheme and host.
    let path = request.uri().path_and_query();
    let path = path.map_or("*", |path| path.as_str()).to_owned();
    log::line(format_args!("url {}", log::shown(&path)));
    let is_head = request.method() == Method::HEAD;

    let mut body = request.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len);
        if length > BODY_LIMIT {
            // Go on reading for a while: a body that is dropped half read
            // resets its stream, and the client might miss the answer.
            tokio::spawn(timeout(TIMEOUT, async move {
                while let Some(Ok(_)) = body.frame().await {}
            }));
            return reply(StatusCode::PAYLOAD_TOO_LARGE, String::new());
        }
    }
    // To HEAD, no body: over HTTP/2, hyper leaves that to us.
    reply(StatusCode::OK, if is_head { String::new() } else { path })
}

fn reply(status: StatusCode, text: String) -> Result<Response<String>> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/plain; charset=utf-8")
        .header("x-content-type-options", "nosniff")
        .body(text)?;
    Ok(response)
}
