//! What a channel is on Windows: a named pipe, with a header of libuv's
//! before each piece.
//!
//! The header is four little-endian u32: flags (1: data follow; 2: a socket
//! comes with them; 4: it is a connection), 0, the length of the data, 0.
//! With a socket, a `WSAPROTOCOL_INFOW` and 4 bytes are between header and
//! data. libuv waits for the rest of a header without doing anything else, so
//! it goes out in one write with its data.

use std::io::{self, ErrorKind};
use std::mem;
use std::os::windows::io::{
    AsRawHandle, FromRawSocket, IntoRawHandle, OwnedHandle, OwnedSocket,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::net::windows::named_pipe::NamedPipeClient;
use tokio::sync::{Notify, oneshot};
use windows_sys::Win32::Networking::WinSock::{
    FROM_PROTOCOL_INFO, INVALID_SOCKET, WSA_FLAG_NO_HANDLE_INHERIT,
    WSA_FLAG_OVERLAPPED, WSAPROTOCOL_INFOW, WSASocketW,
};
use windows_sys::Win32::Storage::FileSystem::FlushFileBuffers;

use super::MOST_KEPT;

/// One end of a channel that is not yet in use.
pub type Socket = OwnedHandle;

/// What can come with a frame.
pub type Descriptor = OwnedSocket;

/// libuv's header.
const PIECE: usize = 16;

const HAS_DATA: u32 = 1;
const HAS_SOCKET: u32 = 2;

/// What comes of a socket: how to get it, and an error or 0.
const INFO: usize = mem::size_of::<WSAPROTOCOL_INFOW>() + 4;

/// The pipe, until one of its users closes it for all. tokio's client is good
/// for the server's end, too, once that is connected.
#[derive(Debug)]
struct Pipe {
    end: Mutex<Option<Arc<NamedPipeClient>>>,
    /// Rings when it is closed.
    closed: Notify,
}

impl Pipe {
    fn get(&self) -> Option<Arc<NamedPipeClient>> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.clone()
    }

    fn close(&self) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        *end = None;
        self.closed.notify_waiters();
    }
}

/// Makes the reader's and the writer's part of one end of a named pipe.
pub(super) fn open(socket: Socket) -> io::Result<(Source, Link)> {
    // SAFETY: it is open, and ours from here on. That it is a named pipe
    // opened for overlapped calls, tokio's registration finds out.
    let end =
        unsafe { NamedPipeClient::from_raw_handle(socket.into_raw_handle())? };
    let pipe = Arc::new(Pipe {
        end: Mutex::new(Some(Arc::new(end))),
        closed: Notify::new(),
    });
    let source = Source {
        pipe: Arc::clone(&pipe),
        header: Vec::with_capacity(PIECE + INFO),
        left: 0,
        sockets: Vec::new(),
    };
    let piece = Mutex::default();
    Ok((source, Link { pipe, piece }))
}

/// What the reader reads from.
#[derive(Debug)]
pub(super) struct Source {
    pipe: Arc<Pipe>,
    /// What has come of the next piece's header.
    header: Vec<u8>,
    /// How much of this piece's data is still to come.
    left: usize,
    /// What came with the data that come next.
    sockets: Vec<OwnedSocket>,
}

/// What one read has brought.
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) descriptors: Vec<OwnedSocket>,
}

impl Source {
    /// Data, and the sockets that came with them. A length of 0 is the end.
    /// Safe to cancel.
    pub(super) async fn receive(
        &mut self,
        room: &mut [u8],
    ) -> io::Result<Received> {
        loop {
            if self.left > 0 {
                let most = room.len().min(self.left);
                let length = read(&self.pipe, &mut room[..most]).await?;
                self.left -= length;
                let descriptors = mem::take(&mut self.sockets);
                return Ok(Received {
                    length,
                    descriptors,
                });
            }
            let mut bytes = [0; PIECE + INFO];
            let missing = self.header_length() - self.header.len();
            let length = read(&self.pipe, &mut bytes[..missing]).await?;
            if length == 0 {
                return Ok(Received {
                    length,
                    descriptors: Vec::new(),
                });
            }
            self.header.extend_from_slice(&bytes[..length]);
            if self.header.len() == self.header_length() {
                self.left = word(&self.header, 2) as usize;
                let info = &self.header[PIECE..];
                if !info.is_empty() {
                    self.sockets.push(socket(info)?);
                }
                self.header.clear();
            }
        }
    }

    /// As far as one can tell from what has come.
    fn header_length(&self) -> usize {
        let socket = self.header.len() >= PIECE
            && word(&self.header, 0) & HAS_SOCKET != 0;
        if socket { PIECE + INFO } else { PIECE }
    }
}

/// The header's word of this number.
fn word(header: &[u8], number: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&header[4 * number..][..4]);
    u32::from_le_bytes(bytes)
}

/// What has arrived; 0 bytes when the pipe is closed, here or there.
async fn read(pipe: &Pipe, room: &mut [u8]) -> io::Result<usize> {
    loop {
        let closed = pipe.closed.notified();
        let Some(end) = pipe.get() else {
            return Ok(0);
        };
        tokio::select! {
            ready = end.readable() => ready?,
            () = closed => return Ok(0),
        }
        match end.try_read(room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

/// The socket that a peer has duplicated for this process.
fn socket(info: &[u8]) -> io::Result<OwnedSocket> {
    // std starts Winsock with its first socket.
    drop(std::net::UdpSocket::bind("127.0.0.1:0"));
    // SAFETY: the structure is plain numbers, and all of it is there: `INFO`
    // bytes are more than it has. They may be anywhere.
    let info: WSAPROTOCOL_INFOW =
        unsafe { info.as_ptr().cast::<WSAPROTOCOL_INFOW>().read_unaligned() };
    // SAFETY: it only reads the structure, which outlives the call.
    let socket = unsafe {
        WSASocketW(
            FROM_PROTOCOL_INFO,
            FROM_PROTOCOL_INFO,
            FROM_PROTOCOL_INFO,
            &raw const info,
            0,
            WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT,
        )
    };
    if socket == INVALID_SOCKET {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now, and nobody else has it.
    Ok(unsafe { OwnedSocket::from_raw_socket(socket as _) })
}

/// What the writer writes to.
#[derive(Debug)]
pub(super) struct Link {
    pipe: Arc<Pipe>,
    /// Where a piece is put together.
    piece: Mutex<Vec<u8>>,
}

impl Link {
    /// A whole piece with its header, or nothing.
    pub(super) fn write_some(
        &self,
        parts: [&[u8]; 2],
        _: &[OwnedSocket],
        _: usize,
    ) -> io::Result<usize> {
        let length = parts[0].len() + parts[1].len();
        let Ok(data) = u32::try_from(length) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let end = self.pipe.get().ok_or(ErrorKind::BrokenPipe)?;
        let mut piece =
            self.piece.lock().unwrap_or_else(PoisonError::into_inner);
        piece.clear();
        for number in [HAS_DATA, 0, data, 0] {
            piece.extend(number.to_le_bytes());
        }
        parts.iter().for_each(|part| piece.extend_from_slice(part));
        // tokio's pipe copies all of it, or refuses it as long as it has not
        // yet written what came before.
        end.try_write(&piece)?;
        if piece.capacity() > MOST_KEPT {
            *piece = Vec::new();
        }
        Ok(length)
    }

    /// What waits for room.
    pub(super) fn room(&self) -> io::Result<Room> {
        let end = self.pipe.get().ok_or(ErrorKind::BrokenPipe)?;
        Ok(Room(end))
    }

    /// Waits until the peer has read all that was written: the system drops
    /// what is left when this process ends.
    pub(super) async fn drain(&self) {
        let Some(end) = self.pipe.get() else {
            return;
        };
        let (tell, told) = oneshot::channel::<()>();
        // No thread of tokio's: a runtime waits for those at its end.
        let flushing = thread::Builder::new().spawn(move || {
            // SAFETY: the pipe is open as long as `end` is there.
            unsafe { FlushFileBuffers(end.as_raw_handle()) };
            drop(tell);
        });
        if flushing.is_ok() {
            let _ = told.await; // it says so by being dropped
        }
    }

    /// That was all. A pipe has no half-close: the other direction ends, too.
    pub(super) fn end_writing(&self) {
        self.pipe.close();
    }

    /// Closes both directions.
    pub(super) fn close(&self) {
        self.pipe.close();
    }
}

/// Waits for room in the pipe.
pub(super) struct Room(Arc<NamedPipeClient>);

/// There may be room.
pub(super) struct Ready;

impl Room {
    pub(super) async fn writable(&self) -> io::Result<Ready> {
        self.0.writable().await.map(|()| Ready)
    }
}

impl Ready {
    /// There was none. tokio has taken note of that before.
    pub(super) fn clear_ready(&mut self) {}
}
