//! The evidence of one way out of the node, for one address family. Its filter may appear, disappear or change: each period in which it
//! stays the same is judged by itself.

mod changes;
mod periods;

use std::num::NonZeroU16;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tracer_common::Flow;
use tracer_common::events::RANGE_PROTO_SPECIFIED;

use super::doubts::Doubts;
use super::kinds::Kinds;
use super::outage::{newest, of_policy, sorted};
use super::place::{Path, Place, PortClaim};
use super::range::InferredRange;
use super::recent::{ENDED, MAX_RECENT, RecentAttempt, RecentAttempts};
use super::refused::RefusedPorts;
use crate::infer::{Class, Destination, DestinationIndex, MAX_SOURCES, Probe, Refusals, ShortestAnswer};
use crate::model::{Answers, Assessment, Attempt, Claim, LONG_WAIT_MS, Reason, Scope, Side, is_private};

/// The evidence of one path.
#[derive(Clone, Debug)]
pub(super) struct PathEvidence {
    pub(super) path: Path,
    number: u8,
    index: DestinationIndex,
    /// Translated source addresses that are told apart: a provider may filter one of them only. Further ones share a number.
    sources: Vec<[u8; 16]>,
    /// In the order in which they were found.
    periods: Vec<PeriodEvidence>,
    pub(super) recent: RecentAttempts,
    refused: RefusedPorts,
    /// By number of the destination.
    shortest: Vec<ShortestAnswer>,
}

/// How many failures and answers were known when it was looked at, and what was found.
type Known = ([u64; 2], Doubts);

/// The evidence of a period in which the filter stays the same.
#[derive(Clone, Debug, Default)]
struct PeriodEvidence {
    since_ns: u64,
    family: Kinds,
    range: Option<Box<InferredRange>>,
    /// Attempts when the range was inferred.
    inferred_at: u64,
    /// Unanswered attempts that have waited for longer than one retransmit, by side. One that was answered after that counts on once it
    /// is too old to be kept.
    waited: [u64; 4],
    /// Of a side and a kind of destinations, or of a destination and a side.
    doubts: HashMap<(Option<u16>, Side, bool), Known, FixedState>,
}

/// What is said of a period, and when it begins and ends; `None` where the capture does.
#[derive(Clone, Debug)]
pub struct InPeriod<T> {
    /// From this time on.
    pub since_ns: Option<u64>,
    /// Up to this time.
    pub until_ns: Option<u64>,
    /// What is said.
    pub value: T,
}

impl PeriodEvidence {
    /// Counts an attempt that has waited, if it has.
    fn waited(&mut self, side: Side, has_waited: bool) {
        if has_waited && self.waited.iter().all(|count| *count == 0) {
            // A range may be inferred from now on.
            self.inferred_at = 0;
        }
        self.waited[side as usize] += u64::from(has_waited);
    }

    /// Takes one back that was counted, if it was.
    fn uncount_waited(&mut self, side: Side, has_waited: bool) {
        let waited = &mut self.waited[side as usize];
        *waited = waited.saturating_sub(has_waited.into());
    }

    /// Whether an attempt from this side has waited, so that a late answer would have been seen.
    fn has_waited(&self, side: Side) -> bool {
        self.waited[side as usize] > 0
    }
}

/// Whether what was found at a count holds at a later one. The more there are, the less a few more change it; but a few more are enough
/// where there were doubts.
fn is_like(at: u64, now: u64, was_doubted: bool) -> bool {
    let more = if at < 32 || was_doubted { at / 8 } else { at / 2 };
    (at..=at + more).contains(&now)
}

/// A hash of the address of a client: few are told apart, so all of it matters.
pub(super) fn client(addr: [u8; 16]) -> u8 {
    let hash = u128::from_be_bytes(addr).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    ((hash >> 120) as u8).max(1)
}

impl PathEvidence {
    pub(super) fn new(path: Path, number: u8) -> Self {
        let (index, recent, refused, shortest, sources) = Default::default();
        Self { path, number, index, sources, periods: vec![PeriodEvidence::default()], recent, refused, shortest }
    }

    /// Where an attempt belongs that began, or was answered, at this time.
    pub(super) fn place(&mut self, attempt: &Attempt, translated: &Flow, side: Side, at_ns: u64) -> Place {
        if !self.path.name.is_known() && self.path.ifindex == attempt.ifindex {
            self.path.name = attempt.egress.interface;
        }
        let is_kept = attempt.may_keep_port();
        let client = attempt.original.map_or(0, |original| client(original.src));
        let rule = attempt.range.filter(|range| range.flags & RANGE_PROTO_SPECIFIED != 0);
        let rule = rule.and_then(|range| Some((range.min_port, NonZeroU16::new(range.max_port)?)));
        // One of several addresses of this node may be refused as well.
        let packets = [attempt.packet_class, self::client(translated.src)];
        let source = self.source(translated.src);
        let (entry, is_shared) = self.index.number(Destination::of(translated), source);
        let service = translated.dst_port;
        let (path, period) = (self.number, self.period_at(at_ns));
        let waited_ms = if attempt.is_answered() { LONG_WAIT_MS } else { attempt.waited_ms() };
        let waited_ms = if waited_ms == LONG_WAIT_MS { waited_ms } else { 1 << waited_ms.max(1).ilog2() };
        let is_private = is_private(&translated.dst);
        Place { path, period, entry, is_shared, is_private, service, side, is_kept, client, packets, rule, waited_ms }
    }

    /// Whether the client gave up before the destination may have answered.
    pub(super) fn is_too_early(&self, place: Place) -> bool {
        self.shortest.get(usize::from(place.entry)).copied().unwrap_or_default().is_too_early(place.waited_ms)
    }

    fn answered_after(&mut self, entry: u16, waited_ms: u16) {
        let place = usize::from(entry);
        if place >= self.shortest.len() {
            self.shortest.resize(place + 1, ShortestAnswer::default());
        }
        self.shortest[place].answered_after(waited_ms);
    }

    fn source(&mut self, source: [u8; 16]) -> u8 {
        let known = self.sources.iter().position(|of| *of == source);
        let number = known.unwrap_or_else(|| {
            if self.sources.len() < MAX_SOURCES - 1 {
                self.sources.push(source);
                return self.sources.len() - 1;
            }
            MAX_SOURCES - 1
        });
        number as u8
    }

    /// The period of a time.
    pub(super) fn period_at(&self, at_ns: u64) -> u8 {
        let periods = (0u8..).zip(&self.periods).filter(|(_, period)| period.since_ns <= at_ns);
        periods.max_by_key(|(_, period)| period.since_ns).map_or(0, |(number, _)| number)
    }

    /// The period of a number, which is only that of one.
    fn period(&mut self, number: u8) -> &mut PeriodEvidence {
        &mut self.periods[usize::from(number)]
    }

    /// Counts an attempt, `id` while it is under way; the number to take it back by, and whether it is weighed.
    pub(super) fn count(
        &mut self,
        place: Place,
        id: Option<u32>,
        at_ns: u64,
        probe: Probe,
        has_waited: bool,
    ) -> (u64, bool) {
        let mut is_void = false;
        if probe.answered {
            self.answered_after(place.entry, probe.waited_ms);
            let (counts, is_first_accepted) = self.refused.answered(place.entry, probe);
            if is_first_accepted {
                for RecentAttempt { place, is_weighed, .. } in self.recent.leave_out_refused(place.entry) {
                    self.periods[usize::from(place.period)].family.uncount(place, true, is_weighed);
                }
            }
            is_void = !counts;
        }
        let period = self.period(place.period);
        period.waited(place.side, has_waited);
        let is_weighed = !is_void && period.family.count(place, at_ns, probe);
        let (id, Probe { port, answered, is_refused, .. }) = (id.unwrap_or(ENDED), probe);
        let attempt = RecentAttempt { at_ns, id, port, place, answered, is_weighed, has_waited, is_refused, is_void };
        (self.recent.push(attempt), is_weighed)
    }

    /// An attempt that was counted has been retransmitted again.
    pub(super) fn waited(&mut self, number: u64) {
        if let Some(place) = self.recent.waited(number) {
            self.period(place.period).waited(place.side, true);
        }
    }

    /// Takes back an unanswered attempt.
    pub(super) fn uncount(&mut self, place: Place, number: u64, is_weighed: bool) {
        let has_waited = self.recent.take_back(number);
        let period = self.period(place.period);
        period.family.uncount(place, false, is_weighed);
        period.uncount_waited(place.side, has_waited);
    }

    /// How strong the claim is about that port: of the policy, or of another range where the attempts prove one.
    pub(super) fn assess(&mut self, place: Place, port: u16) -> PortClaim<'_> {
        if self.is_too_early(place) {
            let (claim, reason, scope, side) = (Claim::Policy, Reason::GaveUpEarly, Scope::Destination, place.side);
            let (inside, outside) = (Answers::default(), Answers::default());
            let assessment = Assessment { claim, reason, scope, side, inside, outside };
            return PortClaim { assessment: Some(assessment).filter(|_| side != Side::Inside), inferred: None };
        }
        let policy = (place.side != Side::Inside).then(|| self.policy(place));
        if policy.is_some_and(|policy| policy.strength().holds()) {
            return PortClaim { assessment: policy, inferred: None };
        }
        let range = self.range(place.period);
        let inferred = range.and_then(|range| range.assess(place, port));
        let ports = range.filter(|_| inferred.is_some()).map(|range| &range.class.split);
        PortClaim { assessment: inferred.or(policy), inferred: ports }
    }

    /// Which ports are refused.
    pub(super) fn refusals(&self) -> Option<Refusals> {
        self.refused.infer(self.path.is_ipv4, &self.index, &self.recent)
    }

    /// What is said of a refused attempt from this port.
    pub(super) fn refusal(&mut self, place: Place, port: u16) -> Option<PortClaim<'_>> {
        if self.refused.is_stale() {
            self.refused.found = self.refusals().map(Box::new);
        }
        self.refused.assess(place.side, port)
    }

    /// How strong the claim is that the policy holds. Where something else explains the failures of the destination as well, all attempts
    /// of the path must support the claim.
    fn policy(&mut self, place: Place) -> Assessment {
        let of = |path: &mut Self, is_own_enough| path.period(place.period).family.assess(place, is_own_enough);
        let own = of(self, true);
        if !own.strength().holds() {
            return own;
        }
        if !self.period(place.period).has_waited(place.side) {
            return Assessment { reason: Reason::ShortWait, ..own };
        }
        let doubted = self.doubted(place, own);
        if own.scope != Scope::Destination || doubted.strength() == own.strength() {
            return doubted;
        }
        let all = of(self, false);
        let all = if all.strength().holds() { self.doubted(place, all) } else { all };
        if all.strength() < doubted.strength() { all } else { doubted }
    }

    fn doubted(&mut self, place: Place, claim: Assessment) -> Assessment {
        let mut doubts = self.doubts(place, claim.scope);
        if claim.scope == Scope::Destination && !doubts.are_any() {
            // Too few packets of a class, or of a burst, go to one destination to show how they fare.
            doubts = doubts.with_those_of(&self.doubts(place, Scope::Capture));
        }
        Assessment { reason: doubts.applied_to(claim.reason, claim.scope), ..claim }
    }

    /// What speaks against a claim about the side of the place: by the attempts to its destination, or by all.
    fn doubts(&mut self, place: Place, scope: Scope) -> Doubts {
        let period = &self.periods[usize::from(place.period)];
        // Answers inside end runs: those of clients without a socket here become known seconds after the failures.
        let known = |of: &dyn Fn(Side) -> Answers| [of(place.side).unanswered, of(Side::Inside).answered];
        let (entry, known) = match scope {
            Scope::Destination => (Some(place.entry), known(&|side| period.family.to(place.entry, side))),
            Scope::Capture | Scope::Public | Scope::Private => {
                (None, known(&|side| period.family.all_to(place.is_private, side)))
            }
        };
        let key = (entry, place.side, place.is_private);
        if let Some((at, doubts)) = period.doubts.get(&key)
            && at.iter().zip(known).all(|(at, now)| is_like(*at, now, doubts.are_any()))
        {
            return *doubts;
        }
        let is_of = |attempt: &RecentAttempt| {
            entry.map_or(attempt.place.is_private == place.is_private, |entry| attempt.place.entry == entry)
        };
        let attempts = newest(&self.recent, place.period, MAX_RECENT, is_of);
        let doubts = Doubts::of(&attempts, of_policy(place.side));
        self.period(place.period).doubts.insert(key, (known, doubts));
        doubts
    }

    /// The range that the path accepts in a period, inferred again once much more is known.
    fn range(&mut self, number: u8) -> Option<&InferredRange> {
        let counted = self.recent.counted();
        let period = self.periods.get_mut(usize::from(number))?;
        if counted > period.inferred_at + period.inferred_at / if counted < 64 { 8 } else { 2 } {
            let attempts = sorted(&self.recent, number);
            period.inferred_at = counted;
            let range = InferredRange::of(self.path.is_ipv4, &self.index, &attempts);
            period.range = range.and_then(|range| range.doubted(&attempts)).map(Box::new);
        }
        period.range.as_deref()
    }

    /// The attempts of all paths together prove this range: it holds here too, where these attempts are too few to prove one.
    pub(super) fn assume(&mut self, class: &Class) {
        for number in (0u8..).take(self.periods.len()) {
            if self.range(number).is_none() {
                let attempts = sorted(&self.recent, number);
                let range = InferredRange::known(class, &attempts);
                self.period(number).range = range.doubted(&attempts).map(Box::new);
            }
        }
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let families = self.periods.iter().map(|period| period.family.bytes());
        let shortest = self.shortest.capacity() * size_of::<ShortestAnswer>();
        size_of::<Self>() + self.index.bytes() + self.recent.bytes() + shortest + families.sum::<usize>()
    }
}
