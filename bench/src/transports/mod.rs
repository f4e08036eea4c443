//! The transports: for each, how its programs are started and how the load
//! connects to them. To add one, write a module and list it in [`all`].

mod broker;
mod chat;
mod child;
mod events;
pub mod floor;
mod nginx;
mod shared;
mod socket;
mod socketio;
mod start;
mod transport;
mod websocket;

pub use start::{PROFILE, floor_program};
pub use transport::{Peer, Program, Start, Transport};

/// Every transport, in the order of the table.
pub fn all() -> Vec<&'static dyn Transport> {
    let mut all = socket::all();
    all.extend(child::all());
    all.push(&shared::Memory);
    all.push(&socket::CHAT);
    all.push(&socketio::SocketIo);
    all.push(&events::Events);
    all.extend(broker::all());
    all
}

/// A transport and who takes part.
pub type Entry = (&'static dyn Transport, Vec<Program>);

/// The short name of a lesson's transport.
pub fn title(lesson: &str) -> &str {
    let all = all();
    let found = all.iter().find(|transport| transport.name() == lesson);
    found.map_or(lesson, |transport| transport.title())
}
