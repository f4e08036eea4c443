//! A terminal that a program runs in: we type, and see what a person would.
//!
//! The system makes the terminal (a pty), and an emulator draws what the
//! program writes to it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::LIMIT;
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::dup;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use vt100::{Parser, Screen};

use crate::testing::echo::TWO_SECONDS;

/// Rows and columns: so small that a line can be too long for it.
const SIZE: (u16, u16) = (16, 40);

/// A program in a terminal of its own. It is gone when this is dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The program's side, kept open to ask for its modes.
    inside: File,
    screen: Arc<(Mutex<Parser>, Condvar)>,
}

impl Terminal {
    /// Starts `command` in a small terminal.
    pub fn start(command: &mut Command) -> Result<Self> {
        Self::start_sized(command, SIZE)
    }

    /// Starts `command` in a terminal of so many rows and columns.
    pub fn start_sized(
        command: &mut Command,
        (rows, columns): (u16, u16),
    ) -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        // Not for the program, nor for those that other tests start.
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inside = open(path, flags, Mode::empty())?;
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&inside, size)?;
        let child = command
            .env("TERM", "xterm-256color")
            .stdin(dup(&inside)?)
            .stdout(dup(&inside)?)
            .stderr(dup(&inside)?)
            .spawn()
            .context("start it in a terminal")?;

        let keyboard = File::from(master);
        let mut output = keyboard.try_clone()?;
        let screen = Arc::new((
            Mutex::new(Parser::new(rows, columns, 0)),
            Condvar::new(),
        ));
        let drawn = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = vec![0; 4096];
            // An error: nobody is in the terminal any more.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                lock(&drawn.0).process(&bytes[..length]);
                drawn.1.notify_all();
            }
        });
        Ok(Self {
            child,
            keyboard,
            inside: File::from(inside),
            screen,
        })
    }

    /// Presses these keys.
    pub fn press(&mut self, keys: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.keyboard.write_all(keys.as_ref())?)
    }

    /// Waits until the rows on the screen are these; what is below and at
    /// their right ends empty does not count.
    pub fn shows(&self, rows: &[&str]) -> Result<()> {
        self.shows_until(&format!("{rows:#?}"), |shown| shown == rows)
    }

    /// Waits until the rows on the screen satisfy `found`.
    pub fn shows_until(
        &self,
        what: &str,
        found: impl Fn(&[String]) -> bool,
    ) -> Result<()> {
        self.wait_until(what, |screen| found(&rows(screen)))
    }

    /// Something on the screen has a colour.
    pub fn is_coloured(&self) -> bool {
        let parser = lock(&self.screen.0);
        let (rows, columns) = parser.screen().size();
        let places = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        let mut cells = places.filter_map(|(y, x)| parser.screen().cell(y, x));
        cells.any(|cell| cell.fgcolor() != vt100::Color::Default)
    }

    fn wait_until(
        &self,
        what: &str,
        found: impl Fn(&Screen) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        let mut parser = lock(&self.screen.0);
        while !found(parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let rows = rows(parser.screen()).join("\n");
                bail!("waited for {what}\n--- the screen\n{rows}");
            }
            parser = self
                .screen
                .1
                .wait_timeout(parser, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(())
    }

    /// Waits for the program's end: it must end well, and leave the terminal
    /// so that a shell can go on in it.
    pub fn ends_well(&mut self) -> Result<()> {
        let deadline = Instant::now() + TWO_SECONDS;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        };
        ensure!(status.success(), "{status}");
        let modes = tcgetattr(&self.inside)?.local_modes;
        for mode in [LocalModes::ICANON, LocalModes::ECHO, LocalModes::ISIG] {
            ensure!(modes.contains(mode), "not restored: {modes:?}");
        }
        // A prompt can begin there.
        self.wait_until("the cursor in the first column", |screen| {
            screen.cursor_position().1 == 0
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is to be seen, without the empty end.
fn rows(screen: &Screen) -> Vec<String> {
    let mut rows: Vec<String> = screen
        .rows(0, screen.size().1)
        .map(|row| row.trim_end().to_owned())
        .collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

fn lock(parser: &Mutex<Parser>) -> MutexGuard<'_, Parser> {
    parser.lock().unwrap_or_else(PoisonError::into_inner)
}
