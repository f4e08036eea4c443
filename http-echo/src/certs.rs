//! Certificates that are good for trying HTTPS on one computer, and for
//! nothing else.
//!
//! A certificate authority (CA) signs one server certificate, the leaf; then
//! its key is thrown away, so nobody can sign another one with it. Clients
//! are told to trust this CA, and check everything as they always do.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

/// Whom the leaf is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How long the certificates are good, unless told otherwise.
pub const DAYS: i64 = 90;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The folder with the certificates.
#[derive(Clone, Debug)]
pub struct Certs {
    folder: PathBuf,
}

impl Certs {
    /// In this folder; in the workspace's `target`, if none is given.
    pub fn at(folder: Option<&Path>) -> Self {
        let default =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../target/http-echo-tls");
        let folder = folder.unwrap_or(Path::new(default));
        // Without a slash at its end: `make` puts another folder beside it.
        Self {
            folder: folder.components().collect(),
        }
    }

    /// The CA's certificate, which clients are to trust.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The server's certificate.
    pub fn leaf(&self) -> PathBuf {
        self.folder.join("leaf.pem")
    }

    /// The server's key, which nobody else may read.
    pub fn key(&self) -> PathBuf {
        self.folder.join("leaf-key.pem")
    }

    /// Makes them, good for so many days from now on, unless they are there.
    ///
    /// # Errors
    /// When the folder is there without them, or cannot be made.
    pub fn make(&self, days: i64) -> Result<()> {
        let folder = self.folder.display();
        if self.folder.exists() {
            ensure!(self.ca().is_file(), "{folder} holds no certificates");
            return Ok(());
        }
        // Aside first, so that they are there all at once or not at all, also
        // when two servers start at the same time.
        let aside = format!("{folder}.{}", std::process::id());
        let aside = Self::at(Some(Path::new(&aside)));
        let made = aside.fill(days).and_then(|()| {
            fs::rename(&aside.folder, &self.folder).or_else(|error| {
                self.ca().is_file().then_some(()).ok_or(error.into())
            })
        });
        let _ = fs::remove_dir_all(&aside.folder);
        made.with_context(|| format!("make certificates in {folder}"))
    }

    /// Removes them, if they are there.
    ///
    /// # Errors
    /// When the folder holds something else.
    pub fn remove(&self) -> Result<()> {
        if self.folder.exists() {
            let folder = self.folder.display();
            ensure!(self.ca().is_file(), "{folder} holds no certificates");
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("remove {folder}"))?;
        }
        Ok(())
    }

    fn fill(&self, days: i64) -> Result<()> {
        create_folder(&self.folder)?;

        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let (ca, issuer) = {
            let key = KeyPair::generate()?;
            // A name of its own: who trusts another one is then told that
            // the CA is unknown, not that the signature is wrong.
            let id = key.public_key_raw().iter().rev().take(4);
            let id: String = id.map(|byte| format!("{byte:02x}")).collect();
            name(&mut params, &format!("http-echo throw-away CA {id}"), days);
            let certificate = params.self_signed(&key)?;
            (certificate, Issuer::new(params, key))
        };

        let mut params = CertificateParams::new(NAMES.map(String::from))?;
        name(&mut params, "http-echo", days);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &issuer)?;

        write(&self.leaf(), &leaf.pem(), 0o644)?;
        write(&self.key(), &key.serialize_pem(), 0o600)?;
        write(&self.ca(), &ca.pem(), 0o644)?;
        Ok(())
    }
}

fn name(params: &mut CertificateParams, name: &str, days: i64) {
    params.distinguished_name.push(DnType::CommonName, name);
    let days_off = u32::try_from(days.unsigned_abs()).unwrap_or(u32::MAX);
    let off = DAY.saturating_mul(days_off.min(36_500));
    let now = SystemTime::now();
    let end = if days < 0 { now - off } else { now + off };
    // A clock that is a little slow must not refuse it.
    params.not_before = (now.min(end) - DAY).into();
    params.not_after = end.into();
}

#[cfg(unix)]
fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Writes a new file that has these permissions from its first moment on.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode; // Windows: whatever the folder allows
    options.open(path)?.write_all(text.as_bytes())
}
