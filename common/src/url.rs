//! Refuses the URL of a server of which a client would ignore a part, and
//! silently use a default instead.

use anyhow::{Result, ensure};

/// Checks `url`, which must have one of these `schemes`.
///
/// # Errors
/// With what is wrong with it. The URL itself may hold a password, so it is not
/// repeated.
pub fn check(url: &str, schemes: &[&str]) -> Result<()> {
    let expected = schemes.join(":// or ");
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    ensure!(schemes.contains(&scheme), "expected {expected}://...");
    ensure!(
        !rest.contains(['?', '#', ' ']),
        "write ? as %3F, # as %23 and a space as %20"
    );
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if scheme == "unix" {
        ensure!(authority.is_empty(), "expected unix:///PATH");
        return Ok(());
    }
    if let Some((login, _)) = authority.rsplit_once('@') {
        let (user, password) = login.split_once(':').unwrap_or_default();
        ensure!(!password.is_empty(), "expected USER:PASSWORD before the @");
        // Redis has a password without a user.
        ensure!(!user.is_empty() || scheme == "redis", "there is no user");
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    ensure!(
        !host.is_empty() && !host.starts_with(':'),
        "there is no host"
    );
    ensure!(!host.ends_with(":0"), "there is no port 0");
    let is_number = path.chars().all(|digit| digit.is_ascii_digit());
    ensure!(scheme != "redis" || is_number, "a database is a number");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_a_client_would_ignore_is_refused() {
        let schemes = ["redis", "amqp", "unix"];
        for url in [
            "redis://localhost",
            "redis://user:pass@127.0.0.1:6379/0",
            "redis://:pass@[::1]:6379",
            "unix:///run/redis%23.sock",
        ] {
            check(url, &schemes).unwrap();
        }
        for url in [
            "",
            "localhost:6379",
            "redis:localhost",
            "redis:/localhost",
            "redis://",
            "redis:///0",
            "redis://:6379",
            "redis://user:pass@",
            "redis://user:123#4@localhost",
            "redis://localhost?db=1",
            "redis://local host",
            "redis://secret@localhost",
            "redis://user:@localhost",
            "amqp://:secret@localhost",
            "redis://localhost:0",
            "redis://localhost/zero",
            "http://localhost",
            "unix://tmp/redis.sock",
            "unix:///tmp/ha#sh",
        ] {
            assert!(check(url, &schemes).is_err(), "{url}");
        }
    }
}
