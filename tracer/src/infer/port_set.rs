//! Whether answered ports look like a port set of MAP-E, MAP-T (RFC 7597, section 5.1) or a carrier-grade NAT: many small ranges at equal
//! distances, in which some bits in the middle of the port have one value. Ranges that small are no classes of `segments`.

use std::fmt::{self, Display, Formatter};

use super::port_counts::UsedPort;

/// Bits below the identifier of the set: of shorter ranges the parity that clients choose could be taken for one.
const RANGE_BITS: std::ops::RangeInclusive<u32> = 3..=12;
/// Bits of the identifier.
const MAX_ID_BITS: u32 = 10;
/// In so many of the small ranges a port must be answered, with failures between each and the next.
const MIN_RANGES: usize = 3;
/// ln(1000), and the logarithm of how many sets are tried.
const NEEDED_NATS: f64 = 6.9 + 10.6;

/// A set of ports: from `first` on, so many of each `distance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSetPattern {
    first: u32,
    ports: u32,
    distance: u32,
}

impl Display for PortSetPattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { first, ports, distance } = self;
        write!(f, "{ports} of each {distance} ports, from {first} on")
    }
}

/// The largest set that all answered ports belong to, where most attempts fall outside of it and are not answered, and chance does not explain that.
pub(super) fn find(seen: &[UsedPort]) -> Option<PortSetPattern> {
    let first = seen.iter().find(|seen| seen.answers.answered > 0)?.port;
    let patterns = RANGE_BITS.rev().flat_map(|bits| (1..=MAX_ID_BITS.min(15 - bits)).map(move |id| (bits, id)));
    let mut best: Option<(f64, PortSetPattern)> = None;
    for (bits, id_bits) in patterns {
        let id = |port: u16| u32::from(port) >> bits & ((1 << id_bits) - 1);
        let is_in = |seen: &&UsedPort| id(seen.port) == id(first);
        if seen.iter().any(|seen| seen.answers.answered > 0 && !is_in(&seen)) {
            continue;
        }
        if ranges(seen, |port| id(port) == id(first)) < MIN_RANGES {
            continue;
        }
        let answered: u64 = seen.iter().map(|seen| seen.answers.answered).sum();
        let total =
            |of: &dyn Fn(&&UsedPort) -> bool| -> u64 { seen.iter().filter(of).map(|it| it.answers.total()).sum() };
        let (inside, all) = (total(&is_in), total(&|_| true));
        let nats = nats(answered, inside, all);
        if answered * 2 > inside && nats >= NEEDED_NATS && best.is_none_or(|(most, _)| nats > most) {
            let distance = 1 << (bits + id_bits);
            best = Some((nats, PortSetPattern { first: id(first) << bits, ports: 1 << bits, distance }));
        }
    }
    best.map(|(_, pattern)| pattern)
}

/// How many of the small ranges have answered ports, apart by failures outside of the set: ports that were used in one stretch show no pattern.
fn ranges(seen: &[UsedPort], is_in: impl Fn(u16) -> bool) -> usize {
    let (mut ranges, mut is_apart) = (0, true);
    for used in seen {
        if !is_in(used.port) {
            is_apart |= used.answers.unanswered > 0;
        } else if used.answers.answered > 0 && is_apart {
            (ranges, is_apart) = (ranges + 1, false);
        }
    }
    ranges
}

/// Chance puts all answered attempts inside with a probability below exp(-nats).
#[expect(clippy::cast_precision_loss, reason = "a likelihood")]
fn nats(answered: u64, inside: u64, all: u64) -> f64 {
    (0..answered).map(|of| -(((inside - of) as f64) / ((all - of) as f64)).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Answers;

    fn used(ports: impl Iterator<Item = u16>, passes: impl Fn(u16) -> bool) -> Vec<UsedPort> {
        let counts = |port| if passes(port) { [0, 1] } else { [1, 0] };
        ports.map(|port| UsedPort { port, answers: Answers::of(counts(port)) }).collect()
    }

    #[test]
    fn ports_that_were_used_in_one_stretch_show_no_set() {
        // Linux gives a client's connections to one destination ports that follow one another.
        assert_eq!(find(&used((32_500..32_826).step_by(2), |port| port >= 32_768)), None);
        assert_eq!(find(&used(30_000..33_900, |port| port / 24 % 8 == 2 && port < 30_300)), None);
        let set = used((1024..=65_535).step_by(16), |port| port % 1024 / 64 == 5);
        assert_eq!(find(&set).unwrap().to_string(), "64 of each 1024 ports, from 320 on");
    }
}
