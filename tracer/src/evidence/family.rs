//! All destinations of one address family: sums over them, and the assessment of a claim.

use std::borrow::Cow;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::chance::{LIKELY_NATS, SUSPECT_P, is_below};
use super::drawn::Drawn;
use super::entry::{DestinationEvidence, Role, Standing};
use super::place::Place;
use super::pools::Pool;
use crate::infer::{Probe, answers_often, evidence, fare_otherwise};
use crate::model::{Answers, Assessment, Claim, Doubt, Reason, Scope, Side, SideEvidence};

/// ln(10,000): a claim is proven where chance explains the evidence less than once in 10,000 times.
const ENOUGH_NATS: f64 = 9.210_340;
/// Ports of destinations that are distinguished.
const MAX_SERVICES: usize = 256;
/// So many attempts from ports inside, none of which was answered, show that a port of destinations is silent.
const SILENT_SERVICE: u64 = 3;
/// Fewer failures of destinations that bypass the filter may be lost packets.
const MIN_MIXED_FAILURES: u64 = 3;

/// The evidence of one address family.
#[derive(Clone, Debug, Default)]
pub(super) struct FamilyEvidence {
    entries: Vec<DestinationEvidence>,
    /// Destinations with attempts that only `all` knows: the other sums over destinations take them in when a claim is assessed.
    changed: Vec<u16>,
    /// Destinations with attempts.
    tried: u32,
    /// Attempts by side.
    all: [Answers; 4],
    /// The same by port of the destination.
    services: HashMap<u16, [Answers; 4], FixedState>,
    /// Destinations that answered inside.
    inside_answered: u32,
    /// Those tried inside that did not.
    inside_silent: u32,
    sides: [SideSums; 3],
    /// Attempts counted so far.
    observed: u64,
    /// Ports that clients chose, by side.
    pools: [Pool; 4],
}

/// Sums over destinations for one side outside of the policy.
#[derive(Clone, Copy, Debug, Default)]
struct SideSums {
    filtered: u32,
    passing: u32,
    /// Tried from this side, and never answered there.
    unanswered: u32,
    /// Attempts to the filtered ones: inside, and from this side.
    filtered_answers: [Answers; 2],
    /// Attempts to the passing ones from this side.
    passing_answers: Answers,
    pooled: Pooled,
    drawn: Drawn,
}

/// The test of significance over all destinations, kept until much more is known.
#[derive(Clone, Copy, Debug, Default)]
struct Pooled {
    nats: f64,
    /// Without the destination that says most.
    others: f64,
    /// Attempts when it was computed, and those of them from this side without an answer.
    at: u64,
    unanswered: u64,
}

impl FamilyEvidence {
    /// Counts an attempt; whether it is weighed.
    pub(super) fn count(&mut self, place: Place, first_ns: u64, probe: Probe) -> bool {
        self.observed += 1;
        if place.is_chosen() {
            self.pools[place.side as usize].insert(probe.port);
        }
        self.make_room(place.entry);
        self.change(place, |entry| entry.count(place, first_ns, probe)).unwrap_or_default()
    }

    /// Takes back an attempt.
    pub(super) fn uncount(&mut self, place: Place, answered: bool, is_weighed: bool) {
        self.change(place, |entry| entry.uncount(place, answered, is_weighed));
    }

    /// Attempts from ports on that side.
    pub(super) const fn all(&self, side: Side) -> Answers {
        self.all[side as usize]
    }

    /// Whether there was an attempt.
    pub(super) const fn has_any(&self) -> bool {
        self.observed > 0
    }

    /// Attempts to a destination from ports on that side.
    pub(super) fn to(&self, entry: u16, side: Side) -> Answers {
        self.entries.get(usize::from(entry)).map_or_else(Answers::default, |entry| entry.counts(side))
    }

    fn make_room(&mut self, entry: u16) {
        if self.entries.len() <= usize::from(entry) {
            self.entries.resize_with(usize::from(entry) + 1, DestinationEvidence::default);
        }
    }

    fn change<T>(
        &mut self,
        Place { entry: number, service, side, .. }: Place,
        change: impl FnOnce(&mut DestinationEvidence) -> T,
    ) -> Option<T> {
        let entry = self.entries.get_mut(usize::from(number))?;
        let counts = entry.counts(side);
        let result = change(entry);
        if !std::mem::replace(&mut entry.is_changed, true) {
            self.changed.push(number);
        }
        let now = entry.counts(side);
        replace(&mut self.all[side as usize], counts, now);
        if self.services.len() < MAX_SERVICES || self.services.contains_key(&service) {
            replace(&mut self.services.entry(service).or_default()[side as usize], counts, now);
        }
        Some(result)
    }

    /// Has the sums over destinations know all attempts.
    fn sum_up(&mut self) {
        while let Some(entry) = self.changed.pop().and_then(|number| self.entries.get_mut(usize::from(number))) {
            let now = entry.stands();
            let before = std::mem::replace(&mut entry.standing, now);
            entry.is_changed = false;
            self.stands(&before, u64::wrapping_sub);
            self.stands(&now, u64::wrapping_add);
        }
    }

    /// With sums that know all attempts.
    fn summed_up(&self) -> Cow<'_, Self> {
        let mut this = Cow::Borrowed(self);
        if !self.changed.is_empty() {
            this.to_mut().sum_up();
        }
        this
    }

    /// Adds a destination's standing to the sums, or takes it away.
    fn stands(&mut self, standing: &Standing, step: fn(u64, u64) -> u64) {
        let add = |sum: &mut u32, is_one: bool| *sum = step(u64::from(*sum), u64::from(is_one)) as u32;
        let add_answers = |sum: &mut Answers, of: [u32; 2]| {
            let of = Answers::of(of);
            sum.answered = step(sum.answered, of.answered);
            sum.unanswered = step(sum.unanswered, of.unanswered);
        };
        add(&mut self.tried, standing.is_tried);
        add(&mut self.inside_answered, standing.inside == Some(true));
        add(&mut self.inside_silent, standing.inside == Some(false));
        for (sums, side) in self.sides.iter_mut().zip(Side::OUTSIDE) {
            let place = side as usize - 1;
            let role = standing.roles[place];
            add(&mut sums.filtered, role == Role::Filtered);
            add(&mut sums.passing, role == Role::Passing);
            add(&mut sums.unanswered, standing.unanswered[place]);
            if role == Role::Filtered {
                let of = [Side::Inside, side].map(|of| standing.counts[of as usize]);
                sums.filtered_answers.iter_mut().zip(of).for_each(|(sum, of)| add_answers(sum, of));
            }
            if role == Role::Passing {
                add_answers(&mut sums.passing_answers, standing.counts[side as usize]);
            }
        }
    }

    /// How strong the claim is about the side of that place, for attempts to its destination.
    /// `is_own_enough`: what supports the claim may be the destination's own attempts alone.
    pub(super) fn assess(&mut self, place: Place, is_own_enough: bool) -> Assessment {
        let Place { entry, service, side, is_shared, .. } = place;
        self.make_room(entry);
        self.sum_up();
        let reason_and_scope = self.reason(place, is_own_enough);
        let (reason, scope) = match reason_and_scope.unwrap_or((Reason::NothingToCompare, Scope::Capture)) {
            (reason, Scope::Capture) => (self.doubted(side, reason), Scope::Capture),
            own => own,
        };
        let sides = [Side::Inside, side];
        let [inside, outside] = match scope {
            Scope::Destination if !is_shared => sides.map(|side| self.to(entry, side)),
            Scope::Capture if reason == Reason::ServiceSilent => {
                let of_service = self.services.get(&service).copied().unwrap_or_default();
                sides.map(|side| of_service[side as usize])
            }
            Scope::Destination | Scope::Capture | Scope::Public | Scope::Private => self.over_all(reason, side),
        };
        let scope = if is_shared { Scope::Capture } else { scope };
        Assessment { claim: Claim::Policy, reason, scope, side, inside, outside }
    }

    /// Destinations that bypass a filter answer as good as always. Where those that answer fail as well, whatever drops the others may be
    /// what drops these, unless chance does not explain that the others fare worse.
    fn doubted(&self, side: Side, reason: Reason) -> Reason {
        let Some(&SideSums { filtered, passing, filtered_answers: [_, denied], passing_answers: passed, .. }) =
            self.sums(side)
        else {
            return reason;
        };
        let Answers { answered, unanswered } = passed;
        let is_mixed = unanswered >= MIN_MIXED_FAILURES && unanswered * 2 > answered;
        let is_one_kind = || {
            let (passing, filtered) = (passing as usize, filtered as usize);
            answers_often([passed, denied].into_iter().sum())
                && !fare_otherwise(passed, denied, passing, filtered + passing)
        };
        if reason.strength().holds() && is_mixed && is_one_kind() {
            return Reason::Doubted(Doubt::AnsweredSometimes);
        }
        reason
    }

    /// Answers inside and on that side, over all destinations.
    fn over_all(&self, reason: Reason, side: Side) -> [Answers; 2] {
        if reason.compares_destinations() {
            return self.sums(side).map(|sums| sums.filtered_answers).unwrap_or_default();
        }
        [Side::Inside, side].map(|side| self.all(side))
    }

    /// The rules, in their order; docs/causes.md has them in words.
    fn reason(
        &mut self,
        Place { entry, service, side, is_shared, .. }: Place,
        is_own_enough: bool,
    ) -> Option<(Reason, Scope)> {
        let (destinations, entry) = (f64::from(self.tried.max(1)), usize::from(entry));
        // What is known of several destinations together says nothing about one of them.
        let mut unknown = DestinationEvidence::default();
        let here = if is_shared { &mut unknown } else { self.entries.get_mut(entry)? };
        let role = here.role(side);
        let (is_silent_inside, fails_inside) = (here.is_silent_inside(), here.fails_inside());
        let answers_inside = here.answers_inside();
        if role == Role::Passing {
            return Some((Reason::OutsideAnswered, Scope::Destination));
        }
        if is_silent_inside {
            let reason = if fails_inside { Reason::InsideUnanswered } else { Reason::NothingToCompare };
            return Some((reason, Scope::Destination));
        }
        // As many tests are made as there are destinations (Bonferroni).
        let nats = if is_own_enough && role == Role::Filtered { here.nats(side) - destinations.ln() } else { 0.0 };
        if nats >= ENOUGH_NATS {
            return Some((differ(nats), Scope::Destination));
        }
        if fails_inside {
            return Some((Reason::InsideUnanswered, Scope::Destination));
        }
        let is_silent = |[inside, ..]: &[Answers; 4]| inside.answered == 0 && inside.unanswered >= SILENT_SERVICE;
        if self.services.get(&service).is_some_and(is_silent) {
            return Some((Reason::ServiceSilent, Scope::Capture));
        }
        let pooled = self.pooled(side);
        let SideSums { filtered, passing, unanswered, .. } = *self.sums(side)?;
        let unanswered = unanswered.saturating_sub(u32::from(!is_own_enough));
        let is_suspect_here = |this: &Self| {
            is_own_enough && !is_shared && this.entries.get(entry).is_some_and(|here| here.is_suspect(side))
        };
        let is_proven = pooled.nats >= ENOUGH_NATS && pooled.others >= ENOUGH_NATS / 2.0;
        let is_likely = pooled.nats >= LIKELY_NATS;
        Some(match (passing, role) {
            (0, _) if is_proven && answers_inside => (differ(pooled.nats), Scope::Capture),
            (0, _) if is_proven => (Reason::OthersDiffer, Scope::Capture),
            (0, Role::Filtered) if is_suspect_here(self) => (Reason::OnlyInsideAnswered, Scope::Destination),
            (0, _) if self.is_suspect(unanswered) && self.are_ports_drawn(side) => {
                (Reason::OnlyInsideAnswered, Scope::Capture)
            }
            (0, _) => (Reason::NothingToCompare, Scope::Capture),
            // Those that bypass the filter acquit no destination that does not; but that this one does not, only its own attempts prove.
            (1.., Role::Filtered) if is_proven && is_suspect_here(self) => (Reason::OthersDiffer, Scope::Capture),
            (1.., Role::Filtered) if (is_likely || filtered > passing) && is_suspect_here(self) => {
                (Reason::OnlyInsideAnswered, Scope::Destination)
            }
            (1.., _) if is_proven && filtered > passing => (Reason::OthersDiffer, Scope::Capture),
            (1.., Role::Filtered) => (Reason::NothingToCompare, Scope::Destination),
            // One that bypasses the filter acquits it for nobody where more are not answered.
            (1.., _) if is_likely || unanswered > passing => (Reason::NothingToCompare, Scope::Destination),
            (1.., _) => (Reason::OutsideAnswered, Scope::Capture),
        })
    }

    /// Destinations that answered inside, and others that did not answer outside: each counts once, so that one dead destination
    /// does not make a filter. Where most are dead anyway, chance must be excluded.
    fn is_suspect(&self, unanswered: u32) -> bool {
        let Self { inside_answered: answered, inside_silent: silent, .. } = *self;
        let at_most = if answered >= silent { SUSPECT_P } else { (-ENOUGH_NATS).exp() };
        is_below(at_most, answered, answered + silent, unanswered)
    }

    /// Whether destinations are tried from both sides as often as ports that are drawn have it, where clients choose them. Else those
    /// that fail may be the servers of a client with ports of its own. Ports of one pool are drawn too, one neighbourhood a destination.
    fn are_ports_drawn(&mut self, side: Side) -> bool {
        let Some(sums) = self.sides.get_mut((side as usize).wrapping_sub(1)) else { return true };
        if sums.drawn.is_stale(self.observed) {
            let [inside, outside] = [Side::Inside, side].map(|of| self.pools[of as usize]);
            let tries = self.entries.iter().map(|entry| [Side::Inside, side].map(|of| entry.kept(of)));
            sums.drawn = match outside != Pool::default() && !inside.is_apart_from(outside) {
                true => Drawn::of_one_pool(self.observed),
                false => Drawn::of(tries, self.observed),
            };
        }
        sums.drawn.are_drawn()
    }

    fn sums(&self, side: Side) -> Option<&SideSums> {
        self.sides.get((side as usize).wrapping_sub(1))
    }

    /// The test over all destinations, each a stratum.
    fn pooled(&mut self, side: Side) -> Pooled {
        let Some(sums) = self.sums(side).copied() else { return Pooled::default() };
        // The more there are, the less a few more change it; but few failures may follow on many answers, and are what it rests on.
        let is_past = |at: u64, now: u64| now > at + if at < 4096 { at / 4 } else { at };
        let unanswered = self.all[side as usize].unanswered;
        let is_stale = is_past(sums.pooled.at, self.observed) || is_past(sums.pooled.unanswered, unanswered);
        if sums.filtered == 0 || !is_stale {
            return if sums.filtered == 0 { Pooled::default() } else { sums.pooled };
        }
        let pooled = self.test(side);
        if let Some(sums) = self.sides.get_mut((side as usize).wrapping_sub(1)) {
            sums.pooled = pooled;
        }
        pooled
    }

    fn test(&self, side: Side) -> Pooled {
        let answering = self.entries.iter().filter(|entry| entry.standing.is_answering);
        let strata: Vec<_> = answering.map(|entry| entry.stratum(side)).collect();
        let evidence = evidence(&strata);
        let strongest = evidence.parts.iter().copied().fold(0.0, f64::max);
        Pooled {
            nats: evidence.total,
            others: evidence.total - strongest,
            at: self.observed,
            unanswered: self.all[side as usize].unanswered,
        }
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.entries.capacity() * size_of::<DestinationEvidence>()
    }

    /// Tests everything again.
    pub(super) fn settle(&mut self) {
        self.sum_up();
        self.entries.iter_mut().for_each(DestinationEvidence::forget_tests);
        self.sides.iter_mut().for_each(|sums| (sums.pooled, sums.drawn) = (Pooled::default(), Drawn::default()));
        Side::OUTSIDE.into_iter().for_each(|side| {
            self.pooled(side);
            self.are_ports_drawn(side);
        });
    }

    /// What the evidence says about each side that attempts left from, over all destinations.
    pub(super) fn policies(&self) -> Vec<SideEvidence> {
        let this = self.summed_up();
        let tried = Side::OUTSIDE.into_iter().filter(|&side| this.all[side as usize].total() > 0);
        let evidence = |side| {
            let SideSums { filtered, passing, .. } = *this.sums(side)?;
            let (claim, reason, scope) = (Claim::Policy, this.policy(side)?, Scope::Capture);
            let [inside, outside] = this.over_all(reason, side);
            let assessment = Assessment { claim, reason, scope, side, inside, outside };
            Some(SideEvidence { assessment, filtered, passing })
        };
        tried.filter_map(evidence).collect()
    }

    fn policy(&self, side: Side) -> Option<Reason> {
        let SideSums { filtered, passing, unanswered, pooled, drawn, .. } = *self.sums(side)?;
        let destinations = f64::from(self.tried.max(1));
        let own = || {
            let entries = self.entries.iter().filter(|entry| entry.role(side) == Role::Filtered);
            entries.map(|entry| entry.evidence(side) - destinations.ln()).fold(0.0, f64::max)
        };
        let (own, pooled) = if filtered == 0 { (0.0, Pooled::default()) } else { (own(), pooled) };
        let nats = own.max(pooled.nats);
        Some(match passing {
            _ if own >= ENOUGH_NATS => differ(nats),
            _ if nats >= ENOUGH_NATS => self.doubted(side, differ(nats)),
            1.. if passing >= filtered && pooled.nats < LIKELY_NATS => Reason::OutsideAnswered,
            _ if self.is_suspect(unanswered) && drawn.are_drawn()
                || self.entries.iter().any(|entry| entry.is_suspect(side)) =>
            {
                Reason::OnlyInsideAnswered
            }
            _ => Reason::NothingToCompare,
        })
    }
}

fn differ(nats: f64) -> Reason {
    Reason::SidesDiffer { p_below: p_below(nats) }
}

/// Evidence as a power of ten.
pub(super) fn p_below(nats: f64) -> u32 {
    (nats / std::f64::consts::LN_10).floor().max(0.0) as u32
}

fn replace(sum: &mut Answers, before: Answers, now: Answers) {
    sum.answered = (sum.answered + now.answered).saturating_sub(before.answered);
    sum.unanswered = (sum.unanswered + now.unanswered).saturating_sub(before.unanswered);
}
