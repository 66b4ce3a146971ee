//! How strong is the claim that a filter drops return traffic to ports outside the policy? One engine a node. Pure.
//!
//! An attempt is evidence as `infer` defines it: its translated port was answered, or its SYN was retransmitted and was not.
//! Attempts under way count as unanswered from their first retransmit on, until they are answered. Each destination (`entry`)
//! counts answers by the side of the policy that the port is on; `family` sums up over destinations and assesses a claim.
//! docs/causes.md has the rules. All of it follows from events, so that a replay assesses as the live capture did.

mod entry;
mod family;
#[cfg(test)]
mod tests;

use self::family::Family;
use crate::infer::{Evidence, Observation, Probe, observe};
use crate::model::{Answers, Assessment, Attempt, PortSet, Reason, Scope, Side, SideEvidence};

/// The evidence of one node, by address family; a family costs nothing before its first attempt.
#[derive(Clone, Debug, Default)]
pub struct PortEvidence {
    v4: Option<Box<Family>>,
    v6: Option<Box<Family>>,
    /// By the number of the attempt: those under way that count as unanswered.
    open: Vec<Option<Open>>,
}

/// How an attempt under way was counted.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: Place,
    /// It counts for the test of significance.
    is_weighed: bool,
}

/// A destination and a side of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    is_ipv4: bool,
    entry: u16,
    side: Side,
}

impl PortEvidence {
    /// A SYN of the attempt was retransmitted. The attempt may have taken the way through an uplink, and NAT changed its source.
    pub fn retransmitted(&mut self, id: u32, attempt: &Attempt, allowed: &PortSet) {
        let id = id as usize;
        if allowed.is_any() || self.open.get(id).is_some_and(Option::is_some) {
            return;
        }
        let Some((place, probe)) = self.probe(attempt, allowed).filter(|(_, probe)| !probe.answered) else { return };
        let is_weighed = self.family(place.is_ipv4).count(place, attempt.first_ns, probe);
        if id >= self.open.len() {
            self.open.resize(id + 1, None);
        }
        self.open[id] = Some(Open { place, is_weighed });
    }

    /// The attempt has ended; where it is evidence, the same holds for it. Its number is another attempt's from now on.
    pub fn ended(&mut self, id: u32, attempt: &Attempt, allowed: &PortSet, is_evidence: bool) {
        let open = self.open.get_mut(id as usize).and_then(Option::take);
        let now = if is_evidence && !allowed.is_any() { self.probe(attempt, allowed) } else { None };
        if let Some(Open { place, is_weighed }) = open {
            if now.is_some_and(|(of, probe)| of == place && !probe.answered) {
                return;
            }
            self.family(place.is_ipv4).uncount(place, is_weighed);
        }
        if let Some((place, probe)) = now {
            self.family(place.is_ipv4).count(place, attempt.first_ns, probe);
        }
    }

    /// How strong the claim is about the port of this attempt, which is outside the policy. `None` where the port is allowed.
    pub fn assess(&mut self, attempt: &Attempt, allowed: &PortSet, may_have_left: bool) -> Option<Assessment> {
        let translated = attempt.translated?;
        let side = Side::of(allowed, translated.src_port);
        let bare = |reason| Assessment {
            reason,
            scope: Scope::Destination,
            side,
            inside: Answers::default(),
            outside: Answers::default(),
        };
        if side == Side::Inside {
            return None;
        }
        if !may_have_left {
            return Some(bare(Reason::NotOnUplink));
        }
        if attempt.is_answered() {
            return Some(bare(Reason::PortAnswered));
        }
        let place = self.place(attempt, allowed)?;
        Some(self.assess_place(place))
    }

    /// Where the attempt belongs. `None` where its translated port is unknown or allowed.
    pub fn place(&mut self, attempt: &Attempt, allowed: &PortSet) -> Option<Place> {
        let translated = attempt.translated?;
        let (is_ipv4, side) = (translated.is_ipv4(), Side::of(allowed, translated.src_port));
        let entry = self.family(is_ipv4).entry(crate::infer::Destination::of(&translated));
        (side != Side::Inside).then_some(Place { is_ipv4, entry, side })
    }

    /// How strong the claim is about ports on that side, for attempts to that destination.
    pub fn assess_place(&mut self, place: Place) -> Assessment {
        self.family(place.is_ipv4).assess(place.entry, place.side)
    }

    /// Brings everything that is remembered up to date, at the end of a capture.
    pub fn settle(&mut self) {
        [&mut self.v4, &mut self.v6].into_iter().flatten().for_each(|family| family.settle());
    }

    /// For each address family (whether it is IPv4) what the evidence says about each side outside of the policy that attempts
    /// left from, over all destinations. Only families of which there is any.
    #[must_use]
    pub fn policies(&self) -> Vec<(bool, Vec<SideEvidence>)> {
        let families = [(true, &self.v4), (false, &self.v6)];
        let known = families.into_iter().filter_map(|(is_ipv4, family)| Some((is_ipv4, family.as_deref()?.policies())));
        known.filter(|(_, sides)| !sides.is_empty()).collect()
    }

    /// Bytes allocated for destinations.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        [&self.v4, &self.v6].into_iter().flatten().map(|family| family.bytes()).sum()
    }

    fn probe(&mut self, attempt: &Attempt, allowed: &PortSet) -> Option<(Place, Probe)> {
        let Observation { is_ipv4, evidence } = observe(attempt)?;
        match evidence {
            Evidence::ChangedPort => None,
            Evidence::Port { destination, probe } => {
                let entry = self.family(is_ipv4).entry(destination);
                Some((Place { is_ipv4, entry, side: Side::of(allowed, probe.port) }, probe))
            }
        }
    }

    fn family(&mut self, is_ipv4: bool) -> &mut Family {
        let family = if is_ipv4 { &mut self.v4 } else { &mut self.v6 };
        family.get_or_insert_default()
    }
}
