//! What https-echo promises about certificates, and who trusts them. HTTP/2 is
//! in `http2.rs`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::testing::ends::SIGNALS;
use harness::testing::peer::Peer;
use harness::testing::server::{lesson, tool};
use harness::testing::{CURL, NODE, Need, Test, both, test};
use harness::{Exit, Half, LIMIT, Language, Profile, Signal, build};

#[path = "http2.rs"]
mod http2;

const LESSON: &str = "https-echo";
const MIB: usize = 1024 * 1024;

/// What a client prints that asked once.
const ANSWER: [&str; 2] = ["statusCode: 200", "/hello"];

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| both(promise, run);
    let with_curl = |tests: [Test; 2]| tests.map(|t| t.needs(CURL));
    let on_unix = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Unix));
    let mut tests: Vec<Test> = [
        with_curl(both("curl_speaks_http_2_and_1_through_tls", curl_tls)),
        with_curl(both("each_name_of_the_certificate_is_valid", names))
            .map(|t| t.needs(NODE)),
        both("a_certificate_for_another_name_is_an_error", other_name)
            .map(|t| t.needs(Need::Proc)),
        both("the_first_start_makes_the_certificates", certificates),
        with_curl(both("a_wrong_ca_is_an_error", wrong_ca)),
        with_curl(both("an_expired_certificate_is_an_error", expired)),
        both("a_client_without_a_ca_names_the_file", no_ca),
        both("a_client_offers_http_2_and_nothing_else", offers),
        both("a_server_without_http_2_is_an_error", no_http2)
            .map(|t| t.needs(NODE)),
        both("plain_http_ends_one_connection_only", no_tls),
        both("a_slow_handshake_ends_the_connection", slow_handshake)
            .map(Test::long),
        with_curl(both("a_body_too_long_gets_413", too_long)),
        with_curl(both("too_long_headers_get_431", too_long_headers)),
        both("the_client_asks_as_often_as_it_is_told", asks),
        both("a_request_without_an_answer_is_an_error", no_answer)
            .map(|t| t.needs(NODE)),
        both("a_killed_server_fails_the_client", killed_server),
        both("the_client_refuses_other_urls", other_urls),
        on_unix(both("ctrl_c_ends_a_client", client_ends)),
        on_unix(both("sigterm_ends_a_client_nobody_answers", stuck_client)),
        both("a_client_without_a_server_says_what_to_start", no_server),
    ]
    .into_iter()
    .flatten()
    .collect();
    tests.extend([
        test("the_certs_command_makes_new_ones", made_again),
        test("the_certs_command_leaves_other_folders", not_ours),
    ]);
    tests.extend(http2::tests());
    tests
}

/// A server, and its certificates.
pub struct Server {
    pub half: Half,
    pub address: String,
    folder: tempfile::TempDir,
}

impl Server {
    pub fn start(language: Language) -> Result<Self> {
        Self::start_at("127.0.0.1:0", language, 90)
    }

    /// With certificates that are valid for so many days.
    fn start_at(address: &str, language: Language, days: i32) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let certs = folder.path().join("certs");
        run_certs(&certs, &[&format!("--days={days}")])?;
        let mut command = lesson(LESSON)?.half(language, "server")?;
        command.arg(address).arg("--certs").arg(&certs);
        let half = Half::start(&mut command)?;
        let address = half.wait_for("listening on ")?;
        Ok(Self {
            half,
            address,
            folder,
        })
    }

    pub fn certs(&self) -> String {
        self.folder.path().join("certs").display().to_string()
    }

    pub fn url(&self) -> String {
        format!("https://{}/hello", self.address)
    }

    pub fn connect(&self) -> Result<Peer> {
        let stream = std::net::TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Peer::Tcp(stream))
    }

    /// The outcome of one request, by a client that trusts these.
    fn client(&self, language: Language, certs: &str) -> Result<(Exit, Half)> {
        let mut client = client(language, &self.url(), certs, &[])?;
        Ok((client.wait()?, client))
    }

    /// A client has been answered.
    pub fn lives(&self) -> Result<()> {
        let (exit, client) = self.client(Language::Rust, &self.certs())?;
        ensure!(exit == Exit::Code(0), "{:?}", client.stderr());
        ensure!(client.stdout() == ANSWER);
        Ok(())
    }

    /// curl refuses, and says so.
    fn curl_fails(&self, certs: &str, error: &str) -> Result<()> {
        let ca = format!("{certs}/ca.pem");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--noproxy", "*", "--cacert", &ca, &self.url()]);
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

fn client(
    language: Language,
    url: &str,
    certs: &str,
    arguments: &[&str],
) -> Result<Half> {
    let mut command = lesson(LESSON)?.half(language, "client")?;
    command.args([url, "--certs", certs]).args(arguments);
    Half::start(&mut command)
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
    let server = Server::start(language)?;
    let (_, port) = server.address.rsplit_once(':').context("port")?;
    let version = ["-w", "\n%{http_version}"];
    for (option, shown) in [("--http2", "2"), ("--http1.1", "1.1")] {
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("https://{host}:{port}/a/../b?c");
            let asked = [&version[..], &[option, "--path-as-is", &url]];
            let answer = server.curl(&asked.concat(), b"")?;
            ensure!(answer == ["/a/../b?c", shown], "{answer:?}");
            let asked = [&version[..], &[option, "-T", "-", &url]];
            let answer = server.curl(&asked.concat(), &vec![b'x'; MIB])?;
            ensure!(answer[1] == shown, "{answer:?}");
        }
    }
    let url = format!("https://localhost:{port}/");
    let head = server.curl(&["--http2", "-I", &url], b"")?;
    ensure!(head[0].starts_with("HTTP/2 200"), "{head:?}");
    let nosniff = head.iter().any(|line| line.contains("nosniff"));
    ensure!(nosniff, "{head:?}");
    ensure!(
        server.half.stderr().is_empty(),
        "{:?}",
        server.half.stderr()
    );
    Ok(())
}

fn names(language: Language) -> Result<()> {
    for (listen, hosts) in [
        ("127.0.0.1:0", &["127.0.0.1", "localhost"][..]),
        ("[::1]:0", &["[::1]"]),
    ] {
        let server = Server::start_at(listen, language, 90)?;
        let (_, port) = server.address.rsplit_once(':').context("port")?;
        for host in hosts {
            let url = format!("https://{host}:{port}/hello");
            let answer = server.curl(&["-g", &url], b"")?;
            ensure!(answer == ["/hello"], "{url}: {answer:?}");
            for language in [Language::Rust, Language::Node] {
                if *host == "[::1]" && language == Language::Node {
                    // Node 22.23.3 refuses every certificate for it.
                    if !node_knows_ipv6()? {
                        continue;
                    }
                }
                let mut client = client(language, &url, &server.certs(), &[])?;
                let exit = client.wait()?;
                ensure!(exit == Exit::Code(0), "{url}: {:?}", client.stderr());
                ensure!(client.stdout() == ANSWER, "{:?}", client.stdout());
            }
        }
        let stderr = server.half.stderr();
        ensure!(stderr.is_empty(), "{stderr:?}");
    }
    Ok(())
}

/// Whether Node's own check takes a certificate that is for ::1 and nothing
/// else.
fn node_knows_ipv6() -> Result<bool> {
    let code = "const names = { subject: {}, subjectaltname: 'IP Address:::1' }
        process.exit(tls.checkServerIdentity('::1', names) ? 1 : 0)";
    Ok(Command::new("node").args(["-e", code]).status()?.success())
}

/// All of 127.x.x.x is this computer, on Linux. The certificate says less.
fn other_name(language: Language) -> Result<()> {
    let server = Server::start_at("0.0.0.0:0", Language::Rust, 90)?;
    let (_, port) = server.address.rsplit_once(':').context("port")?;
    let url = format!("https://127.0.0.2:{port}/hello");
    let mut other = client(language, &url, &server.certs(), &[])?;
    other.fails_at_once(&["ask for https://127.0.0.2"])?;
    let url = format!("https://127.0.0.1:{port}/hello");
    let mut right = client(language, &url, &server.certs(), &[])?;
    ensure!(right.wait()? == Exit::Code(0), "{:?}", right.stderr());
    Ok(())
}

fn too_long(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let url = format!("https://{}/up", server.address);
    for version in ["--http2", "--http1.1"] {
        let asked =
            [version, "-w", "%{http_code}", "--data-binary", "@-", &url];
        for (length, status) in [(MIB, "/up200"), (17 * MIB, "413")] {
            let answer = server.curl(&asked, &vec![b'x'; length])?;
            ensure!(answer == [status], "{version}: {answer:?}");
        }
    }
    server.lives()
}

fn too_long_headers(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let url = server.url();
    for (length, status) in [(15_000, "200"), (17_000, "431")] {
        let header = format!("x-long: {}", "y".repeat(length));
        let asked = ["--http2", "-o", "/dev/null", "-w", "%{http_code}"];
        let answer =
            server.curl(&[&asked[..], &["-H", &header, &url]].concat(), b"")?;
        ensure!(answer == [status], "{length}: {answer:?}");
    }
    server.lives()
}

fn certificates(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certs = folder.path().join("certs");
    // As a shell completes a folder's name.
    let given = format!("{}/", certs.display());
    // At the same time: a client trusts both of them afterwards.
    let start = || {
        let mut command = lesson(LESSON)?.half(language, "server")?;
        Half::start(command.args(["127.0.0.1:0", "--certs", &given]))
    };
    let mut servers = vec![start()?, start()?];
    for server in &servers {
        server.wait_for("listening on ")?;
    }
    let ca = std::fs::read(certs.join("ca.pem"))?;
    servers.push(start()?);
    for server in &servers {
        let address = server.wait_for("listening on ")?;
        let url = format!("https://{address}");
        let mut client = client(Language::Rust, &url, &given, &[])?;
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    }
    ensure!(std::fs::read(certs.join("ca.pem"))? == ca, "made again");
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

/// Others that have expired, in place of valid ones; with `--keep`, none.
fn made_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certs = folder.path().join("certs");
    let ca = || std::fs::read(certs.join("ca.pem"));
    run_certs(&certs, &[])?;
    let valid = ca()?;
    run_certs(&certs, &["--days=-1"])?;
    let expired = ca()?;
    ensure!(expired != valid, "nothing happened");
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
    for arguments in [&[][..], &["--keep"]] {
        let run = run_certs(folder.path(), arguments)?;
        run.wait_for_error("holds no certificates")?;
    }
    ensure!(std::fs::read(&own)? == b"mine");
    Ok(())
}

fn wrong_ca(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let other = server.folder.path().join("other");
    run_certs(&other, &[])?;
    let other = other.display().to_string();
    server.curl_fails(&other, "certificate")?;
    for client in [Language::Rust, language] {
        let (exit, client) = server.client(client, &other)?;
        ensure!(exit == Exit::Code(1), "{:?}", client.stdout());
        let error = client.stderr().join("\n");
        ensure!(
            error.contains("UnknownIssuer")
                || error.contains("unable to verify the first certificate"),
            "{error}"
        );
        ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    }
    // What the clients told it: the CA is unknown.
    for told in ["socket: TLS handshake: ", "nknown"] {
        server.half.wait_for_error(told)?;
    }
    server.lives()
}

fn expired(language: Language) -> Result<()> {
    let server = Server::start_at("127.0.0.1:0", language, -1)?;
    for client in [Language::Rust, language, Language::Rust] {
        let (exit, client) = server.client(client, &server.certs())?;
        ensure!(exit == Exit::Code(1), "{:?}", client.stdout());
        client.wait_for_error("expired")?;
        ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    }
    server.half.wait_for_error("socket: TLS handshake: ")?;
    // It lives, as it goes on to say so.
    server.curl_fails(&server.certs(), "expired")
}

fn no_ca(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let nowhere = folder.path().join("none").display().to_string();
    let server = Server::start(Language::Rust)?;
    let (exit, client) = server.client(language, &nowhere)?;
    ensure!(exit == Exit::Code(1));
    let error = client.wait_for_error(&nowhere)?;
    ensure!(error.contains("start the server first"), "{error}");
    Ok(())
}

fn offers(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certs = folder.path().join("certs");
    run_certs(&certs, &[])?;
    let certs = certs.display().to_string();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("https://{}/", listener.local_addr()?);
    let _client = client(language, &url, &certs, &[])?;
    let mut hello = vec![0; 4096];
    let length = listener.accept()?.0.read(&mut hello)?;
    let offers = |protocol: &[u8]| {
        hello[..length]
            .windows(protocol.len())
            .any(|w| w == protocol)
    };
    ensure!(offers(b"\x00\x03\x02h2"), "no HTTP/2");
    ensure!(!offers(b"http/1.1"), "more than that");
    Ok(())
}

/// The client ends with an error when it has asked a server in Node of these
/// few words; that error.
fn fails_at(language: Language, made: &str) -> Result<String> {
    let folder = tempfile::tempdir()?;
    run_certs(&folder.path().join("certs"), &[])?;
    let code = format!(
        "const {{ readFileSync }} = require('fs')
        const [cert, key] = ['leaf.pem', 'leaf-key.pem']
            .map(name => readFileSync(process.argv[1] + '/certs/' + name))
        const server = {made}
        server.listen(0, '127.0.0.1', () =>
            console.log('listening on 127.0.0.1:' + server.address().port))"
    );
    let mut node = Command::new("node");
    let node = Half::start(node.args(["-e", &code]).arg(folder.path()))?;
    let url = format!("https://{}/", node.wait_for("listening on ")?);
    let certs = folder.path().join("certs").display().to_string();
    let mut client = client(language, &url, &certs, &[])?;
    client.fails(&["ask for https://"])?;
    Ok(client.stderr().concat())
}

/// The first version of the server, in Node, speaks HTTP/1.1 and has no ALPN.
fn no_http2(language: Language) -> Result<()> {
    let made = "require('https').createServer({ cert, key })";
    fails_at(language, made).map(drop)
}

fn no_tls(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x05hello",
    ] {
        let mut peer = server.connect()?;
        peer.write_all(bytes)?;
        peer.finish()?;
        let rest = peer.rest().unwrap_or_default();
        // An alert of TLS, or nothing.
        ensure!(!rest.starts_with(b"HTTP"), "{rest:?}");
    }
    server.half.wait_for_error("socket: TLS handshake: ")?;
    ensure!(server.half.stdout().len() == 1, "it was answered");
    server.lives()
}

/// The time limit of both halves is ten seconds. Node's own are 60 and more.
fn is_in_time(begun: Instant) -> Result<()> {
    let waited = begun.elapsed();
    let right = Duration::from_secs(5)..Duration::from_secs(45);
    ensure!(right.contains(&waited), "after {waited:?}");
    Ok(())
}

fn slow_handshake(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let begun = Instant::now();
    let mut peers = Vec::new();
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut peer = server.connect()?;
        peer.write_all(bytes)?;
        peers.push(peer);
    }
    for mut peer in peers {
        let _ = peer.rest();
        is_in_time(begun)?;
    }
    server.lives()
}

fn asks(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    for count in [0, 1, 30] {
        let pace = ["--count", &count.to_string(), "--every", "1"];
        let mut client =
            client(language, &server.url(), &server.certs(), &pace)?;
        client.succeeds()?;
        ensure!(client.stdout() == ANSWER.repeat(count));
    }
    ensure!(
        server.half.stderr().is_empty(),
        "{:?}",
        server.half.stderr()
    );
    Ok(())
}

/// The server closes the stream and says that nothing is wrong: Node tells of
/// that by 'close' alone.
fn no_answer(language: Language) -> Result<()> {
    let made = "require('http2').createSecureServer({ cert, key })
        server.on('stream', stream => stream.close())";
    let error = fails_at(language, made)?;
    ensure!(!error.contains("10 seconds"), "it waited: {error}");
    Ok(())
}

const ENDLESS: [&str; 4] = ["--count", "1000000", "--every", "100"];

fn killed_server(language: Language) -> Result<()> {
    let mut server = Server::start(Language::Rust)?;
    let mut client =
        client(language, &server.url(), &server.certs(), &ENDLESS)?;
    client.wait_for_lines(2, "/hello")?;
    server.half.stop(Signal::Kill)?;
    client.fails(&[])
}

fn other_urls(language: Language) -> Result<()> {
    for url in [
        "http://127.0.0.1/",
        "127.0.0.1:8443",
        "/hello",
        "https://",
        "https://user@127.0.0.1/",
        "https://:password@127.0.0.1/",
        "https://127.0.0.1:65536/",
        "https://127.0.0.1:80x/",
        "https://[::1/",
    ] {
        let mut client = client(language, url, "nowhere", &[])?;
        ensure!(client.wait()? == Exit::Code(2), "{url}");
        client.wait_for_error(url)?;
    }
    Ok(())
}

fn client_ends(language: Language) -> Result<()> {
    let server = Server::start(Language::Rust)?;
    for signal in SIGNALS {
        let pace = ["--count", "2", "--every", "60000"];
        let mut client =
            client(language, &server.url(), &server.certs(), &pace)?;
        client.wait_for("/hello")?;
        client.ends_on(signal)?;
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    }
    Ok(())
}

/// It has connected, and TLS gets no further.
fn stuck_client(language: Language) -> Result<()> {
    let server = Server::start(Language::Rust)?; // for its certificates
    for signal in SIGNALS {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("https://{}/", listener.local_addr()?);
        let mut client = client(language, &url, &server.certs(), &[])?;
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0])?;
        client.ends_on(signal)?;
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    }
    Ok(())
}

fn no_server(language: Language) -> Result<()> {
    let server = Server::start(Language::Rust)?; // for its certificates
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let url = format!("https://{free}/hello");
    let mut client = client(language, &url, &server.certs(), &[])?;
    client.fails(&[&free.to_string(), "start the server first"])
}
