//! What it costs, at worst.

use fastrand::Rng;
use tracer_common::Flow;

use super::world::World;
use crate::infer::Infer;
use crate::model::{Outcome, example};

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut rng = Rng::with_seed(1);
    let mut infer = Infer::default();
    let mut attempt = example::attempt("10.42.0.7:51234", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
    for number in 0..300_000_u32 {
        let mut flow = Flow::new("192.0.2.1:1".parse().unwrap(), "203.0.113.80:443".parse().unwrap());
        flow.dst[12..].copy_from_slice(&rng.u32(..).to_be_bytes());
        flow.src_port = rng.u16(..);
        attempt.translated = Some(flow);
        attempt.outcome = if number % 2 == 0 { Outcome::Established } else { Outcome::TimedOut };
        infer.ended(&attempt);
    }
    assert!(infer.bytes() < 4 << 20, "{}", infer.bytes());
    assert_eq!(infer.conclusions().len(), 1);
}

#[test]
fn nothing_costs_nothing() {
    assert_eq!(Infer::default().bytes(), 0);
    assert_eq!(Infer::default().conclusions(), []);
}

#[test]
fn equal_evidence_concludes_equally() {
    let world = World { fails: 0.1, destinations: 50, ..World::new(3, 2000) }.passing("32768-65535");
    assert_eq!(world.infer(), world.infer());
    assert_eq!(world.conclude(), world.conclude());
}
