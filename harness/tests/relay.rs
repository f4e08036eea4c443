//! Stands between a program and its broker, and can fall silent: then the
//! broker is there, and gives no answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Context, Result};
use harness::LIMIT;

/// A way to a broker, over TCP.
pub struct Relay {
    address: SocketAddr,
    silent: Arc<AtomicBool>,
    held: Receiver<()>,
}

impl Relay {
    /// To the broker at `url`.
    pub fn to(url: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let silent = Arc::new(AtomicBool::new(false));
        let (hold, held) = mpsc::channel();
        let (url, is_silent) = (url.to_owned(), Arc::clone(&silent));
        thread::spawn(move || {
            while let Ok((program, _)) = listener.accept() {
                let _ = relay(program, &url, &is_silent, &hold);
            }
        });
        Ok(Self {
            address,
            silent,
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
        self.silent.store(true, Ordering::Relaxed);
        let held = self.held.recv_timeout(LIMIT);
        held.context("the program says nothing")
    }
}

/// Both directions of one connection, each in a thread of its own.
fn relay(
    program: TcpStream,
    url: &str,
    silent: &Arc<AtomicBool>,
    hold: &Sender<()>,
) -> Result<()> {
    program.set_nodelay(true)?;
    let (_, at) = url.split_once("://").context("a URL")?;
    #[cfg(unix)]
    if url.starts_with("unix:") {
        let broker = std::os::unix::net::UnixStream::connect(at)?;
        let back = (broker.try_clone()?, program.try_clone()?);
        copy(back, None);
        copy((program, broker), Some((Arc::clone(silent), hold.clone())));
        return Ok(());
    }
    let broker = TcpStream::connect(at)?;
    broker.set_nodelay(true)?;
    copy((broker.try_clone()?, program.try_clone()?), None);
    copy((program, broker), Some((Arc::clone(silent), hold.clone())));
    Ok(())
}

fn copy(
    (mut from, mut to): (
        impl Read + Send + 'static,
        impl Write + Send + 'static,
    ),
    held: Option<(Arc<AtomicBool>, Sender<()>)>,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            match &held {
                Some((silent, hold)) if silent.load(Ordering::Relaxed) => {
                    let _ = hold.send(());
                }
                _ if to.write_all(&buffer[..length]).is_err() => return,
                _ => {}
            }
        }
    });
}
