//! Every transport measured side by side: the lessons' own programs, their
//! Node twins, and a floor that is the least the kernel allows.
//!
//! ```sh
//! cargo run --release -p bench
//! cargo run --release -p bench -- --quick --only tcp-echo,pipe-echo
//! ```
//!
//! How it measures, what its JSON means and how to bring a program of your
//! own: `bench/README.md`. From the bottom to the top:
//!
//! - `sample`: what is measured and what came out, the data of every report;
//! - `load`: sends messages over one connection and compares the answers;
//! - `transports`: how each lesson's programs are started and spoken to;
//! - `measuring`: lets all programs take turns, and takes the samples;
//! - `presenting`: tables, plots and answers from the samples;
//! - `cli`: the command line.
#![cfg(target_os = "linux")]

mod cli;
mod load;
mod machine;
mod measuring;
mod presenting;
mod sample;
mod transports;

pub use cli::main;
pub use transports::floor::main as floor;
