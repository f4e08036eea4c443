//! Closes a connection, or gives it up after an error: with a code that says
//! why. In Node, `ws` does this. Node twin: `node/closing.js`.

use std::time::Duration;

use anyhow::Error;
use common::log;
use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
pub use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

/// How long the other side may take to close, after we have.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Tells the other side why we close, and waits until it closes too, for
/// `CLOSE_TIMEOUT` at most. Returns the code of its Close frame.
pub async fn close<S>(
    socket: &mut WebSocketStream<S>,
    code: CloseCode,
) -> CloseCode
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut answer = CloseCode::Abnormal; // 1006: no Close frame came
    let closing = async {
        let reason = "".into(); // the code says it all
        socket.close(Some(CloseFrame { code, reason })).await?;
        // Messages may come before its Close frame. After an error, no
        // more are read: the loop ends at once.
        while let Some(message) = socket.try_next().await? {
            match message {
                Message::Close(Some(frame)) => answer = frame.code,
                Message::Close(None) => answer = CloseCode::Status, // 1005
                _ => {}
            }
        }
        // A socket that is closed with something unread is reset (RST), and
        // the other side might lose our code. So half-close it, and read on.
        let socket = socket.get_mut();
        socket.shutdown().await?;
        copy(socket, &mut sink()).await?;
        anyhow::Ok(())
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
    answer
}

/// Prints the error that ends a connection, and tells the other side what it
/// did wrong. Returns the code; it is 1006 where nothing is sent, since the
/// connection is lost.
pub async fn give_up<S>(
    socket: &mut WebSocketStream<S>,
    error: Error,
) -> CloseCode
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    log::error(format_args!("socket: {error:#}"));
    let code = code_for(&error);
    if code != CloseCode::Abnormal {
        close(socket, code).await;
    }
    code
}

/// The code that tells the other side what it did wrong.
fn code_for(error: &Error) -> CloseCode {
    use tungstenite::Error::{Capacity, Protocol, Utf8};
    match error.downcast_ref() {
        Some(Capacity(_)) => CloseCode::Size, // 1009
        Some(Utf8(_)) => CloseCode::Invalid,  // 1007
        // The other side was killed.
        Some(Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
            CloseCode::Abnormal // 1006
        }
        Some(Protocol(_)) => CloseCode::Protocol, // 1002
        _ => CloseCode::Abnormal,
    }
}
