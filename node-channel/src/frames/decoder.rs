//! Cuts bytes into frames; knows nothing of sockets.

use super::{Frame, HEADER, MOST_KEPT, READ, TooLong};
use crate::Serialization;

/// What is made ready at once for a frame that may be long.
const MOST_USUAL: usize = 4 * 1024 * 1024;

/// Cuts a stream of bytes into frames. Looks at each byte once, and needs
/// memory for what has arrived, whatever a length in it claims.
#[derive(Debug)]
pub struct Decoder {
    serialization: Serialization,
    limit: usize,
    /// All of it is initialised; `start..end` has arrived and was not yet
    /// handed out.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// `start..scanned` holds no line end.
    scanned: usize,
    /// How many bytes of the stream came before `start`.
    passed: u64,
    /// The length of the last long frame: the next one may be as long.
    usual: usize,
    /// How many bytes were searched, moved or made ready, for the tests.
    #[cfg(test)]
    work: usize,
}

/// Where in the buffer a whole frame is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    first: usize,
    last: usize,
    /// Where the next one begins.
    next: usize,
}

impl Decoder {
    /// Nothing has arrived yet. No frame may have more than `limit` bytes.
    pub fn new(serialization: Serialization, limit: usize) -> Self {
        Self {
            serialization,
            limit,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            scanned: 0,
            passed: 0,
            usual: 0,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Room for the bytes that arrive next; never empty.
    pub fn room(&mut self) -> &mut [u8] {
        self.rewind();
        if self.buffer.len() - self.end < READ / 4 && self.start > 0 {
            #[cfg(test)]
            {
                self.work += self.end - self.start;
            }
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ / 4 {
            // Once it is clear that this frame is long, too.
            let long = self.end - self.start >= READ / 2;
            let usual = if long { self.usual } else { 0 };
            let double = (self.buffer.len() * 2).max(usual);
            let enough = self.frame_end().unwrap_or(usize::MAX);
            let length = double.min(enough.saturating_add(READ / 4));
            let length = length.min(self.limit.saturating_add(READ));
            let length = length.max(self.end + READ / 4).max(READ);
            #[cfg(test)]
            {
                // Where there is no room behind it, all of it moves.
                self.work += length;
            }
            self.buffer.resize(length, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes have been written to the beginning of [`Self::room`].
    pub fn arrived(&mut self, length: usize) {
        self.end = (self.end + length).min(self.buffer.len());
    }

    /// Adds `bytes`.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let length = room.len().min(bytes.len());
            room[..length].copy_from_slice(&bytes[..length]);
            self.arrived(length);
            bytes = &bytes[length..];
        }
    }

    /// The next whole frame; `None` when more has to arrive first.
    ///
    /// # Errors
    /// When it is too long, and at each call from then on.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, TooLong> {
        let found = self.find()?;
        Ok(found.map(|span| self.take(span)))
    }

    /// Where the next whole frame is. It stays the next one until it is taken
    /// or passed.
    pub(super) fn find(&mut self) -> Result<Option<Span>, TooLong> {
        let too_long = TooLong { limit: self.limit };
        let (first, last, next) = match self.serialization {
            Serialization::Json => {
                let new = &self.buffer[self.scanned..self.end];
                let found = memchr::memchr(b'\n', new);
                #[cfg(test)]
                {
                    self.work += found.unwrap_or(new.len());
                }
                let Some(at) = found else {
                    self.scanned = self.end;
                    if self.end - self.start > self.limit {
                        return Err(too_long);
                    }
                    return Ok(None);
                };
                self.scanned += at;
                (self.start, self.scanned, self.scanned + 1)
            }
            Serialization::Advanced => {
                let Some(last) = self.frame_end() else {
                    return Ok(None);
                };
                let first = self.start + HEADER;
                if last - first > self.limit {
                    return Err(too_long);
                }
                if last > self.end {
                    return Ok(None);
                }
                (first, last, last)
            }
        };
        if last - first > self.limit {
            return Err(too_long);
        }
        Ok(Some(Span { first, last, next }))
    }

    /// The frame where it lies.
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        &self.buffer[span.first..span.last]
    }

    /// Goes on behind the frame.
    pub(super) fn pass(&mut self, span: Span) {
        self.count(span);
        self.start = span.next;
        self.scanned = self.start;
        self.rewind();
    }

    /// The frame is no longer the next one.
    fn count(&mut self, span: Span) {
        self.passed += (span.next - self.start) as u64;
        let length = span.last - span.first;
        if length >= READ / 2 {
            self.usual = length.min(MOST_USUAL) + READ;
        }
    }

    /// Begins again at the front, if all was handed out.
    fn rewind(&mut self) {
        if self.start < self.end {
            return;
        }
        self.start = 0;
        self.end = 0;
        self.scanned = 0;
        if self.buffer.len() > MOST_KEPT {
            self.buffer = Vec::new();
        }
    }

    /// Hands out the frame, and goes on behind it.
    pub(super) fn take(&mut self, span: Span) -> Frame {
        self.count(span);
        let Span { first, last, next } = span;
        let (length, rest) = (last - first, self.end - next);
        // A long frame gets the buffer itself. Only when little is left
        // over, or a buffer full of frames would be copied for each of them.
        let (buffer, start) = if length >= READ / 2 && rest <= length {
            let left = self.buffer[next..self.end].to_vec();
            let mut buffer = std::mem::replace(&mut self.buffer, left);
            buffer.truncate(last);
            self.start = 0;
            self.end = rest;
            (buffer, first)
        } else {
            self.start = next;
            (self.buffer[first..last].to_vec(), 0)
        };
        self.scanned = self.start;
        Frame {
            buffer,
            start,
            descriptors: Vec::new(),
        }
    }

    /// Where the current frame ends, if that is known.
    fn frame_end(&self) -> Option<usize> {
        if self.serialization == Serialization::Json {
            return None;
        }
        let arrived = &self.buffer[self.start..self.end];
        let length = arrived.first_chunk::<HEADER>()?;
        // Saturating: on a 32-bit machine it might not fit.
        let length = u32::from_be_bytes(*length) as usize;
        Some((self.start + HEADER).saturating_add(length))
    }

    /// Where in the stream the first frame begins that was not handed out.
    pub(super) fn position(&self) -> u64 {
        self.passed
    }

    /// How much of the stream has arrived.
    pub(super) fn total(&self) -> u64 {
        self.passed + (self.end - self.start) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much work it is to receive two frames of this length, as they come
    /// in pieces.
    fn work(serialization: Serialization, length: usize, piece: usize) -> f64 {
        let mut decoder = Decoder::new(serialization, length);
        let frame = match serialization {
            Serialization::Json => [&vec![b'1'; length], &b"\n"[..]].concat(),
            Serialization::Advanced => {
                let header = (length as u32).to_be_bytes();
                [&header[..], &vec![b'1'; length]].concat()
            }
        };
        for _ in 0..2 {
            let mut found = None;
            for bytes in frame.chunks(piece) {
                assert!(found.is_none());
                decoder.push(bytes);
                found = decoder.next_frame().unwrap();
            }
            assert_eq!(found.unwrap().bytes().len(), length);
        }
        decoder.work as f64 / (2 * length) as f64
    }

    /// Not timed, so that a busy machine changes nothing: the bench does that.
    #[test]
    fn the_work_for_each_byte_does_not_grow_with_the_length() {
        for serialization in [Serialization::Json, Serialization::Advanced] {
            for length in [1 << 16, 1 << 19, 1 << 22] {
                for piece in [997, 65_536] {
                    let each = work(serialization, length, piece);
                    assert!(each < 6.0, "{length}, {piece}: {each} times");
                }
            }
        }
    }

    /// What lies there when a frame of this length was passed.
    fn left(decoder: &mut Decoder, length: usize) -> usize {
        decoder.push(&vec![b'1'; length]);
        decoder.push(b"\n");
        let span = decoder.find().unwrap().unwrap();
        assert_eq!(decoder.bytes(span).len(), length);
        // It is the next one until it is passed.
        let again = decoder.find().unwrap().unwrap();
        assert_eq!(decoder.bytes(again), decoder.bytes(span));
        decoder.pass(span);
        decoder.buffer.len()
    }

    #[test]
    fn the_buffer_of_long_frames_is_kept_and_of_very_long_ones_not() {
        let mut decoder = Decoder::new(Serialization::Json, 1 << 26);
        left(&mut decoder, 1 << 20);
        // From the second one on it has no more room than it needs.
        assert!(left(&mut decoder, 1 << 20) > 1 << 20);
        let first = decoder.buffer.as_ptr();
        assert!(left(&mut decoder, 1 << 20) > 1 << 20);
        assert!(left(&mut decoder, 5) > 5);
        assert_eq!(decoder.buffer.as_ptr(), first, "made again");
        assert_eq!(left(&mut decoder, 1 << 26), 0);
    }
}
