//! The file of a server that no longer runs. Node twin: `node/stale-file.js`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::{fs::FileTypeExt, net::UnixDatagram};
use std::path::Path;

use anyhow::{Result, bail};

/// Removes the file of a server that was killed. Deletes nothing else.
///
/// # Errors
/// When a server listens there, or the file is something else.
pub fn remove_stale_file(path: &Path) -> Result<()> {
    let Ok(file) = fs::symlink_metadata(path) else {
        return Ok(()); // nothing is there
    };
    if !file.file_type().is_socket() {
        bail!("it is not a socket, and is left alone");
    }
    // Does a server still listen there? If not, connecting is refused. If one
    // does, connecting fails in another way, because this is a datagram socket
    // and the server's is a stream socket; so the server does not notice.
    match UnixDatagram::unbound()?.connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(error.into()) // another user's: we cannot know
        }
        _ => bail!("another server is listening there"),
    }
}
