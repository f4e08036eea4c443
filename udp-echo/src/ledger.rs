//! What was sent, what came back, and what must be given up.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Display};
use std::future;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::{self, Instant};

/// How many of the last messages are remembered, to tell an echo that comes
/// twice.
const MEMORY: usize = 10_000;

/// One client's messages. Each goes out with its number in front, from 1 on:
/// `1 hello`. A server that only echoes brings the number back.
///
/// Its size does not grow with their number: it holds the last 10,000, those
/// that are waited for, and how often each round trip time was measured.
/// [`Display`] is the summary.
#[derive(Debug)]
pub struct Ledger {
    message: String,
    wait: Duration,
    /// The number of the first message in `messages`.
    first: u64,
    messages: VecDeque<State>,
    /// All messages before this number came back or were given up.
    settled: u64,
    /// The highest number that came back so far.
    highest: u64,
    returned: u64,
    doubled: u64,
    reordered: u64,
    /// Round trips: microseconds, and how often.
    round_trips: BTreeMap<u128, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Since when.
    Waiting(Instant),
    Lost,
    Returned,
}

/// What an echo is to its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its first one, in time.
    Returned,
    /// One that was not waited for any more. The message stays lost.
    Late,
    /// One more.
    Doubled,
    /// This was not sent.
    Unknown,
}

impl Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Returned => "receive",
            Self::Late => "late",
            Self::Doubled => "doubled",
            Self::Unknown => "unknown",
        })
    }
}

impl Ledger {
    /// Nothing sent yet. A message counts as lost when its echo is not there
    /// after `wait`.
    pub fn new(message: &str, wait: Duration) -> Self {
        Self {
            message: message.to_owned(),
            wait,
            first: 1,
            messages: VecDeque::new(),
            settled: 1,
            highest: 0,
            returned: 0,
            doubled: 0,
            reordered: 0,
            round_trips: BTreeMap::new(),
        }
    }

    /// Takes down that one more message is sent now; returns the datagram.
    pub fn send(&mut self) -> String {
        let number = self.send_at(Instant::now());
        self.datagram(number)
    }

    /// Takes down that this datagram came back.
    pub fn hear(&mut self, datagram: &[u8]) -> Fate {
        match self.number_of(datagram) {
            Some(number) => self.hear_at(number, Instant::now()),
            None => Fate::Unknown,
        }
    }

    /// Waits until a message must be given up, and returns its datagram; for
    /// ever if none is waited for. May be dropped while it waits.
    pub async fn overdue(&mut self) -> String {
        match self.deadline() {
            Some(deadline) => time::sleep_until(deadline).await,
            None => future::pending().await,
        }
        let number = self.give_up();
        self.datagram(number)
    }

    /// From now on, waits no longer than `most` for any echo.
    pub fn hurry(&mut self, most: Duration) {
        self.wait = self.wait.min(most);
    }

    /// No message is waited for.
    pub fn is_settled(&self) -> bool {
        self.settled > self.sent()
    }

    /// That was all.
    ///
    /// # Errors
    /// When a message did not come back, or not in time.
    pub fn settle_up(&self) -> anyhow::Result<()> {
        let (lost, sent) = (self.lost(), self.sent());
        ensure!(lost == 0, "{lost} of {sent} messages did not come back");
        Ok(())
    }

    /// How many messages were sent.
    fn sent(&self) -> u64 {
        self.first + self.messages.len() as u64 - 1
    }

    fn lost(&self) -> u64 {
        self.sent() - self.returned
    }

    fn datagram(&self, number: u64) -> String {
        format!("{number} {}", self.message)
    }

    /// The number of a datagram, if it is one that this message makes.
    fn number_of(&self, datagram: &[u8]) -> Option<u64> {
        let digits = datagram.split(|byte| *byte == b' ').next()?;
        let number = str::from_utf8(digits).ok()?.parse().ok()?;
        let is_ours = self.datagram(number).as_bytes() == datagram;
        is_ours.then_some(number)
    }

    fn send_at(&mut self, now: Instant) -> u64 {
        self.messages.push_back(State::Waiting(now));
        while self.messages.len() > MEMORY && self.first < self.settled {
            self.messages.pop_front();
            self.first += 1;
        }
        self.sent()
    }

    fn hear_at(&mut self, number: u64, now: Instant) -> Fate {
        if number == 0 || number > self.sent() {
            return Fate::Unknown;
        }
        let Some(state) = self.state(number) else {
            return Fate::Late; // so late that it is forgotten
        };
        match std::mem::replace(state, State::Returned) {
            State::Waiting(since) => {
                self.settle();
                self.returned += 1;
                // Others that were sent later came back earlier.
                self.reordered += u64::from(number < self.highest);
                self.highest = self.highest.max(number);
                let micros = (now - since).as_micros();
                *self.round_trips.entry(micros).or_default() += 1;
                Fate::Returned
            }
            State::Lost => Fate::Late,
            State::Returned => {
                self.doubled += 1;
                Fate::Doubled
            }
        }
    }

    /// When the oldest message that is waited for must be given up.
    fn deadline(&self) -> Option<Instant> {
        let oldest = (self.settled - self.first) as usize;
        match self.messages.get(oldest) {
            Some(State::Waiting(since)) => Some(*since + self.wait),
            _ => None,
        }
    }

    /// Gives the oldest message up that is waited for.
    fn give_up(&mut self) -> u64 {
        let number = self.settled;
        if let Some(state) = self.state(number) {
            *state = State::Lost;
        }
        self.settle();
        number
    }

    fn state(&mut self, number: u64) -> Option<&mut State> {
        let at = number.checked_sub(self.first)?;
        self.messages.get_mut(usize::try_from(at).ok()?)
    }

    /// Goes on to the next message that is waited for.
    fn settle(&mut self) {
        while let Some(State::Lost | State::Returned) = self.state(self.settled)
        {
            self.settled += 1;
        }
    }

    /// The round trip that `rank` others were not longer than, in ms.
    fn round_trip(&self, rank: u64) -> f64 {
        let mut shorter = 0;
        let found = self.round_trips.iter().find(|(_, count)| {
            shorter += **count;
            shorter > rank
        });
        found.map_or(0.0, |(micros, _)| *micros as f64 / 1000.0)
    }
}

impl Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sent {}, returned {}, lost {}, doubled {}, reordered {}",
            self.sent(),
            self.returned,
            self.lost(),
            self.doubled,
            self.reordered,
        )?;
        let Some(last) = self.returned.checked_sub(1) else {
            return Ok(());
        };
        let [min, median, max] =
            [0, last / 2, last].map(|rank| self.round_trip(rank));
        write!(
            f,
            "\nround trip: min {min:.2} ms, \
             median {median:.2} ms, max {max:.2} ms"
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn tests() -> Vec<harness::testing::Test> {
        harness::unit_tests![
            each_echo_has_its_fate,
            a_datagram_gives_its_number_back,
            what_was_not_sent_has_no_number,
            without_an_echo_there_is_no_round_trip,
            it_forgets_what_was_settled_long_ago,
            a_hurry_makes_no_wait_longer,
        ]
    }

    const WAIT: Duration = Duration::from_millis(100);

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn each_echo_has_its_fate() {
        let start = Instant::now();
        let mut ledger = Ledger::new("hello", WAIT);
        assert!(ledger.is_settled());
        assert_eq!(ledger.deadline(), None);
        for number in 1..=4 {
            assert_eq!(ledger.send_at(start + ms(number)), number);
        }
        assert_eq!(ledger.hear_at(0, start), Fate::Unknown);
        assert_eq!(ledger.hear_at(5, start), Fate::Unknown);
        assert_eq!(ledger.hear_at(3, start + ms(5)), Fate::Returned);
        assert_eq!(ledger.hear_at(2, start + ms(5)), Fate::Returned);
        assert_eq!(ledger.hear_at(2, start + ms(6)), Fate::Doubled);
        assert_eq!(ledger.deadline(), Some(start + ms(1) + WAIT));
        assert_eq!(ledger.give_up(), 1);
        assert_eq!(ledger.hear_at(1, start + ms(200)), Fate::Late);
        assert_eq!(ledger.hear_at(1, start + ms(200)), Fate::Doubled);
        assert_eq!(ledger.deadline(), Some(start + ms(4) + WAIT));
        assert!(!ledger.is_settled());
        assert_eq!(ledger.hear_at(4, start + ms(10)), Fate::Returned);
        assert!(ledger.is_settled());
        assert_eq!(ledger.deadline(), None);
        assert_eq!(
            ledger.to_string(),
            "sent 4, returned 3, lost 1, doubled 2, reordered 1\n\
             round trip: min 2.00 ms, median 3.00 ms, max 6.00 ms"
        );
    }

    fn a_datagram_gives_its_number_back() {
        for message in ["hello", "", " 2 a b", "中"] {
            let ledger = Ledger::new(message, WAIT);
            for number in [1, 9, 10, u64::MAX] {
                let bytes = ledger.datagram(number).into_bytes();
                assert_eq!(ledger.number_of(&bytes), Some(number));
            }
        }
    }

    fn what_was_not_sent_has_no_number() {
        let ledger = Ledger::new("hello", WAIT);
        let others = "/ /1/1 hell/1 hello /01 hello/+1 hello/-1 hello/ \
                      1 hello/1  hello/1 HELLO/hello/\u{661} hello/\
                      99999999999999999999 hello";
        for bytes in others.split('/') {
            assert_eq!(ledger.number_of(bytes.as_bytes()), None, "{bytes}");
        }
        assert_eq!(ledger.number_of(b"\xFF hello"), None);
    }

    fn without_an_echo_there_is_no_round_trip() {
        let mut ledger = Ledger::new("hello", WAIT);
        ledger.send();
        assert_eq!(ledger.give_up(), 1);
        assert_eq!(
            ledger.to_string(),
            "sent 1, returned 0, lost 1, doubled 0, reordered 0"
        );
    }

    /// Whoever pings for a year must not run out of memory.
    fn it_forgets_what_was_settled_long_ago() {
        let now = Instant::now();
        let mut ledger = Ledger::new("hello", WAIT);
        for number in 1..=3 * MEMORY as u64 {
            ledger.send_at(now);
            if number != 5 {
                assert_eq!(ledger.hear_at(number, now), Fate::Returned);
            }
        }
        // One that is waited for holds all after it.
        assert_eq!(ledger.messages.len(), 3 * MEMORY - 4);
        assert_eq!(ledger.hear_at(6, now), Fate::Doubled);
        assert_eq!(ledger.give_up(), 5);
        ledger.send_at(now);
        assert_eq!(ledger.messages.len(), MEMORY);
        assert_eq!(ledger.hear_at(6, now), Fate::Late);
        assert_eq!(ledger.round_trips.len(), 1);
        assert_eq!(ledger.lost(), 2);
    }

    fn a_hurry_makes_no_wait_longer() {
        let now = Instant::now();
        let mut ledger = Ledger::new("hello", WAIT);
        ledger.send_at(now);
        ledger.hurry(ms(1000));
        assert_eq!(ledger.deadline(), Some(now + WAIT));
        ledger.hurry(ms(10));
        assert_eq!(ledger.deadline(), Some(now + ms(10)));
    }
}
