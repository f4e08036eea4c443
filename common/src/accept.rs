//! What a server does when `accept` fails.

use std::io;
use std::time::Duration;

use tokio::time;

use crate::log;

/// Reports the error and waits for 100 ms.
///
/// Either the client has already gone, or the process has no file descriptor
/// left (EMFILE). Neither is a reason to end the server. The pause gives other
/// connections the time to close, and keeps the loop from using all of a CPU.
pub async fn back_off(error: io::Error) {
    log::error(format_args!("accept: {error}"));
    time::sleep(Duration::from_millis(100)).await;
}

/// [`back_off`], by its old name. On its way out.
pub async fn failed(error: io::Error) {
    back_off(error).await;
}
