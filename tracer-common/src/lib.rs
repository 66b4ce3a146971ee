//! The contract between the kernel half (`tracer-ebpf`) and the user half (`tracer`): events, flows, frozen globals, maps, counters.
//! It has no logic beyond encoding and parsing.

#![no_std]
#![forbid(unsafe_code)]

pub mod config;
pub mod events;
pub mod flow;

pub use events::Event;
pub use flow::Flow;
