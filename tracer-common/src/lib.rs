//! The contract between the kernel half (`tracer-ebpf`) and the user half (`tracer`).
//!
//! Everything both sides must agree on is said here once: the events, the flow they name, the frozen
//! globals, the maps and the counters. It is `no_std` and has no logic beyond encoding and parsing.

#![no_std]
#![forbid(unsafe_code)]

pub mod config;
pub mod events;
pub mod flow;

pub use events::Event;
pub use flow::Flow;
