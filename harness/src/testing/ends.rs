//! How a program has to end.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{Exit, Half, Signal};

/// A signal's way, on a machine that has much else to do, included.
pub const TWO_SECONDS: Duration = Duration::from_secs(4);

impl Half {
    /// It ends by itself: with status 0, and with nothing on stderr.
    pub fn succeeds(&mut self) -> Result<()> {
        let exit = self.wait()?;
        let stderr = self.stderr();
        ensure!(exit == Exit::Code(0), "{exit:?}: {stderr:?}");
        ensure!(stderr.is_empty(), "{stderr:?}");
        Ok(())
    }

    /// It ends by itself: with status 1, and with one line on stderr, which
    /// has all of these in it.
    pub fn fails(&mut self, parts: &[&str]) -> Result<()> {
        let exit = self.wait()?;
        let stderr = self.stderr();
        let stdout = self.stdout();
        ensure!(exit == Exit::Code(1), "{exit:?}: {stderr:?} {stdout:?}");
        ensure!(stderr.len() == 1, "not one line: {stderr:?}");
        for part in parts {
            ensure!(stderr[0].contains(part), "no '{part}' in {stderr:?}");
        }
        Ok(())
    }

    /// As [`Half::fails`], before it has printed anything.
    pub fn fails_at_once(&mut self, parts: &[&str]) -> Result<()> {
        self.fails(parts)?;
        ensure!(self.stdout().is_empty(), "{:?}", self.stdout());
        Ok(())
    }

    /// It ends on this signal: in time, and with status 0.
    pub fn ends_on(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let exit = self.wait_at_most(TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", self.stderr());
        Ok(())
    }
}

/// What Ctrl-C and `kill` send.
pub const SIGNALS: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];
