//! What the ring promises, in memory of one process: compared with a model,
//! with impossible values in it, and between two threads. Under loom: in every
//! order. The lesson's other tests are in `shared_memory.rs`.

use super::{CacheLine, Ring};
use crate::sync::AtomicU64;

/// The tests, by name.
#[cfg(not(loom))]
pub(crate) use one_order::TESTS;

/// The tests, by name.
#[cfg(loom)]
pub(crate) use every_order::TESTS;

#[cfg(loom)]
mod every_order {
    use loom::model::Builder;
    use loom::sync::Arc;
    use loom::thread;

    use crate::ring::{Error, Peer, Ring};

    pub(crate) const TESTS: &[(&str, fn())] = &[
        ("messages_arrive_whole_and_nobody_sleeps_forever", messages),
        ("a_receiver_that_leaves_wakes_the_sender", receiver_leaves),
        ("an_echo_comes_back", echo),
    ];

    /// Nobody dies, nobody stops: who sleeps is woken, or sleeps for ever.
    /// loom fails a test in which a thread does.
    struct Calm;

    impl Peer for Calm {
        fn should_stop(&self) -> bool {
            false
        }

        fn is_dead(&self) -> bool {
            false
        }
    }

    /// Tries every order with at most so many involuntary switches between
    /// the threads, in which nearly all mistakes show. Without the bound it
    /// takes hours.
    fn in_every_order(switches: usize, test: fn()) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(switches);
        builder.check(test);
    }

    /// Three messages of two words each through four words, with other
    /// bytes each: the second time round, and asleep on either side.
    fn messages() {
        in_every_order(3, || {
            let ring = Arc::new(Ring::<4>::default());
            let there = Arc::clone(&ring);
            let sending = thread::spawn(move || {
                let mut sender = there.sender(&Calm);
                for number in 1..=3_u64 {
                    assert_eq!(sender.send(&number.to_le_bytes()), Ok(()));
                }
            });
            let mut receiver = ring.receiver(&Calm);
            let mut message = Vec::new();
            for number in 1..=3_u64 {
                assert_eq!(receiver.receive(&mut message), Ok(()));
                assert_eq!(message, number.to_le_bytes());
            }
            assert_eq!(receiver.receive(&mut message), Err(Error::Closed));
            assert!(sending.join().is_ok());
        });
    }

    /// A sender that waits for room hears that the receiver has gone.
    fn receiver_leaves() {
        in_every_order(3, || {
            let ring = Arc::new(Ring::<2>::default());
            let there = Arc::clone(&ring);
            let receiving = thread::spawn(move || {
                let mut message = Vec::new();
                let mut receiver = there.receiver(&Calm);
                assert_eq!(receiver.receive(&mut message), Ok(()));
            });
            let mut sender = ring.sender(&Calm);
            assert_eq!(sender.send(b"1"), Ok(()));
            let second = sender.send(b"2");
            assert!(matches!(second, Ok(()) | Err(Error::Closed)));
            let third = sender.send(b"3");
            assert_eq!(third, Err(Error::Closed));
            assert!(receiving.join().is_ok());
        });
    }

    /// To and fro, as the lesson's halves talk.
    fn echo() {
        in_every_order(2, || {
            let rings = [Ring::<2>::default(), Ring::<2>::default()];
            let rings = Arc::new(rings);
            let there = Arc::clone(&rings);
            let echo = thread::spawn(move || {
                let mut message = Vec::new();
                let mut receiver = there[0].receiver(&Calm);
                let mut sender = there[1].sender(&Calm);
                while receiver.receive(&mut message).is_ok() {
                    assert_eq!(sender.send(&message), Ok(()));
                }
            });
            let mut message = Vec::new();
            let mut sender = rings[0].sender(&Calm);
            let mut receiver = rings[1].receiver(&Calm);
            for text in [b"a", b"b"] {
                assert_eq!(sender.send(text), Ok(()));
                assert_eq!(receiver.receive(&mut message), Ok(()));
                assert_eq!(message, text);
            }
            drop(sender);
            assert!(echo.join().is_ok());
        });
    }
}

#[cfg(not(loom))]
mod one_order {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use crate::atomics;
    use crate::memory::{Mapping, Shared};
    use crate::ring::{CHECK_INTERVAL, Error, Peer, Ring};

    #[rustfmt::skip]
    pub(crate) const TESTS: &[(&str, fn())] = &[
        ("it_is_a_queue", it_is_a_queue),
        ("any_bytes_at_all_are_survived", any_bytes_at_all_are_survived),
        ("a_length_or_a_counter_that_cannot_be_is_an_error", impossible),
        ("nothing_is_lost_between_two_threads", two_threads),
        ("a_scribbling_peer_causes_errors_and_no_hang", scribbler),
        ("a_dead_peer_is_noticed_and_its_last_word_heard", dead_sender),
        ("a_full_ring_with_a_dead_receiver_is_an_error", dead_receiver),
        ("a_sleep_ends_in_time_or_with_the_sender", sleep),
        ("two_threads_do_what_the_two_processes_do", lesson),
    ];

    /// 8 words: room for messages of up to 56 bytes.
    type Small = Ring<8>;

    /// Never wait: for tests in which one thread is both ends.
    struct Impatient;

    impl Peer for Impatient {
        fn should_stop(&self) -> bool {
            true
        }

        fn is_dead(&self) -> bool {
            false
        }
    }

    /// Wait until the other one is dead.
    #[derive(Default)]
    struct Mortal(AtomicBool);

    impl Peer for Mortal {
        fn should_stop(&self) -> bool {
            false
        }

        fn is_dead(&self) -> bool {
            self.0.load(Ordering::Acquire)
        }
    }

    /// Miri takes its time for each of them.
    const STEPS: usize = if cfg!(miri) { 12 } else { 100 };

    fn cases(many: u32) -> ProptestConfig {
        ProptestConfig {
            cases: if cfg!(miri) { 4 } else { many },
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn words(message: &[u8]) -> usize {
        1 + message.len().div_ceil(8)
    }

    proptest! {
        #![proptest_config(cases(512))]

        /// Sending and receiving in any order is what a queue does, with the
        /// counters anywhere, also where they begin again at 0.
        fn it_is_a_queue(
            begin: u32,
            steps in prop::collection::vec(
                prop::option::of(prop::collection::vec(any::<u8>(), 0..70)),
                0..STEPS,
            ),
        ) {
            let ring = Small::default();
            ring.begin_at(begin);
            let mut sender = ring.sender(&Impatient);
            let mut receiver = ring.receiver(&Impatient);
            (sender.sent, sender.received) = (begin, begin);
            receiver.received = begin;
            let mut model = VecDeque::new();
            let mut message = Vec::new();
            for step in steps {
                let used: usize = model.iter().map(|m: &Vec<u8>| words(m)).sum();
                match step {
                    Some(text) => {
                        let expected = match () {
                            () if words(&text) > 8 => Err(Error::TooLong(56)),
                            () if used + words(&text) > 8 => {
                                Err(Error::Stopped)
                            }
                            () => Ok(()),
                        };
                        prop_assert_eq!(sender.send(&text), expected);
                        if expected.is_ok() {
                            model.push_back(text);
                        }
                    }
                    None => match model.pop_front() {
                        Some(text) => {
                            prop_assert_eq!(receiver.receive(&mut message), Ok(()));
                            prop_assert_eq!(&message, &text);
                        }
                        None => prop_assert_eq!(
                            receiver.receive(&mut message),
                            Err(Error::Stopped)
                        ),
                    },
                }
            }
            // What was sent before the end still arrives.
            drop(sender);
            for text in model {
                prop_assert_eq!(receiver.receive(&mut message), Ok(()));
                prop_assert_eq!(&message, &text);
            }
            prop_assert_eq!(receiver.receive(&mut message), Err(Error::Closed));
        }

        /// Whatever stands in the memory, an end answers, does not read
        /// outside, and takes no more than the ring holds.
        fn any_bytes_at_all_are_survived(
            header: [u32; 6],
            content: [u64; 8],
            text in prop::collection::vec(any::<u8>(), 0..57),
        ) {
            let ring = Small::default();
            ring.overwrite(header, content);
            let mut message = Vec::new();
            let mut receiver = ring.receiver(&Impatient);
            for _ in 0..20 {
                match receiver.receive(&mut message) {
                    Ok(()) => prop_assert!(message.len() <= 56),
                    Err(error) => prop_assert!(matches!(
                        error,
                        Error::Corrupt | Error::Closed | Error::Stopped
                    )),
                }
                ring.overwrite(header, content);
            }
            let mut sender = ring.sender(&Impatient);
            for _ in 0..20 {
                match sender.send(&text) {
                    Ok(()) => {}
                    Err(error) => prop_assert!(matches!(
                        error,
                        Error::Corrupt | Error::Closed | Error::Stopped
                    )),
                }
                ring.overwrite(header, content);
            }
        }
    }

    fn impossible() {
        let mut message = Vec::new();
        for (sent, length) in [
            (9, 0),           // more words than there are
            (u32::MAX, 0),    // less than nothing
            (1, 1),           // a byte that was not sent
            (8, 57),          // longer than the ring
            (8, u64::MAX),    // would overflow
            (2, 1 << 32 | 8), // would be 8, cut to 32 bits
        ] {
            let ring = Small::default();
            ring.overwrite([sent, 0, 0, 0, 0, 0], [length; 8]);
            let got = ring.receiver(&Impatient).receive(&mut message);
            assert_eq!(got, Err(Error::Corrupt), "{sent} {length}");
        }
        for received in [1, u32::MAX - 8, 1 << 31] {
            let ring = Small::default();
            let mut sender = ring.sender(&Impatient);
            while sender.send(b"fill it up").is_ok() {}
            ring.overwrite([6, received + 6, 0, 0, 0, 0], [0; 8]);
            let sent = sender.send(b"and over it");
            assert_eq!(sent, Err(Error::Corrupt), "{received}");
        }
    }

    /// Two threads at full speed through a ring that is mostly full or
    /// empty, so that both sleep often.
    fn two_threads() {
        let ring = Small::default();
        let many = if cfg!(miri) { 100 } else { 200_000_u32 };
        let alive = Mortal::default();
        let text = |i: u32| vec![i as u8; (i.wrapping_mul(7919) % 57) as usize];
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut sender = ring.sender(&alive);
                for i in 0..many {
                    assert_eq!(sender.send(&text(i)), Ok(()));
                }
            });
            let mut receiver = ring.receiver(&alive);
            let mut message = Vec::new();
            for i in 0..many {
                assert_eq!(receiver.receive(&mut message), Ok(()));
                assert_eq!(message, text(i));
            }
            assert_eq!(receiver.receive(&mut message), Err(Error::Closed));
        });
    }

    /// A thread writes anything anywhere while the two ends work.
    fn scribbler() {
        let ring = Small::default();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut state = 1_u64;
                let mut random = || {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Mostly small: what may just be true is the worst.
                    state >> (state % 64)
                };
                while !over.load(Ordering::Relaxed) {
                    let header = [(); 6].map(|()| random() as u32);
                    ring.overwrite(header, [(); 8].map(|()| random()));
                }
            });
            let tries = if cfg!(miri) { 50 } else { 5_000 };
            let mut seen = Vec::new();
            let mut message = Vec::new();
            for _ in 0..tries {
                let mut receiver = ring.receiver(&Impatient);
                let mut sender = ring.sender(&Impatient);
                seen.extend(receiver.receive(&mut message).err());
                assert!(message.len() <= 56);
                seen.extend(sender.send(b"some bytes, some more").err());
                seen.dedup();
                seen.truncate(1000);
            }
            over.store(true, Ordering::Relaxed);
            assert!(seen.contains(&Error::Corrupt), "{seen:?}");
        });
    }

    fn dead_sender() {
        let ring = Small::default();
        let mut message = Vec::new();
        assert_eq!(ring.sender(&Impatient).send(b"last"), Ok(()));
        ring.overwrite([2, 0, 0, 0, 0, 0], [4, 0x7473_616C, 0, 0, 0, 0, 0, 0]);
        let dead = Mortal(AtomicBool::new(true));
        let mut receiver = ring.receiver(&dead);
        assert_eq!(receiver.receive(&mut message), Ok(()));
        assert_eq!(message, b"last");
        let begin = Instant::now();
        let heard = receiver.receive(&mut message);
        assert_eq!(heard, Err(Error::PeerDied));
        assert!(begin.elapsed() >= CHECK_INTERVAL);
    }

    fn dead_receiver() {
        let ring = Small::default();
        let dead = Mortal(AtomicBool::new(true));
        let mut sender = ring.sender(&dead);
        let mut sent = Ok(());
        while sent.is_ok() {
            sent = sender.send(b"is anybody there?");
        }
        assert_eq!(sent, Err(Error::PeerDied));
    }

    fn sleep() {
        let ring = Small::default();
        let alive = Mortal::default();
        let mut receiver = ring.receiver(&alive);
        for most in [Duration::ZERO, Duration::from_millis(30)] {
            let begin = Instant::now();
            assert_eq!(receiver.is_closed_within(most), Ok(false));
            assert!(begin.elapsed() >= most);
        }
        let hours = Duration::from_secs(10_000);
        let mut sender = ring.sender(&alive);
        assert_eq!(sender.send(b""), Ok(()));
        assert_eq!(receiver.is_closed_within(hours), Ok(false));
        assert_eq!(receiver.receive(&mut Vec::new()), Ok(()));
        drop(sender);
        assert_eq!(receiver.is_closed_within(hours), Ok(true));
    }
    /// What the lesson's halves do, between two threads and in mapped memory:
    /// the number, then messages to and fro. With Miri, this is where the
    /// lesson's `unsafe` is looked at.
    fn lesson() {
        let memory = Mapping::anonymous();
        assert!(memory.is_ok(), "{memory:?}");
        memory.iter().for_each(|memory| talk(memory));
    }

    fn talk(shared: &Shared) {
        thread::scope(|scope| {
            scope.spawn(|| {
                let alive = Mortal::default();
                let mut incoming = shared.to_child.receiver(&alive);
                let mut outgoing = shared.to_parent.sender(&alive);
                assert_eq!(atomics::wait(&shared.number, 0, &alive), Ok(1));
                shared.number.fetch_add(41, Ordering::AcqRel);
                atomics::notify(&shared.number);
                let mut message = Vec::new();
                while incoming.receive(&mut message).is_ok() {
                    assert_eq!(outgoing.send(&message), Ok(()));
                }
            });
            let alive = Mortal::default();
            let mut outgoing = shared.to_child.sender(&alive);
            let mut incoming = shared.to_parent.receiver(&alive);
            shared.number.store(1, Ordering::Release);
            atomics::notify(&shared.number);
            assert_eq!(atomics::wait(&shared.number, 1, &alive), Ok(42));
            let mut echo = Vec::new();
            for text in ["hello", "", "你好", "a longer one"] {
                assert_eq!(outgoing.send(text.as_bytes()), Ok(()));
                assert_eq!(incoming.receive(&mut echo), Ok(()));
                assert_eq!(echo, text.as_bytes());
            }
        });
    }

    impl<const WORDS: usize> Ring<WORDS> {
        /// What a hostile process could do.
        fn overwrite(&self, header: [u32; 6], words: [u64; WORDS]) {
            let header_of_ring = [
                &self.sent.0,
                &self.received.0,
                self.receiver_waits.0.0.word(),
                self.sender_waits.0.0.word(),
                &self.sender_closed.0,
                &self.receiver_closed.0,
            ];
            for (word, value) in header_of_ring.into_iter().zip(header) {
                word.store(value, Ordering::Relaxed);
            }
            for (word, value) in self.words.iter().zip(words) {
                word.store(value, Ordering::Relaxed);
            }
        }

        fn begin_at(&self, counter: u32) {
            self.sent.0.store(counter, Ordering::Relaxed);
            self.received.0.store(counter, Ordering::Relaxed);
        }
    }
}

/// An empty ring.
impl<const WORDS: usize> Default for Ring<WORDS> {
    fn default() -> Self {
        Self {
            sent: CacheLine::default(),
            received: CacheLine::default(),
            receiver_waits: CacheLine::default(),
            sender_waits: CacheLine::default(),
            sender_closed: CacheLine::default(),
            receiver_closed: CacheLine::default(),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}
