//! What pipe-echo promises beyond what every echo does: its socket's file.

#![cfg_attr(not(unix), allow(dead_code, unused_imports, unused_mut))]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Signal};

use harness::testing::echo;
use harness::testing::server::{Server, lesson, tool};
use harness::testing::{NC, Need, SOCAT, Test, both, test};

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|t| t.of("pipe-echo").needs(Need::Unix))
    };
    let own = [
        both("nc_gets_its_bytes_back", nc).map(|t| t.needs(NC)),
        both("socat_gets_its_bytes_back", socat).map(|t| t.needs(SOCAT)),
        both("a_killed_servers_file_is_replaced", stale),
        both("a_living_servers_file_is_not_taken", live),
        both("a_file_that_is_no_socket_stays", no_socket),
        both("only_the_owner_may_connect", mode),
        both("a_path_that_is_too_long_gets_a_clear_error", too_long),
        #[cfg(target_os = "linux")]
        both(
            "a_path_that_is_not_utf8_is_taken_as_given_or_refused",
            any_bytes,
        ),
        both("the_longest_path_works", longest),
        both("a_relative_path_works", relative),
        both("a_folder_that_is_missing_gets_a_clear_error", no_folder),
    ];
    let empty_path = harness::testing::both("an_empty_path_is_refused", empty);
    let mut tests = echo::tests("pipe-echo");
    tests.extend(empty_path.map(|test| test.of("pipe-echo")));
    tests.extend(own.into_iter().flatten());
    tests.extend(
        [
            test("another_servers_file_is_not_deleted_at_the_end", not_ours),
            test("a_probe_is_not_seen_by_the_living_server", unseen),
        ]
        .map(|test| test.of("pipe-echo").needs(Need::Unix)),
    );
    tests
}

fn nc(language: Language) -> Result<()> {
    let server = Server::start("pipe-echo", language)?;
    // -N: half-close at the end of stdin.
    let input = "你好\nnc\n".as_bytes();
    let echo = tool("nc", &["-N", "-U", &server.address], input)?;
    ensure!(echo == ["你好", "nc"], "{echo:?}");
    server.lives()
}

fn socat(language: Language) -> Result<()> {
    let server = Server::start("pipe-echo", language)?;
    let there = format!("UNIX-CONNECT:{}", server.address);
    let echo = tool("socat", &["-", &there], b"hello socat\n")?;
    ensure!(echo == ["hello socat"], "{echo:?}");
    server.lives()
}

/// Starts a server at `path` and waits until it listens.
fn server_at(language: Language, path: &Path) -> Result<Half> {
    let mut command = lesson("pipe-echo")?.half(language, "server")?;
    let server = Half::start(command.arg(path))?;
    server.wait_for("listening on ")?;
    Ok(server)
}

/// One message goes to the server at `path`, and comes back.
fn answers(path: &Path) -> Result<()> {
    let mut command = lesson("pipe-echo")?.half(Language::Rust, "client")?;
    let mut client = Half::start(command.arg(path).args(["--count", "1"]))?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    Ok(())
}

/// A half that cannot begin says why on one line and exits with 1.
fn refused(
    language: Language,
    half: &str,
    path: &Path,
    why: &str,
) -> Result<()> {
    let mut command = lesson("pipe-echo")?.half(language, half)?;
    let mut program = Half::start(command.arg(path))?;
    let what = match half {
        "server" => "Error: listen ",
        _ => "Error: connect to ",
    };
    program.fails_at_once(&[what, &path.display().to_string(), why])
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// A server of the other language was killed, and one of this takes over.
fn stale(language: Language) -> Result<()> {
    for other in [Language::Rust, language] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("sock");
        let mut killed = server_at(other, &path)?;
        killed.stop(Signal::Kill)?;
        ensure!(is_there(&path), "this tests nothing");
        let mut server = server_at(language, &path)?;
        answers(&path)?;
        ensure!(server.stop(Signal::Terminate)? == Exit::Code(0));
        ensure!(!is_there(&path), "its file is still there");
    }
    Ok(())
}

fn live(language: Language) -> Result<()> {
    for other in [Language::Rust, language] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("sock");
        let mut first = server_at(other, &path)?;
        refused(language, "server", &path, "another server is listening")?;
        answers(&path)?;
        ensure!(first.stop(Signal::Interrupt)? == Exit::Code(0));
        ensure!(!is_there(&path), "its file is still there");
    }
    Ok(())
}

fn no_socket(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("precious");
    fs::write(&file, "precious")?;
    refused(language, "server", &file, "not a socket")?;
    ensure!(fs::read(&file)? == b"precious");

    // Neither a folder, nor a link to a socket that nobody needs any more.
    let inner = folder.path().join("folder");
    fs::create_dir(&inner)?;
    refused(language, "server", &inner, "not a socket")?;
    ensure!(is_there(&inner));
    #[cfg(unix)]
    {
        let (dead, link) =
            (folder.path().join("dead"), folder.path().join("link"));
        drop(std::os::unix::net::UnixListener::bind(&dead)?);
        std::os::unix::fs::symlink(&dead, &link)?;
        refused(language, "server", &link, "not a socket")?;
        ensure!(is_there(&link) && is_there(&dead));
    }
    Ok(())
}

fn mode(language: Language) -> Result<()> {
    let server = Server::start("pipe-echo", language)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = fs::symlink_metadata(&server.address)?;
        let mode = file.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "mode {mode:o}");
    }
    server.lives()
}

/// A path of so many bytes in `folder`.
fn path_of(folder: &Path, length: usize) -> Result<std::path::PathBuf> {
    let fill = length.checked_sub(folder.as_os_str().len() + 1);
    let fill = fill.context("the temporary folder's name is too long")?;
    Ok(folder.join("p".repeat(fill)))
}

/// What fits into a `sockaddr_un`.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

fn too_long(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for length in [LONGEST + 1, 1000] {
        let path = path_of(folder.path(), length)?;
        not_accepted(language, path.as_os_str(), path.as_os_str())?;
    }
    // A half that cut the path off would listen elsewhere.
    ensure!(fs::read_dir(folder.path())?.next().is_none(), "left a file");
    Ok(())
}

/// Neither half takes `path`: each names it, or what is `wrong` with it.
fn not_accepted(language: Language, path: &OsStr, wrong: &OsStr) -> Result<()> {
    for half in ["server", "client"] {
        let mut command = lesson("pipe-echo")?.half(language, half)?;
        let mut program = Half::start(command.arg(path))?;
        let exit = program.wait()?;
        let stderr = program.stderr();
        ensure!(matches!(exit, Exit::Code(1 | 2)), "{exit:?}");
        let wrong = wrong.to_string_lossy();
        ensure!(stderr[0].contains(&*wrong), "no {wrong} in {stderr:?}");
        ensure!(program.stdout().is_empty(), "{:?}", program.stdout());
    }
    Ok(())
}

/// Node's `connect()` without a path goes to a TCP port, and Linux lets a
/// server without one choose a name that no client can know.
fn empty(language: Language) -> Result<()> {
    let wrong = match language {
        Language::Rust => "a value is required",
        Language::Node => "the path is empty",
    };
    not_accepted(language, OsStr::new(""), OsStr::new(wrong))
}

/// A path is bytes. Rust takes them as they are; Node would change them.
#[cfg(target_os = "linux")]
fn any_bytes(language: Language) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join(OsStr::from_bytes(b"a\xff"));
    if language == Language::Node {
        let wrong = OsStr::new("the path is not UTF-8");
        return not_accepted(language, path.as_os_str(), wrong);
    }
    let _server = server_at(language, &path)?;
    ensure!(is_there(&path), "it listens elsewhere");
    answers(&path)
}

fn longest(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = path_of(folder.path(), LONGEST)?;
    let _server = server_at(language, &path)?;
    ensure!(is_there(&path), "it listens elsewhere");
    let mut command = lesson("pipe-echo")?.half(language, "client")?;
    let mut client = Half::start(command.arg(&path).args(["--count", "1"]))?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    Ok(())
}

fn relative(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lesson = lesson("pipe-echo")?;
    for path in ["my.sock", "./my.sock"] {
        let half = |half, arguments: &[&str]| -> Result<Half> {
            let mut command = lesson.half(language, half)?;
            command.current_dir(folder.path());
            Half::start(command.arg(path).args(arguments))
        };
        let mut server = half("server", &[])?;
        ensure!(server.wait_for("listening on ")? == path);
        ensure!(is_there(&folder.path().join("my.sock")));
        let mut client = half("client", &["--count", "1"])?;
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
        ensure!(server.stop(Signal::Interrupt)? == Exit::Code(0));
        ensure!(!is_there(&folder.path().join("my.sock")));
    }
    Ok(())
}

fn no_folder(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("no/such/folder");
    refused(language, "server", &path, "")?;
    refused(language, "client", &path, "start the server first")
}

/// Somebody deleted the first one's file, and a second one took its place.
fn not_ours() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sock");
    let mut first = server_at(Language::Rust, &path)?;
    fs::remove_file(&path)?;
    let _second = server_at(Language::Rust, &path)?;
    ensure!(first.stop(Signal::Interrupt)? == Exit::Code(0));
    answers(&path)
}

fn unseen() -> Result<()> {
    let server = Server::start("pipe-echo", Language::Rust)?;
    let path = Path::new(&server.address);
    refused(Language::Rust, "server", path, "another server")?;
    server.lives()?;
    server.half.wait_for("socket disconnected")?;
    let lines = server.stop()?;
    let connected = lines.iter().filter(|line| *line == "socket connected");
    ensure!(connected.count() == 1, "{lines:?}");
    Ok(())
}
