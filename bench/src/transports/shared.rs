//! Shared memory. The bench cannot take part in it, so the programs measure
//! themselves: the lesson's program `time` is for that.

use std::env;
use std::ffi::c_void;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Stdio;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::{Exit, Half};
use hdrhistogram::Histogram;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::futex;

use super::start::{command, floor};
use super::transport::{Peer, Program, Start, Transport};
use crate::load::exchange::{Exchange, Wrong, text};
use crate::sample::{Figures, Measure, What};

/// How the floor tells its child where the memory is.
const MEMORY: &str = "BENCH_MEMORY";

/// How often the floor looks before it sleeps, where it has two cores.
const LOOKS: u32 = 2000;

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
        let what = |size| What {
            measure: Measure::RoundTrip,
            size,
        };
        let mut all = [5, 1 << 10].map(what).to_vec();
        if !quick {
            all.push(what(64 << 10));
        }
        all
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
        let mut command = command(self, program, "time", "memory")?;
        match program {
            Program::Floor => command.arg(format!("{count} {size}")),
            _ => command.args(["--count", &count]),
        };
        if *program != Program::Floor {
            command.args(["--message", &message]);
        }
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

/// The floor: a message that two processes copy in and out of their memory in
/// turns, each asleep while it is the other's turn. `what` is how often and how
/// many bytes for the parent, nothing for the child.
///
/// # Errors
/// An error of the kernel, or when a wrong byte comes back.
pub(crate) fn ping_pong(what: &str) -> Result<()> {
    let Some((count, size)) = what.split_once(' ') else {
        return pong();
    };
    let message = text(size.parse()?, 0);
    let memory = memfd_create("bench", MemfdFlags::CLOEXEC)?;
    ftruncate(&memory, (PAGE + message.len()) as u64)?;
    let page = Page::map(&memory, message.len())?;
    fcntl_setfd(&memory, FdFlags::empty())?;
    let mut child = floor("memory")?
        .env(MEMORY, format!("{} {size}", memory.as_raw_fd()))
        .stdin(Stdio::null())
        .spawn()?;
    let looks = looks();
    let mut echo = vec![0; message.len()];
    let mut trips = Histogram::<u64>::new_with_bounds(1, 1 << 40, 3)?;
    for turn in 0..count.parse::<u32>()? {
        let began = Instant::now();
        page.write(&message);
        wake(page.number, 2 * turn + 1)?;
        wait_for(page.number, 2 * turn + 2, looks)?;
        page.read(&mut echo);
        trips.saturating_record(began.elapsed().as_nanos() as u64);
        ensure!(echo == message, "this is not what was sent");
    }
    child.kill()?;
    child.wait()?;
    let at = |part| trips.value_at_quantile(part) as f64 / 1e3;
    let line = format!(
        "{count} round trips: min {:.3} µs, median {:.3} µs, p99 {:.3} µs, \
         p99.9 {:.3} µs\n",
        trips.min() as f64 / 1e3,
        at(0.5),
        at(0.99),
        at(0.999)
    );
    use std::io::Write as _;
    Ok(std::io::stdout().write_all(line.as_bytes())?)
}

fn pong() -> Result<()> {
    // Asleep in a futex, it would not notice that its parent is gone.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let memory = env::var(MEMORY).context("no memory")?;
    let (number, size) = memory.split_once(' ').context("no size")?;
    // SAFETY: the parent left this descriptor open for this process alone.
    let memory = unsafe { OwnedFd::from_raw_fd(number.parse()?) };
    let mut message = vec![0; size.parse()?];
    let page = Page::map(&memory, message.len())?;
    let looks = looks();
    for turn in 0.. {
        wait_for(page.number, 2 * turn + 1, looks)?;
        page.read(&mut message);
        page.write(&message);
        wake(page.number, 2 * turn + 2)?;
    }
    Ok(())
}

/// How far behind the number the message begins.
const PAGE: usize = 4096;

/// What both processes have: whose turn it is, and a message.
struct Page {
    number: &'static AtomicU32,
    message: *mut u8,
    size: usize,
}

impl Page {
    fn map(memory: &OwnedFd, size: usize) -> Result<Self> {
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses where, so nothing else is there; and it
        // is never unmapped.
        let place = unsafe {
            mmap(
                ptr::null_mut::<c_void>(),
                PAGE + size,
                both,
                MapFlags::SHARED,
                memory,
                0,
            )
        }?;
        Ok(Self {
            // SAFETY: it begins at a page, and both processes use its first
            // bytes as an atomic number only.
            number: unsafe { AtomicU32::from_ptr(place.cast()) },
            // SAFETY: so much was mapped.
            message: unsafe { place.cast::<u8>().add(PAGE) },
            size,
        })
    }

    /// Only while it is our turn, as `number` says.
    fn write(&self, message: &[u8]) {
        let size = self.size.min(message.len());
        // SAFETY: `size` bytes were mapped, and while it is our turn the other
        // process leaves them alone.
        unsafe { self.message.copy_from(message.as_ptr(), size) };
    }

    /// Only while it is our turn, as `number` says.
    fn read(&self, message: &mut [u8]) {
        let size = self.size.min(message.len());
        // SAFETY: as above.
        unsafe { self.message.copy_to(message.as_mut_ptr(), size) };
    }
}

/// On one core, looking again and again keeps the other one from running.
fn looks() -> u32 {
    match std::thread::available_parallelism() {
        Ok(cores) if cores.get() > 1 => LOOKS,
        _ => 0,
    }
}

fn wake(number: &AtomicU32, value: u32) -> Result<()> {
    number.store(value, Ordering::Release);
    futex::wake(number, futex::Flags::empty(), 1)?;
    Ok(())
}

fn wait_for(number: &AtomicU32, value: u32, looks: u32) -> Result<()> {
    for _ in 0..looks {
        if number.load(Ordering::Acquire) == value {
            return Ok(());
        }
        std::hint::spin_loop();
    }
    loop {
        let now = number.load(Ordering::Acquire);
        if now == value {
            return Ok(());
        }
        // Changed meanwhile, or interrupted: look again.
        let _ = futex::wait(number, futex::Flags::empty(), now, None);
    }
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
