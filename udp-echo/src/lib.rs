#![doc = include_str!("../README.md")]

mod ledger;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use common::log;
use tokio::net::{UdpSocket, lookup_host};

pub use ledger::{Fate, Ledger};

/// More than any datagram holds: received into so many bytes, none is cut.
pub const ANY_DATAGRAM: usize = 65_536;

/// The address behind `HOST:PORT`. Of a name that has several, the first
/// IPv4 address: with UDP nobody tells which of them is the right one, so
/// server and client must choose alike.
///
/// # Errors
/// When the name is not known, or this is no address.
pub async fn resolve(address: &str) -> io::Result<SocketAddr> {
    let found = lookup_host(address).await?;
    found
        .min_by_key(SocketAddr::is_ipv6)
        .ok_or_else(|| io::Error::other("no such host"))
}

/// A socket with a port that the system chooses, which sends to the server
/// at `address` and hears nobody else. No byte is sent for that, so it works
/// without a server too.
///
/// # Errors
/// When `address` is none, or cannot be reached from here.
pub async fn connect(address: &str) -> io::Result<UdpSocket> {
    let server = resolve(address).await?;
    let any = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket)
}

/// Tells of a refusal, after which a client goes on: the server may yet be
/// started, and without a connection there is none to lose.
///
/// # Errors
/// Any other error, which is handed back.
pub fn go_on(error: io::Error, address: &str) -> io::Result<()> {
    use io::ErrorKind;
    match error.kind() {
        // Windows says "reset" where the others say "refused".
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => {
            log::error(format_args!("{address}: {error}; {ADVICE}"));
            Ok(())
        }
        _ => Err(error),
    }
}

const ADVICE: &str = "is the server there? cargo run -p udp-echo --bin server";

/// Whether a server at port `own` may answer this sender.
///
/// A sender's address can be forged. If it names another echo server, the two
/// would answer each other for ever. So no answer goes to the ports below
/// 1024, where a computer's services are (echo has 7), nor to our own
/// number, where the next server of this kind is likely to be. Clients have
/// high ports, chosen by their system. 0 is no port at all.
pub fn may_answer(sender: SocketAddr, own: u16) -> bool {
    sender.port() >= 1024 && sender.port() != own
}

#[cfg(test)]
pub(crate) mod unit_tests {
    use super::*;

    pub(crate) fn tests() -> Vec<harness::testing::Test> {
        harness::unit_tests![no_answer_goes_to_a_service_or_to_our_own_port,]
    }

    fn no_answer_goes_to_a_service_or_to_our_own_port() {
        for (port, answered) in [
            (0, false),
            (7, false),
            (19, false),
            (1023, false),
            (1024, true),
            (8888, false),
            (8889, true),
            (65535, true),
        ] {
            let sender = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            assert_eq!(may_answer(sender, 8888), answered, "{port}");
        }
    }
}

#[cfg(test)]
#[path = "../tests/udp_echo.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run(
        "udp-echo",
        [tests::tests(), unit_tests::tests(), ledger::tests::tests()],
    )
}
