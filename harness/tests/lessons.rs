//! Every promise of every lesson, kept by the programs that readers run.
//!
//!     cargo test --workspace
//!     cargo test --workspace tcp-echo::          # one lesson
//!     cargo test --workspace matrix::            # every pairing
//!     REQUIRE_ALL=1 cargo test --workspace       # nothing may be ignored
//!
//! A lesson's tests stand in its own folder. They are compiled here, because
//! a test target in a lesson would make cargo build its programs over those
//! of the other lessons.

mod check;
mod echo;
mod half;
mod matrix;
mod peer;
#[cfg(unix)]
mod redis;
mod server;
#[cfg(unix)]
mod terminal;
mod tour;
mod workspace;

#[cfg(unix)]
#[path = "../../fork-ipc/tests/fork_ipc.rs"]
mod fork_ipc;
#[cfg(unix)]
#[path = "../../redis-pubsub/tests/redis_pubsub.rs"]
mod redis_pubsub;
#[path = "../../tcp-echo/tests/tcp_echo.rs"]
mod tcp_echo;

#[path = "../../pipe-echo/tests/pipe_echo.rs"]
mod pipe_echo;

#[path = "../../stdio-ipc/tests/stdio_ipc.rs"]
mod stdio_ipc;

#[path = "../../http-echo/tests/http_echo.rs"]
mod http_echo;

#[path = "../../tcp-chat/tests/tcp_chat.rs"]
mod tcp_chat;

fn main() -> anyhow::Result<()> {
    check::raise_descriptor_limit();
    // One line each, so that two lessons can be added at the same time.
    #[rustfmt::skip]
    let tests = [
        workspace::tests()?,
        matrix::tests()?,
        half::tests(),
        tour::tests(),
        tcp_echo::tests(),
        pipe_echo::tests(),
        stdio_ipc::tests(),
        #[cfg(unix)]
        fork_ipc::tests(),
        #[cfg(unix)]
        redis_pubsub::tests(),
        http_echo::tests(),
        tcp_chat::tests(),
    ];
    check::run(tests.into_iter().flatten())
}
