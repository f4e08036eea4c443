//! What tcp-echo promises beyond what every echo does.

use anyhow::{Result, ensure};
use harness::{Exit, Half, Language};

use crate::check::{NC, SOCAT, Test, both};
use crate::echo;
use crate::server::{Server, lesson, tool};

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.of("tcp-echo"))
    };
    let own = [
        both("nc_gets_its_bytes_back", nc).map(|test| test.needs(NC)),
        both("socat_gets_its_bytes_back", socat).map(|t| t.needs(SOCAT)),
        both("ipv6_host_names_and_all_addresses_work", addresses),
        both("an_address_that_is_none_gets_a_clear_error", no_address),
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

fn addresses(language: Language) -> Result<()> {
    for (listen, shown, connect) in [
        ("[::1]:0", "[::1]:", "[::1]"),
        ("localhost:0", "", "localhost"),
        ("0.0.0.0:0", "0.0.0.0:", "127.0.0.1"),
    ] {
        let lesson = lesson("tcp-echo")?;
        let mut command = lesson.half(language, "server")?;
        let server = Half::start(command.arg(listen))?;
        let address = server.wait_for("listening on ")?;
        ensure!(address.starts_with(shown), "{address}");
        let (_, port) = address.rsplit_once(':').unwrap_or_default();
        let mut command = lesson.half(language, "client")?;
        command.args([&format!("{connect}:{port}"), "--count", "1"]);
        let mut client = Half::start(&mut command)?;
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    }
    Ok(())
}

fn no_address(language: Language) -> Result<()> {
    for half in ["server", "client"] {
        for address in ["127.0.0.1", "127.0.0.1:99999", "no.such.host.:1"] {
            let mut command = lesson("tcp-echo")?.half(language, half)?;
            let mut program = Half::start(command.arg(address))?;
            let exit = program.wait()?;
            let stderr = program.stderr();
            ensure!(matches!(exit, Exit::Code(1 | 2)), "{exit:?}");
            ensure!(stderr[0].contains(address), "{stderr:?}");
        }
    }
    Ok(())
}
