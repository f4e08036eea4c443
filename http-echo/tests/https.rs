//! What http-echo promises about `--tls`: certificates, and who trusts them.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Profile, build};

use super::{Answer, LESSON, MIB, accept, client_of, request, start};
use harness::testing::server::{Server, lesson, tool};
use harness::testing::{CURL, NODE, Need, Test, both, test};

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| both(promise, run);
    let with_curl = |tests: [Test; 2]| tests.map(|t| t.needs(CURL));
    [
        with_curl(both("curl_speaks_http_2_and_1_through_tls", curl_tls)),
        with_curl(both("each_name_of_the_certificate_is_good", names))
            .map(|t| t.needs(NODE)),
        both("a_certificate_for_another_name_is_an_error", other_name)
            .map(|t| t.needs(Need::Proc)),
        both("certificates_are_made_once", certificates),
        [
            test("the_certs_command_makes_new_ones", made_again),
            test("the_certs_command_leaves_other_folders", not_ours),
        ],
        with_curl(both("a_wrong_ca_is_an_error", wrong_ca)),
        with_curl(both("an_expired_certificate_is_an_error", expired)),
        both("a_client_without_a_ca_says_what_to_start", no_ca),
        both("a_client_offers_http_2_where_it_can", offers),
        both("plain_http_where_tls_is_spoken_is_an_error", no_tls),
        both("a_slow_handshake_ends_the_connection", slow_handshake),
        with_curl(both("a_body_too_long_for_http_2_gets_413", too_long_h2)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A server that speaks TLS, and its certificates.
pub struct Tls {
    pub server: Server,
    folder: tempfile::TempDir,
}

impl Tls {
    pub fn start(language: Language, arguments: &[&str]) -> Result<Self> {
        Self::start_at("127.0.0.1:0", language, 90, arguments)
    }

    /// With certificates that are good for so many days.
    fn start_at(
        address: &str,
        language: Language,
        days: i32,
        arguments: &[&str],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let certs = folder.path().join("certs");
        make_certs(&certs, days)?;
        let certs = certs.display().to_string();
        let tls = [&["--tls", "--certs", &certs], arguments].concat();
        let server = Server::start_at(address, LESSON, language, &tls)?;
        Ok(Self { server, folder })
    }

    pub fn certs(&self) -> String {
        self.folder.path().join("certs").display().to_string()
    }

    /// The outcome of one request, by a client that trusts these.
    fn client(&self, language: Language, certs: &str) -> Result<(Exit, Half)> {
        let arguments = ["--tls", "--certs", certs, "--count", "1"];
        let mut client = self.server.client(language, &arguments)?;
        Ok((client.wait()?, client))
    }

    pub fn lives(&self) -> Result<()> {
        let (exit, client) = self.client(Language::Rust, &self.certs())?;
        ensure!(exit == Exit::Code(0), "{:?}", client.stderr());
        ensure!(client.stdout() == ["statusCode: 200", "/hello"]);
        Ok(())
    }

    /// A client for this URL, which trusts these.
    fn client_at(&self, language: Language, url: &str) -> Result<(Exit, Half)> {
        let mut command = lesson(LESSON)?.half(language, "client")?;
        command.args([url, "--certs", &self.certs(), "--count", "1"]);
        let mut client = Half::start(&mut command)?;
        Ok((client.wait()?, client))
    }

    /// curl refuses, and says so.
    fn curl_fails(&self, certs: &str, error: &str) -> Result<()> {
        let ca = format!("{certs}/ca.pem");
        let url = format!("https://{}/hello", self.server.address);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--noproxy", "*", "--cacert", &ca, &url]);
        let mut curl = Half::start(&mut curl)?;
        ensure!(curl.wait()? == Exit::Code(60), "{:?}", curl.stdout());
        curl.wait_for_error(error).map(drop)
    }

    fn curl(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<String>> {
        let ca = format!("{}/ca.pem", self.certs());
        let fixed = ["-sS", "--noproxy", "*", "--cacert", &ca];
        tool("curl", &[&fixed, arguments].concat(), input)
    }
}

fn make_certs(folder: &Path, days: i32) -> Result<()> {
    let run = run_certs(folder, &[&format!("--days={days}")])?;
    ensure!(run.stderr().is_empty(), "{:?}", run.stderr());
    Ok(())
}

/// `certs FOLDER`, until it has ended.
fn run_certs(folder: &Path, arguments: &[&str]) -> Result<Half> {
    let certs = build(LESSON, Profile::Debug)?.join("certs");
    let mut command = Command::new(certs);
    let mut certs = Half::start(command.arg(folder).args(arguments))?;
    let exit = certs.wait()?;
    ensure!(exit == Exit::Code(i32::from(!certs.stderr().is_empty())));
    Ok(certs)
}

fn curl_tls(language: Language) -> Result<()> {
    let tls = Tls::start(language, &[])?;
    let (_, port) = tls.server.address.rsplit_once(':').context("port")?;
    let version = ["-w", "\n%{http_version}"];
    for (option, shown) in [("--http2", "2"), ("--http1.1", "1.1")] {
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("https://{host}:{port}/a/../b?c");
            let asked = [&version[..], &[option, "--path-as-is", &url]];
            let answer = tls.curl(&asked.concat(), b"")?;
            ensure!(answer == ["/a/../b?c", shown], "{answer:?}");
            let asked = [&version[..], &[option, "-T", "-", &url]];
            let answer = tls.curl(&asked.concat(), &vec![b'x'; MIB])?;
            ensure!(answer[1] == shown, "{answer:?}");
        }
    }
    let url = format!("https://localhost:{port}/");
    let head = tls.curl(&["--http2", "-I", &url], b"")?;
    ensure!(head[0].starts_with("HTTP/2 200"), "{head:?}");
    ensure!(tls.server.half.stderr().is_empty());
    Ok(())
}

fn names(language: Language) -> Result<()> {
    for (listen, hosts) in [
        ("127.0.0.1:0", &["127.0.0.1", "localhost"][..]),
        ("[::1]:0", &["[::1]"]),
    ] {
        let tls = Tls::start_at(listen, language, 90, &[])?;
        let (_, port) = tls.server.address.rsplit_once(':').context("port")?;
        for host in hosts {
            let url = format!("https://{host}:{port}/hello");
            let heard = tls.curl(&["-g", &url], b"")?;
            ensure!(heard == ["/hello"], "{url}: {heard:?}");
            for client in [Language::Rust, Language::Node] {
                let (exit, client) = tls.client_at(client, &url)?;
                ensure!(exit == Exit::Code(0), "{url}: {:?}", client.stderr());
                let heard = client.stdout();
                ensure!(heard == ["statusCode: 200", "/hello"], "{heard:?}");
            }
        }
        ensure!(tls.server.half.stderr().is_empty());
    }
    Ok(())
}

/// All of 127.x.x.x is this computer, on Linux. The certificate says less.
fn other_name(language: Language) -> Result<()> {
    let all = "0.0.0.0:0";
    let tls = Tls::start_at(all, Language::Rust, 90, &[])?;
    let (_, port) = tls.server.address.rsplit_once(':').context("port")?;
    let url = format!("https://127.0.0.2:{port}/hello");
    let (exit, client) = tls.client_at(language, &url)?;
    ensure!(exit == Exit::Code(1), "{:?}", client.stdout());
    client.wait_for_error("with TLS: ")?;
    ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    let url = format!("https://127.0.0.1:{port}/hello");
    let (exit, client) = tls.client_at(language, &url)?;
    ensure!(exit == Exit::Code(0), "{:?}", client.stderr());
    Ok(())
}

fn too_long_h2(language: Language) -> Result<()> {
    let tls = Tls::start(language, &["--body-limit", "100000"])?;
    let url = format!("https://{}/up", tls.server.address);
    let asked = ["--http2", "-w", "%{http_code}", "--data-binary", "@-", &url];
    for (length, status) in [(100_000, "/up200"), (MIB, "413")] {
        let answer = tls.curl(&asked, &vec![b'x'; length])?;
        ensure!(answer == [status], "{answer:?}");
    }
    tls.lives()
}

fn certificates(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certs = folder.path().join("certs");
    // As a shell completes a folder's name.
    let arguments = ["--tls", "--certs", &format!("{}/", certs.display())];
    // At the same time: a client trusts both of them afterwards.
    let start = || {
        let mut command = lesson(LESSON)?.half(language, "server")?;
        Half::start(command.arg("127.0.0.1:0").args(arguments))
    };
    let mut servers = vec![start()?, start()?];
    for server in &servers {
        server.wait_for("listening on ")?;
    }
    let ca = std::fs::read(certs.join("ca.pem"))?;
    servers.push(start()?);
    ensure!(std::fs::read(certs.join("ca.pem"))? == ca, "made again");
    for server in &servers {
        let address = server.wait_for("listening on ")?;
        let mut command = lesson(LESSON)?.half(Language::Rust, "client")?;
        command
            .arg(format!("https://{address}"))
            .args(arguments)
            .args(["--count", "1"]);
        let mut client = Half::start(&mut command)?;
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| -> Result<u32> {
            Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
        };
        ensure!(mode(&certs)? == 0o700, "others may look into the folder");
        ensure!(mode(&certs.join("leaf-key.pem"))? == 0o600, "the key");
    }
    let left = std::fs::read_dir(folder.path())?.count();
    ensure!(left == 1, "something is left beside the folder");
    Ok(())
}

/// Others that have expired, in place of good ones; with `--keep`, none.
fn made_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certs = folder.path().join("certs");
    let ca = || std::fs::read(certs.join("ca.pem"));
    make_certs(&certs, 90)?;
    let good = ca()?;
    make_certs(&certs, -1)?;
    ensure!(ca()? != good, "nothing happened");
    let expired = ca()?;
    let run = run_certs(&certs, &["--keep"])?;
    ensure!(run.stderr().is_empty() && ca()? == expired, "not kept");
    let left = std::fs::read_dir(folder.path())?.count();
    ensure!(left == 1, "something is left beside the folder");
    Ok(())
}

fn not_ours() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let own = folder.path().join("own.txt");
    std::fs::write(&own, "mine")?;
    let run = run_certs(folder.path(), &[])?;
    run.wait_for_error("holds no certificates")?;
    ensure!(std::fs::read(&own)? == b"mine");
    Ok(())
}

fn wrong_ca(language: Language) -> Result<()> {
    let tls = Tls::start(language, &[])?;
    let other = tls.folder.path().join("other");
    make_certs(&other, 90)?;
    let other = other.display().to_string();
    tls.curl_fails(&other, "certificate")?;
    for client in [Language::Rust, language] {
        let (exit, client) = tls.client(client, &other)?;
        ensure!(exit == Exit::Code(1), "{:?}", client.stdout());
        let error = client.stderr().join("\n");
        ensure!(error.contains("with TLS: "), "{error}");
        ensure!(
            error.contains("UnknownIssuer")
                || error.contains("unable to verify the first certificate"),
            "{error}"
        );
        ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    }
    // What the clients told it: the CA is unknown.
    for told in ["socket: TLS handshake: ", "nknown"] {
        tls.server.half.wait_for_error(told)?;
    }
    tls.lives()
}

fn expired(language: Language) -> Result<()> {
    let tls = Tls::start_at("127.0.0.1:0", language, -1, &[])?;
    for client in [Language::Rust, language, Language::Rust] {
        let (exit, client) = tls.client(client, &tls.certs())?;
        ensure!(exit == Exit::Code(1), "{:?}", client.stdout());
        let error = client.wait_for_error("expired")?;
        ensure!(error.contains("with TLS: "), "{error}");
        ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    }
    tls.server.half.wait_for_error("socket: TLS handshake: ")?;
    // It lives, as it goes on to say so.
    tls.curl_fails(&tls.certs(), "expired")
}

fn no_ca(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let nowhere = folder.path().join("none").display().to_string();
    let server = start(Language::Rust)?;
    let mut client =
        server.client(language, &["--tls", "--certs", &nowhere])?;
    ensure!(client.wait()? == Exit::Code(1));
    let error = client.wait_for_error(&nowhere)?;
    ensure!(error.contains("the server makes it"), "{error}");
    Ok(())
}

fn offers(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certs = folder.path().join("certs");
    make_certs(&certs, 90)?;
    let certs = certs.display().to_string();
    let (_client, listener) =
        client_of(language, &["--tls", "--certs", &certs])?;
    let mut hello = vec![0; 4096];
    let length = accept(&listener)?.read(&mut hello)?;
    let offers = |protocol: &[u8]| {
        hello[..length]
            .windows(protocol.len())
            .any(|w| w == protocol)
    };
    // Node's https speaks HTTP/1.1 only.
    ensure!(offers(b"\x02h2\x08http/1.1") == (language == Language::Rust));
    ensure!(offers(b"\x02h2") == (language == Language::Rust));
    Ok(())
}

fn no_tls(language: Language) -> Result<()> {
    let tls = Tls::start(language, &[])?;
    let mut peer = tls.server.connect()?;
    peer.write_all(request("GET /").as_bytes())?;
    if language == Language::Rust {
        let answer = Answer::read(&mut peer)?;
        answer.is(400, "this port speaks HTTPS: ask for https://")?;
    }
    peer.finish()?;
    ensure!(peer.rest().unwrap_or_default().is_empty());
    let mut peer = tls.server.connect()?;
    peer.write_all(b"\x16\x03\x01\x00\x05hello")?;
    let _ = peer.rest();
    tls.server.half.wait_for_error("socket: ")?;
    ensure!(tls.server.half.stdout().len() == 1, "it was answered");
    tls.lives()
}

fn slow_handshake(language: Language) -> Result<()> {
    let limits = ["--header-timeout", "500", "--idle-timeout", "60000"];
    let tls = Tls::start(language, &limits)?;
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut peer = tls.server.connect()?;
        peer.write_all(bytes)?;
        let _ = peer.rest();
    }
    tls.lives()
}
