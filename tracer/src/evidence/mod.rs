//! How strong is the claim that a filter drops return traffic to ports outside the policy? One engine a node. Pure.
//!
//! An attempt is evidence as `infer` defines it: its translated port was answered, or its SYN was retransmitted and was not.
//! Open attempts count as unanswered from their first retransmit on, until they are answered. Each destination (`entry`)
//! counts answers by the side of the policy that the port is on; `family` sums up over destinations and assesses a claim, for private and public ones apart (`kinds`); `path` holds
//! those of each uplink, by periods between changes of its filter (`change`). Where the attempts prove another range than the policy
//! (`range`, from those in `recent`), the claim is about that range.
//! docs/causes.md has the rules. The assessment follows from events, so that a replay assesses as the live capture did.

mod bursts;
mod chance;
mod change;
mod clients;
mod doubts;
mod drawn;
mod entry;
mod family;
mod kinds;
mod outage;
mod path;
mod place;
mod pools;
mod range;
mod recent;
mod refused;
#[cfg(test)]
mod tests;
mod users;

pub use self::clients::Clients;
pub use self::path::InPeriod;
use self::path::PathEvidence;
pub use self::place::{Path, Place, PortClaim};
use tracer_common::Flow;

use crate::infer::{Class, Conclusion, Observation, Probe, Refusals, earlier, observe};
use crate::model::{
    Answers, Assessment, Attempt, Claim, Doubt, InterfaceName, PortSet, Reason, Scope, Side, SideEvidence,
};

/// Paths that are distinguished; attempts by further uplinks share one.
const MAX_PATHS: usize = 32;
/// What further uplinks are counted as.
const OTHER_UPLINKS: u32 = u32::MAX;

/// The evidence of one node, by address family, network namespace and uplink: each uplink may have a filter of its own.
#[derive(Clone, Debug, Default)]
pub struct PortEvidence {
    paths: Vec<PathEvidence>,
    /// By the number of the attempt: open ones that count as unanswered.
    open: Vec<Option<Open>>,
}

/// How an open attempt was counted.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: Place,
    /// To take it back by.
    number: u64,
    /// It counts for the test of significance.
    is_weighed: bool,
}

impl PortEvidence {
    /// A SYN of the attempt was retransmitted. The attempt may have left through an uplink, and NAT changed its source.
    /// Where it is counted, if it is.
    pub fn retransmitted(&mut self, id: u32, attempt: &Attempt, allowed: &PortSet) -> Option<Place> {
        let index = id as usize;
        if let Some(&Some(Open { place, number, .. })) = self.open.get(index) {
            if has_waited(attempt) {
                self.path(place).waited(number);
            }
            return Some(place);
        }
        let (place, probe) = self.probe(attempt, allowed).filter(|(_, probe)| !probe.answered)?;
        let (number, is_weighed) =
            self.path(place).count(place, Some(id), attempt.first_ns, probe, has_waited(attempt));
        if index >= self.open.len() {
            self.open.resize(index + 1, None);
        }
        self.open[index] = Some(Open { place, number, is_weighed });
        self.look(place);
        self.open[index].map(|open| open.place)
    }

    /// The attempt has ended; where it is evidence, the same holds for it. Its number is another attempt's from now on.
    pub fn ended(&mut self, id: u32, attempt: &Attempt, allowed: &PortSet, is_evidence: bool) -> Option<Place> {
        let open = self.open.get_mut(id as usize).and_then(Option::take);
        let now = if is_evidence { self.probe(attempt, allowed) } else { None };
        let now = now.filter(|(place, _)| !self.path(*place).is_too_early(*place));
        if now.is_some() {
            self.earlier(attempt, allowed);
        }
        if let Some(Open { place, number, is_weighed }) = open {
            let is_here = |of: Place| Place { waited_ms: place.waited_ms, ..of } == place;
            if now.is_some_and(|(of, probe)| is_here(of) && !probe.answered) {
                if has_waited(attempt) {
                    self.path(place).waited(number);
                }
                self.path(place).recent.end(number);
                return Some(place);
            }
            self.path(place).uncount(place, number, is_weighed);
        }
        let (place, probe) = now?;
        self.path(place).count(place, None, known_ns(attempt), probe, has_waited(attempt));
        self.look(place);
        Some(place)
    }

    /// SYNs that left with other ports than the newest, and were not answered.
    fn earlier(&mut self, attempt: &Attempt, allowed: &PortSet) {
        for (flow, probe) in earlier(attempt) {
            let place = self.place_of(attempt, &flow, Side::of(allowed, probe.port));
            self.path(place).count(place, None, attempt.first_ns, probe, attempt.retransmits > 1);
            self.look(place);
        }
    }

    /// How strong the claim is about the port of this attempt: where it is flagged, and where its port is outside of an inferred range.
    /// `counted` is where the attempt is counted, if it is.
    pub fn assess(
        &mut self,
        attempt: &Attempt,
        allowed: &PortSet,
        may_have_left: bool,
        is_flagged: bool,
        counted: Option<Place>,
    ) -> PortClaim<'_> {
        let Some(translated) = attempt.translated else { return PortClaim::default() };
        let port = attempt.port_in_question(allowed).unwrap_or(translated.src_port);
        let is_of_earlier = port != translated.src_port;
        let side = Side::of(allowed, port);
        let is_outside = (is_flagged || attempt.may_be_unanswered() || is_of_earlier) && side != Side::Inside;
        let bare = |reason| {
            let (inside, outside) = (Answers::default(), Answers::default());
            let of = || Assessment { claim: Claim::Policy, reason, scope: Scope::Destination, side, inside, outside };
            PortClaim { assessment: is_flagged.then(of), inferred: None }
        };
        if is_flagged && !is_outside {
            return bare(Reason::PortChanged);
        }
        if !may_have_left {
            return bare(Reason::NotOnUplink);
        }
        if attempt.is_answered() && !is_of_earlier {
            // Which of its ports was answered is not known where there are several.
            return bare(if attempt.selections > 1 { Reason::PortChanged } else { Reason::PortAnswered });
        }
        let counted = counted.filter(|place| place.side == side && !is_of_earlier);
        let Some(place) = counted.or_else(|| self.place(attempt, allowed)) else { return PortClaim::default() };
        let PortClaim { assessment, inferred } = self.assess_port(place, port);
        PortClaim { assessment: assessment.filter(|it| is_outside || it.claim == Claim::Inferred), inferred }
    }

    /// What is said of a refused attempt: that a firewall resets connections from such ports, if it does.
    pub fn refusal(&mut self, attempt: &Attempt, allowed: &PortSet) -> PortClaim<'_> {
        let port = attempt.translated.map_or(0, |translated| translated.src_port);
        let place = self.place(attempt, allowed);
        place.and_then(|place| self.path(place).refusal(place, port)).unwrap_or_default()
    }

    /// What else explains a class of ports that all attempts of an address family show, for each path and period with failures outside of it.
    pub fn doubts_about(&self, is_ipv4: bool, class: &Class) -> impl Iterator<Item = Option<Doubt>> {
        self.paths.iter().filter(move |of| of.path.is_ipv4 == is_ipv4).flat_map(move |path| path.doubts_about(class))
    }

    /// Which ports the paths of an address family refuse: the path of which most is known.
    #[must_use]
    pub fn refusals(&self, is_ipv4: bool) -> Option<Refusals> {
        let paths = self.paths.iter().filter(|of| of.path.is_ipv4 == is_ipv4);
        paths.filter_map(PathEvidence::refusals).max_by_key(|refusals| refusals.0.p_below)
    }

    /// Where the attempt belongs. `None` where its translated port is unknown.
    pub fn place(&mut self, attempt: &Attempt, allowed: &PortSet) -> Option<Place> {
        let (translated, port) = (attempt.translated?, attempt.port_in_question(allowed)?);
        Some(self.place_of(attempt, &Flow { src_port: port, ..translated }, Side::of(allowed, port)))
    }

    /// The same place in the period of a time, for any client.
    pub fn place_at(&self, place: Place, at_ns: u64) -> Place {
        let path = self.paths.get(usize::from(place.path));
        Place { period: path.map_or(0, |path| path.period_at(at_ns)), client: 0, packets: [0; 2], ..place }
    }

    /// How strong the claim is about a port, for attempts to that destination.
    pub fn assess_port(&mut self, place: Place, port: u16) -> PortClaim<'_> {
        self.path(place).assess(place, port)
    }

    /// Brings everything that is remembered up to date, at the end of a capture.
    pub fn settle(&mut self) {
        self.paths.iter_mut().for_each(PathEvidence::settle);
    }

    /// Which ports the paths of an address family accept, by all of their attempts together; `None` where not all are kept.
    #[must_use]
    pub fn conclusion_of_all(&self, is_ipv4: bool) -> Option<Conclusion> {
        let mut attempts = Vec::new();
        for path in self.paths.iter().filter(|of| of.path.is_ipv4 == is_ipv4) {
            attempts.extend(path.attempts()?);
        }
        attempts.sort_by_key(|(_, attempt)| attempt.at_ns);
        Some(recent::infer(is_ipv4, attempts.iter().copied()))
    }

    /// At the end of a capture: one conclusion holds for all paths of an address family.
    pub fn assume(&mut self, is_ipv4: bool, class: &Class) {
        self.paths.iter_mut().filter(|of| of.path.is_ipv4 == is_ipv4).for_each(|path| path.assume(class));
    }

    /// For each path and period what the evidence says about each side outside of the policy that attempts left from, over all
    /// destinations. IPv4 first.
    #[must_use]
    pub fn sides(&self) -> Vec<(Path, InPeriod<Vec<SideEvidence>>)> {
        self.of_each_path(PathEvidence::policies)
    }

    /// The same of paths of which there is any.
    #[must_use]
    pub fn policies(&self) -> Vec<(Path, InPeriod<Vec<SideEvidence>>)> {
        self.sides().into_iter().filter(|(_, period)| !period.value.is_empty()).collect()
    }

    /// Which ports each path accepts, period by period, by its newest attempts.
    #[must_use]
    pub fn conclusions(&self) -> Vec<(Path, InPeriod<Conclusion>)> {
        self.of_each_path(PathEvidence::conclusions)
    }

    fn of_each_path<T>(&self, of: impl Fn(&PathEvidence) -> Vec<InPeriod<T>>) -> Vec<(Path, InPeriod<T>)> {
        let mut paths: Vec<_> = self.paths.iter().collect();
        paths.sort_by_key(|it| (!it.path.is_ipv4, it.path.netns, it.path.ifindex));
        paths.into_iter().flat_map(|path| of(path).into_iter().map(|value| (path.path, value))).collect()
    }

    /// Bytes allocated.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.paths.iter().map(PathEvidence::bytes).sum()
    }

    /// Looks whether the filter of a path has changed, after an attempt was counted.
    fn look(&mut self, place: Place) {
        for moved in self.path(place).look() {
            if let Some(Some(open)) = self.open.get_mut(moved.id as usize) {
                (open.place, open.is_weighed) = (moved.place, moved.is_weighed);
            }
        }
    }

    fn probe(&mut self, attempt: &Attempt, allowed: &PortSet) -> Option<(Place, Probe)> {
        let Observation::Port(probe) = observe(attempt)? else { return None };
        let side = Side::of(allowed, probe.port);
        Some((self.place_of(attempt, &attempt.translated?, side), probe))
    }

    fn place_of(&mut self, attempt: &Attempt, translated: &Flow, side: Side) -> Place {
        let (is_ipv4, netns) = (translated.is_ipv4(), attempt.uplink_netns.unwrap_or_default());
        let name = attempt.egress.interface;
        let number = self.path_number(Path { is_ipv4, netns, ifindex: attempt.ifindex, name });
        self.paths[number].place(attempt, translated, side, known_ns(attempt))
    }

    /// The number of a path. There are few, so they are looked through.
    fn path_number(&mut self, path: Path) -> usize {
        let find = |paths: &[PathEvidence], path: Path| paths.iter().position(|of| of.path.is_same(&path));
        let shared = Path { netns: 0, ifindex: OTHER_UPLINKS, name: InterfaceName::default(), ..path };
        let known = find(&self.paths, path).or_else(|| {
            if self.paths.len() >= MAX_PATHS {
                return find(&self.paths, shared);
            }
            None
        });
        known.unwrap_or_else(|| {
            // Two more than the limit at most: one for each address family.
            let (path, number) = (if self.paths.len() >= MAX_PATHS { shared } else { path }, self.paths.len());
            self.paths.push(PathEvidence::new(path, number as u8));
            number
        })
    }

    fn path(&mut self, place: Place) -> &mut PathEvidence {
        // A place is only made of a path that is there.
        &mut self.paths[usize::from(place.path)]
    }
}

/// Whether an unanswered attempt waited for longer than one retransmit, or its client gave up: a late answer would have been seen.
fn has_waited(attempt: &Attempt) -> bool {
    !attempt.is_answered() && (attempt.retransmits > 1 || attempt.outcome.has_failed())
}

/// When an attempt shows whether its port is answered: one that is answered after a retransmit shows that of the later time.
fn known_ns(attempt: &Attempt) -> u64 {
    if attempt.retransmits > 0 && attempt.is_answered() { attempt.last_ns } else { attempt.first_ns }
}
