//! The server's answers.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

/// A whole answer, ready to be sent.
pub type Reply = Response<Full<Bytes>>;

/// 200 and this text.
pub fn text(text: String) -> Reply {
    let mut reply = Reply::new(Full::from(text));
    let headers = reply.headers_mut();
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
