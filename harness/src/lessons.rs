//! The lessons, and how a pair of halves is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::build::{Profile, as_from_a_shell, build, root};
use crate::{rabbit, redis};

/// What a half is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `src/bin/*.rs`
    Rust,
    /// `node/*.js`
    Node,
}

/// How the two halves of a lesson find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `server` and `client`, at `HOST:PORT`.
    Tcp,
    /// `server` and `client`, at `HOST:PORT` of UDP.
    Udp,
    /// `server` and `client`, at `HOST:PORT`; the client says what comes on
    /// its stdin.
    Chat,
    /// `server` at `HOST:PORT` and `client` at a URL.
    Http {
        /// `http`, or `https` where both need `--certs FOLDER`.
        scheme: &'static str,
        /// What the URL has after `HOST:PORT`.
        path: &'static str,
    },
    /// `server` and `client`, at a path.
    Pipe,
    /// `parent` starts `child`.
    Family {
        /// What the child's own lines begin with, where it prints them to
        /// the stdout that it has from its parent.
        child_lines: Option<&'static str>,
        /// Whom `--every` and `--count` are for, when the parent is told
        /// which program to start. To its own child it hands them on.
        paced: &'static str,
        /// Whether a Rust parent can have a Node child, and the reverse.
        mixed: bool,
    },
    /// Two halves that know nothing of each other: what stands between them
    /// is a server that we did not write.
    Broker {
        /// The half that receives, which is started first and says
        /// `listening on ...`, and the one that sends.
        halves: [&'static str; 2],
        /// What stands between them.
        server: Server,
    },
    /// Two programs that end by themselves and do not meet: each shows what
    /// happens within one process.
    Solo([&'static str; 2]),
}

/// A server that we did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Both halves take `--redis URL`.
    Redis,
    /// Both halves take `--amqp URL`.
    RabbitMq,
}

/// One lesson.
#[derive(Debug)]
pub struct Lesson {
    /// The package's and the folder's name.
    pub name: &'static str,
    /// How its halves find each other.
    pub shape: Shape,
    /// One sentence on what is to be seen.
    pub watch: &'static str,
    /// What the line begins with that shows that one exchange is complete,
    /// and what such exchanges are called.
    pub exchange: (&'static str, &'static str),
}

/// Every lesson, cheapest to build first.
pub static LESSONS: &[Lesson] = &[
    Lesson {
        name: "tcp-echo",
        shape: Shape::Tcp,
        watch: "What the client sends over TCP, the server sends back.",
        exchange: ("receive: ", "echoes"),
    },
    Lesson {
        name: "pipe-echo",
        shape: Shape::Pipe,
        watch: "The same echo, through a file that is no file.",
        exchange: ("receive: ", "echoes"),
    },
    Lesson {
        name: "stdio-ipc",
        shape: Shape::Family {
            child_lines: None,
            paced: "parent",
            mixed: true,
        },
        watch: "A parent writes to its child's stdin and reads its stdout.",
        exchange: ("Received from child: Hello", "answers"),
    },
    // On Windows, the channel is another one: see the lesson's README.
    #[cfg(unix)]
    Lesson {
        name: "fork-ipc",
        shape: Shape::Family {
            child_lines: Some("message from parent"),
            paced: "child",
            mixed: true,
        },
        watch: "A parent and the child it started send each other messages.",
        exchange: ("message from child: ", "messages"),
    },
    Lesson {
        name: "http-echo",
        shape: Shape::Http {
            scheme: "http",
            path: "/hello",
        },
        watch: "The client asks for /hello over HTTP; that is the answer.",
        exchange: ("statusCode: ", "answers"),
    },
    Lesson {
        name: "https-echo",
        shape: Shape::Http {
            scheme: "https",
            path: "/hello",
        },
        watch: "The same through TLS, over HTTP/2 and one connection.",
        exchange: ("statusCode: ", "answers"),
    },
    Lesson {
        name: "udp-echo",
        shape: Shape::Udp,
        watch: "Numbered datagrams over UDP: were any lost on the way?",
        exchange: ("receive: ", "echoes"),
    },
    Lesson {
        name: "tcp-chat",
        shape: Shape::Chat,
        watch: "What one client says, all clients hear, in one order.",
        exchange: ("Ada: ", "lines"),
    },
    Lesson {
        name: "event-emitter",
        shape: Shape::Solo(["channels", "emitter"]),
        watch: "Events within one process: channels, and Node's emitter.",
        exchange: ("", "lines"),
    },
    // On Windows, only its threads run.
    #[cfg(unix)]
    Lesson {
        name: "shared-memory",
        shape: Shape::Family {
            child_lines: Some("child: "),
            paced: "parent",
            mixed: false,
        },
        watch: "A parent and its child change one number, \
                and pass messages without the kernel.",
        exchange: ("Received from child: ", "echoes"),
    },
    Lesson {
        name: "redis-pubsub",
        shape: Shape::Broker {
            halves: ["consumer", "producer"],
            server: Server::Redis,
        },
        watch: "What the producer publishes to Redis reaches whoever listens.",
        exchange: ("Received from ", "messages"),
    },
    Lesson {
        name: "work-queue",
        shape: Shape::Broker {
            halves: ["worker", "producer"],
            server: Server::Redis,
        },
        watch: "Each job is kept until a worker says that it is done.",
        exchange: ("done: ", "jobs"),
    },
    Lesson {
        name: "socketio-chat",
        shape: Shape::Http {
            scheme: "http",
            path: "",
        },
        watch: "What one says, all hear: in a terminal, or in a browser.",
        exchange: ("receive: ", "messages"),
    },
];

/// The lessons that have a second pair of halves, for RabbitMQ.
static OVER_RABBITMQ: &[Lesson] = &[Lesson {
    name: "work-queue",
    shape: Shape::Broker {
        halves: ["amqp-worker", "amqp-producer"],
        server: Server::RabbitMq,
    },
    watch: "The same work, and RabbitMQ in Redis' place.",
    exchange: ("done: ", "jobs"),
}];

impl Lesson {
    /// The lesson called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        LESSONS.iter().find(|lesson| lesson.name == name)
    }

    /// The names of its halves; the first one is started first.
    pub fn halves(&self) -> [&'static str; 2] {
        match self.shape {
            Shape::Family { .. } => ["parent", "child"],
            Shape::Broker { halves, .. } => halves,
            Shape::Solo(programs) => programs,
            Shape::Tcp
            | Shape::Udp
            | Shape::Chat
            | Shape::Http { .. }
            | Shape::Pipe => ["server", "client"],
        }
    }

    /// Which languages the halves can have, the first one first.
    pub fn pairings(&self) -> &'static [[Language; 2]] {
        use Language::{Node, Rust};
        match self.shape {
            Shape::Family { mixed: false, .. } | Shape::Solo(_) => {
                &[[Rust, Rust], [Node, Node]]
            }
            _ => &[[Rust, Rust], [Rust, Node], [Node, Rust], [Node, Node]],
        }
    }

    /// The pairing whose second half is written in `second`; the first one
    /// in Rust where that is possible.
    pub fn pairing_with(&self, second: Language) -> [Language; 2] {
        let mut pairings = self.pairings().iter();
        let found = pairings.find(|pairing| pairing[1] == second);
        found.copied().unwrap_or([Language::Rust, second])
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
        let mut command = self.half(parent, "parent")?;
        if parent == child {
            command.args(arguments);
            return Ok(command);
        }
        let for_child =
            matches!(self.shape, Shape::Family { paced: "child", .. });
        let child = self.half(child, "child")?;
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
        match self.shape {
            Shape::Tcp | Shape::Udp | Shape::Chat | Shape::Http { .. } => {
                Some("127.0.0.1:0".to_owned())
            }
            Shape::Pipe if cfg!(windows) => Some(format!(
                r"\\.\pipe\lesson-{}",
                folder.file_name().unwrap_or_default().display()
            )),
            Shape::Pipe => {
                Some(folder.join("lesson.sock").display().to_string())
            }
            Shape::Family { .. } | Shape::Broker { .. } | Shape::Solo(_) => {
                None
            }
        }
    }

    /// The flag for certificates in `folder`, where the halves need some. A
    /// server makes them there at its first start.
    pub fn certs(&self, folder: &Path) -> Vec<String> {
        match self.shape {
            Shape::Http {
                scheme: "https", ..
            } => {
                let certs = folder.join("target").join(self.name);
                vec!["--certs".to_owned(), certs.display().to_string()]
            }
            _ => Vec::new(),
        }
    }

    /// The server between its halves, where there is one.
    pub fn server(&self) -> Option<Server> {
        match self.shape {
            Shape::Broker { server, .. } => Some(server),
            _ => None,
        }
    }

    /// Its other pair of halves, for RabbitMQ.
    pub fn over_rabbitmq(&self) -> Option<&'static Self> {
        OVER_RABBITMQ.iter().find(|lesson| lesson.name == self.name)
    }

    /// What it needs and this machine has not, with what to do about it;
    /// when its second half is written in `second`.
    pub fn missing(&self, second: Language) -> Option<String> {
        let server = match self.server() {
            Some(Server::Redis) => redis::missing(),
            Some(Server::RabbitMq) => rabbit::missing(),
            None => None,
        };
        server.or_else(|| self.missing_packages(second))
    }

    fn missing_packages(&self, second: Language) -> Option<String> {
        if second == Language::Rust {
            return None;
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
        [self.folder(), self.folder().join("node")]
            .into_iter()
            .find(|folder| folder.join("package-lock.json").is_file())
    }

    /// What the client is told, for a server that said `listening on
    /// ADDRESS`.
    pub fn target(&self, address: &str) -> String {
        match self.shape {
            Shape::Http { scheme, path } => {
                format!("{scheme}://{address}{path}")
            }
            _ => address.to_owned(),
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
