//! Who talks in a terminal, and where.

use anyhow::Result;
use common::log;
use serde_json::{Value, json};
use tokio::time;

use crate::session::{Heard, Pause, Refusal, Session};
use crate::show;

/// A member of the chat.
#[derive(clap::Args, Clone, Debug)]
pub struct Member {
    /// What the others call you
    #[arg(long, default_value = "somebody")]
    name: String,

    /// A room to join, and to talk in; without it, you talk to everybody
    #[arg(long)]
    room: Option<String>,

    /// Show the server's notifications of the time too
    #[arg(long)]
    time: bool,
}

impl Member {
    /// Comes in, and joins the room.
    ///
    /// Each time: with a connection, a server forgets in which rooms its
    /// client was.
    ///
    /// # Errors
    /// When there is no server at `url`, and when it refuses.
    pub async fn enter(&self, url: &str) -> Result<Session> {
        let who = json!({ "name": self.name });
        let mut session = Session::open(url, &who).await?;
        log::line("connected.");
        loop {
            match session.next().await? {
                Heard::Event(event, data) => {
                    self.show(&event, &data);
                    match &self.room {
                        _ if event != "greeting" => {}
                        Some(room) => session.emit("join room", room).await?,
                        None => return Ok(session),
                    }
                }
                Heard::Answer(answer) => {
                    let room = self.room.as_deref().unwrap_or_default();
                    show::joined(room, &answer)?;
                    return Ok(session);
                }
            }
        }
    }

    /// Comes in again, and tries until it works.
    ///
    /// The pauses grow, and are not the same for all: a thousand clients must
    /// not come back at the same moment.
    ///
    /// # Errors
    /// When it is refused, now that there is a server.
    pub async fn enter_again(&self, url: &str) -> Result<Session> {
        let mut pause = Pause::default();
        loop {
            time::sleep(pause.grow()).await;
            match self.enter(url).await {
                Err(error) if !error.is::<Refusal>() => {} // still away
                entered => return entered,
            }
        }
    }

    /// Says something: in the room, or to all.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn say(&self, text: &str, session: &mut Session) -> Result<()> {
        match &self.room {
            Some(room) => {
                let said = json!({ "room": room, "text": text });
                session.emit("message", said).await
            }
            None => session.emit("chat message", text).await,
        }
    }

    /// Shows an event, if it is for people.
    pub fn show(&self, event: &str, data: &Value) {
        if event != "notification" || self.time {
            show::event(event, data);
        }
    }
}
