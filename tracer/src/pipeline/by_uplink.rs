//! Whether one conclusion about the path holds for all uplinks, or each needs its own: another filter, or one that has changed.

use crate::evidence::{InPeriod, Path, PortEvidence};
use crate::infer::{Conclusion, Infer};
use crate::model::{Capture, Period, UplinkName};

/// A conclusion about an uplink of a node in a period.
struct OfUplink<'a> {
    capture: &'a Capture,
    path: Path,
    is_whole: bool,
    conclusion: Conclusion,
}

/// What the evidence of each node says about each of its uplinks, for address families where that is not what all attempts together say.
pub(super) fn conclusions<'a>(
    all: &Infer,
    nodes: impl Iterator<Item = (&'a Capture, &'a PortEvidence)> + Clone,
) -> Vec<Conclusion> {
    let of_node = |(capture, evidence): (&'a Capture, &PortEvidence)| {
        let of_path = move |(path, InPeriod { since_ns, until_ns, value })| {
            let conclusion = Conclusion { period: Period::of(capture, since_ns, until_ns), ..value };
            OfUplink { capture, path, is_whole: since_ns.is_none() && until_ns.is_none(), conclusion }
        };
        evidence.conclusions().into_iter().map(of_path).collect::<Vec<_>>()
    };
    let evidences: Vec<_> = nodes.clone().map(|(_, evidence)| evidence).collect();
    let every: Vec<_> = nodes.flat_map(of_node).collect();
    let together = all.conclusions();
    let is_split = |family: &[&OfUplink<'_>], is_ipv4: bool| {
        let whole = together.iter().find(|whole| whole.is_ipv4 == is_ipv4);
        family.len() > 1
            && family.iter().any(|of| !of.is_whole || whole.is_none_or(|whole| whole.contradicts(&of.conclusion)))
    };
    let mut conclusions = Vec::new();
    for is_ipv4 in [true, false] {
        let family: Vec<_> = every.iter().filter(|of| of.path.is_ipv4 == is_ipv4).collect();
        if is_split(&family, is_ipv4) {
            conclusions.extend(family.iter().map(|of| of.named(&family)));
        } else if let Some(whole) = together.iter().find(|whole| whole.is_ipv4 == is_ipv4)
            && let [evidence] = evidences[..]
            && let Some(exact) = evidence.conclusion_of_all(is_ipv4)
            && whole.says_something()
            && !exact.says_something()
        {
            conclusions.push(exact);
        }
    }
    conclusions
}

impl OfUplink<'_> {
    /// With as much of its name as distinguishes it from the others of the family.
    fn named(&self, family: &[&OfUplink<'_>]) -> Conclusion {
        let node = &self.capture.node;
        let is_of_several_nodes = family.iter().any(|of| of.capture.node != *node);
        let siblings = || family.iter().filter(|of| of.capture.node == *node);
        let has_namesake =
            siblings().any(|of| of.path.ifindex == self.path.ifindex && of.path.netns != self.path.netns);
        let is_one_of_several = is_of_several_nodes || siblings().any(|of| of.path != self.path);
        let uplink = is_one_of_several.then(|| UplinkName {
            node: is_of_several_nodes.then(|| node.clone()),
            netns: has_namesake.then_some(self.path.netns),
            ifindex: self.path.ifindex,
            name: self.path.name,
        });
        Conclusion { uplink, ..self.conclusion.clone() }
    }
}
