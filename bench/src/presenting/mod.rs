//! Presenting: what the samples say, as tables, plots and answers.

pub mod answers;
pub mod costs;
pub mod page;
mod plot;
pub mod ratios;
mod section;
mod tables;
mod targets;
pub mod text;
