//! The report as one page.

use crate::sample::Report;

/// The page.
pub fn page(_report: &Report) -> String {
    String::new()
}
