//! Attempts and captures for unit tests.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use tracer_common::Flow;
use tracer_common::events::{RANGE_MAP_IPS, RANGE_PROTO_RANDOM_FULLY};

use super::{
    Answers, Assessment, Attempt, Capture, Claim, Filter, HookState, Judgement, NatRange, Period, Policy,
    PolicyEvidence, Reason, Scope, Side, SideEvidence, Strength,
};

/// A flow from socket addresses as people write them.
pub fn flow(src: &str, dst: &str) -> Flow {
    Flow::new(src.parse().unwrap(), dst.parse().unwrap())
}

/// A pod's attempt through masquerade fully-random whose SYN was retransmitted once.
pub fn attempt(src: &str, dst: &str, nat_src: &str, nat_dst: &str) -> Attempt {
    Attempt {
        first_ns: 1_000_000_000,
        last_ns: 2_000_000_000,
        isn: 4_000_000_001,
        original: Some(flow(src, dst)),
        translated: Some(flow(nat_src, nat_dst)),
        socket_netns: Some(4_026_532_300),
        nat_netns: Some(4_026_531_840),
        range: Some(NatRange { flags: RANGE_MAP_IPS | RANGE_PROTO_RANDOM_FULLY, min_port: 0, max_port: 0 }),
        selections: 1,
        retransmits: 1,
        syns_leaving: 2,
        ifindex: 2,
        uplink_netns: Some(4_026_531_840),
        ..Attempt::default()
    }
}

/// That its port is outside the policy.
pub const FLAGGED: Judgement =
    Judgement { flagged: true, cause: Some("port_out_of_range"), strength: Some(Strength::Proven) };

/// Proof that ports below the policy are dropped.
pub const PROVEN: Assessment = Assessment {
    claim: Claim::Policy,
    reason: Reason::SidesDiffer { p_below: 12 },
    scope: Scope::Destination,
    side: Side::Below,
    inside: Answers { answered: 29, unanswered: 0 },
    outside: Answers { answered: 0, unanswered: 31 },
};

/// `PROVEN` over all destinations.
pub const PROVEN_FOR_ALL: SideEvidence =
    SideEvidence { assessment: Assessment { scope: Scope::Capture, ..PROVEN }, filtered: 3, passing: 1 };

/// A capture on `node`, booted 2026-03-01 00:00 UTC, two hours east of it.
pub fn capture(node: &str) -> Capture {
    Capture {
        version: "0.1.0".to_owned(),
        node: node.to_owned(),
        kernel: "6.12.1".to_owned(),
        session: 1_772_323_200_000_000_000,
        part: 0,
        boot_unix_ns: 1_772_323_200_000_000_000,
        utc_offset_s: 7200,
        policy: Policy::default(),
        hooks: vec![HookState { stem: "wire".to_owned(), off: None }],
        addresses: vec!["192.0.2.1".parse().unwrap()],
        filter: Filter::default(),
        drop_reasons: vec![(2, "NO_SOCKET".to_owned()), (6, "NETFILTER_DROP".to_owned())],
        owners: Vec::new(),
        is_of_packets: false,
    }
}

/// That the default policy of node7 holds for IPv4.
pub fn policy_evidence() -> PolicyEvidence {
    PolicyEvidence::new(&capture("node7"), true, (0, 2), Period::default(), vec![PROVEN_FOR_ALL])
}
