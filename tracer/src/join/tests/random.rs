//! A million random events: no panic, no hang, every attempt ends once, and twice the same.

use fastrand::Rng;

use super::*;
use crate::join::Limits;

/// Which addresses the events have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    /// The same, one for one
    V6,
    /// Each one of either, which no kernel does, and damaged traces may
    Mixed,
}

/// What is before the four bytes of an address of IPv4, and what before the same four in one of IPv6.
const PREFIXES: [[u8; 12]; 2] =
    [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255], [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 1]];

fn with_prefix(mut flow: Flow, prefix: [u8; 12]) -> Flow {
    flow.src[..12].copy_from_slice(&prefix);
    flow.dst[..12].copy_from_slice(&prefix);
    flow
}

#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
fn event(random: &mut Rng, at: u64, wild: bool, prefixes: [[u8; 12]; 2]) -> Event {
    let at = if wild && random.u64(..1000) == 0 { random.u64(..) } else { at };
    let (isn, port) = (random.u64(..200) as u32, random.u64(..40) as u16);
    let original = with_prefix([pod(port), service(port), node(port)][random.u64(..3) as usize], prefixes[0]);
    let translated = with_prefix(node(port), prefixes[1]);
    match random.u64(..14) {
        0 => select(at, original),
        1 => bind_in(at, random.u64(..3) as u32, random.u64(..3) as u16, isn, original, translated),
        2 => send_failed(at, isn, original, random.u64(..9) as u32, -(random.u64(..2) as i32)),
        3 => established(at, isn, original),
        4 => closed(at, isn, original, [0, ETIMEDOUT, ECONNREFUSED][random.u64(..3) as usize]),
        5 => tick(at),
        6 if random.u64(..100) == 0 => lost(at),
        6 => own_syn(at, isn, translated),
        7 => syn(at, isn, translated),
        8 => dropped(at, isn, if random.u64(..2) == 0 { original } else { translated }, 0x180),
        9 => answer_dropped(at, isn, translated),
        10 => uplink(at, random.u64(..4) as u32, "eth0", random.u64(..4) as u8, random.u64(..2) as u8),
        11 => address(at, random.u64(..4) as u32, "198.51.100.1", random.u64(..3) as u8),
        12 => stray(at, isn, translated, random.u64(..32) as u16),
        _ => seen(at, isn, translated.reversed(), random.u64(..4) as u32, random.u64(..6) as u8, random.u64(..3) as u8),
    }
}

/// Updates, and a digest of them.
fn run(seed: u64, wild: bool, step_ns: u64, limits: Limits, family: Family) -> (u64, u64) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let (mut random, mut families) = (Rng::with_seed(seed), Rng::with_seed(seed));
    let mut join = Joins::with_limits(1, limits);
    let (mut updates, mut digest) = (0_u64, DefaultHasher::new());
    let as_ipv4 = |flow: Flow| with_prefix(flow, PREFIXES[0]);
    let mut take = |update: Update| {
        let Update::Attempt { id: _, kind, attempt } = update else { return };
        updates += 1;
        let reported = match kind {
            UpdateKind::Retransmit { time_ns, ordinal, .. } => {
                assert!(ordinal > 0);
                Some((time_ns, ordinal))
            }
            UpdateKind::Ended => None,
        };
        let (original, translated) = (attempt.original.map(as_ipv4), attempt.translated.map(as_ipv4));
        (reported, attempt.first_ns, attempt.isn, original, translated, attempt.outcome).hash(&mut digest);
    };
    let mut at = 0;
    for _ in 0..250_000 {
        at += random.u64(..step_ns);
        let prefixes = match family {
            Family::V4 => [PREFIXES[0]; 2],
            Family::V6 => [PREFIXES[1]; 2],
            Family::Mixed => [(); 2].map(|()| PREFIXES[families.usize(..2)]),
        };
        feed_each(&mut join, &[event(&mut random, at, wild, prefixes)], &mut take);
        assert!(join.open() <= limits.attempts as usize);
    }
    finish_each(&mut join, &mut take);
    assert_eq!((join.open(), join.addresses()), (0, 0));
    (updates, digest.finish())
}

#[test]
fn a_million_random_events_end_well_and_twice_the_same() {
    let tiny = Limits { attempts: 20, dropped: 5, bindings: 8, selections: 4 };
    let runs = [(1, false, S, Limits::default()), (2, true, MS, tiny), (3, true, 100 * S, Limits::default())];
    for (seed, wild, step_ns, limits) in runs {
        let first = run(seed, wild, step_ns, limits, Family::V4);
        assert!(first.0 > 1000, "{} updates", first.0);
        assert_eq!(first, run(seed, wild, step_ns, limits, Family::V4));
        assert_eq!(first, run(seed, wild, step_ns, limits, Family::V6), "IPv6 is joined as IPv4 is");
        let mixed = run(seed, wild, step_ns, limits, Family::Mixed);
        assert_eq!(mixed, run(seed, wild, step_ns, limits, Family::Mixed));
    }
}
