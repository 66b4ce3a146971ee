//! What else explains the evidence for a filter, by its attempts one by one: an outage, a load balancer that chooses by the port, or clients
//! that fare otherwise for a reason of their own.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::bursts;
use super::change::strata;
use super::family::p_below;
use super::outage::come_in_runs;
use super::place::Place;
use super::recent::RecentAttempt;
use super::users::{PortUse, Users};
use crate::infer::evidence;
use crate::model::{Doubt, Reason, Scope};

/// The power of ten that a proof needs.
const ENOUGH_P_BELOW: u32 = 4;
/// One in so many attempts must be a repeat to be looked at: drawn ports repeat now and then too.
const REPEATS_DIVISOR: usize = 4;

/// What speaks against a claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubts {
    /// The failures come in few runs: an outage explains them.
    is_in_runs: bool,
    /// Only the failures come in bursts: a rate limit explains them.
    is_in_bursts: bool,
    /// The evidence, as a power of ten, where attempts with the same port and destination that fare alike count once; `None` where there
    /// are few such attempts.
    once_p_below: Option<u32>,
    users: Users,
}

impl Doubts {
    /// By these attempts, which are in the order of their time; `is_inside` as for [`come_in_runs`].
    pub(super) fn of(attempts: &[RecentAttempt], is_inside: impl Fn(&RecentAttempt) -> Option<bool>) -> Self {
        let port_use = |attempt: &RecentAttempt| {
            let RecentAttempt { port, answered, place, .. } = *attempt;
            let Place { client, rule, packets, .. } = place;
            let rule = rule.map(|(lowest, highest)| (lowest, highest.get()));
            let is_outside = !is_inside(attempt)?;
            Some(PortUse { client, port, is_chosen: place.is_chosen(), rule, packets, is_outside, answered })
        };
        Self {
            is_in_runs: come_in_runs(attempts, &is_inside),
            is_in_bursts: bursts::differ(attempts, &is_inside),
            once_p_below: once(attempts, &is_inside),
            users: Users::of(attempts.iter().filter_map(port_use)),
        }
    }

    /// Whether a few attempts more may remove them.
    pub(super) fn are_any(&self) -> bool {
        let Users { clients_differ, other } = self.users;
        self.is_in_runs || self.is_in_bursts || clients_differ || other.is_some() || self.once_p_below.is_some()
    }

    /// The same where more attempts than these come in bursts or have other packets, if they do.
    pub(super) fn with_those_of(mut self, more: &Self) -> Self {
        self.is_in_bursts |= more.is_in_bursts;
        self.users.other = self.users.other.or(more.users.other.filter(|other| *other == Doubt::PacketsDiffer));
        self
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
        let Users { clients_differ, other } = self.users;
        let is_proof = matches!(reason, Reason::SidesDiffer { .. });
        let is_of_few = self.once_p_below.is_some_and(|once| once < ENOUGH_P_BELOW);
        Reason::Doubted(match other {
            _ if self.is_in_runs => Doubt::InFewRuns,
            _ if self.is_in_bursts => Doubt::InBursts,
            _ if is_proof && is_of_few => Doubt::FewPorts,
            _ if is_proof && clients_differ => Doubt::ClientsDiffer,
            Some(doubt) => doubt,
            None if clients_differ => return Reason::NothingToCompare,
            None => match (reason, self.once_p_below) {
                (Reason::SidesDiffer { p_below }, Some(once)) => {
                    return Reason::SidesDiffer { p_below: once.min(p_below) };
                }
                // A few ports, tried again and again, support nothing; over all destinations each of them counts once anyway.
                (Reason::OnlyInsideAnswered, Some(_)) if scope == Scope::Destination => Doubt::FewPorts,
                (Reason::OthersDiffer, Some(_)) if is_of_few => Doubt::FewPorts,
                (_, Some(_) | None) => return reason,
            },
        })
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
