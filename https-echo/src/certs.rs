//! Certificates that are good for trying HTTPS on one computer, and for
//! nothing else.
//!
//! A certificate authority (CA) signs one server certificate, the leaf; then
//! its key is thrown away, so that nobody can sign another one with it.
//! Clients are told to trust this CA, and check everything as they always do.
//!
//! A folder holds `ca.pem`, which clients need, and for the server `leaf.pem`
//! and `leaf-key.pem`, which nobody else may read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

/// Where they are, unless another folder is given.
pub const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/https-echo");

/// How many days they are valid, unless told otherwise.
pub const DAYS: i64 = 90;

/// The names and addresses that the leaf is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes certificates in `folder`, unless they are there.
///
/// # Errors
/// When the folder is there without them, or cannot be made.
pub fn make_if_missing(folder: &Path) -> Result<()> {
    let is_there = || folder.join("ca.pem").is_file();
    if is_there() {
        return Ok(());
    }
    match make_new(folder, DAYS) {
        // Another server made them at the same time.
        Err(_) if is_there() => Ok(()),
        made => made,
    }
}

/// Makes certificates in `folder`, valid for `days` from now on, in place of
/// those that are there. A negative number makes some that have expired.
///
/// # Errors
/// When the folder holds something else, or cannot be made.
pub fn make(folder: &Path, days: i64) -> Result<()> {
    if folder.join("ca.pem").is_file() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("remove {}", folder.display()))?;
    }
    make_new(folder, days)
}

/// Makes them beside the folder first, and moves them there: all at once or
/// not at all.
fn make_new(folder: &Path, days: i64) -> Result<()> {
    let shown = folder.display();
    ensure!(!folder.exists(), "{shown} holds no certificates");
    // Without a slash at its end.
    let folder: PathBuf = folder.components().collect();
    let aside = folder.with_added_extension(std::process::id().to_string());
    let made = fill(&aside, days)
        .and_then(|()| fs::rename(&aside, &folder).map_err(Into::into));
    let _ = fs::remove_dir_all(&aside); // where it did not succeed
    made.with_context(|| format!("make certificates in {shown}"))
}

fn fill(folder: &Path, days: i64) -> Result<()> {
    create_folder(folder)?;

    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate()?;
    // A name of its own: a client that trusts another one is then told that
    // the CA is unknown, not that the signature is wrong.
    let id = key.public_key_raw().iter().rev().take(4);
    let id: String = id.map(|byte| format!("{byte:02x}")).collect();
    name(&mut params, &format!("https-echo throw-away CA {id}"), days);
    let ca = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);

    let mut params = CertificateParams::new(NAMES.map(String::from))?;
    name(&mut params, "https-echo", days);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, &issuer)?;

    write(&folder.join("leaf.pem"), &leaf.pem(), 0o644)?;
    write(&folder.join("leaf-key.pem"), &key.serialize_pem(), 0o600)?;
    write(&folder.join("ca.pem"), &ca.pem(), 0o644)?;
    Ok(())
}

fn name(params: &mut CertificateParams, name: &str, days: i64) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    params.distinguished_name.push(DnType::CommonName, name);
    let days_off = u32::try_from(days.unsigned_abs()).unwrap_or(u32::MAX);
    let off = DAY.saturating_mul(days_off.min(36_500));
    let now = SystemTime::now();
    let end = if days < 0 { now - off } else { now + off };
    // Valid since yesterday: the client's clock may be a little slow.
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
