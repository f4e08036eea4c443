//! The README's section "In a service": a project of its own, so that the
//! lesson's build has neither axum nor reqwest.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::testing::server::lesson;
use harness::testing::{Need, Test, project, test};
use harness::{Exit, Half, Language, Signal, cargo};

use super::{LESSON, start};

const DEPENDENCIES: &str = r#"
axum = "0.8"
reqwest = { version = "0.13", default-features = false }
tokio = { version = "1", features = ["full"] }
"#;

pub fn test_of_readme() -> Test {
    test("the_axum_server_and_the_reqwest_client_run", in_a_service)
        .needs(Need::Crates("in-a-service", DEPENDENCIES))
        .long()
}

fn in_a_service() -> Result<()> {
    let readme = lesson(LESSON)?.folder().join("README.md");
    let readme = fs::read_to_string(readme)?;
    let (_, section) = readme
        .split_once("\n## In a service\n")
        .context("section")?;
    let mut blocks = section.split("\n```rust,ignore\n").skip(1);
    let mut block = || {
        let (code, _) = blocks.next()?.split_once("\n```")?;
        // From here on, where no other test listens.
        Some(code.replace("127.0.0.1:8888", "127.0.0.1:0"))
    };
    let server = block().context("no server")?;
    let address = "&std::env::args().nth(1).unwrap()";
    let client = block()
        .context("no client")?
        .replace("\"http://127.0.0.1:0/hello\"", address);
    ensure!(client.contains(address), "{client}");

    let project = project("in-a-service");
    let source = project.join("src/bin");
    fs::create_dir_all(&source)?;
    fs::write(source.join("axum-server.rs"), server)?;
    fs::write(source.join("reqwest-client.rs"), client)?;
    let built = cargo()
        .args(["build", "--quiet"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        .output()?;
    ensure!(
        built.status.success() && built.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let program = |name: &str| {
        let path = project.join("target/debug").join(name);
        Command::new(path.with_extension(std::env::consts::EXE_EXTENSION))
    };

    let answered = ["statusCode: 200", "/hello"];
    let ours = start(Language::Rust)?;
    let url = format!("http://{}/hello", ours.address);
    let mut client = Half::start(program("reqwest-client").arg(url))?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    ensure!(client.stdout() == answered, "{:?}", client.stdout());

    let mut server = Half::start(&mut program("axum-server"))?;
    let address = server.wait_for("listening on ")?;
    let mut client = lesson(LESSON)?.half(Language::Rust, "client")?;
    let mut client =
        Half::start(client.arg(format!("http://{address}/hello")))?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    ensure!(client.stdout() == answered, "{:?}", client.stdout());
    if cfg!(unix) {
        ensure!(server.stop(Signal::Interrupt)? == Exit::Code(0));
    }
    Ok(())
}
