//! One running program: its output line by line, its end, its memory.
//!
//! Whatever happens, also when a test panics, the program and all that it
//! started are gone when its [`Half`] is dropped.

use std::collections::BTreeSet;
use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use shared_child::SharedChild;

/// How long anything may take before it counts as hung, unless another limit
/// is given. Generous, as a dozen other programs may want the same two cores.
pub const LIMIT: Duration = Duration::from_secs(180);

/// Which of the two outputs a line was printed on.
#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// What one can send to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// As Ctrl-C does.
    Interrupt,
    /// As `kill` does.
    Terminate,
    /// As `kill -9` does: the program cannot know.
    Kill,
    /// As Ctrl-Z does, but the program cannot refuse.
    Freeze,
    /// As `fg` does.
    Thaw,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal, which it did not handle.
    Signal(i32),
}

/// The programs that run now, by process id; none once no more may start.
static RUNNING: Mutex<Option<BTreeSet<u32>>> =
    Mutex::new(Some(BTreeSet::new()));

/// Ends every program that was started and all that these have started, for
/// a process that is about to end without dropping anything. From then on
/// nothing starts: another thread may be about to.
pub fn end_all() {
    let running = running().take().unwrap_or_default();
    running.into_iter().for_each(end_group);
}

fn running() -> MutexGuard<'static, Option<BTreeSet<u32>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a program is, by PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Asks a program to say where in its source each line is printed. Only those
/// that know our process id as their parent's do so: not their own children,
/// whose lines may be read by others.
pub fn ask_for_places(command: &mut Command) -> &mut Command {
    command.env("LOG_PLACES", std::process::id().to_string())
}

/// The place that a program was asked for, `server.rs:41`, and the line.
pub fn placed(line: &str) -> (Option<&str>, &str) {
    let marked = line.strip_prefix('\u{1f}');
    match marked.and_then(|rest| rest.split_once('\u{1f}')) {
        Some((place, text)) => (Some(place), text),
        None => (None, line),
    }
}

/// Sends signals to a program that another thread waits for.
#[derive(Clone)]
pub struct Remote {
    child: Arc<SharedChild>,
}

impl Remote {
    /// As [`Half::signal`].
    ///
    /// # Errors
    /// As [`Half::signal`].
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        send(&self.child, signal)
    }

    /// Sends a signal to the first child that the program has started. Only
    /// on Linux, which says which that is.
    ///
    /// # Errors
    /// When there is none.
    pub fn signal_child(&self, signal: Signal) -> io::Result<()> {
        let child = first_child(self.child.id());
        let child = child.ok_or(io::ErrorKind::NotFound)?;
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal as Number, kill_process};
            let number = Number::from_named_raw(signal.number());
            let pid = Pid::from_raw(child as i32).zip(number);
            let (pid, number) = pid.ok_or(io::ErrorKind::InvalidInput)?;
            Ok(kill_process(pid, number)?)
        }
        #[cfg(not(unix))]
        {
            let _ = (child, signal);
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// Ends the program and all that it has started.
    pub fn end(&self) {
        end_group(self.child.id());
        let _ = self.child.kill();
    }
}

/// The process that this one has started first, of those that still run.
fn first_child(id: u32) -> Option<u32> {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).ok()?;
    threads.flatten().find_map(|thread| {
        let path = thread.path().join("children");
        let children = std::fs::read_to_string(path).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

fn send(child: &SharedChild, signal: Signal) -> io::Result<()> {
    #[cfg(unix)]
    {
        use shared_child::unix::SharedChildExt;
        child.send_signal(signal.number())
    }
    #[cfg(windows)]
    {
        let _ = signal;
        child.kill()
    }
}

/// A running program.
pub struct Half {
    child: Arc<SharedChild>,
    output: Arc<Output>,
    /// How long anything may take before it counts as hung.
    limit: Duration,
}

/// What has been printed so far, with a bell that rings at each change.
#[derive(Default)]
struct Output {
    printed: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Default)]
struct Printed {
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// How many of the outputs have ended.
    ended: usize,
}

impl Half {
    /// Starts `command`.
    ///
    /// # Errors
    /// With the program's name, when it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let half = Self::spawn(Self::piped(command))?;
        if let Some(stdout) = half.child.take_stdout() {
            half.read(Stream::Stdout, stdout, |_| {});
        }
        if let Some(stderr) = half.child.take_stderr() {
            half.read(Stream::Stderr, stderr, |_| {});
        }
        Ok(half)
    }

    /// Starts `command`, and has `on_line` called for each line at the moment
    /// it is printed, from a thread of its own. There is one pipe for both
    /// outputs: so a line on stderr arrives where it stands among those on
    /// stdout. All of them count as stdout's.
    ///
    /// # Errors
    /// As [`Half::start`].
    pub fn start_together(
        command: &mut Command,
        on_line: impl Fn(&str) + Send + 'static,
    ) -> Result<Self> {
        let (output, input) = io::pipe()?;
        command.stdout(input.try_clone()?).stderr(input);
        let half = Self::spawn(command);
        // The command would hold the pipe open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let half = half?;
        half.output.lock().ended += 1;
        half.read(Stream::Stdout, output, on_line);
        Ok(half)
    }

    /// Starts `command` and hands out the reading end of its stdout: to read
    /// it as bytes, or to close it early.
    ///
    /// # Errors
    /// As [`Half::start`].
    pub fn start_with_stdout(
        command: &mut Command,
    ) -> Result<(Self, ChildStdout)> {
        let half = Self::spawn(Self::piped(command))?;
        let stdout = half.child.take_stdout().context("no stdout")?;
        half.output.lock().ended += 1;
        if let Some(stderr) = half.child.take_stderr() {
            half.read(Stream::Stderr, stderr, |_| {});
        }
        Ok((half, stdout))
    }

    /// With a time limit of your own for all that is waited for.
    pub fn limited(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn piped(command: &mut Command) -> &mut Command {
        command.stdout(Stdio::piped()).stderr(Stdio::piped())
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped());
        #[cfg(unix)]
        {
            // A group of its own, so that a parent's children can be ended
            // together with it.
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Signal, set_parent_process_death_signal};
            use std::os::unix::process::CommandExt;
            // For when this process is killed and drops nothing.
            let die =
                || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
            // SAFETY: between fork and exec only async-signal-safe calls are
            // allowed. This is one system call, without allocation.
            unsafe { command.pre_exec(die) };
        }
        let mut running = running();
        let running = running.as_mut().context("everything is ending")?;
        let child = spawn_ready(command).with_context(|| {
            format!("start {}", command.get_program().display())
        })?;
        running.insert(child.id());
        Ok(Self {
            child: Arc::new(child),
            output: Arc::default(),
            limit: LIMIT,
        })
    }

    fn read(
        &self,
        stream: Stream,
        from: impl Read + Send + 'static,
        on_line: impl Fn(&str) + Send + 'static,
    ) {
        let output = Arc::clone(&self.output);
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\r', '\n']);
                on_line(text);
                let (_, text) = placed(text);
                output.lock().of(stream).push(text.to_owned());
                output.changed.notify_all();
                line.clear();
            }
            output.lock().ended += 1;
            output.changed.notify_all();
        });
    }

    /// The program's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The writing end of the program's stdin; dropping it closes it.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_stdin(&self) -> Result<ChildStdin> {
        self.child.take_stdin().context("stdin was taken before")
    }

    /// Waits for a line on stdout that begins with `start`, also one that was
    /// printed before, and returns the rest of that line.
    ///
    /// # Errors
    /// When the program ends without it, or after the time limit; with all it
    /// printed.
    pub fn wait_for(&self, start: &str) -> Result<String> {
        let what = format!("a line '{start}...'");
        self.wait_on(&what, self.limit, |printed| {
            let mut lines = printed.stdout.iter();
            let rest = lines.find_map(|line| line.strip_prefix(start))?;
            Some(rest.to_owned())
        })
    }

    /// Waits until `count` lines on stdout begin with `start`.
    ///
    /// # Errors
    /// As [`Half::wait_for`].
    pub fn wait_for_lines(&self, count: usize, start: &str) -> Result<()> {
        let what = format!("{count} lines '{start}...'");
        self.wait_on(&what, self.limit, |printed| {
            let lines = printed.stdout.iter();
            let found = lines.filter(|line| line.starts_with(start));
            (found.count() >= count).then_some(())
        })
    }

    /// Waits until the lines on stdout satisfy `found`.
    ///
    /// # Errors
    /// As [`Half::wait_for`]; `what` names it in the message.
    pub fn wait_until<T>(
        &self,
        what: &str,
        found: impl Fn(&[String]) -> Option<T>,
    ) -> Result<T> {
        self.wait_on(what, self.limit, |printed| found(&printed.stdout))
    }

    /// Waits for a line on stderr that contains `text`, and returns it.
    ///
    /// # Errors
    /// As [`Half::wait_for`].
    pub fn wait_for_error(&self, text: &str) -> Result<String> {
        let what = format!("'{text}' on stderr");
        self.wait_on(&what, self.limit, |printed| {
            let mut lines = printed.stderr.iter();
            lines.find(|line| line.contains(text)).cloned()
        })
    }

    fn wait_on<T>(
        &self,
        what: &str,
        limit: Duration,
        found: impl Fn(&Printed) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut printed = self.output.lock();
        loop {
            if let Some(found) = found(&printed) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let why = match () {
                () if printed.ended == 2 => "the program ended without it",
                () if left.is_zero() => "it took too long",
                () => {
                    printed = self
                        .output
                        .changed
                        .wait_timeout(printed, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    continue;
                }
            };
            bail!(
                "waited for {what}: {why}\n--- stdout\n{}\n--- stderr\n{}",
                printed.stdout.join("\n"),
                printed.stderr.join("\n")
            );
        }
    }

    /// The lines on stdout so far.
    pub fn stdout(&self) -> Vec<String> {
        self.output.lock().stdout.clone()
    }

    /// The lines on stderr so far.
    pub fn stderr(&self) -> Vec<String> {
        self.output.lock().stderr.clone()
    }

    /// Sends a signal to the program, not to its children. On Windows each
    /// one ends it at once.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        send(&self.child, signal)
    }

    /// For another thread, which sends it signals.
    pub fn remote(&self) -> Remote {
        Remote {
            child: Arc::clone(&self.child),
        }
    }

    /// Waits for the program's end and for the last of its output.
    ///
    /// # Errors
    /// After the time limit; with all that it printed.
    pub fn wait(&mut self) -> Result<Exit> {
        self.wait_at_most(self.limit)
    }

    /// As [`Half::wait`], with a time limit of your own.
    ///
    /// # Errors
    /// As [`Half::wait`].
    pub fn wait_at_most(&mut self, limit: Duration) -> Result<Exit> {
        let status = self.child.wait_timeout(limit)?.ok_or_else(|| {
            let printed = self.output.lock();
            anyhow!(
                "still running after {limit:?}\n--- stdout\n{}\n--- stderr\n{}",
                printed.stdout.join("\n"),
                printed.stderr.join("\n")
            )
        })?;
        // Whatever it started has the same outputs, and ends them last.
        self.wait_on("the end of its output", limit, |printed| {
            (printed.ended == 2).then_some(())
        })
        .context("did a process outlive the one that started it?")?;
        Ok(Exit::from(status))
    }

    /// Sends `signal` and waits for the program's end. One that is ended on
    /// Windows cannot say how it would have ended: its status is 0.
    ///
    /// # Errors
    /// As [`Half::wait`].
    pub fn stop(&mut self, signal: Signal) -> Result<Exit> {
        self.signal(signal).context("send a signal")?;
        let exit = self.wait()?;
        Ok(if cfg!(windows) { Exit::Code(0) } else { exit })
    }

    /// The most memory that the program has had resident so far, in bytes.
    /// Only while it runs, and only on Linux.
    pub fn peak_memory(&self) -> Option<u64> {
        // Not getrusage(): on Linux its figure survives exec(), and so
        // begins with the memory of the process that forked.
        status_field(self.id(), "VmHWM:").map(|kib| kib * 1024)
    }

    /// Processor time that the program has used so far. Only on Linux.
    pub fn cpu_time(&self) -> Option<Duration> {
        cpu_time(self.id())
    }
}

/// Starts a program that may just have been written: a process that another
/// thread has forked at that moment has it open for writing until it execs.
fn spawn_ready(command: &mut Command) -> io::Result<SharedChild> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match SharedChild::spawn(command) {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        end_group(self.id());
        let _ = self.child.kill();
        running().as_mut().map(|running| running.remove(&self.id()));
        let _ = self.child.wait();
    }
}

/// Ends a program and all that it has started and that is in its group.
fn end_group(id: u32) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        if let Some(group) = Pid::from_raw(id as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    #[cfg(windows)]
    let _ = id; // a console's Ctrl-C reaches all of them
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Printed {
    fn of(&mut self, stream: Stream) -> &mut Vec<String> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

impl Signal {
    /// Its number. That of some differs from one Unix to the other.
    #[cfg(unix)]
    fn number(self) -> i32 {
        use rustix::process::Signal;
        match self {
            Self::Interrupt => Signal::INT,
            Self::Terminate => Signal::TERM,
            Self::Kill => Signal::KILL,
            Self::Freeze => Signal::STOP,
            Self::Thaw => Signal::CONT,
        }
        .as_raw()
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        #[cfg(unix)]
        if let Some(signal) =
            std::os::unix::process::ExitStatusExt::signal(&status)
        {
            return Self::Signal(signal);
        }
        Self::Code(status.code().unwrap_or(-1))
    }
}

/// A field of `/proc/PID/status`, as a number.
fn status_field(id: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time that the process has used so far. Only on Linux.
pub fn cpu_time(id: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is a name in parentheses; utime and stime are
    // fields 14 and 15, in ticks of 10 ms.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}
