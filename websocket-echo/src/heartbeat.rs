//! Receives, with a heartbeat: notices a peer that is frozen or unreachable.
//! Node twin: `node/heartbeat.js`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Receives the next message: text, bytes, or the Close frame that ends the
/// connection, which is answered. After a silence of `heartbeat`, pings the
/// other side: anything that arrives then is a sign of life.
///
/// May be dropped while it waits, as `select!` does: nothing that has arrived
/// is lost.
///
/// # Errors
/// When nothing arrives for `heartbeat` after a ping; when the connection is
/// lost; and when the other side breaks the protocol or a limit.
pub async fn receive<S>(
    socket: &mut WebSocketStream<S>,
    heartbeat: Duration,
) -> Result<Message>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut is_pinged = false;
    loop {
        let received = timeout(heartbeat, socket.try_next()).await;
        let Ok(received) = received else {
            ensure!(!is_pinged, "no pong");
            is_pinged = true;
            let ping = socket.send(Message::Ping(Bytes::new()));
            timeout(heartbeat, ping).await.context("no pong")??;
            continue;
        };
        is_pinged = false;
        match received?.context("the connection is closed")? {
            Message::Ping(_) | Message::Pong(_) => {} // tungstenite answers
            Message::Close(frame) => {
                // The answer, a Close frame with the same code, is waiting to
                // be sent.
                let _ = timeout(heartbeat, socket.flush()).await;
                return Ok(Message::Close(frame));
            }
            message => return Ok(message),
        }
    }
}
