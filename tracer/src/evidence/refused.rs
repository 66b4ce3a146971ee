//! Whether RSTs answer ports of a class, while the same destinations accept others: a firewall that resets by source port, which is no proof
//! that the path passes those ports.

use super::doubts::Doubts;
use super::place::PortClaim;
use super::recent::{RecentAttempts, infer};
use crate::infer::{Class, DestinationIndex, Probe, Refusals};
use crate::model::{Assessment, Claim, Reason, Scope, Side};

/// What is known of refused attempts by a path.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusedPorts {
    /// By number of the destination.
    kinds: Vec<Kind>,
    /// Refused attempts.
    seen: u64,
    /// How many when `found` was inferred.
    inferred_at: u64,
    pub(super) found: Option<Box<Refusals>>,
}

/// How a destination answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// It has not answered.
    #[default]
    Unknown,
    /// By RSTs alone so far, which count as answers.
    Refuses,
    /// It accepts connections; RSTs do not count.
    Accepts,
}

impl RefusedPorts {
    /// Notes how a destination answers: whether the attempt counts, and whether earlier refused ones do not count any more.
    pub(super) fn answered(&mut self, entry: u16, probe: Probe) -> (bool, bool) {
        self.seen += u64::from(probe.is_refused);
        let place = usize::from(entry);
        if place >= self.kinds.len() {
            self.kinds.resize(place + 1, Kind::Unknown);
        }
        let kind = &mut self.kinds[place];
        match (*kind, probe.is_refused) {
            (Kind::Accepts, is_refused) => (!is_refused, false),
            (Kind::Unknown | Kind::Refuses, true) => {
                *kind = Kind::Refuses;
                (true, false)
            }
            (before @ (Kind::Unknown | Kind::Refuses), false) => {
                *kind = Kind::Accepts;
                (true, before == Kind::Refuses)
            }
        }
    }

    /// Which ports are refused, by the newest attempts, where nothing but the port explains it.
    pub(super) fn infer(&self, is_ipv4: bool, index: &DestinationIndex, recent: &RecentAttempts) -> Option<Refusals> {
        if self.seen == 0 {
            return None;
        }
        let mut attempts: Vec<_> = recent.accepted_or_refused().collect();
        attempts.sort_by_key(|attempt| attempt.at_ns);
        let of = attempts.iter().map(|attempt| (index.destination(attempt.place.entry), attempt));
        let conclusion = infer(is_ipv4, of);
        let class = conclusion.shown_class()?;
        let doubts = Doubts::of(&attempts, |attempt| class.is_inside(attempt.port));
        let reason = doubts.applied_to(Reason::SidesDiffer { p_below: class.p_below }, Scope::Capture);
        reason.strength().holds().then(|| Refusals(class.clone()))
    }

    /// Whether much more is known than when `found` was inferred, which is noted.
    pub(super) const fn is_stale(&mut self) -> bool {
        let is_stale = self.seen > self.inferred_at + self.inferred_at / 4;
        if is_stale {
            self.inferred_at = self.seen;
        }
        is_stale
    }

    /// What is said of a refused attempt from this port, where a firewall refuses by ports.
    pub(super) fn assess(&self, side: Side, port: u16) -> Option<PortClaim<'_>> {
        let Refusals(class) = self.found.as_deref().filter(|found| found.0.is_inside(port) == Some(false))?;
        let Class { inside, outside, p_below, .. } = *class;
        let (claim, reason, scope) = (Claim::Refused, Reason::SidesDiffer { p_below }, Scope::Capture);
        let assessment = Assessment { claim, reason, scope, side, inside, outside };
        Some(PortClaim { assessment: Some(assessment), inferred: Some(&class.split) })
    }
}
