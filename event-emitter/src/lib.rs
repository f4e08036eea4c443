#![doc = include_str!("../README.md")]

mod emitter;

pub use emitter::{Emitter, Event, Listener, TooMany, Unheard, listener};
