//! How long an inference takes and what it keeps: `cargo run --release --no-default-features --example infer_speed`.

use std::time::Instant;

use snatrace::infer::Infer;
use snatrace::model::{Attempt, Outcome};
use tracer_common::Flow;

fn main() {
    for (attempts, destinations) in [(400, 6), (10_000, 64), (1_000_000, 64), (1_000_000, 1000), (3_000_000, 100_000)] {
        measure(attempts, destinations);
    }
}

/// A filter that passes 10000-19999 and 40000-65535, and one failure in ten for other reasons.
fn measure(attempts: u32, destinations: u32) {
    let mut infer = Infer::default();
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let start = Instant::now();
    for number in 0..attempts {
        let port = u16::try_from(1024 + next(64512)).unwrap_or(0);
        let passes = (10000..20000).contains(&port) || port >= 40000;
        let answered = passes && next(10) > 0;
        let to = u32::try_from(next(destinations.into())).unwrap_or(0);
        infer.ended(&attempt(number, port, to, answered));
    }
    let each = start.elapsed().as_secs_f64() * 1e9 / f64::from(attempts);
    let start = Instant::now();
    let conclusions = infer.conclusions();
    let ms = start.elapsed().as_secs_f64() * 1e3;
    println!("{attempts} attempts, {destinations} destinations: {each:.0} ns each; concluded in {ms:.1} ms");
    for conclusion in conclusions {
        println!("    {conclusion}");
    }
}

fn attempt(number: u32, port: u16, to: u32, answered: bool) -> Attempt {
    let [a, b, c, d] = to.to_be_bytes();
    let original = Flow::new(([10, 42, 0, 7], 5000).into(), ([203, b ^ a, c, d], 443).into());
    let translated = Flow { src_port: port, ..Flow::new(([192, 0, 2, 1], 0).into(), ([203, b ^ a, c, d], 443).into()) };
    Attempt {
        first_ns: u64::from(number) * 10_000_000,
        isn: number,
        original: Some(original),
        translated: Some(translated),
        selections: 1,
        retransmits: u32::from(!answered),
        syns_leaving: 1,
        ifindex: 2,
        syn_ack_seen: answered,
        outcome: if answered { Outcome::Established } else { Outcome::TimedOut },
        ..Attempt::default()
    }
}
