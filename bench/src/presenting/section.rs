//! What a report is made of: sections with a table each. The screen, Markdown
//! and HTML show the same ones.

use super::ratios::Spread;

/// A table and what it shows.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// How to read it.
    pub note: String,
    /// The columns' names.
    pub head: Vec<&'static str>,
    /// The rows, each as long as the head.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// What stands in each column.
    pub cells: Vec<String>,
    /// How it is to be shown.
    pub look: Look,
}

/// How a row is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As it is.
    Plain,
    /// The lesson's Rust half: what it is all about.
    Ours,
    /// Something is wrong.
    Bad,
}

impl Section {
    /// Whether a column holds words; figures stand to the right.
    pub fn is_text(&self, column: usize) -> bool {
        ["program", "on", "verdict"].contains(&self.head[column])
            || column < 2 && self.head[column] != "floor"
            || self.rows.iter().all(|row| {
                row.cells.get(column).is_none_or(|cell| {
                    !cell.is_empty()
                        && cell.chars().all(|c| c.is_alphabetic() || c == '/')
                })
            })
    }
}

/// A figure with three digits that count.
pub fn figure3(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.0995 => format!("{value:.4}"),
        size if size < 0.995 => format!("{value:.3}"),
        size if size < 9.95 => format!("{value:.2}"),
        size if size < 99.5 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    if value.abs() < 9999.5 {
        return text;
    }
    // 12345 -> 12,345
    let mut grouped = String::new();
    for (i, digit) in text.chars().enumerate() {
        let left = text.len() - i;
        if i > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The smallest and the greatest.
pub fn range(spread: Spread) -> String {
    format!("{}–{}", figure3(spread.least), figure3(spread.most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_count() {
        for (value, text) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (0.1234, "0.123"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (99.96, "100"),
            (1234.5, "1234"),
            (12345.0, "12,345"),
            (1234567.0, "1,234,567"),
        ] {
            assert_eq!(figure3(value), text);
        }
    }
}
