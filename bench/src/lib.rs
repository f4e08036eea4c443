//! Every transport measured side by side: the lessons' own programs, their
//! Node twins, and a floor that is the least the kernel allows.
//!
//! ```sh
//! cargo run --release -p bench
//! cargo run --release -p bench -- --quick --only tcp-echo,pipe-echo
//! ```
//!
//! How it measures, what its JSON means and how to bring a program of your
//! own: `bench/README.md`.
#![cfg(target_os = "linux")]

mod check;
mod cli;
mod exchange;
mod floor;
mod html;
mod link;
mod load;
mod machine;
mod place;
mod report;
mod run;
mod sample;
mod svg;
mod targets;
mod text;
mod transport;

pub use cli::main;
