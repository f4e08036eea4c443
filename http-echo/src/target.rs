//! The request-target: what stands between the method and `HTTP/1.1`.

use hyper::header::HOST;
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, StatusCode, Uri, Version};

/// The request-target as the client sent it, which is Node's `req.url`, as
/// far as it can be told from what hyper has made of it; the README lists
/// what cannot.
///
/// # Errors
/// The status for a request that is to be refused.
pub fn of<B>(request: &Request<B>) -> Result<String, StatusCode> {
    let uri = request.uri();
    if request.method() == Method::CONNECT {
        // It wants a tunnel to somewhere else, as from a proxy.
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    if request.version() == Version::HTTP_2
        && let Some(path) = uri.path_and_query()
    {
        // The rest of the URI comes apart from it, in place of a Host header.
        return Ok(path.as_str().to_owned());
    }
    // Everything else has a path. Only CONNECT goes to "example.com:80".
    let is_authority = uri.scheme().is_none() && uri.authority().is_some();
    // A server must know which of its names was asked for: RFC 9112, 3.2.
    let is_nameless = request.version() >= Version::HTTP_11
        && !request.headers().contains_key(HOST);
    let target = spelled(uri);
    // Characters that are not ASCII come percent-encoded.
    if is_authority || is_nameless || !target.is_ascii() {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(target)
}

/// Not `Uri`'s own `Display`, which puts a "/" into `http://example.com?x`.
fn spelled(uri: &Uri) -> String {
    let scheme = uri.scheme_str().map(|scheme| format!("{scheme}://"));
    let parts = [
        scheme.as_deref(),
        uri.authority().map(Authority::as_str),
        uri.path_and_query().map(PathAndQuery::as_str),
    ];
    parts.into_iter().flatten().collect()
}

/// Writes `text` as one segment of a path, as JavaScript's
/// `encodeURIComponent` does.
pub fn segment(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                segment.push(char::from(byte));
            }
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => {
                segment.push(char::from(byte));
            }
            _ => segment += &format!("%{byte:02X}"),
        }
    }
    segment
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn tests() -> Vec<harness::testing::Test> {
        harness::unit_tests![
            a_target_is_spelled_as_it_was_sent,
            any_text_is_one_segment,
        ]
    }

    fn a_target_is_spelled_as_it_was_sent() {
        for target in [
            "/",
            "/hello?name=you&x",
            "/?",
            "//a/../b/.",
            "/a%20b%zz",
            "*",
            "http://example.com/",
            "http://example.com?x",
            "http://u:p@example.com:8/a?b",
            "ftp://EXAMPLE.com/A",
        ] {
            let uri = target.parse::<Uri>().unwrap();
            assert_eq!(spelled(&uri), target);
        }
    }

    fn any_text_is_one_segment() {
        assert_eq!(segment("hello"), "hello");
        assert_eq!(segment("a b/c?d#e%中"), "a%20b%2Fc%3Fd%23e%25%E4%B8%AD");
        assert_eq!(segment("-_.!~*'()"), "-_.!~*'()");
    }
}
