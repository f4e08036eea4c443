//! Chat client for a terminal: says what you type, shows what others say.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p socketio-chat --bin client
//!     cargo run -p socketio-chat --bin client -- --name Ada --room lobby
//!
//! Try this: stop the server while the client runs, and start it again.

use anyhow::Result;
use clap::Parser;
use common::{log, shutdown};
use socketio_chat::member::Member;
use socketio_chat::session::{self, Heard, Session};
use socketio_chat::show;
use socketio_chat::texts::{self, Texts};

/// Says what you type in a chat, and shows what the others say.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "http://127.0.0.1:3000")]
    url: String,

    #[command(flatten)]
    me: Member,

    #[command(flatten)]
    texts: texts::Choice,

    #[command(flatten)]
    quiet: log::Quiet,
}

const ADVICE: &str =
    "start the server first: cargo run -p socketio-chat --bin server";

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let (url, me) = (&args.url, &args.me);

    // 1. Connect, and come in. The first time, it is an error when nobody is
    //    there: then no server was started.
    let mut session = shutdown::or_exit(me.enter(url))
        .await
        .map_err(|error| session::advise(error, url, ADVICE))?;

    // 2. Talk, until all is said or Ctrl-C.
    let stop = shutdown::token();
    let mut texts = Texts::new(args.texts);
    let mut outcome = Ok(());
    while talk(&mut session, me, &mut texts).await.is_err() {
        // 4. The connection is lost, and with it what was on its way: in the
        //    end, that is a failure. Try to come in again, unless we were
        //    about to leave.
        log::line("disconnected: trying again");
        outcome = outcome.and(session.all_answered());
        if texts.ended() {
            return Ok(outcome?);
        }
        let again = stop.run_until_cancelled(me.enter_again(url)).await;
        let Some(again) = again else {
            return Ok(outcome?);
        };
        session = again.map_err(|error| session::advise(error, url, ADVICE))?;
    }

    // 5. All is said and answered: leave.
    session.leave().await;
    log::line("disconnected.");
    Ok(outcome?)
}

/// 3. Says and hears at once. An error means that the connection is lost.
async fn talk(
    session: &mut Session,
    me: &Member,
    texts: &mut Texts,
) -> Result<()> {
    // The server answers each text, and we stay until the last answer.
    while !texts.ended() || session.unanswered() > 0 {
        tokio::select! {
            heard = session.next() => match heard? {
                Heard::Event(event, data) => me.show(&event, &data),
                Heard::Answer(answer) => show::answer(&answer),
            },
            text = texts.next(), if !texts.ended() => {
                let Some(text) = text else { continue };
                log::line(format_args!("send: {}", log::shown(&text)));
                me.say(&text, session).await?;
            }
        }
    }
    Ok(())
}
