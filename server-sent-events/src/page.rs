//! The page that a browser shows, and 404 for everything else. Node twin:
//! `node/page.js`.

use anyhow::Result;
use hyper::Response;

use crate::body::Body;

const PAGE: &str = include_str!("../page/index.html");

/// Answers a request that is not for the stream.
///
/// # Errors
/// None, as the headers are good ones.
pub fn answer(asked: &str) -> Result<Response<Body>> {
    let response = Response::builder();
    let response = match asked {
        "GET /" => response
            .header("content-type", "text/html; charset=utf-8")
            .body(Body::Right(PAGE.to_owned())),
        _ => response.status(404).body(Body::Right(String::new())),
    };
    Ok(response?)
}
