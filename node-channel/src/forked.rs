//! A program that was started with a channel.

use std::io;
use std::process::ExitStatus;

#[cfg(unix)]
use tokio::process::Child as Process;

use crate::Channel;
#[cfg(windows)]
use crate::parent::Process;

/// A running program and the channel to it.
#[derive(Debug)]
pub struct Forked {
    /// The channel.
    pub channel: Channel,
    /// The process.
    pub process: Process,
}

impl Forked {
    /// Waits for the program's end. Its last messages may still be in the
    /// channel: receive until `None` first.
    ///
    /// # Errors
    /// When the system refuses to tell how the program has ended.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Disconnects and waits for the program's end. Messages that still arrive
    /// are discarded. Safe to cancel: to kill a program that does not end,
    /// put this under a timeout and call `process.kill()`.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn end(&mut self) -> io::Result<ExitStatus> {
        let Self { channel, process } = self;
        let sender = channel.sender();
        let ended = async {
            // Closed already? Then there is nothing to deliver.
            let _ = sender.disconnect().await;
            process.wait().await
        };
        // A child whose messages nobody receives may not come to reading, and
        // a socket's acknowledgement would not be seen.
        let discarding = async {
            while channel.recv_any().await.is_some() {}
            std::future::pending().await
        };
        tokio::select! {
            status = ended => status,
            never = discarding => never,
        }
    }
}
