//! Shared memory. The bench cannot take part in it, so the programs measure
//! themselves: the lesson's program `time` is for that.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::{Exit, Half};

use super::start::command;
use super::transport::{Peer, Program, Start, Transport};
use crate::load::exchange::{Exchange, Wrong, text};
use crate::sample::{Figures, Measure, What, what};

/// Two processes that have the same memory.
pub(super) struct Memory;

impl Transport for Memory {
    fn name(&self) -> &'static str {
        "shared-memory"
    }

    fn title(&self) -> &'static str {
        "shared memory"
    }

    fn measures(&self, quick: bool) -> Vec<What> {
        let sizes: &[usize] = match quick {
            true => &[5, 1 << 10],
            false => &[5, 1 << 10, 64 << 10],
        };
        let trips = sizes.iter().map(|size| what(Measure::RoundTrip, *size));
        trips.collect()
    }

    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        Exchange::echo(text(size, turn))
    }

    fn start(&self, _: &Program, _: Start<'_>) -> Result<Peer> {
        bail!("a parent of shared memory has its own child only")
    }

    fn own_clock(
        &self,
        program: &Program,
        size: usize,
        length: Duration,
    ) -> Result<Option<Figures>> {
        // A round trip takes from 1 to 60 µs; one of 64 KiB, 100. Enough of
        // them that the median is not one of those before Node has compiled.
        let each = 10 + size as u128 / 700;
        let count = (length.as_micros() / each).clamp(10_000, 200_000);
        let count = count.to_string();
        let message = String::from_utf8(text(size, 0))?;
        let mut command = command(self, program, "time", "")?;
        command.args(["--count", &count, "--message", &message]);
        let mut half = Half::start(&mut command)?;
        let exit = half.wait()?;
        ensure!(
            exit == Exit::Code(0),
            Wrong(format!("it failed: {}", half.stderr().join("; ")))
        );
        half.stdout()
            .iter()
            .find_map(|line| parsed(line))
            .with_context(|| format!("it said {:?}", half.stdout()))
            .map(Some)
    }
}

/// `1000 round trips: min 1.20 µs, median 1.50 µs, p99 3.10 µs, p99.9 ...`.
fn parsed(line: &str) -> Option<Figures> {
    let (count, figures) = line.split_once(" round trips: ")?;
    let figure = |name: &str| {
        let (_, rest) = figures.split_once(name)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Some(Figures {
        messages: count.parse().ok(),
        min: figure("min "),
        median: Some(figure("median ")?),
        p99: figure("p99 "),
        p999: figure("p99.9 "),
        ..Figures::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lessons_own_figures_are_understood() {
        let line = "1000 round trips: min 1.20 µs, median 1.50 µs, p99 3.10 µs, \
             p99.9 12.00 µs";
        let figures = parsed(line).unwrap();
        assert_eq!(figures.messages, Some(1000));
        assert_eq!(figures.median, Some(1.5));
        assert_eq!(figures.p999, Some(12.0));
        assert_eq!(figures.p99, Some(3.1));
        assert_eq!(parsed("value before: 0").map(|_| ()), None);
    }
}
