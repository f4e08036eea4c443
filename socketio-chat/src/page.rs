//! The page that a browser gets, with all it needs: nothing comes from
//! another site.

use std::convert::Infallible;
use std::future::{Ready, ready};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};

/// What the browser is told to load and to connect to: only this server.
/// Should a message ever get into the page as code, it would not run.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The file at `path`, and its type.
fn file(path: &str) -> Option<(&'static str, &'static str)> {
    const HTML: &str = "text/html; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const IMAGE: &str = "image/svg+xml";
    Some(match path {
        "/" => (HTML, include_str!("../page/index.html")),
        "/chat.css" => (STYLE, include_str!("../page/chat.css")),
        "/chat.js" => (SCRIPT, include_str!("../page/chat.js")),
        "/texts.js" => (SCRIPT, include_str!("../page/texts.js")),
        "/icon.svg" => (IMAGE, include_str!("../page/icon.svg")),
        // Version 4.8.4, as npm has it: see socket.io.LICENSE beside it.
        "/socket.io.min.js" => {
            (SCRIPT, include_str!("../page/socket.io.min.js"))
        }
        _ => return None,
    })
}

/// Answers the requests that are not for Socket.IO.
#[derive(Clone, Debug)]
pub struct Page;

impl Service<Request<Incoming>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(answer(&request)))
    }
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let found = file(request.uri().path());
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let (status, (kind, text)) = match found {
        None => (StatusCode::NOT_FOUND, (TEXT, "there is no such page\n")),
        Some(_) if !reads => (
            StatusCode::METHOD_NOT_ALLOWED,
            (TEXT, "this is only read\n"),
        ),
        Some(file) => (StatusCode::OK, file),
    };
    let mut response = plain(status, text);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Asked for each time: the page must fit the server that runs now.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

const TEXT: &str = "text/plain; charset=utf-8";

/// A response that is this text.
pub fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response
}
