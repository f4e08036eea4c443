//! When a client cannot be taken.

use std::io;
use std::time::Duration;

use tokio::time;

use crate::log;

/// Says why, and waits a tenth of a second.
///
/// Either this client is already gone, or no file descriptor is left just
/// now. Neither is a reason to turn the others away, nor to try again so
/// soon that the connections which could end get no turn.
pub async fn failed(error: io::Error) {
    log::error(format_args!("accept: {error}"));
    time::sleep(Duration::from_millis(100)).await;
}
