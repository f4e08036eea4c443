//! The first versions of a lesson's halves, at another address.
//!
//! A first version has its address written in, so that nothing but the idea
//! is to be read. Two tests that ran it at the same time would meet there. So a
//! copy is made of the program that cargo built, or of the script, in which
//! another address of the same length stands in place of that one.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::build::{Profile, build, root};
use crate::lessons::{Language, Lesson};

/// An address and the one that takes its place.
#[derive(Clone, Debug)]
pub struct Moved {
    /// What the source says: `HOST:PORT`, or a path.
    pub from: String,
    /// What the copy says, with as many bytes.
    pub to: String,
}

impl Moved {
    /// Another place like `from`, where nobody listens now.
    ///
    /// # Errors
    /// When no port with as many digits is free.
    pub fn from(from: &str) -> Result<Self> {
        let to = match from.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => {
                format!("{host}:{}", free_port(port.len())?)
            }
            _ => {
                let at = from.rfind(['/', '\\']).map_or(0, |at| at + 1);
                let (folder, name) = from.split_at(at);
                format!("{folder}{}", random_name(name.len()))
            }
        };
        ensure!(to.len() == from.len(), "{from} and {to} differ in length");
        Ok(Self {
            from: from.to_owned(),
            to,
        })
    }

    /// The port of the copy.
    ///
    /// # Errors
    /// When it is a path.
    pub fn port(&self) -> Result<u16> {
        let port = self.to.rsplit(':').next().and_then(|it| it.parse().ok());
        port.with_context(|| format!("no port in {}", self.to))
    }

    /// `from`, and where a port stands alone, as in `listen(8888)`, the port.
    fn in_text(&self, text: &str) -> String {
        let text = text.replace(&self.from, &self.to);
        match (self.from.rsplit_once(':'), self.to.rsplit_once(':')) {
            (Some((_, from)), Some((_, to))) => text.replace(from, to),
            _ => text,
        }
    }

    fn in_bytes(&self, bytes: &mut [u8]) -> usize {
        let (from, to) = (self.from.as_bytes(), self.to.as_bytes());
        let mut found = 0;
        let mut at = 0;
        while at + from.len() <= bytes.len() {
            if bytes[at..].starts_with(from) {
                bytes[at..at + from.len()].copy_from_slice(to);
                found += 1;
            }
            at += 1;
        }
        found
    }
}

impl Lesson {
    /// The command that runs a half's first version.
    ///
    /// # Errors
    /// When it does not build.
    pub fn first(&self, language: Language, half: &str) -> Result<Command> {
        Ok(match language {
            Language::Rust => {
                let programs = build(self.name, Profile::Debug)?;
                Command::new(programs.join(format!("first-{half}")))
            }
            Language::Node => {
                let script = format!("{}/first/{half}.js", self.name);
                let mut node = Command::new("node");
                node.arg(root().join(script));
                node
            }
        })
    }

    /// Makes certificates in `folder`, where the first versions need some.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn make_certs(&self, folder: &Path) -> Result<()> {
        if let [_, certs] = &self.certs(folder)[..] {
            let programs = build(self.name, Profile::Debug)?;
            let mut command = Command::new(programs.join("certs"));
            let made = command.arg(certs).status().context("run certs")?;
            ensure!(made.success(), "certs: {made}");
        }
        Ok(())
    }

    /// As [`Lesson::first`], of a copy in `folder` with another address. It
    /// runs there, where its certificates are if it needs some.
    ///
    /// # Errors
    /// When it does not build, or its address is not found in it.
    pub fn first_at(
        &self,
        moved: &Moved,
        language: Language,
        half: &str,
        folder: &Path,
    ) -> Result<Command> {
        match language {
            Language::Rust => {
                let program = build(self.name, Profile::Debug)?
                    .join(format!("first-{half}"))
                    .with_extension(std::env::consts::EXE_EXTENSION);
                let copy = folder.join(program.file_name().unwrap_or_default());
                let mut bytes = fs::read(&program)
                    .with_context(|| format!("read {}", program.display()))?;
                let found = moved.in_bytes(&mut bytes);
                ensure!(found > 0, "first-{half} has no {:?}", moved.from);
                // With the permissions of the original: it may be executed.
                fs::copy(&program, &copy)?;
                fs::write(&copy, bytes)?;
                sign(&copy)?;
                let mut command = Command::new(copy);
                command.current_dir(folder);
                Ok(command)
            }
            Language::Node => {
                let script = self.folder().join(format!("first/{half}.js"));
                let text = fs::read_to_string(&script)
                    .with_context(|| format!("read {}", script.display()))?;
                let copy = folder.join(format!("{half}.mjs"));
                fs::write(&copy, moved.in_text(&text))?;
                #[cfg(unix)]
                if let Some(packages) = self.packages() {
                    let there = folder.join("node_modules");
                    if !there.exists() {
                        let here = packages.join("node_modules");
                        std::os::unix::fs::symlink(here, there)?;
                    }
                }
                let mut node = Command::new("node");
                node.arg(copy).current_dir(folder);
                Ok(node)
            }
        }
    }
}

/// Apple's processors run no program whose signature has become wrong.
#[cfg(target_os = "macos")]
fn sign(program: &Path) -> Result<()> {
    let mut codesign = Command::new("codesign");
    let signed = codesign.args(["--force", "--sign", "-"]).arg(program);
    ensure!(signed.output()?.status.success(), "codesign failed");
    Ok(())
}

#[cfg(not(target_os = "macos"))]
#[allow(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
fn sign(_: &Path) -> Result<()> {
    Ok(())
}

/// A port with so many digits at which nobody listens over TCP or UDP.
fn free_port(digits: usize) -> Result<u16> {
    ensure!((4..=5).contains(&digits), "a port of {digits} digits");
    let range = if digits == 4 {
        1024..10_000
    } else {
        10_000..60_000
    };
    for _ in 0..1000 {
        let port = range.start + (random() % range.len() as u64) as u16;
        let address = ("127.0.0.1", port);
        if let (Ok(_), Ok(_)) =
            (TcpListener::bind(address), UdpSocket::bind(address))
        {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port with {digits} digits")
}

fn random_name(length: usize) -> String {
    let letter = |_| char::from(b'a' + (random() % 26) as u8);
    (0..length).map(letter).collect()
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
