//! Attempts whose port NAT changes from one SYN to the next: each SYN is evidence of its own port.

use crate::evidence::PortEvidence;
use crate::model::{Attempt, EarlierPorts, Outcome, PortSet, Reason, Strength, example};

/// An attempt whose first SYN leaves with `first`, and is retransmitted with the other port if that is not answered.
fn attempt(number: u32, first: u16, second: u16) -> Attempt {
    let is_answered = first >= 32768;
    let port = if is_answered { first } else { second };
    let mut earlier_ports = EarlierPorts::default();
    if !is_answered {
        earlier_ports.keep(first);
    }
    let (nat, dst) = (format!("192.0.2.1:{port}"), format!("203.0.113.{}:443", number % 2));
    let retransmits = if is_answered { 0 } else { 2 };
    Attempt {
        first_ns: u64::from(number) * 50_000_000,
        last_ns: u64::from(number) * 50_000_000 + u64::from(retransmits) * 1_500_000_000,
        retransmits,
        selections: if is_answered { 1 } else { 2 },
        earlier_ports,
        syn_ack_seen: true,
        outcome: Outcome::Established,
        ..example::attempt("10.42.0.7:80", &dst, &nat, &dst)
    }
}

#[test]
fn a_syn_that_is_answered_with_another_port_proves_the_filter() {
    let (mut evidence, allowed): (_, PortSet) = (PortEvidence::default(), "32768-65535".parse().unwrap());
    let attempts: Vec<_> = (0..120_u32)
        .map(|number| attempt(number, 1024 + (number * 48_271 % 64_511) as u16, 40_000 + number as u16))
        .collect();
    for (number, attempt) in (0..).zip(&attempts) {
        evidence.ended(number, attempt, &allowed, true);
    }
    evidence.settle();
    let late = attempts.iter().filter(|attempt| attempt.retransmits > 0);
    for attempt in late {
        assert!(attempt.port_in_question(&allowed).is_some_and(|port| port < 32768));
        let claim = evidence.assess(attempt, &allowed, true, true, None).assessment.unwrap();
        assert_eq!(claim.strength(), Strength::Proven, "{claim:?}");
    }
}

#[test]
fn where_a_syn_was_dropped_here_its_port_is_not_known_to_have_left() {
    let (mut evidence, allowed): (_, PortSet) = (PortEvidence::default(), "32768-65535".parse().unwrap());
    let mut dropped = attempt(1, 1200, 40_000);
    dropped.syn_dropped.count = 1;
    evidence.ended(1, &dropped, &allowed, true);
    assert!(evidence.policies().is_empty());
    let claim = evidence.assess(&dropped, &allowed, true, true, None).assessment.unwrap();
    assert_eq!(claim.reason, Reason::PortChanged);
}
