//! How long round trips take: `--time`.

use std::fmt;
use std::time::Duration;

/// The times of many round trips, in nanoseconds: four bytes each, enough for
/// four seconds.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<u32>);

impl Extend<Duration> for Times {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, times: T) {
        let short = |t: Duration| u32::try_from(t.as_nanos());
        self.0
            .extend(times.into_iter().map(|t| short(t).unwrap_or(u32::MAX)));
    }
}

/// The least, the middle one, and what one in a hundred and one in a thousand
/// take longer than.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut times = self.0.clone();
        times.sort_unstable();
        let at = |permille: usize| {
            let last = times.len().saturating_sub(1);
            let time = times.get(last * permille / 1000);
            f64::from(time.copied().unwrap_or_default()) / 1e3
        };
        write!(
            f,
            "{} round trips: min {:.2} µs, median {:.2} µs, p99 {:.2} µs, \
             p99.9 {:.2} µs",
            times.len(),
            at(0),
            at(500),
            at(990),
            at(999),
        )
    }
}
