//! How strong is the claim that a filter drops return traffic to ports outside the policy? One engine a node. Pure.
//!
//! An attempt is evidence as `infer` defines it: its translated port was answered, or its SYN was retransmitted and was not.
//! Open attempts count as unanswered from their first retransmit on, until they are answered. Each destination (`entry`)
//! counts answers by the side of the policy that the port is on; `family` sums up over destinations and assesses a claim.
//! docs/causes.md has the rules. The assessment follows from events, so that a replay assesses as the live capture did.

mod chance;
mod entry;
mod family;
mod place;
#[cfg(test)]
mod tests;

use self::family::FamilyEvidence;
pub use self::place::{Path, Place};
use crate::infer::{Destination, Observation, ObservedPort, Probe, observe};
use crate::model::{Answers, Assessment, Attempt, PortSet, Reason, Scope, Side, SideEvidence};

/// Paths that are distinguished; attempts by further uplinks share one.
const MAX_PATHS: usize = 32;
/// What further uplinks are counted as.
const OTHER_UPLINKS: u32 = u32::MAX;

/// The evidence of one node, by address family and uplink: each uplink may have a filter of its own.
#[derive(Clone, Debug, Default)]
pub struct PortEvidence {
    paths: Vec<(Path, FamilyEvidence)>,
    /// By the number of the attempt: open ones that count as unanswered.
    open: Vec<Option<Open>>,
}

/// How an open attempt was counted.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: Place,
    /// It counts for the test of significance.
    is_weighed: bool,
}

impl PortEvidence {
    /// A SYN of the attempt was retransmitted. The attempt may have taken the way through an uplink, and NAT changed its source.
    /// Where it is counted, if it is.
    pub fn retransmitted(&mut self, id: u32, attempt: &Attempt, allowed: &PortSet) -> Option<Place> {
        if allowed.is_any() {
            return None;
        }
        let id = id as usize;
        if let Some(Some(Open { place, .. })) = self.open.get(id) {
            return Some(*place);
        }
        let (place, probe) = self.probe(attempt, allowed).filter(|(_, probe)| !probe.answered)?;
        let is_weighed = self.family(place).count(place, attempt.first_ns, probe);
        if id >= self.open.len() {
            self.open.resize(id + 1, None);
        }
        self.open[id] = Some(Open { place, is_weighed });
        Some(place)
    }

    /// The attempt has ended; where it is evidence, the same holds for it. Its number is another attempt's from now on.
    pub fn ended(&mut self, id: u32, attempt: &Attempt, allowed: &PortSet, is_evidence: bool) -> Option<Place> {
        let open = self.open.get_mut(id as usize).and_then(Option::take);
        let now = if is_evidence && !allowed.is_any() { self.probe(attempt, allowed) } else { None };
        if let Some(Open { place, is_weighed }) = open {
            if now.is_some_and(|(of, probe)| of == place && !probe.answered) {
                return Some(place);
            }
            self.family(place).uncount(place, is_weighed);
        }
        let (place, probe) = now?;
        self.family(place).count(place, attempt.first_ns, probe);
        Some(place)
    }

    /// How strong the claim is about the port of this attempt, which is outside the policy. `None` where the port is allowed.
    /// `counted` is where the attempt is counted, if it is.
    pub fn assess(
        &mut self,
        attempt: &Attempt,
        allowed: &PortSet,
        may_have_left: bool,
        counted: Option<Place>,
    ) -> Option<Assessment> {
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
        let counted = counted.filter(|place| place.side == side);
        let place = counted.or_else(|| self.place(attempt, allowed))?;
        Some(self.assess_place(place))
    }

    /// Where the attempt belongs. `None` where its translated port is unknown or allowed.
    pub fn place(&mut self, attempt: &Attempt, allowed: &PortSet) -> Option<Place> {
        let translated = attempt.translated?;
        let side = Side::of(allowed, translated.src_port);
        let destination = Destination::of(&translated);
        (side != Side::Inside).then(|| self.place_of(translated.is_ipv4(), attempt.ifindex, destination, side))
    }

    /// How strong the claim is about ports on that side, for attempts to that destination.
    pub fn assess_place(&mut self, place: Place) -> Assessment {
        self.family(place).assess(place.entry, place.side)
    }

    /// Brings everything that is remembered up to date, at the end of a capture.
    pub fn settle(&mut self) {
        self.paths.iter_mut().for_each(|(_, family)| family.settle());
    }

    /// For each path what the evidence says about each side outside of the policy that attempts left from, over all destinations.
    /// Only paths of which there is any, IPv4 first.
    #[must_use]
    pub fn policies(&self) -> Vec<(Path, Vec<SideEvidence>)> {
        let known = self.paths.iter().map(|(path, family)| (*path, family.policies()));
        let mut known: Vec<_> = known.filter(|(_, sides)| !sides.is_empty()).collect();
        known.sort_by_key(|(Path { is_ipv4, ifindex }, _)| (!is_ipv4, *ifindex));
        known
    }

    /// Bytes allocated for destinations.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.paths.iter().map(|(_, family)| family.bytes()).sum()
    }

    fn probe(&mut self, attempt: &Attempt, allowed: &PortSet) -> Option<(Place, Probe)> {
        let Observation { is_ipv4, observed } = observe(attempt)?;
        match observed {
            ObservedPort::ChangedPort => None,
            ObservedPort::Port { destination, probe } => {
                let side = Side::of(allowed, probe.port);
                Some((self.place_of(is_ipv4, attempt.ifindex, destination, side), probe))
            }
        }
    }

    fn place_of(&mut self, is_ipv4: bool, ifindex: u32, destination: Destination, side: Side) -> Place {
        let path = self.path(Path { is_ipv4, ifindex });
        let entry = self.paths.get_mut(usize::from(path)).map_or(0, |(_, family)| family.entry(destination));
        Place { path, entry, side }
    }

    /// The number of a path. There are few, so they are looked through.
    fn path(&mut self, path: Path) -> u8 {
        let find = |paths: &[(Path, FamilyEvidence)], path: Path| paths.iter().position(|(of, _)| *of == path);
        let shared = Path { ifindex: OTHER_UPLINKS, ..path };
        let known = find(&self.paths, path).or_else(|| {
            if self.paths.len() >= MAX_PATHS {
                return find(&self.paths, shared);
            }
            None
        });
        let place = known.unwrap_or_else(|| {
            // Two more than the limit at most: one for each address family.
            self.paths.push((if self.paths.len() >= MAX_PATHS { shared } else { path }, FamilyEvidence::default()));
            self.paths.len() - 1
        });
        place as u8
    }

    fn family(&mut self, place: Place) -> &mut FamilyEvidence {
        // A place is only made of a path that is there.
        &mut self.paths[usize::from(place.path)].1
    }
}
