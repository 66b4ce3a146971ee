//! Whether ports that clients chose, and NAT kept, come from two pools: those of programs that bind their own, and those that the kernel
//! gives to all others. What then fails from the one and works from the other may depend on the program instead of on the port: on its
//! servers, on when it connects, on what its SYNs ask for.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::recent::RecentAttempt;

/// What Linux gives to sockets that bind no port, unless it is told otherwise (`ip_local_port_range`, `inet_init_net()`).
const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;
/// A gap between the pools as wide as this is chance less than once in a hundred times.
const GAP_CHANCE: f64 = 0.01;
/// Ports are looked at in blocks of 2^8: connections to one destination take neighbouring ports, which are one draw.
const BLOCK_BITS: u32 = 8;

/// Whether clients chose most of the ports outside that fail, and those outside and those inside come from different pools.
pub(super) fn are_apart(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> bool {
    let (mut failures, mut chosen) = (0, 0);
    let mut sides = [BTreeSet::new(), BTreeSet::new()];
    for (attempt, is_inside) in attempts.iter().filter_map(|attempt| Some((attempt, is_inside(attempt)?))) {
        let is_failure = !is_inside && !attempt.answered;
        failures += usize::from(is_failure);
        if attempt.place.is_chosen() {
            chosen += usize::from(is_failure);
            sides[usize::from(!is_inside)].insert(attempt.port);
        }
    }
    let [inside, outside] = &sides;
    chosen * 2 > failures && (are_of_the_kernel_and_not(inside, outside) || has_gap(inside, outside))
}

/// One side has only ports that the kernel gives, the other none.
fn are_of_the_kernel_and_not(inside: &BTreeSet<u16>, outside: &BTreeSet<u16>) -> bool {
    let all = |ports: &BTreeSet<u16>| ports.iter().all(|port| EPHEMERAL.contains(port));
    let none = |ports: &BTreeSet<u16>| !ports.iter().any(|port| EPHEMERAL.contains(port));
    all(inside) && none(outside) || none(inside) && all(outside)
}

/// Whether two neighbouring ports of different sides are further apart than one pool explains.
fn has_gap(inside: &BTreeSet<u16>, outside: &BTreeSet<u16>) -> bool {
    let blocks: BTreeSet<(u16, bool)> = [(inside, true), (outside, false)]
        .into_iter()
        .flat_map(|(ports, is_inside)| ports.iter().map(move |port| (port >> BLOCK_BITS, is_inside)))
        .collect();
    let (Some((first, _)), Some((last, _))) = (blocks.first(), blocks.last()) else { return false };
    let span = f64::from(last - first + 1);
    let pairs = blocks.iter().zip(blocks.iter().skip(1)).filter(|((_, left), (_, right))| left != right);
    let widest = pairs.map(|((left, _), (right, _))| right - left).max().unwrap_or_default();
    // Each of so many ports misses the gap.
    let all = i32::try_from(blocks.len()).unwrap_or(i32::MAX);
    f64::from(all) * (1.0 - f64::from(widest.saturating_sub(1)) / span).powi(all) < GAP_CHANCE
}
