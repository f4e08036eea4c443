//! What a client sends: lines that are typed, or one text at a pace.

use std::io::{self, BufRead};
use std::thread;

use common::pace::{Pace, Ticks};
use common::shutdown;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// `--message`, and how often.
#[derive(clap::Args, Clone, Debug)]
pub struct Choice {
    /// Send this at a pace, and not what is typed
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,

    #[command(flatten)]
    pace: Pace,
}

/// What is still to be sent.
#[derive(Debug)]
pub struct Texts(Source);

#[derive(Debug)]
enum Source {
    /// One text, over and over.
    Paced(String, Ticks),
    /// The lines of stdin.
    Typed(mpsc::Receiver<String>, CancellationToken),
}

impl Texts {
    /// `message`, or "hello" where only its number is given; or else what is
    /// typed.
    pub fn new(Choice { message, pace }: &Choice) -> Self {
        if message.is_some() || pace.count().is_some() {
            let message = message.as_deref().unwrap_or("hello").to_owned();
            let ticks = pace.ticks(shutdown::token());
            return Self(Source::Paced(message, ticks));
        }
        let (sender, receiver) = mpsc::channel(1);
        // A plain thread: tokio's stdin would keep the program from ending
        // until somebody presses Enter.
        thread::spawn(move || {
            // Not lines(): that ends at the first line that is not UTF-8.
            let lines = io::stdin().lock().split(b'\n');
            for line in lines.map_while(Result::ok) {
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                let line = String::from_utf8_lossy(line).into_owned();
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        Self(Source::Typed(receiver, shutdown::token()))
    }

    /// Waits for the next one. `None` when that was all, or on Ctrl-C. May
    /// be dropped while it waits; nothing is lost.
    pub async fn next(&mut self) -> Option<String> {
        match &mut self.0 {
            Source::Paced(text, ticks) => {
                ticks.next().await.then(|| text.clone())
            }
            Source::Typed(lines, stop) => loop {
                match stop.run_until_cancelled(lines.recv()).await.flatten() {
                    Some(line) if line.trim().is_empty() => {}
                    line => break line,
                }
            },
        }
    }
}
