//! Boundaries that people write into filters. They are offered, never taken for measured.

use super::conclusion::{Edge, Passes};
use crate::model::PortSet;

/// Lowest ports of ranges, the most usual first.
const USUAL_LOWEST_PORTS: &[u16] = &[
    32768, 1024, 49152, 30000, 10000, 20000, 40000, 50000, 60000, 61000, 61001, 16384, 15000, 25000, 5000, 8192, 2048,
    4096, 1025,
];
/// An edge that can be anywhere within 2 % of the port space suggests nothing.
pub(super) const MAX_BRACKET_PORTS: u16 = 1311;

/// The rule that the ranges suggest, if every edge suggests one.
pub(super) fn likely(passes: &[Passes]) -> Option<PortSet> {
    let ranges = passes.iter().map(|range| Some(format!("{}-{}", low(range.low)?, high(range.high)?)));
    let ranges: Option<Vec<_>> = ranges.collect();
    ranges?.join(",").parse().ok()
}

/// The ranges with each edge at its best place; open ends are at the ends of the port space.
pub(super) fn best(passes: &[Passes]) -> PortSet {
    let low = |edge: Edge| if edge.is_measured { edge.best } else { 0 };
    let high = |edge: Edge| if edge.is_measured { edge.best } else { u16::MAX };
    let ranges: Vec<_> = passes.iter().map(|range| format!("{}-{}", low(range.low), high(range.high))).collect();
    // Only an empty list cannot be read, and then no port passes.
    ranges.join(",").parse().unwrap_or_else(|_| PortSet::range(0, 0))
}

fn low(edge: Edge) -> Option<u16> {
    if edge.is_measured {
        return nearest(edge, |lowest| lowest);
    }
    // Nothing fails below: a filter begins after the privileged ports, or not at all.
    Some(if edge.to >= 1024 { 1024 } else { 0 })
}

fn high(edge: Edge) -> Option<u16> {
    if edge.is_measured { nearest(edge, |lowest| lowest - 1) } else { Some(u16::MAX) }
}

fn nearest(edge: Edge, bound: impl Fn(u16) -> u16) -> Option<u16> {
    if edge.to - edge.from > MAX_BRACKET_PORTS {
        return None;
    }
    USUAL_LOWEST_PORTS.iter().map(|&lowest| bound(lowest)).find(|port| (edge.from..=edge.to).contains(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: u16, to: u16) -> Edge {
        Edge { from, to, best: from, is_measured: true }
    }

    fn open(from: u16, to: u16) -> Edge {
        Edge { is_measured: false, ..edge(from, to) }
    }

    fn text(passes: &[Passes]) -> Option<String> {
        likely(passes).map(|ports| ports.to_string())
    }

    #[test]
    fn a_well_known_boundary_in_the_bracket_is_offered() {
        let usual = Passes { low: edge(32760, 32781), high: open(65480, 65535) };
        assert_eq!(text(&[usual]).as_deref(), Some("32768-65535"));
        let other = Passes { low: edge(9990, 10003), high: edge(19950, 20010) };
        assert_eq!(text(&[other]).as_deref(), Some("10000-19999"));
        let holed = [Passes { low: open(0, 1027), high: edge(29990, 30020) }, usual];
        assert_eq!(text(&holed).as_deref(), Some("1024-29999,32768-65535"));
    }

    #[test]
    fn no_boundary_or_a_wide_bracket_offers_nothing() {
        assert_eq!(text(&[Passes { low: edge(33000, 33200), high: open(65000, 65535) }]), None);
        assert_eq!(text(&[Passes { low: edge(32000, 34000), high: open(65000, 65535) }]), None);
    }
}
