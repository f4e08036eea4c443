//! How a client shows what it receives.
//!
//! Another server's data may be of any type: what does not fit is `?`.

use anyhow::{Error, Result};
use common::log;
use serde_json::Value;

use crate::session::Refusal;

/// What shows an event, if it is for people; the notification only if asked
/// for.
pub fn events(shows_time: bool) -> impl Fn(&str, &Value) {
    move |event, data| show(event, data, shows_time)
}

fn show(event: &str, data: &Value, shows_time: bool) {
    let text = |field: &str| log::shown(data[field].as_str().unwrap_or("?"));
    let room = |before: &str| match &data["room"] {
        Value::String(room) => format!("{before}{}", log::shown(room)),
        _ => String::new(),
    };
    let name = text("name");
    match event {
        "greeting" => log::line(format_args!("greeting: {}", text("text"))),
        "chat message" | "message" => {
            let (room, text) = (room(" in "), text("text"));
            log::line(format_args!("receive: {name}{room}: {text}"));
        }
        "joined" | "left" => {
            log::line(format_args!("* {name} {event}{}", room(" ")));
        }
        "notification" if shows_time => {
            let time = data["time"].as_u64().map(clock);
            let time = time.as_deref().unwrap_or("?");
            log::line(format_args!("notification: {time}"));
        }
        _ => {}
    }
}

/// Shows the acknowledgement of a message.
pub fn answer(answer: &Value) {
    match answer["error"].as_str() {
        Some(why) => log::line(format_args!("refused: {}", log::shown(why))),
        None => log::line("acknowledged."),
    }
}

/// Shows who is in the room.
///
/// # Errors
/// When we are not let in.
pub fn joined(room: &str, answer: &Value) -> Result<()> {
    if let Some(why) = answer["error"].as_str() {
        return Err(Error::new(Refusal::new(why)).context("join the room"));
    }
    let here: Vec<&str> = answer["here"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let here = here.join(", ");
    let room = log::shown(room);
    log::line(format_args!("in {room}: {}", log::shown(&here)));
    Ok(())
}

/// A time of day, of milliseconds since 1970.
fn clock(time: u64) -> String {
    let seconds = time / 1000;
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02} UTC", seconds % 60)
}
