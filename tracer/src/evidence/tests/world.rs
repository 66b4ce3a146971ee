//! A capture, event by event: attempts begin, retransmit their SYN after a second, are answered or give up.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;

use fastrand::Rng;
use tracer_common::Flow;
use tracer_common::events::RANGE_PROTO_SPECIFIED;

use crate::evidence::{Place, PortClaim, PortEvidence};
use crate::infer::Conclusion;
use crate::model::{Assessment, Attempt, NatRange, Outcome, PortSet, Side, Strength, example};

const MS: u64 = 1_000_000;

/// What becomes of a SYN to that destination, from that port, sent at that millisecond.
pub(super) type AnswerModel = Rc<dyn Fn(u32, u16, u64) -> bool>;

/// What is true, and what is assumed.
#[derive(Clone)]
pub(super) struct World {
    pub(super) allowed: &'static str,
    pub(super) answers: AnswerModel,
    pub(super) destinations: u32,
    pub(super) attempts: u32,
    pub(super) gap_ms: u64,
    /// When each attempt begins, where not so long after the one before.
    pub(super) begins: Option<fn(u32) -> u64>,
    /// A SYN or its answer is lost on the way.
    pub(super) loss: f64,
    pub(super) ports: RangeInclusive<u16>,
    /// Ports count up for each destination, as sockets choose them and plain masquerade keeps them; else they are drawn.
    pub(super) counts_up: bool,
    /// Attempts to these destinations only have ports of that range.
    pub(super) ports_to: Option<(u32, RangeInclusive<u16>)>,
    pub(super) is_ipv6: bool,
    /// Destination and port of each attempt, in place of drawn ones.
    pub(super) script: Vec<(u32, u16)>,
    /// After how many milliseconds an answered attempt is over, and one that is not: a client without a socket here ends late.
    pub(super) over_ms: (u64, u64),
    /// NAT keeps the ports that clients choose; else it changes them.
    pub(super) keeps_ports: bool,
    /// So many translated source addresses; by number of destination, which are so many times fewer.
    pub(super) sources: u32,
    /// The last byte of the client's address, by port.
    pub(super) client: fn(u16) -> u8,
    /// The port of a destination.
    pub(super) dst_port: fn(u32) -> u16,
    /// The uplink of a destination.
    pub(super) uplink: fn(u32) -> u32,
    /// The ports that the NAT rule names which chose a port.
    pub(super) rule: fn(u16) -> Option<(u16, u16)>,
    /// The address of a destination is private.
    pub(super) is_private: fn(u32) -> bool,
    /// The class of the packets of a client that has a port.
    pub(super) class: fn(u16) -> u8,
}

/// What was concluded.
#[derive(Default)]
pub(super) struct Assessed {
    /// At the first retransmit of each flagged attempt: when, to which destination, how strong.
    pub(super) lines: Vec<(u64, u32, Strength)>,
    /// When each flagged attempt that was not answered was over: how strong.
    pub(super) over: Vec<Strength>,
    /// At the end, of each flagged attempt that was not answered.
    pub(super) end: Vec<(u32, Assessment)>,
    /// At the end, of each attempt that was retransmitted and not answered.
    pub(super) silent: Vec<Silent>,
    /// How many periods there are of which something is said.
    pub(super) periods: usize,
    pub(super) policies: Vec<Assessment>,
    /// What follows for each path and period.
    pub(super) conclusions: Vec<Conclusion>,
    pub(super) bytes: usize,
}

/// An attempt that was not answered.
pub(super) struct Silent {
    pub(super) at_ms: u64,
    pub(super) to: u32,
    pub(super) port: u16,
    pub(super) assessment: Option<Assessment>,
    pub(super) inferred: Option<PortSet>,
}

impl World {
    /// Fully random masquerade behind a filter that passes what the default policy allows.
    pub(super) fn new() -> Self {
        Self {
            allowed: "32768-65535",
            answers: Rc::new(|_, port, _| port >= 32768),
            destinations: 6,
            attempts: 200,
            gap_ms: 20,
            begins: None,
            loss: 0.0,
            ports: 1024..=65535,
            counts_up: false,
            ports_to: None,
            is_ipv6: false,
            script: Vec::new(),
            over_ms: (100, 1000),
            keeps_ports: false,
            sources: 1,
            client: |_| 7,
            dst_port: |_| 443,
            uplink: |_| 2,
            rule: |_| None,
            is_private: |_| false,
            class: |_| 1,
        }
    }

    pub(super) fn play(&self, seed: u64) -> Assessed {
        let allowed: PortSet = self.allowed.parse().unwrap();
        let mut rng = Rng::with_seed(seed);
        // By time and number: what happens then.
        let mut next: BTreeMap<u32, u16> = BTreeMap::new();
        let mut events: BTreeMap<(u64, u32, u8), Attempt> = BTreeMap::new();
        let attempts = if self.script.is_empty() { self.attempts } else { self.script.len() as u32 };
        for number in 0..attempts {
            let scripted = self.script.get(number as usize).copied();
            let to = scripted.map_or_else(|| rng.u32(0..self.destinations), |(to, _)| to);
            let range = self.ports_to.as_ref().filter(|(of, _)| *of == to).map_or(&self.ports, |(_, range)| range);
            let begin_ms = self.begins.map_or(u64::from(number) * self.gap_ms, |begins| begins(number));
            let port = if let Some((_, port)) = scripted {
                port
            } else if self.counts_up {
                let next = next.entry(to).or_insert_with(|| rng.u16(range.clone()));
                *next = if *next > range.end() - 16 { *range.start() } else { *next + 2 * rng.u16(1..8) };
                *next
            } else {
                rng.u16(range.clone())
            };
            let arrives = |at_ms: u64, rng: &mut Rng| (self.answers)(to, port, at_ms) && rng.f64() >= self.loss;
            let sent = (0..3).map(|retransmit| begin_ms + 1000 * retransmit);
            let answered = sent.map(|at_ms| (at_ms, arrives(at_ms, &mut rng))).find(|(_, arrives)| *arrives);
            let attempt = Attempt { first_ns: begin_ms * MS, ..self.attempt(to, port) };
            let last_ms = answered.map_or(begin_ms + 3000, |(at_ms, _)| at_ms);
            for retransmit in 1..3 {
                let at_ms = begin_ms + 1000 * retransmit;
                if at_ms < last_ms || answered.is_some_and(|(answered_ms, _)| at_ms == answered_ms) {
                    let retransmits = u32::try_from(retransmit).unwrap();
                    let last_ns = at_ms * MS;
                    events.insert((at_ms + 20, number, 0), Attempt { retransmits, last_ns, ..attempt.clone() });
                }
            }
            let retransmits = u32::try_from((last_ms - begin_ms) / 1000).unwrap().min(2);
            let (outcome, after) = match answered {
                Some(_) => (Outcome::Established, self.over_ms.0),
                None => (Outcome::Closed, self.over_ms.1),
            };
            let last_ns = last_ms * MS;
            events.insert((last_ms + after, number, 1), Attempt { retransmits, outcome, last_ns, ..attempt });
        }
        self.judge(&allowed, events)
    }

    fn attempt(&self, number: u32, port: u16) -> Attempt {
        let (source, to) = (number % self.sources + 1, number / self.sources);
        let dst_port = (self.dst_port)(to);
        let (nat, dst) = if self.is_ipv6 {
            (format!("[2001:db8::{source}]:{port}"), format!("[2001:db8:1::{to:x}]:{dst_port}"))
        } else {
            (
                format!("192.0.2.{source}:{port}"),
                format!(
                    "{}.{}.{}:{dst_port}",
                    if (self.is_private)(to) { "10.9" } else { "203.0" },
                    to / 250,
                    to % 250
                ),
            )
        };
        let (client, host) = (if self.keeps_ports { port } else { 80 }, (self.client)(port));
        let src = if self.is_ipv6 { format!("[fd00::{host}]:{client}") } else { format!("10.42.0.{host}:{client}") };
        let rule = (self.rule)(port);
        let range = rule.map(|(min_port, max_port)| NatRange { flags: RANGE_PROTO_SPECIFIED, min_port, max_port });
        let (ifindex, packet_class) = ((self.uplink)(number), (self.class)(port));
        Attempt { retransmits: 0, ifindex, packet_class, range, ..example::attempt(&src, &dst, &nat, &dst) }
    }

    fn judge(&self, allowed: &PortSet, events: BTreeMap<(u64, u32, u8), Attempt>) -> Assessed {
        let mut evidence = PortEvidence::default();
        let mut seen = Assessed::default();
        let mut left: Vec<(u32, Place, Attempt)> = Vec::new();
        for ((at_ms, number, kind), attempt) in events {
            let flow = attempt.translated.unwrap();
            let is_flagged = attempt.retransmits > 0 && Side::of(allowed, flow.src_port) != Side::Inside;
            let to = destination(&flow) * self.sources + u32::from(flow.src[15]) - 1;
            if kind == 0 {
                let counted = evidence.retransmitted(number, &attempt, allowed);
                if is_flagged {
                    let strength =
                        evidence.assess(&attempt, allowed, true, true, counted).assessment.unwrap().strength();
                    if attempt.retransmits == 1 {
                        seen.lines.push((at_ms, to, strength));
                    }
                }
            } else {
                let counted = evidence.ended(number, &attempt, allowed, true);
                if is_flagged && !attempt.is_answered() {
                    let claim = evidence.assess(&attempt, allowed, true, true, counted);
                    seen.over.push(claim.assessment.unwrap().strength());
                }
                if attempt.retransmits > 0 && !attempt.is_answered() {
                    left.push((to, evidence.place(&attempt, allowed).unwrap(), attempt));
                }
            }
        }
        evidence.settle();
        seen.bytes = evidence.bytes();
        for (to, place, attempt) in left {
            let (port, at_ms) = (attempt.translated.unwrap().src_port, attempt.first_ns / MS);
            let place = evidence.place_at(place, attempt.first_ns);
            let PortClaim { assessment, inferred } = evidence.assess_port(place, port);
            seen.silent.push(Silent { at_ms, to, port, assessment, inferred: inferred.cloned() });
            if Side::of(allowed, port) != Side::Inside {
                seen.end.push((to, assessment.unwrap()));
            }
        }
        let policies = evidence.policies();
        let mut periods: Vec<_> = policies.iter().map(|(_, policy)| policy.since_ns).collect();
        periods.dedup();
        seen.periods = periods.len();
        seen.policies = policies.iter().flat_map(|(_, sides)| &sides.value).map(|side| side.assessment).collect();
        seen.conclusions = evidence.conclusions().into_iter().map(|(_, period)| period.value).collect();
        seen
    }
}

fn destination(flow: &Flow) -> u32 {
    if flow.is_ipv4() { u32::from(flow.dst[14]) * 250 + u32::from(flow.dst[15]) } else { u32::from(flow.dst[15]) }
}

impl Assessed {
    /// Of attempts to that destination, or to all.
    pub(super) fn end_of(&self, strength: Strength, to: Option<u32>) -> usize {
        let end = self.end.iter().filter(|(of, _)| to.is_none_or(|to| to == *of));
        end.filter(|(_, assessment)| assessment.strength() == strength).count()
    }

    /// Attempts of which a filter is said to be the cause at the end.
    pub(super) fn blamed(&self) -> usize {
        self.end.iter().filter(|(_, assessment)| assessment.strength().holds()).count()
    }

    /// Lines that say so.
    pub(super) fn blaming_lines(&self) -> usize {
        self.lines.iter().filter(|(_, _, strength)| strength.holds()).count()
    }
}
