//! What else explains the evidence for a filter, by its attempts one by one: an outage, a load balancer that chooses by the port, or clients
//! that fare otherwise for a reason of their own.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::change::strata;
use super::drawn::Drawn;
use super::family::p_below;
use super::outage::come_in_runs;
use super::pools::are_apart;
use super::recent::RecentAttempt;
use crate::infer::evidence;
use crate::model::{Reason, Scope};

/// The power of ten that a proof needs.
const ENOUGH_P_BELOW: u32 = 4;
/// One in so many attempts must be a repeat to be looked at: drawn ports repeat now and then too.
const REPEATS_DIVISOR: usize = 4;

/// What speaks against a claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubts {
    /// The failures come in few runs: an outage explains them.
    is_in_runs: bool,
    /// The evidence, as a power of ten, where attempts with the same port and destination that fare alike count once; `None` where there
    /// are few such attempts.
    once_p_below: Option<u32>,
    /// Clients use ports on one side only.
    have_sides: bool,
    /// Clients chose the ports, those on the two sides from different pools.
    are_apart: bool,
}

impl Doubts {
    /// By these attempts, which are in the order of their time; `is_inside` as for [`come_in_runs`].
    pub(super) fn of(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> Self {
        let mut tries = [[0_u64; 2]; 256];
        for (attempt, is_inside) in attempts.iter().filter_map(|attempt| Some((attempt, is_inside(attempt)?))) {
            tries[usize::from(attempt.place.client)][usize::from(!is_inside)] += 1;
        }
        Self {
            is_in_runs: come_in_runs(attempts, &is_inside),
            once_p_below: once(attempts, &is_inside),
            have_sides: !Drawn::of(tries.into_iter(), 0).are_drawn(),
            are_apart: are_apart(attempts, &is_inside),
        }
    }

    /// Whether a few attempts more may remove them.
    pub(super) fn are_any(&self) -> bool {
        self.is_in_runs || self.have_sides || self.are_apart || self.once_p_below.is_some()
    }

    /// The same for a claim that repeats have no part in.
    pub(super) fn applied_to_distinct(self, reason: Reason) -> Reason {
        Self { once_p_below: None, ..self }.applied_to(reason, Scope::Capture)
    }

    /// Why a claim is as strong as it is, given them.
    pub(super) fn applied_to(&self, reason: Reason, scope: Scope) -> Reason {
        if !reason.strength().holds() {
            return reason;
        }
        if self.is_in_runs {
            return Reason::InFewRuns;
        }
        match reason {
            Reason::SidesDiffer { .. } if self.once_p_below.is_some_and(|once| once < ENOUGH_P_BELOW) => {
                Reason::FewPorts
            }
            Reason::SidesDiffer { .. } if self.have_sides => Reason::ClientsDiffer,
            Reason::SidesDiffer { .. } | Reason::OnlyInsideAnswered | Reason::OthersDiffer if self.are_apart => {
                Reason::ProgramsDiffer
            }
            Reason::OnlyInsideAnswered | Reason::OthersDiffer if self.have_sides => Reason::NothingToCompare,
            Reason::SidesDiffer { p_below } => {
                Reason::SidesDiffer { p_below: self.once_p_below.map_or(p_below, |once| once.min(p_below)) }
            }
            // A few ports, tried again and again, support nothing; over all destinations each of them counts once anyway.
            Reason::OnlyInsideAnswered if self.once_p_below.is_some() && scope == Scope::Destination => {
                Reason::FewPorts
            }
            Reason::OthersDiffer if self.once_p_below.is_some_and(|once| once < ENOUGH_P_BELOW) => Reason::FewPorts,
            Reason::OnlyInsideAnswered
            | Reason::OthersDiffer
            | Reason::ClientsDiffer
            | Reason::ProgramsDiffer
            | Reason::NothingToCompare
            | Reason::InFewRuns
            | Reason::FewPorts
            | Reason::ShortWait
            | Reason::PortChanged
            | Reason::NotOnUplink
            | Reason::PortAnswered
            | Reason::OutsideAnswered
            | Reason::InsideUnanswered
            | Reason::ServiceSilent => reason,
        }
    }
}

/// The evidence where repeats that fare alike count once, if there are many.
fn once(attempts: &[RecentAttempt], is_inside: &impl Fn(&RecentAttempt) -> Option<bool>) -> Option<u32> {
    let counted = || attempts.iter().filter(|attempt| attempt.is_weighed && is_inside(attempt).is_some());
    let mut known: HashMap<(u16, u16), bool, FixedState> = HashMap::default();
    let is_news = |of: &&RecentAttempt| known.insert((of.place.entry, of.port), of.answered) != Some(of.answered);
    let (all, once) = (counted().count(), counted().filter(is_news).collect::<Vec<_>>());
    let are_many = (all - once.len()) * REPEATS_DIVISOR >= all && all > 0;
    let strata = || strata(once.iter().copied(), |attempt| is_inside(attempt) == Some(false));
    are_many.then(|| p_below(evidence(&strata()).total))
}
