//! How the kernel selects ports: the probability of each translated port when nf_nat draws one at random.
//!
//! The kernel draws a 16-bit offset and takes `min + offset % size`, so the first `65536 % size` ports of a range are
//! drawn once more often than the rest. Everything here is exact; linear probing past occupied ports is left out.

use std::ops::RangeInclusive;

/// How many values the kernel's random offset has.
const OFFSETS: u32 = 1 << 16;

/// The range nf_nat draws from when the rule names no ports, which depends on the original port.
pub const fn default_range(original_port: u16) -> RangeInclusive<u16> {
    match original_port {
        0..512 => 1..=511,
        512..1024 => 600..=1023,
        1024.. => 1024..=65535,
    }
}

/// How many of the 65536 offsets lead to this port.
pub fn weight(range: &RangeInclusive<u16>, port: u16) -> u32 {
    if !range.contains(&port) {
        return 0;
    }
    let size = u32::from(range.end() - range.start()) + 1;
    let index = u32::from(port - range.start());
    OFFSETS / size + u32::from(index < OFFSETS % size)
}

/// The share of random draws from `range` that end outside the allowed ports.
pub fn share_outside(range: &RangeInclusive<u16>, allowed: impl Fn(u16) -> bool) -> f64 {
    let outside: u32 = range.clone().filter(|&port| !allowed(port)).map(|port| weight(range, port)).sum();
    f64::from(outside) / f64::from(OFFSETS)
}

/// The share that leaves outside when the rule keeps the original port where it can: where `keeps` has it and it is free.
///
/// `sources` are the original ports, each as likely as the others; `clash` is the chance that a port is not free.
pub fn share_preserved(
    sources: &RangeInclusive<u16>,
    keeps: &RangeInclusive<u16>,
    drawn: &RangeInclusive<u16>,
    clash: f64,
    allowed: impl Fn(u16) -> bool,
) -> f64 {
    let drawn_outside = share_outside(drawn, &allowed);
    let outside = |port: u16| match keeps.contains(&port) {
        true => f64::from(u8::from(!allowed(port))) * (1.0 - clash) + drawn_outside * clash,
        false => drawn_outside,
    };
    let ports = sources.clone().count().max(1);
    sources.clone().map(outside).sum::<f64>() / ports as f64
}

/// The chance that one of `entries` foreign entries to the same destination has the port already.
pub fn clash_chance(entries: u64, sources: &RangeInclusive<u16>) -> f64 {
    let ports = sources.clone().count().max(1) as f64;
    1.0 - (entries as f64 * (-1.0 / ports).ln_1p()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(range: &RangeInclusive<u16>, allowed: RangeInclusive<u16>) -> f64 {
        share_outside(range, |port| allowed.contains(&port))
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn worked_examples_of_shares_hold() {
        for (original, allowed, share) in [
            (40000, 32768..=65535, 0.5),
            (1024, 32768..=60999, 37304.0 / 65536.0),
            (1024, 1024..=65535, 0.0),
            (1024, 10000..=65535, 0.152_588),
            (1024, 10000..=19999, 1.0 - 10000.0 / 65536.0),
            (300, 32768..=65535, 1.0),
        ] {
            assert!(close(outside(&default_range(original), allowed.clone()), share), "{original}, {allowed:?}");
        }
    }

    #[test]
    fn the_first_ports_of_a_range_are_drawn_once_more_and_low_original_ports_stay_low() {
        for (original, port, expected) in [
            (65535, 1024, 2),
            (65535, 2047, 2),
            (65535, 2048, 1),
            (65535, 1023, 0),
            (300, 128, 129),
            (300, 129, 128),
            (700, 839, 155),
            (700, 840, 154),
        ] {
            assert_eq!(weight(&default_range(original), port), expected, "{original}, {port}");
        }
    }

    #[test]
    fn weights_of_every_range_sum_to_all_offsets() {
        for range in [1..=511, 600..=1023, 1024..=65535, 32768..=60999, 32768..=65535, 0..=65535, 5000..=5000] {
            assert_eq!(range.clone().map(|port| weight(&range, port)).sum::<u32>(), OFFSETS, "{range:?}");
        }
    }

    #[test]
    fn a_range_named_by_the_rule_is_drawn_unevenly() {
        let range = 32768..=60999;
        let first = range.clone().take(9072).map(|port| weight(&range, port)).sum::<u32>();
        assert!(close(f64::from(first) / 65536.0, 0.415_283));
        assert!(close(outside(&range, 32768..=65535), 0.0));
    }

    #[test]
    fn a_kept_port_leaves_outside_only_where_it_was_outside_or_clashes() {
        let (sources, all, filter) = (32768..=60999, 0..=u16::MAX, |port| (32768..=65535).contains(&port));
        let drawn = default_range(40000);
        assert!(share_preserved(&sources, &all, &drawn, 0.0, filter) == 0.0);
        assert!(close(share_preserved(&sources, &all, &drawn, 0.1, filter), 0.05));
        assert!(close(share_preserved(&sources, &all, &drawn, 0.0, |port| port < 40000), 21000.0 / 28232.0));
    }

    #[test]
    fn a_port_outside_the_rules_range_is_drawn_even_without_a_clash() {
        let range = 32768..=65535;
        let half = share_preserved(&(1024..=65535), &range, &range, 0.0, |port| port < 49152);
        assert!(close(half, 0.5));
        assert!(share_preserved(&(1024..=65535), &range, &range, 0.3, |port| port >= 32768) == 0.0);
    }

    #[test]
    fn clashes_grow_with_the_entries_to_one_destination() {
        let sources = 32768..=60999;
        assert!(clash_chance(0, &sources) == 0.0);
        assert!(close(clash_chance(1, &sources), 1.0 / 28232.0));
        assert!(close(clash_chance(28232, &sources), 1.0 - (1.0f64 - 1.0 / 28232.0).powi(28232)));
    }
}
