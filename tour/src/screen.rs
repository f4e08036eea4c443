//! What the tour prints, and its early end.

use std::fmt::Display;
use std::io::Write;
use std::sync::OnceLock;

/// Why nothing more is shown: the status to end with.
static ENDED: OnceLock<u8> = OnceLock::new();

/// Prints one line. Where nobody reads any more (`cargo run | head`), the
/// tour and its lessons end quietly.
pub fn line(text: impl Display) {
    if ended().is_none()
        && writeln!(std::io::stdout().lock(), "{text}").is_err()
    {
        end(0);
    }
}

/// Ends all that runs, and shows nothing more. The tour notices, removes its
/// files and ends with `status`.
pub fn end(status: u8) {
    let _ = ENDED.set(status);
    harness::end_all();
}

/// The status to end with, when it is to end early.
pub fn ended() -> Option<u8> {
    ENDED.get().copied()
}
