#![doc = include_str!("../README.md")]

pub mod chat;
pub mod cluster;
pub mod member;
pub mod packet;
pub mod page;
pub mod session;
pub mod show;
pub mod texts;
pub mod web;
