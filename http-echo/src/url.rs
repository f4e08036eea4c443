//! The client's URL.

use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};
use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};

use crate::target::segment;

/// `http://HOST[:PORT][/PATH]`, or with `https`.
#[derive(Clone, Debug)]
pub struct Url {
    is_https: bool,
    authority: Authority,
    path: PathAndQuery,
}

impl FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let uri: Uri = text.parse()?;
        let parts = uri.into_parts();
        match (parts.scheme, parts.authority, parts.path_and_query) {
            (Some(scheme), Some(authority), Some(path))
                if [Scheme::HTTP, Scheme::HTTPS].contains(&scheme)
                    && !authority.host().is_empty() =>
            {
                // Hyper takes any number, and then has no port.
                ensure!(
                    authority.port().is_some()
                        || authority.as_str().ends_with(authority.host())
                        || authority.as_str().ends_with(':'),
                    "a port is at most 65535"
                );
                let is_https = scheme == Scheme::HTTPS;
                Ok(Self {
                    is_https,
                    authority,
                    path,
                })
            }
            _ => bail!("expected http://HOST:PORT/PATH"),
        }
    }
}

impl Url {
    /// It begins with `https://`.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Where to connect: `HOST:PORT`.
    pub fn address(&self) -> String {
        let port = if self.is_https { 443 } else { 80 };
        let port = self.authority.port_u16().unwrap_or(port);
        format!("{}:{port}", self.hostname())
    }

    /// Whose certificate is wanted.
    pub fn hostname(&self) -> &str {
        self.authority.host()
    }

    /// What the `Host` header says: the URL's own words, without a user.
    pub fn host(&self) -> &str {
        let authority = self.authority.as_str();
        authority.rsplit('@').next().unwrap_or(authority)
    }

    /// What to ask for: `message` in place of the URL's own path, if given.
    pub fn target(&self, message: Option<&str>) -> String {
        match message {
            Some(text) => format!("/{}", segment(text)),
            // With its first "/", which a URL may go without.
            None => self.path.to_string(),
        }
    }
}
