//! How long it takes to look at all processes of this machine, at new ones only, and at none.
//!
//!     cargo run --release --example owner_speed [ROOT]
#![allow(clippy::unwrap_used, reason = "an example may panic")]

use std::path::Path;
use std::time::Instant;

use bytemuck::Zeroable;
use snatrace::enrichers::{Finder, Host};
use tracer_common::Event;
use tracer_common::events::{SockState, Stamp};

const S: u64 = 1_000_000_000;
const ROUNDS: u64 = 20;
const EVENTS: usize = 2500;

/// A batch of events of two namespaces, one after the other in turn.
fn batch(time_ns: u64, netns: u32) -> Vec<(u32, Event)> {
    let stamp = |netns| Stamp { time_ns, kind: SockState::KIND, netns };
    let event = |index| SockState { stamp: stamp(netns + index as u32 % 2), ..Zeroable::zeroed() };
    (0..EVENTS).map(|index| (0, event(index).into())).collect()
}

/// The median over rounds that are so far apart, each with an empty namespace, in microseconds.
fn median(finder: &mut Finder, from_ns: u64, apart_ns: u64, netns: impl Fn(u64) -> u32) -> f64 {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let mut batch = batch(from_ns + round * apart_ns, netns(round));
            let start = Instant::now();
            finder.enrich(&mut batch);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let root = std::env::args().nth(1).unwrap_or_else(|| "/".to_owned());
    let mut finder = Finder::new(Host::new(Path::new(&root)));
    let processes = std::fs::read_dir(Path::new(&root).join("proc")).unwrap().filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
    });
    println!("{} processes", processes.count());
    let other = |round: u64| 10 + 2 * round as u32;
    println!("all looked at: {:>8.0} us", median(&mut finder, 1_000 * S, 2 * S, other));
    println!("new ones:      {:>8.0} us", median(&mut finder, 2_000 * S, S / 8, |round| 1000 + other(round)));
    println!("none:          {:>8.0} us for {EVENTS} events", median(&mut finder, 2_003 * S, S / 1000, |_| 5000));
}
