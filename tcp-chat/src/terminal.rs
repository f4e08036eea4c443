//! What the user types, and what the user sees.
//!
//! Where both stdin and stdout are a terminal, there is a line editor with a
//! history, and lines that arrive are shown above the line being typed.
//! Elsewhere bytes go through as they are.
//!
//! The keyboard is read on a thread of its own. Not by `tokio::io::stdin()`:
//! its read cannot be taken back, so the program would not end before Enter.

#[cfg(unix)]
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::log;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor, ExternalPrinter};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What stands before the line being typed.
const PROMPT: &str = "> ";

/// How many lines may wait to be shown; then less is read from the server.
const WAITING: usize = 256;

/// How long the editor may take to show the last lines.
const DRAW_TIMEOUT: Duration = Duration::from_millis(300);

/// What the user types.
#[derive(Debug)]
pub struct Input {
    pieces: mpsc::Receiver<Vec<u8>>,
    /// Cancelled when a person has typed Ctrl-D, and so leaves.
    leave: Option<CancellationToken>,
}

impl Input {
    /// The next bytes; `None` at the end, which is Ctrl-D in the editor.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let piece = self.pieces.recv().await;
        if let (None, Some(leave)) = (&piece, &self.leave) {
            leave.cancel();
        }
        piece
    }
}

/// What the user sees. Dropped, it gives the terminal back as it was.
#[derive(Debug)]
pub struct Screen(Option<Printer>);

/// The thread that hands lines to the editor, which may keep it waiting.
#[derive(Debug)]
struct Printer {
    lines: mpsc::Sender<String>,
    /// Closed when the last line has been shown and the editor has ended.
    ended: std::sync::mpsc::Receiver<()>,
    /// The editor has the terminal, and has changed its modes.
    editing: Arc<AtomicBool>,
    #[cfg(unix)]
    terminal: std::os::fd::OwnedFd,
    #[cfg(unix)]
    modes: rustix::termios::Termios,
}

/// Begins to read what is typed. In the editor, where Ctrl-C is a key like any
/// other, it cancels `stop`; so does Ctrl-D, once all that was typed is sent.
pub fn open(stop: &CancellationToken) -> (Input, Screen) {
    let editor = (io::stdin().is_terminal() && io::stdout().is_terminal())
        .then(|| edit(stop.clone()))
        .and_then(io::Result::ok);
    editor.unwrap_or_else(|| (pass_through(), Screen(None)))
}

/// Reads a pipe or a file, or a terminal that no editor works with.
fn pass_through() -> Input {
    let (sender, pieces) = mpsc::channel(1);
    thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = io::stdin().read(&mut buffer) {
            if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    Input {
        pieces,
        leave: None,
    }
}

fn edit(stop: CancellationToken) -> io::Result<(Input, Screen)> {
    #[cfg(unix)]
    let terminal = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    #[cfg(unix)]
    let modes = rustix::termios::tcgetattr(&terminal)?;
    let config = Config::builder().auto_add_history(true).build();
    let mut editor = Editor::<(), DefaultHistory>::with_config(config)
        .map_err(io::Error::other)?;
    let printer = editor.create_external_printer().map_err(io::Error::other)?;

    let leave = stop.clone();
    let editing = Arc::new(AtomicBool::new(true));
    let (typed, pieces) = mpsc::channel(1);
    let reading = Arc::clone(&editing);
    let (alive, ended) = std::sync::mpsc::channel::<()>();
    let showing = alive.clone();
    thread::spawn(move || {
        let _alive = alive;
        loop {
            match editor.readline(PROMPT) {
                Ok(line) => {
                    let line = format!("{line}\n");
                    if typed.blocking_send(line.into()).is_err() {
                        break;
                    }
                }
                Err(ReadlineError::Eof) => break,
                Err(ReadlineError::Interrupted) => {
                    stop.cancel();
                    break;
                }
                // One wrong byte, and rustyline gives up the line.
                Err(ReadlineError::Io(error))
                    if error.kind() == ErrorKind::InvalidData =>
                {
                    log::line("(not sent: what was typed is not UTF-8)");
                }
                Err(error) => {
                    log::error(format_args!("read the keyboard: {error}"));
                    stop.cancel();
                    break;
                }
            }
        }
        // Each time it returns, readline() has given the terminal back.
        reading.store(false, Ordering::SeqCst);
    });

    let (lines, waiting) = mpsc::channel(WAITING);
    thread::spawn(move || {
        let _showing = showing;
        // It fails when the editor has ended before.
        let _ = show(waiting, printer);
    });
    let input = Input {
        pieces,
        leave: Some(leave),
    };
    let printer = Printer {
        lines,
        ended,
        editing,
        #[cfg(unix)]
        terminal,
        #[cfg(unix)]
        modes,
    };
    Ok((input, Screen(Some(printer))))
}

/// Shows lines above the one being typed, until there will be no more.
fn show(
    mut lines: mpsc::Receiver<String>,
    mut printer: impl ExternalPrinter,
) -> rustyline::Result<()> {
    while let Some(mut text) = lines.blocking_recv() {
        // Lines that have come together are drawn together.
        while let Ok(next) = lines.try_recv() {
            text.push_str(&next);
        }
        printer.print(text)?;
    }
    // A text is drawn some time after print() has taken it; but print()
    // takes one only when the one before the last has been drawn. So wait
    // for two that show nothing: one line up, one line down.
    const NOTHING: &str = "\x1bM\n";
    printer.print(NOTHING.to_owned())?;
    printer.print(NOTHING.to_owned())?;
    // A read of the keyboard cannot be taken back. But the editor reads stdin
    // again after each text: from now on it is at its end there, and leaves.
    #[cfg(unix)]
    if let Ok(nothing) = File::open("/dev/null") {
        rustix::stdio::dup2_stdin(nothing).map_err(io::Error::from)?;
    }
    printer.print(NOTHING.to_owned())
}

impl Screen {
    /// Shows a line. Waits while the editor is busy with something else.
    pub async fn show(&self, text: impl std::fmt::Display) {
        match &self.0 {
            None => log::line(text),
            Some(printer) => {
                let _ = printer.lines.send(format!("{text}\n")).await;
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let Some(printer) = self.0.take() else {
            return;
        };
        drop(printer.lines);
        let _ = printer.ended.recv_timeout(DRAW_TIMEOUT);
        // The editor could not give back a terminal that it no longer has.
        #[cfg(unix)]
        let _ = rustix::termios::tcsetattr(
            &printer.terminal,
            rustix::termios::OptionalActions::Drain,
            &printer.modes,
        );
        if printer.editing.load(Ordering::SeqCst) {
            let _ = writeln!(io::stdout());
        }
    }
}
