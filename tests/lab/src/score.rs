//! Compares the attempts that a capture flagged with what became of the connections. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use serde_json::Value;

use super::binomial;
use super::net::Net;
use super::scenario::{Expect, Scenario};
use super::traffic::truth::Truth;

/// An attempt that the capture flagged, or named a cause of, as its JSON lines name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flagged {
    /// Original tuple; `None` where the capture does not know it.
    pub tuple: Option<Tuple>,
    /// Initial sequence number.
    pub isn: u32,
    /// The cause, where that is what counts.
    pub cause: Option<String>,
}

/// Source address and port, destination address and port, before NAT.
pub type Tuple = (IpAddr, u16, IpAddr, u16);

impl Flagged {
    /// From a JSON line; `None` unless it is a flagged retransmit, or, where causes count, the end of an attempt.
    pub fn parse(line: &Value, expect: Expect) -> Option<Self> {
        let (kind, cause) = match expect {
            Expect::FailedAreFlagged | Expect::NothingFlagged if line["flagged"] != true => return None,
            Expect::FailedAreFlagged | Expect::NothingFlagged => ("retransmit", None),
            Expect::Causes(_) => ("ended", Some(line["cause"].as_str().unwrap_or("none").to_owned())),
        };
        if line["kind"] != kind {
            return None;
        }
        let port = |name: &str| u16::try_from(line[name].as_u64()?).ok();
        let address = |name: &str| line[name].as_str()?.parse().ok();
        let tuple = || Some((address("src")?, port("src_port")?, address("dst")?, port("dst_port")?));
        // Without an ISN the line matches no attempt and counts as a false flag.
        let isn = line["isn"].as_u64().and_then(|isn| isn.try_into().ok()).unwrap_or(0);
        Some(Self { tuple: tuple(), isn, cause })
    }
}

/// The table at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Connections made.
    pub attempts: u32,
    /// Those that were not established.
    pub failed: u32,
    /// Those that the capture has to flag, or to name the cause of.
    #[serde(rename = "due")]
    pub expected: u32,
    /// Attempts that the capture flagged, or named a cause of.
    pub flagged: u32,
    /// Of those, the ones whose original tuple the capture never reported.
    #[serde(rename = "nameless")]
    pub unidentified: u32,
    /// Flagged, or given this cause, by mistake.
    pub false_flags: u32,
    /// Expected, but neither flagged nor given their cause.
    pub missed: u32,
    /// A scenario about causes proves nothing when no attempt is expected.
    #[serde(skip)]
    pub must_expect: bool,
    /// Events that the capture lost.
    pub lost: u64,
    /// Connections whose translated port was a new random draw.
    pub draws: u32,
    /// How many of those failed.
    pub draws_failed: u32,
    /// The exact share of draws expected to fail.
    pub expected_share: f64,
    /// The counts between which 99 % of such runs fall.
    pub expected_counts: (u32, u32),
}

impl Score {
    /// Compares flagged attempts with the truth.
    pub fn new(scenario: &Scenario, net: &Net, truths: &[Truth], flagged: &HashSet<Flagged>, lost: u64) -> Self {
        let failed: Vec<&Truth> = truths.iter().filter(|truth| !truth.ok).collect();
        let expected: Vec<Expected<'_>> = match scenario.expect {
            Expect::FailedAreFlagged => failed.iter().map(|truth| (*truth, None)).collect(),
            Expect::NothingFlagged => Vec::new(),
            Expect::Causes(cause) => {
                let is_expected = |truth: &&Truth| !truth.ok || truth.retransmits > 0;
                let cause = |truth: &Truth| cause(net, SocketAddr::new(truth.dst, truth.dst_port));
                truths.iter().filter(is_expected).map(|truth| (truth, Some(cause(truth)))).collect()
            }
        };
        let Comparison { reported, unidentified, false_flags, missed } = compare(&expected, flagged);
        let draws = count(truths.iter().filter(|truth| truth.drawn));
        let expected_share = scenario.share_failing();
        let interval = binomial::interval(draws, expected_share, 0.99);
        Self {
            attempts: count(truths.iter()),
            failed: count(failed.iter()),
            expected: count(expected.iter()),
            must_expect: matches!(scenario.expect, Expect::Causes(_)),
            flagged: reported,
            unidentified,
            false_flags,
            missed,
            lost,
            draws,
            draws_failed: count(failed.iter().filter(|truth| truth.drawn)),
            expected_share,
            expected_counts: (*interval.start(), *interval.end()),
        }
    }

    /// Whether the capture reported exactly what it had to.
    pub const fn is_right(&self) -> bool {
        (self.expected > 0 || !self.must_expect) && self.false_flags == 0 && self.missed == 0 && self.lost == 0
    }

    /// The share of draws that failed; `None` without draws.
    pub fn share(&self) -> Option<f64> {
        (self.draws > 0).then(|| f64::from(self.draws_failed) / f64::from(self.draws))
    }
}

/// A connection that the capture has to flag, or to name this cause of.
type Expected<'a> = (&'a Truth, Option<&'static str>);

/// What the capture reported of the attempts that it had to report.
#[derive(Debug, Default)]
struct Comparison {
    /// Attempts that it reported.
    reported: u32,
    /// Of those, the ones without their original tuple.
    unidentified: u32,
    false_flags: u32,
    missed: u32,
}

/// Attempts are matched by ISN, which NAT does not change, and by original tuple where the capture names the tuple: a capture may
/// report an attempt before it knows the tuple, and again afterwards.
fn compare(expected: &[Expected<'_>], flagged: &HashSet<Flagged>) -> Comparison {
    let mut by_isn: HashMap<u32, Vec<&Flagged>> = HashMap::new();
    for flag in flagged {
        by_isn.entry(flag.isn).or_default().push(flag);
    }
    let mut result = Comparison::default();
    let mut right = HashSet::new();
    for (truth, cause) in expected {
        let tuple = (truth.src, truth.src_port, truth.dst, truth.dst_port);
        let matches =
            |flag: &&&Flagged| flag.tuple.is_none_or(|reported| reported == tuple) && flag.cause.as_deref() == *cause;
        let same_isn = truth.isn.and_then(|isn| by_isn.get(&isn));
        let reports: Vec<&Flagged> = same_isn.into_iter().flatten().filter(matches).copied().collect();
        result.missed += u32::from(reports.is_empty());
        result.unidentified += u32::from(!reports.is_empty() && reports.iter().all(|flag| flag.tuple.is_none()));
        right.extend(reports);
    }
    // Each attempt counts once, however often the capture reports it.
    let attempts =
        |flags: &mut dyn Iterator<Item = &Flagged>| saturate(flags.map(|flag| flag.isn).collect::<HashSet<_>>().len());
    result.reported = attempts(&mut flagged.iter());
    result.false_flags = attempts(&mut flagged.iter().filter(|flag| !right.contains(*flag)));
    result
}

/// Lost events according to a summary line, which has their sum or counts by kind.
pub fn lost_of(summary: &Value) -> u64 {
    let counts = || serde_json::from_value::<BTreeMap<String, u64>>(summary["lost"].clone()).ok();
    summary["lost"].as_u64().or_else(|| Some(counts()?.values().sum())).unwrap_or(u64::MAX)
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    saturate(items.count())
}

fn saturate(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scenarios;

    fn truth(port: u16, ok: bool) -> Truth {
        let src = format!("10.7.1.10:{port}").parse().unwrap();
        Truth { ok, isn: Some(port.into()), ..Truth::new(src, "10.7.192.10:8080".parse().unwrap(), true) }
    }

    fn flag(port: u16, isn: u32) -> Flagged {
        let line = json!({"kind": "retransmit", "flagged": true, "src": "10.7.1.10", "src_port": port,
            "dst": "10.7.192.10", "dst_port": 8080, "isn": isn});
        Flagged::parse(&line, Expect::FailedAreFlagged).unwrap()
    }

    fn score(scenario: &str, truths: &[Truth], flags: &[Flagged]) -> (u32, u32) {
        let score =
            Score::new(scenarios::find(scenario).unwrap(), &Net::new(7), truths, &flags.iter().cloned().collect(), 0);
        (score.false_flags, score.missed)
    }

    fn unidentified(isn: u32) -> Flagged {
        Flagged { tuple: None, isn, cause: None }
    }

    #[test]
    fn a_flag_is_right_only_for_a_connection_that_failed_with_this_tuple_and_isn() {
        let [ok, failed, also_failed] = [truth(1, true), truth(1, false), truth(2, false)];
        for (what, scenario, truths, flags, expected) in [
            ("exactly what failed", "fully_random", vec![ok.clone(), also_failed.clone()], vec![flag(2, 2)], (0, 0)),
            ("a connection that worked", "fully_random", vec![ok], vec![flag(1, 1)], (1, 0)),
            ("a failure without a flag", "fully_random", vec![failed.clone(), also_failed], vec![flag(2, 2)], (0, 1)),
            ("another tuple", "fully_random", vec![failed.clone()], vec![flag(2, 1)], (1, 1)),
            ("a host socket without a flag", "host", vec![failed.clone()], vec![], (0, 0)),
            ("a host socket with a flag", "host", vec![failed], vec![flag(1, 9)], (1, 0)),
        ] {
            assert_eq!(score(scenario, &truths, &flags), expected, "{what}");
        }
    }

    #[test]
    fn the_same_tuple_twice_needs_two_flags() {
        let truths = [8, 9].map(|isn| Truth { isn: Some(isn), ..truth(1, false) });
        for (isns, expected) in [(&[8][..], (0, 1)), (&[8, 9], (0, 0)), (&[7, 8, 9], (1, 0))] {
            let flags: Vec<_> = isns.iter().map(|isn| flag(1, *isn)).collect();
            assert_eq!(score("reused_port", &truths, &flags), expected, "{isns:?}");
        }
    }

    #[test]
    fn an_attempt_whose_tuple_is_not_known_is_found_by_its_isn_and_counted() {
        assert_eq!(score("forwarded", &[truth(1, false)], &[unidentified(1)]), (0, 0));
        assert_eq!(score("forwarded", &[truth(1, false)], &[unidentified(2)]), (1, 1));
        let truths = [truth(1, false), truth(2, false)];
        let expected: Vec<_> = truths.iter().map(|truth| (truth, None)).collect();
        let flagged = [unidentified(1), flag(1, 1), unidentified(2)].into();
        let Comparison { reported, unidentified, false_flags, missed } = compare(&expected, &flagged);
        assert_eq!((reported, unidentified, false_flags, missed), (2, 1, 0, 0));
    }

    #[test]
    fn loss_is_not_right_and_is_summed_over_its_kinds() {
        let lost = lost_of(&json!({"kind": "summary", "lost": {"ring_full": 2, "table_full": 1}}));
        assert_eq!(lost, 3);
        assert_eq!(lost_of(&json!({"kind": "summary", "lost": 4})), 4);
        assert_ne!(lost_of(&json!({"kind": "summary"})), 0);
        let scenario = scenarios::find("fully_random").unwrap();
        assert!(!Score::new(scenario, &Net::new(7), &[], &HashSet::new(), lost).is_right());
        assert!(Score::new(scenario, &Net::new(7), &[], &HashSet::new(), 0).is_right());
    }

    #[test]
    fn only_flagged_retransmits_are_parsed() {
        assert_eq!(Flagged::parse(&json!({"kind": "summary", "flagged": true}), Expect::FailedAreFlagged), None);
        assert_eq!(Flagged::parse(&json!({"kind": "retransmit", "flagged": false}), Expect::FailedAreFlagged), None);
    }

    fn ended(port: u16, cause: &str) -> Flagged {
        let line = json!({"kind": "ended", "src": "10.7.1.10", "src_port": port, "dst": "10.7.192.10", "dst_port": 8080,
            "isn": port, "cause": cause});
        Flagged::parse(&line, Expect::Causes(|_, _| "")).unwrap()
    }

    #[test]
    fn where_causes_count_another_cause_is_false_and_the_right_one_missed() {
        let late = Truth { retransmits: 1, ..truth(2, true) };
        let truths = [truth(1, false), late, truth(3, true)];
        assert_eq!(score("refused", &truths, &[ended(1, "refused"), ended(2, "refused")]), (0, 0));
        assert_eq!(score("refused", &truths, &[ended(1, "no_answer"), ended(2, "refused")]), (1, 1));
        assert_eq!(score("refused", &truths, &[ended(1, "refused")]), (0, 1));
        assert_eq!(score("refused", &truths, &[1, 2, 3].map(|port| ended(port, "refused"))), (1, 0));
    }
}
