//! The server's answers.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

/// A whole answer, ready to be sent.
pub type Reply = Response<Full<Bytes>>;

/// 200 and this text; for HEAD, with no more than its length.
pub fn text(text: String, is_head: bool) -> Reply {
    let length = HeaderValue::from(text.len());
    let body = if is_head { String::new() } else { text };
    let mut reply = Reply::new(Full::from(body));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, length);
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, kind);
    // A browser that guesses could take what it is sent for a page of ours.
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    reply
}

/// No more than this status. The connection ends, as nobody can know what
/// follows on it.
pub fn refusal(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    let close = HeaderValue::from_static("close");
    reply.headers_mut().insert(CONNECTION, close);
    reply
}

/// 400, and why, for a client that speaks plain HTTP to an HTTPS port.
pub fn no_tls(why: &'static str) -> Reply {
    let mut reply = refusal(StatusCode::BAD_REQUEST);
    *reply.body_mut() = Full::from(why);
    reply
}
