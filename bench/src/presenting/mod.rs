//! Presenting: what the samples say, as tables, plots and answers.

mod answers;
mod costs;
pub mod output;
mod page;
mod parts;
mod plot;
pub mod ratios;
mod section;
mod tables;
mod text;
