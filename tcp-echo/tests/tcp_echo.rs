//! What tcp-echo promises beyond what every echo does.

use anyhow::{Result, ensure};
use harness::Language;

use harness::testing::echo;
use harness::testing::server::{Server, tool};
use harness::testing::{NC, Need, SOCAT, Test, both};

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.of("tcp-echo"))
    };
    let own = [
        both("nc_gets_its_bytes_back", nc).map(|test| test.needs(NC)),
        both("socat_gets_its_bytes_back", socat).map(|t| t.needs(SOCAT)),
        both("ipv6_host_names_and_all_addresses_work", |language| {
            echo::addresses("tcp-echo", language)
        }),
        both("an_address_that_is_none_gets_a_clear_error", |language| {
            echo::no_address("tcp-echo", language)
        }),
        both("ctrl_c_ends_a_client_that_waits_to_connect", |language| {
            echo::gives_up("tcp-echo", language)
        })
        .map(|test| test.needs(Need::Proc)),
    ];
    let mut tests = echo::tests("tcp-echo");
    tests.extend(own.into_iter().flatten());
    tests
}

fn nc(language: Language) -> Result<()> {
    let server = Server::start("tcp-echo", language)?;
    let (host, port) = server.address.rsplit_once(':').unwrap_or_default();
    // -N: half-close at the end of stdin.
    let echo = tool("nc", &["-N", host, port], "你好\nnc\n".as_bytes())?;
    ensure!(echo == ["你好", "nc"], "{echo:?}");
    Ok(())
}

fn socat(language: Language) -> Result<()> {
    let server = Server::start("tcp-echo", language)?;
    let there = format!("TCP:{}", server.address);
    let echo = tool("socat", &["-", &there], b"hello socat\n")?;
    ensure!(echo == ["hello socat"], "{echo:?}");
    Ok(())
}
