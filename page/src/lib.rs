//! The pairs side by side in a browser: each step in both languages in one
//! row. Everything is read from the sources, the READMEs and the results.

mod choose;
pub mod content;
mod markdown;
mod paint;
mod render;
mod run;
pub mod server;
pub mod site;
mod source;
mod words;
