//! Reads frames, and the descriptors that come with them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::decoder::{Decoder, Span};
use super::socket::{Received, Source};
use super::{Descriptor, Frame, MOST_DESCRIPTORS, is_end};

/// The reading half of a channel.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    decoder: Decoder,
    /// Descriptors whose frame has not been handed out.
    arrived: VecDeque<Arrived>,
    ended: bool,
    /// For the writer: another whole frame has arrived already.
    more: Arc<AtomicBool>,
}

/// Descriptors, and the part of the stream that was read with them.
#[derive(Debug)]
struct Arrived {
    begin: u64,
    end: u64,
    descriptors: Vec<Descriptor>,
}

impl Reader {
    pub(super) fn new(
        source: Source,
        decoder: Decoder,
        more: Arc<AtomicBool>,
    ) -> Self {
        Self {
            source,
            decoder,
            arrived: VecDeque::new(),
            ended: false,
            more,
        }
    }

    /// The next frame; `None` when the peer has closed. What is left of a
    /// frame then is dropped, as Node does. Safe to cancel.
    ///
    /// # Errors
    /// When a frame is too long (then [`io::Error::get_ref`] is a
    /// [`TooLong`](super::TooLong)), and when the socket fails. After an error
    /// comes `None`.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        let Some(span) = self.arrive().await? else {
            return Ok(None);
        };
        let begin = self.decoder.position();
        let mut frame = self.decoder.take(span);
        frame.descriptors = self.descriptors(begin);
        self.look_for_more();
        Ok(Some(frame))
    }

    /// The bytes of the next frame where they lie, without a copy, for
    /// `look`. When that returns `None`, it is still the next one; if not,
    /// it is passed, and the descriptors that came with it are closed.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn peek<T>(
        &mut self,
        look: impl FnOnce(&[u8]) -> Option<T>,
    ) -> io::Result<Option<Option<T>>> {
        let Some(span) = self.arrive().await? else {
            return Ok(None);
        };
        let seen = look(self.decoder.bytes(span));
        if seen.is_some() {
            let begin = self.decoder.position();
            self.decoder.pass(span);
            drop(self.descriptors(begin));
            self.look_for_more();
        }
        Ok(Some(seen))
    }

    fn look_for_more(&mut self) {
        let more = matches!(self.decoder.find(), Ok(Some(_)));
        self.more.store(more, Ordering::Relaxed);
    }

    /// Waits until a whole frame is there, and says where.
    async fn arrive(&mut self) -> io::Result<Option<Span>> {
        // A peer that always has more to say must not keep the other tasks
        // from their turn.
        tokio::task::consume_budget().await;
        loop {
            if self.ended {
                return Ok(None);
            }
            match self.decoder.find() {
                Ok(Some(span)) => return Ok(Some(span)),
                Ok(None) => {}
                Err(error) => {
                    self.end();
                    return Err(error.into());
                }
            }
            match self.source.receive(self.decoder.room()).await {
                Ok(Received { length: 0, .. }) => self.end(),
                Ok(received) => self.keep(received),
                // The peer has closed and left something of ours unread.
                Err(error) if is_end(&error) => self.end(),
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            }
        }
    }

    fn keep(&mut self, received: Received) {
        let begin = self.decoder.total();
        self.decoder.arrived(received.length);
        // All that wait belong to the frame that is not whole yet. What is
        // more than one may have is closed.
        let waiting = self.arrived.iter();
        let waiting: usize =
            waiting.map(|arrived| arrived.descriptors.len()).sum();
        let mut descriptors = received.descriptors;
        descriptors.truncate(MOST_DESCRIPTORS.saturating_sub(waiting));
        if !descriptors.is_empty() {
            self.arrived.push_back(Arrived {
                begin,
                end: self.decoder.total(),
                descriptors,
            });
        }
    }

    /// The descriptors that were sent with the frame that began at `begin`
    /// and has just been passed.
    fn descriptors(&mut self, begin: u64) -> Vec<Descriptor> {
        let end = self.decoder.position();
        let mut found = Vec::new();
        while let Some(arrived) = self.arrived.front() {
            // Linux adds earlier messages to a read with descriptors, but
            // no later ones. Others do it the other way round.
            let ours = end >= arrived.end
                || (!cfg!(target_os = "linux") && begin >= arrived.begin);
            if !ours {
                break;
            }
            if let Some(arrived) = self.arrived.pop_front() {
                found.extend(arrived.descriptors);
            }
        }
        found
    }

    fn end(&mut self) {
        self.ended = true;
        self.arrived.clear();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Nobody answers them.
        self.more.store(false, Ordering::Relaxed);
    }
}
