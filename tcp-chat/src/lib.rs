#![doc = include_str!("../README.md")]

pub mod lines;
pub mod queue;
pub mod room;
pub mod terminal;
