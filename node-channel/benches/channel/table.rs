//! Rounds as text, within 100 columns.

/// What some rounds have shown.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// One more.
    pub fn add(&mut self, value: f64) {
        let at = self.0.partition_point(|other| *other < value);
        self.0.insert(at, value);
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// `12.3 (11.9 - 13.0)`
    pub fn text(&self) -> String {
        let (low, high) = match (self.0.first(), self.0.last()) {
            (Some(low), Some(high)) => (*low, *high),
            _ => return "-".to_owned(),
        };
        let median = number(self.median());
        format!("{median} ({} - {})", number(low), number(high))
    }
}

/// With one place behind the point, where that says something.
pub fn number(value: f64) -> String {
    match value < 100.0 {
        true => format!("{value:.1}"),
        false => format!("{value:.0}"),
    }
}

/// A line of a table: a name, and columns of this width.
pub fn row(name: &str, width: usize, cells: &[String]) -> String {
    let mut line = format!("{name:<20}");
    for cell in cells {
        line += &format!(" {cell:>0$}", width - 1);
    }
    line.trim_end().to_owned()
}
