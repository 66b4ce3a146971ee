//! Nanoseconds of CPU time per event of the join, over connections that half succeed and half fail; `join_speed [CONNECTIONS] [PER_SECOND]`.
//! Then the resident memory that a million open attempts take.

use std::hint::black_box;

use bytemuck::Zeroable;
use nix::time::{ClockId, clock_gettime};
use snatrace::join::{Join, Update};
use tracer_common::Flow;
use tracer_common::events::{Event, NatBind, NatSelect, SockState, Stamp, SynRetransmit, Wire};

fn stamp(kind: u32, time_ns: u64) -> Stamp {
    Stamp { time_ns, kind, netns: 1 }
}

fn connection(n: u32, at: u64, events: &mut Vec<Event>) {
    let [_, a, b, c] = n.to_be_bytes();
    let v4 = |octets: [u8; 4]| tracer_common::flow::octets(std::net::IpAddr::from(octets));
    let port = 32_768 + (n % 28_000) as u16;
    let original = Flow { src: v4([10, 42, 0, 9]), dst: v4([192, a, b, c]), src_port: port, dst_port: 443 };
    let translated = Flow { src: v4([198, 51, 100, 1]), src_port: n.wrapping_mul(40_503) as u16, ..original };
    let isn = n.wrapping_mul(0x9E37_79B1);
    let wire = |at, flow, packet, direction| {
        Event::from(Wire { stamp: stamp(5, at), flow, isn, ifindex: 2, packet, direction, detail: 0 })
    };
    let state = |at, isn, err, new_state| {
        Event::from(SockState { stamp: stamp(4, at), flow: original, isn, err, new_state, unused: [0; 3] })
    };
    events.push(NatSelect { stamp: stamp(1, at), original, flags: 0x11, ..Zeroable::zeroed() }.into());
    events.push(NatBind { stamp: stamp(2, at + 1_000), original, translated, isn, ..Zeroable::zeroed() }.into());
    events.push(wire(at + 2_000, translated, 1, 1));
    if n.is_multiple_of(2) {
        events.push(wire(at + 200_000, translated.reversed(), 2, 0));
        events.push(state(at + 201_000, isn.wrapping_add(1), 0, 1));
        return;
    }
    for ordinal in 1..=2 {
        let at = at + u64::from(ordinal) * 1_000_000_000;
        events.push(wire(at, translated, 1, 1));
        events.push(SynRetransmit { stamp: stamp(3, at + 2_000), flow: original, isn, ordinal, err: 0 }.into());
    }
    events.push(state(at + 3_000_000_000, isn, 110, 7));
}

/// CPU time of this thread: other load on the machine does not count.
fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap_or(nix::sys::time::TimeSpec::new(0, 0));
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let (connections, per_second): (u32, u64) =
        (arguments.next().unwrap_or(300_000), arguments.next().unwrap_or(4_000).into());
    let mut events = Vec::new();
    for n in 0..connections {
        connection(n, 1_000_000_000_000 + u64::from(n) * 1_000_000_000 / per_second, &mut events);
    }
    events.sort_by_key(|event| event.stamp().time_ns);
    for _ in 0..5 {
        let (mut join, mut most, mut updates) = (Join::default(), 0, 0_u64);
        let start = cpu_ns();
        for event in &events {
            join.event(event, &mut |update: Update<'_>| {
                black_box(&update);
                updates += 1;
            });
            most = most.max(join.open());
        }
        join.finish(&mut |_| updates += 1);
        let ns = (cpu_ns() - start) as f64 / events.len() as f64;
        println!("{} events, at most {most} open, {updates} updates: {ns:.1} ns per event", events.len());
    }
    drop(events);
    memory();
}

fn memory() {
    let (before, mut join, mut events) = (resident_kib(), Join::default(), Vec::new());
    for n in 0..1_100_000 {
        events.clear();
        connection(2 * n + 1, 1_000_000_000_000 + u64::from(n), &mut events);
        events.iter().take(3).for_each(|event| join.event(event, &mut |_| {}));
    }
    let (after, open, evicted) = (resident_kib(), join.open(), join.evicted());
    println!("{open} open, {evicted} evicted: {} MiB resident", after.saturating_sub(before) / 1024);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
