//! A test: its name, what it needs, what it does.

use std::env;
use std::fs::{self, File};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use crate::{Language, cargo, root, target};
use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::{Arguments, Completion, Trial};

/// One promise.
pub struct Test {
    name: String,
    needs: Vec<Need>,
    long: bool,
    run: Box<dyn FnOnce() -> Result<()> + Send>,
}

/// What a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A program that is found on PATH, and its option that does nothing.
    Program(&'static str, &'static str),
    /// Signals, Unix sockets, file modes.
    Unix,
    /// Node, and what is in this folder's package-lock.json: a lesson, mostly.
    /// It is fetched from npm where it is absent.
    Packages(&'static str),
    /// What a project apart from the workspace is built of: the name of its
    /// folder in `target/projects`, and the lines of its `[dependencies]`.
    Crates(&'static str, &'static str),
    /// A Redis that a test can start for itself.
    Redis,
    /// A RabbitMQ that a test can start for itself.
    RabbitMq,
    /// A broker with Kafka's protocol that a test can start for itself.
    Kafka,
    /// `/proc`, where memory and processor time are read.
    Proc,
}

/// Node, for the twins.
pub const NODE: Need = Need::Program("node", "--version");
/// curl, a client that we did not write.
pub const CURL: Need = Need::Program("curl", "--version");
/// netcat, in the variant of OpenBSD.
pub const NC: Need = Need::Program("nc", "-h");
/// socat.
pub const SOCAT: Need = Need::Program("socat", "-V");

impl Need {
    /// What is quick to see is looked at first, and npm asked last.
    fn cost(self) -> u8 {
        match self {
            Self::Unix | Self::Proc => 0,
            Self::Program(..) | Self::Redis | Self::RabbitMq | Self::Kafka => 1,
            Self::Packages(_) | Self::Crates(..) => 2,
        }
    }

    /// Why it is not here, if it is not.
    fn missing(self) -> Option<String> {
        match self {
            Self::Program(name, option) => {
                let found = Command::new(name)
                    .arg(option)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status();
                found.err().map(|error| format!("needs {name}: {error}"))
            }
            Self::Packages(lesson) => NODE.missing().or_else(|| {
                let error = npm_ci(lesson).err()?;
                Some(format!("needs npm packages: {error:#}"))
            }),
            Self::Crates(name, dependencies) => fetch(name, dependencies)
                .err()
                .map(|error| format!("needs crates: {error:#}")),
            Self::Redis => {
                crate::redis::missing().map(|why| format!("needs Redis: {why}"))
            }
            Self::RabbitMq => crate::rabbit::missing()
                .map(|why| format!("needs RabbitMQ: {why}")),
            Self::Kafka => {
                crate::kafka::missing().map(|why| format!("needs Kafka: {why}"))
            }
            Self::Unix => (!cfg!(unix)).then(|| {
                "needs a Unix: its signals, sockets and file modes".to_owned()
            }),
            Self::Proc => (!cfg!(target_os = "linux"))
                .then(|| "needs Linux's /proc".to_owned()),
        }
    }
}

/// The folder of a project apart from the workspace, which stays for the next
/// run: its `src/bin` is for the test to write.
pub fn project(name: &str) -> PathBuf {
    target().join("projects").join(name)
}

/// Writes the project's manifest, and has cargo get its dependencies.
fn fetch(name: &str, dependencies: &str) -> Result<()> {
    let folder = project(name);
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n\
         [dependencies]\n{dependencies}\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    let mut cargo = cargo();
    cargo.args(["fetch", "--quiet"]).current_dir(folder);
    let output = cargo.stdin(Stdio::null()).output().context("run cargo")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let why = stderr.lines().next().unwrap_or("cargo fetch failed");
    ensure!(output.status.success(), "{why}");
    Ok(())
}

/// Runs `npm ci` in a folder of the workspace, once; tests of other
/// processes wait meanwhile, and then find the packages there.
fn npm_ci(lesson: &str) -> Result<()> {
    static FAILED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
    let folder = root().join(lesson);
    let locked = folder.join("package-lock.json").is_file();
    ensure!(locked, "it has no package-lock.json");
    // npm writes it last.
    let done = folder.join("node_modules/.package-lock.json");
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, why)) = failed.iter().find(|(name, _)| name == lesson) {
        bail!("{why}");
    }
    let target = target();
    std::fs::create_dir_all(&target)?;
    let lock = File::create(
        target.join(format!("npm-{}.lock", lesson.replace('/', "-"))),
    )?;
    lock.lock().context("wait for another npm")?;
    if done.is_file() {
        return Ok(());
    }
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output();
    let why = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let error = |line: &&str| line.starts_with("npm error");
            let line = stderr.lines().find(error).unwrap_or("npm ci failed");
            line.to_owned()
        }
        Err(error) => format!("npm: {error}"),
    };
    failed.push((lesson.to_owned(), why.clone()));
    bail!("{why}")
}

/// A test that needs nothing but the workspace.
pub fn test(
    name: impl Into<String>,
    run: impl FnOnce() -> Result<()> + Send + 'static,
) -> Test {
    Test {
        name: name.into(),
        needs: Vec::new(),
        long: false,
        run: Box::new(run),
    }
}

/// The same promise, once of the Rust half and once of its Node twin.
pub fn both(
    name: &str,
    run: impl Fn(Language) -> Result<()> + Clone + Send + 'static,
) -> [Test; 2] {
    let twin = run.clone();
    [
        test(format!("{name}::rust"), move || run(Language::Rust)),
        test(format!("{name}::node"), move || twin(Language::Node)).needs(NODE),
    ]
}

impl Test {
    /// It is ignored, with the reason, where `need` is not met.
    pub fn needs(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// It takes half a minute: it begins before the others, so that it is
    /// not what all wait for in the end.
    pub fn long(mut self) -> Self {
        self.long = true;
        self
    }

    /// Puts the lesson's name in front.
    pub fn of(mut self, lesson: &str) -> Self {
        self.name = format!("{lesson}::{}", self.name);
        self
    }

    fn into_trial(self) -> Trial {
        let Self {
            name,
            mut needs,
            run,
            ..
        } = self;
        needs.sort_by_key(|need| need.cost());
        Trial::ignorable_test(name, move || {
            let missing = needs.into_iter().find_map(Need::missing);
            match missing {
                Some(why) if require_all() => {
                    Err(format!("{why}, and REQUIRE_ALL is set").into())
                }
                Some(why) => Ok(Completion::ignored_with(why)),
                None => run()
                    .map(|()| Completion::Completed)
                    .map_err(|error| format!("{error:#}").into()),
            }
        })
    }
}

/// CI sets it: there, nothing may be missing.
fn require_all() -> bool {
    static SET: OnceLock<bool> = OnceLock::new();
    *SET.get_or_init(|| {
        env::var_os("REQUIRE_ALL").is_some_and(|value| value != "0")
    })
}

/// Runs the tests as `cargo test` and nextest expect it.
pub fn run_tests(tests: impl IntoIterator<Item = Vec<Test>>) -> ExitCode {
    raise_descriptor_limit();
    let mut tests: Vec<Test> = tests.into_iter().flatten().collect();
    tests.sort_by_key(|test| !test.long);
    let trials = tests.into_iter().map(Test::into_trial).collect();
    let mut arguments = Arguments::from_args();
    // More at once than there are cores: most of the time a test waits, for a
    // timeout to pass, for a broker to start.
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    arguments.test_threads.get_or_insert(3 * cores);
    let conclusion = libtest_mimic::run(&arguments, trials);
    crate::rabbit::end_shared();
    conclusion.exit_code()
}

/// Thousands of clients need as many descriptors, here and in the servers,
/// which inherit the limit.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum.map(|most| most.min(20_000));
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
