//! Stands between a program and its broker: it can fall silent, as a broker
//! that hangs, and break all connections, as one that was killed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::{LIMIT, Meet};
use anyhow::{Context, Result};

use crate::testing::peer::Peer;

/// A way to a broker, over TCP.
pub struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    held: Receiver<()>,
}

#[derive(Default)]
struct State {
    silent: bool,
    cut: bool,
    /// What ends each connection.
    ends: Vec<TcpStream>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    /// To the broker at `url`.
    pub fn to(url: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::default();
        let (hold, held) = mpsc::channel();
        let (url, shared) = (url.to_owned(), Arc::clone(&state));
        thread::spawn(move || {
            while let Ok((program, _)) = listener.accept() {
                let _ = relay(program, &url, &shared, &hold);
            }
        });
        Ok(Self {
            address,
            state,
            held,
        })
    }

    /// The same broker, by this way.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Passes nothing on any more. Returns when the program has said
    /// something, and so waits for an answer that never comes.
    pub fn fall_silent(&self) -> Result<()> {
        lock(&self.state).silent = true;
        let held = self.held.recv_timeout(LIMIT);
        held.context("the program says nothing")
    }

    /// Ends all connections, and each new one at once.
    pub fn cut(&self) {
        let mut state = lock(&self.state);
        state.cut = true;
        for end in state.ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both); // it may have ended
        }
    }

    /// Lets new connections through again.
    pub fn mend(&self) {
        lock(&self.state).cut = false;
    }
}

/// Both directions of one connection, each in a thread of its own.
fn relay(
    mut program: TcpStream,
    url: &str,
    state: &Arc<Mutex<State>>,
    hold: &Sender<()>,
) -> Result<()> {
    program.set_nodelay(true)?;
    {
        let mut state = lock(state);
        if state.cut {
            return Ok(());
        }
        state.ends.push(program.try_clone()?);
    }
    let (scheme, at) = url.split_once("://").context("a URL")?;
    let meet = match scheme {
        "unix" => Meet::Pipe,
        _ => Meet::Tcp,
    };
    let mut broker = Peer::connect(meet, at)?;
    let mut from_broker = broker.try_clone()?;
    let mut to_program = program.try_clone()?;
    let (state, hold) = (Arc::clone(state), hold.clone());
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = program.read(&mut buffer) {
            if lock(&state).silent {
                let _ = hold.send(());
            } else if broker.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = broker.finish(); // and it lets go of what it had given out
    });
    thread::spawn(move || {
        let _ = io::copy(&mut from_broker, &mut to_program);
        let _ = to_program.shutdown(Shutdown::Write);
    });
    Ok(())
}
