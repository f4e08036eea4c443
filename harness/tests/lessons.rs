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
mod random;
mod redis;
mod relay;
mod server;
#[cfg(unix)]
mod terminal;
mod tour;
mod workspace;

#[path = "../../tcp-echo/tests/tcp_echo.rs"]
mod tcp_echo;

#[path = "../../http-echo/tests/http_echo.rs"]
mod http_echo;

#[path = "../../pipe-echo/tests/pipe_echo.rs"]
mod pipe_echo;

#[cfg(unix)]
#[path = "../../fork-ipc/tests/fork_ipc.rs"]
mod fork_ipc;

#[path = "../../stdio-ipc/tests/stdio_ipc.rs"]
mod stdio_ipc;

#[path = "../../udp-echo/tests/udp_echo.rs"]
mod udp_echo;

#[path = "../../tcp-chat/tests/tcp_chat.rs"]
mod tcp_chat;

#[cfg(unix)]
#[path = "../../shared-memory/tests/shared_memory.rs"]
mod shared_memory;

#[path = "../../event-emitter/tests/event_emitter.rs"]
mod event_emitter;

#[path = "../../redis-pubsub/tests/redis_pubsub.rs"]
mod redis_pubsub;

#[path = "../../work-queue/tests/work_queue.rs"]
mod work_queue;

#[path = "../../socketio-chat/tests/socketio_chat.rs"]
mod socketio_chat;

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
        http_echo::tests(),
        pipe_echo::tests(),
        #[cfg(unix)]
        fork_ipc::tests(),
        stdio_ipc::tests(),
        udp_echo::tests(),
        tcp_chat::tests(),
        #[cfg(unix)]
        shared_memory::tests(),
        event_emitter::tests(),
        redis_pubsub::tests(),
        work_queue::tests(),
        socketio_chat::tests(),
    ];
    check::run(tests.into_iter().flatten())
}
