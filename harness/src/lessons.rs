//! The lessons, and how a pair of halves is started.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::build::{Profile, as_from_a_shell, build, root};
use crate::half::on_path;
use crate::{kafka, rabbit, redis};

/// What a half is written in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// `src/bin/*.rs`
    Rust,
    /// `node/*.js`
    Node,
}

/// How the halves of a lesson find each other.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Meet {
    /// The first one listens at `HOST:PORT`, which the second one is given.
    Tcp,
    /// The same over UDP.
    Udp,
    /// The first one listens at a path, which the second one is given.
    Pipe,
    /// The first one starts the second one.
    Parent,
    /// Both are given `--redis URL`. The first one receives, and says
    /// `listening on ...` when it does.
    Redis,
    /// Both are given `--amqp URL`, otherwise as with Redis.
    RabbitMq,
    /// Both are given `--bootstrap HOST:PORT`, otherwise as with Redis.
    Kafka,
    /// They do not meet: each shows what happens within one process.
    Nobody,
}

/// One lesson, as the file `lesson.toml` in its folder describes it.
#[derive(Debug)]
pub struct Lesson {
    /// The package's and the folder's name.
    pub name: &'static str,
    /// What `lesson.toml` says.
    entry: Entry,
    /// Which languages its halves can have, the first one first.
    pairings: Vec<[Language; 2]>,
    /// The same lesson with other halves.
    also: Option<Box<Lesson>>,
}

/// The fields of `lesson.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Whether it runs on Unix only.
    #[serde(default)]
    unix: bool,
    /// The halves' names, the one that is started first first.
    halves: [String; 2],
    /// The halves that do not exist in both languages, with those in which
    /// they do: `{ primary = ["node"] }`.
    #[serde(default)]
    languages: HashMap<String, Vec<Language>>,
    meet: Meet,
    /// The features of the package that its programs are built with.
    #[serde(default)]
    features: Vec<String>,
    /// What the second half is given, with ADDRESS in place of the address;
    /// without it, the address.
    target: Option<String>,
    /// A flag that gives both halves a folder for certificates, which the
    /// first one makes at its first start.
    certs: Option<String>,
    /// Whether the second half sends what is typed: what comes on its stdin.
    #[serde(default)]
    typed: bool,
    /// Which half `--every` and `--count` are for, when a parent is told
    /// which program to start; to its own child it hands them on. Or else
    /// `server`, where the server sends unasked: its client knows `--count`.
    paced: Option<String>,
    /// Whether a Rust parent can have a Node child, and the reverse.
    mixed: Option<bool>,
    /// What the child's own lines begin with, where it prints them to the
    /// stdout that it has from its parent.
    child_lines: Option<String>,
    /// One sentence on what to look at, for the tour.
    watch: String,
    /// One sentence on what was to be seen, for the tour.
    seen: String,
    /// What the line begins with that shows that one exchange is complete,
    /// and what such exchanges are called.
    exchange: [String; 2],
    /// `[half, cause, effect]`: a line of this half that begins with `cause`
    /// is the reason for a line of the other one that begins with `effect`.
    #[serde(default)]
    order: Vec<[String; 3]>,
    /// The same lesson with other halves.
    also: Option<Box<Entry>>,
}

impl Entry {
    fn languages(&self, half: &str) -> &[Language] {
        let only = self.languages.get(half);
        only.map_or(&[Language::Rust, Language::Node], Vec::as_slice)
    }

    fn pairings(&self) -> Vec<[Language; 2]> {
        use Language::{Node, Rust};
        let [first, second] =
            self.halves.each_ref().map(|half| self.languages(half));
        let mixed = self.mixed.unwrap_or(self.meet != Meet::Nobody);
        [[Rust, Rust], [Rust, Node], [Node, Rust], [Node, Node]]
            .into_iter()
            .filter(|[one, other]| mixed || one == other)
            .filter(|[one, _]| first.contains(one))
            .filter(|[_, other]| second.contains(other))
            .collect()
    }
}

/// Every lesson, in the order of the members in the root `Cargo.toml`.
pub static LESSONS: LazyLock<Vec<Lesson>> = LazyLock::new(|| {
    read_all().unwrap_or_else(|error| {
        eprintln!("read the lessons: {error:#}");
        std::process::exit(2)
    })
});

fn read_all() -> Result<Vec<Lesson>> {
    #[derive(Deserialize)]
    struct Manifest {
        workspace: Workspace,
    }
    #[derive(Deserialize)]
    struct Workspace {
        members: Vec<String>,
    }
    let manifest: Manifest = read(&root().join("Cargo.toml"))?;
    let mut lessons = Vec::new();
    for member in manifest.workspace.members {
        let path = root().join(&member).join("lesson.toml");
        if path.is_file() {
            let entry: Entry = read(&path)?;
            if cfg!(unix) || !entry.unix {
                lessons.push(Lesson::new(member.leak(), entry));
            }
        }
    }
    Ok(lessons)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

impl Lesson {
    fn new(name: &'static str, mut entry: Entry) -> Self {
        let also = entry.also.take();
        Self {
            name,
            pairings: entry.pairings(),
            entry,
            also: also.map(|entry| Box::new(Self::new(name, *entry))),
        }
    }

    /// The lesson called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        LESSONS.iter().find(|lesson| lesson.name == name)
    }

    /// The same lesson with other halves.
    pub fn also(&self) -> Option<&Self> {
        self.also.as_deref()
    }

    /// The names of its halves; the first one is started first.
    pub fn halves(&self) -> [&str; 2] {
        self.entry.halves.each_ref().map(String::as_str)
    }

    /// How its halves find each other.
    pub fn meet(&self) -> Meet {
        self.entry.meet
    }

    /// The features of the package that its programs are built with.
    pub fn features(&self) -> &[String] {
        &self.entry.features
    }

    /// Whether its second half sends what is typed.
    pub fn is_typed(&self) -> bool {
        self.entry.typed
    }

    /// What the child's own lines begin with, where they are among the
    /// parent's.
    pub fn child_lines(&self) -> Option<&str> {
        self.entry.child_lines.as_deref()
    }

    /// Which half printed a line that came from `half`: a child may share its
    /// parent's terminal.
    pub fn speaker(&self, half: usize, line: &str) -> usize {
        match self.child_lines() {
            Some(start) if line.starts_with(start) => 1,
            _ => half,
        }
    }

    /// Whether a parent knows `--every` and `--count`, for itself or its child.
    pub fn is_parent_paced(&self) -> bool {
        self.meet() == Meet::Parent && self.entry.paced.is_some()
    }

    /// Whether the server sets the pace: its client has no `--every`.
    pub fn server_sets_pace(&self) -> bool {
        self.entry.paced.as_deref() == Some("server")
    }

    /// One sentence on what to look at.
    pub fn watch(&self) -> &str {
        &self.entry.watch
    }

    /// One sentence on what was to be seen.
    pub fn seen(&self) -> &str {
        &self.entry.seen
    }

    /// What the line begins with that shows that one exchange is complete,
    /// and what such exchanges are called.
    pub fn exchange(&self) -> [&str; 2] {
        self.entry.exchange.each_ref().map(String::as_str)
    }

    /// `(half, cause, effect)`: a line of this half that begins with `cause`
    /// is the reason for a line of the other one that begins with `effect`.
    pub(crate) fn order(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        self.entry.order.iter().map(|[half, cause, effect]| {
            let half = usize::from(*half == self.entry.halves[1]);
            (half, cause.as_str(), effect.as_str())
        })
    }

    /// Which languages the halves can have, the first one first.
    pub fn pairings(&self) -> &[[Language; 2]] {
        &self.pairings
    }

    /// What a half is written in: in both languages, mostly.
    pub fn languages(&self, half: &str) -> &[Language] {
        self.entry.languages(half)
    }

    /// The pairing whose second half is written in `second`; the first one
    /// in Rust where that is possible.
    pub fn pairing_with(&self, second: Language) -> [Language; 2] {
        let mut pairings = self.pairings().iter();
        let found = pairings.find(|pairing| pairing[1] == second);
        found.copied().unwrap_or([Language::Rust, second])
    }

    /// What a reader types to run a half without arguments.
    pub fn typed(&self, language: Language, half: &str) -> String {
        let name = self.name;
        if language == Language::Node {
            return format!("node {name}/node/{half}.js");
        }
        let features = self.features().iter();
        let features: String = features
            .map(|feature| format!(" --features {feature}"))
            .collect();
        format!("cargo run -p {name} --bin {half}{features}")
    }

    /// The lesson's folder.
    pub fn folder(&self) -> PathBuf {
        root().join(self.name)
    }

    /// The command that runs one half, without arguments. Builds it first
    /// where that is needed.
    ///
    /// # Errors
    /// When it does not build.
    pub fn half(&self, language: Language, half: &str) -> Result<Command> {
        program(self.name, language, half, Profile::Debug)
    }

    /// The command that runs a parent which starts its own executable again,
    /// or else the child in the other language.
    ///
    /// # Errors
    /// When one of them does not build.
    pub fn parent(
        &self,
        parent: Language,
        child: Language,
        arguments: &[&str],
    ) -> Result<Command> {
        let [first, second] = self.halves();
        let mut command = self.half(parent, first)?;
        if parent == child {
            command.args(arguments);
            return Ok(command);
        }
        let for_child = self.entry.paced.as_deref() == Some("child");
        let child = self.half(child, second)?;
        if !for_child {
            command.args(arguments);
        }
        command
            .arg("--")
            .arg(child.get_program())
            .args(child.get_args());
        if for_child {
            command.args(arguments);
        }
        Ok(command)
    }

    /// Where the first half is to listen so that no two tests meet: a port
    /// that the system chooses, or a pipe in `folder`. `None` where neither
    /// half listens.
    pub fn free_address(&self, folder: &Path) -> Option<String> {
        match self.meet() {
            Meet::Tcp | Meet::Udp => Some("127.0.0.1:0".to_owned()),
            Meet::Pipe if cfg!(windows) => Some(format!(
                r"\\.\pipe\lesson-{}",
                folder.file_name().unwrap_or_default().display()
            )),
            Meet::Pipe => {
                Some(folder.join("lesson.sock").display().to_string())
            }
            Meet::Parent
            | Meet::Redis
            | Meet::RabbitMq
            | Meet::Kafka
            | Meet::Nobody => None,
        }
    }

    /// The flag for certificates in `folder`, where the halves need some.
    pub fn certs(&self, folder: &Path) -> Vec<String> {
        let certs = folder.join("target").join(self.name);
        match &self.entry.certs {
            Some(flag) => vec![flag.clone(), certs.display().to_string()],
            None => Vec::new(),
        }
    }

    /// Is there a server between its halves that we did not write?
    pub fn has_broker(&self) -> bool {
        matches!(self.meet(), Meet::Redis | Meet::RabbitMq | Meet::Kafka)
    }

    /// What it needs and this machine has not, with what to do about it;
    /// when its second half is written in `second`.
    pub fn missing(&self, second: Language) -> Option<String> {
        let server = match self.meet() {
            Meet::Redis => redis::missing(),
            Meet::RabbitMq => rabbit::missing(),
            Meet::Kafka => kafka::missing(),
            _ => None,
        };
        server.or_else(|| self.missing_for_node(second))
    }

    fn missing_for_node(&self, second: Language) -> Option<String> {
        let [first, second] = self.pairing_with(second);
        if second == Language::Rust {
            let absent = first == Language::Node && on_path("node").is_none();
            return absent.then(|| "node is not on PATH".to_owned());
        }
        let folder = self.packages()?;
        let absent = !folder.join("node_modules").is_dir();
        absent.then(|| {
            let here = folder.strip_prefix(root()).unwrap_or(&folder);
            let here = here.display();
            format!("packages from npm are not here; npm ci --prefix {here}")
        })
    }

    /// Where the packages from npm are that its Node halves need: `npm ci` in
    /// this folder gets them. `None` where they need none.
    pub fn packages(&self) -> Option<PathBuf> {
        let folder = self.folder();
        folder.join("package-lock.json").is_file().then_some(folder)
    }

    /// What the client is told, for a server that said `listening on
    /// ADDRESS`.
    pub fn target(&self, address: &str) -> String {
        match &self.entry.target {
            Some(target) => target.replace("ADDRESS", address),
            None => address.to_owned(),
        }
    }
}

/// The command that runs one half of a lesson, without arguments.
///
/// # Errors
/// When it does not build.
pub fn program(
    lesson: &str,
    language: Language,
    half: &str,
    profile: Profile,
) -> Result<Command> {
    Ok(match language {
        Language::Rust => Command::new(build(lesson, profile)?.join(half)),
        Language::Node => {
            let mut node = Command::new("node");
            let script = root().join(lesson).join("node");
            node.arg(script.join(half).with_extension("js"));
            // https-echo's has its certificates made by a program of Rust.
            as_from_a_shell(&mut node);
            node
        }
    })
}
