//! Which translated ports does the path accept? Inferred from answered and unanswered attempts. Pure.
//!
//! `observation` says what an attempt is evidence of. It is counted per port (`port_counts`) and per destination
//! (`destinations`), in bounded memory. `conclude` then finds the classes of ports that differ (`segments`), keeps those
//! that chance cannot explain at any single destination's word (`significance`), brackets their edges (`bracket`), and
//! says what the data could not have shown (`power`). docs/infer.md has the method and its sources.

mod bracket;
mod conclude;
mod conclusion;
mod destination;
mod destinations;
mod index;
mod observation;
mod passing;
mod port_counts;
mod port_set;
mod power;
mod repeats;
mod rule;
mod runs;
mod segments;
mod sides;
mod significance;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

pub use conclusion::{
    Class, Conclusion, Edge, LeftOut, Passes, PassingDestinations, Refusals, SupportingDestination, Verdict,
};
pub use destination::Destination;
pub use port_set::PortSetPattern;

pub(crate) use self::conclusion::{RARE_PASS_DIVISOR, answers_often};
use self::destinations::{DestinationHistory, Destinations};
use self::index::MAX_DESTINATIONS;
pub(crate) use self::index::{DestinationIndex, MAX_NUMBERS, MAX_SOURCES};
pub(crate) use self::observation::{Observation, Probe, ShortestAnswer, earlier, observe};
pub(crate) use self::passing::fare_otherwise;
use self::port_counts::PortCounts;
pub(crate) use self::runs::Runs;
pub(crate) use self::significance::{Stratum, evidence, evidence_within};
pub(crate) use self::words::DROPPED_BEFORE;
use crate::model::{Answers, Attempt, LONG_WAIT_MS, PortSet};
use tracer_common::Flow;

/// Attempts that are counted at once.
const PENDING_LEN: usize = 128;

/// What the attempts so far say about ports, by address family; a family costs nothing before its first attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Infer {
    v4: Option<Box<FamilyAttempts>>,
    v6: Option<Box<FamilyAttempts>>,
}

/// The attempts of one address family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct FamilyAttempts {
    /// By port, of destinations that answered at least once.
    counts: PortCounts,
    destinations: Destinations,
    /// What has not been counted yet: many at once wait for memory together, not one after the other.
    pending: Vec<(Destination, Probe)>,
    /// Attempts whose port changed from one SYN to the next.
    changed_port: u64,
    /// Attempts whose client gave up at once; destinations count those that gave up later, before an answer was due.
    gave_up: u64,
}

impl Infer {
    /// Takes an attempt that has ended. The node's own connections are judged by themselves (`evidence`).
    pub fn ended(&mut self, attempt: &Attempt) {
        if attempt.is_of_node() {
            return;
        }
        let (Some(observation), Some(translated)) = (observe(attempt), attempt.translated) else { return };
        match observation {
            Observation::ChangedPort => self.family(&translated).changed_port += 1,
            Observation::GaveUp => self.family(&translated).gave_up += 1,
            Observation::Port(probe) => self.take(&translated, probe),
        }
        earlier(attempt).for_each(|(flow, probe)| self.take(&flow, probe));
    }

    /// Takes what else is known of a connection that left as `translated`: from a conntrack table, for example. `second` is when
    /// it began, on any clock.
    pub fn observe(&mut self, translated: &Flow, answered: bool, second: u64) {
        self.take(translated, probe(translated, answered, second, false));
    }

    /// Takes so many attempts of which only their number is known.
    pub fn count(&mut self, translated: &Flow, answered: bool, times: u64) {
        let probe = probe(translated, answered, 1, true);
        (0..times).for_each(|_| self.take(translated, probe));
    }

    fn take(&mut self, translated: &Flow, probe: Probe) {
        self.family(translated).take(Destination::of(translated), probe);
    }

    fn family(&mut self, translated: &Flow) -> &mut FamilyAttempts {
        let family = if translated.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        family.get_or_insert_default()
    }

    /// Counts what has not been counted yet, which [`Infer::conclusions`] would do in a copy.
    pub fn settle(&mut self) {
        [&mut self.v4, &mut self.v6].into_iter().flatten().for_each(|family| family.settle());
    }

    /// What follows, for each address family of which there is any evidence.
    #[must_use]
    pub fn conclusions(&self) -> Vec<Conclusion> {
        self.families().map(|(is_ipv4, family)| conclude::conclude(is_ipv4, &family.settled())).collect()
    }

    /// The same where the ports that pass are known already, because ports were chosen and asked again. Nothing is searched for, so
    /// this also finds more ranges than so few attempts could show otherwise.
    ///
    /// `confirmed` is the evidence: attempts whose answer was predicted before they were made, `inside` those to be answered.
    #[must_use]
    pub fn conclusions_for(&self, passing: &PortSet, confirmed: &[SupportingDestination]) -> Vec<Conclusion> {
        self.families()
            .map(|(is_ipv4, family)| conclude::conclude_for(is_ipv4, &family.settled(), passing, confirmed))
            .collect()
    }

    fn families(&self) -> impl Iterator<Item = (bool, &FamilyAttempts)> {
        let families = [(true, &self.v4), (false, &self.v6)];
        families.into_iter().filter_map(|(is_ipv4, family)| Some((is_ipv4, family.as_deref()?)))
    }

    /// Attempts whose clients gave up before an answer was due.
    #[must_use]
    pub fn gave_up(&self) -> u64 {
        self.families().map(|(_, family)| family.gave_up()).sum()
    }

    /// Segments of IPv4 ports that are left where only the test of significance stands in their way.
    #[cfg(test)]
    fn survivors(&self) -> usize {
        self.v4.as_deref().map_or(0, |family| conclude::survivors(&family.settled()))
    }

    /// Bytes allocated.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let fixed = size_of::<FamilyAttempts>() + PENDING_LEN * size_of::<(Destination, Probe)>();
        self.families().map(|(_, family)| fixed + family.counts.bytes() + family.destinations.bytes()).sum()
    }
}

/// Of an attempt whose client and answer are not known.
const fn probe(translated: &Flow, answered: bool, second: u64, is_of_counts: bool) -> Probe {
    let waited_ms = if answered { 0 } else { LONG_WAIT_MS };
    Probe { port: translated.src_port, answered, is_refused: false, second, waited_ms, is_kept: true, is_of_counts }
}

/// Which ports the path accepts, by these attempts of an address family.
pub(crate) fn conclude(is_ipv4: bool, attempts: impl Iterator<Item = (Destination, Probe)>) -> Conclusion {
    let mut family = FamilyAttempts::default();
    attempts.for_each(|(destination, probe)| family.take(destination, probe));
    family.settle();
    conclude::conclude(is_ipv4, &family)
}

/// Whether these attempts can show a class; `false` is quickly said where most destinations were tried once.
pub(crate) fn can_conclude(attempts: impl Iterator<Item = (Destination, bool)>) -> bool {
    let mut destinations: HashMap<Destination, Answers, FixedState> = HashMap::default();
    attempts.for_each(|(destination, answered)| destinations.entry(destination).or_default().add(answered));
    // More may share entries.
    destinations.len() > MAX_DESTINATIONS || significance::can_be_enough(destinations.into_values())
}

impl FamilyAttempts {
    fn take(&mut self, destination: Destination, probe: Probe) {
        self.pending.push((destination, probe));
        if self.pending.len() >= PENDING_LEN {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.destinations.take(&self.pending, &mut self.counts);
        self.pending.clear();
    }

    /// Attempts whose clients gave up before an answer was due.
    fn gave_up(&self) -> u64 {
        self.gave_up + self.destinations.entries().iter().map(DestinationHistory::gave_up).sum::<u64>()
    }

    /// With all that was taken.
    fn settled(&self) -> Cow<'_, Self> {
        if self.pending.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.settle();
        Cow::Owned(settled)
    }
}
