//! From counts to a conclusion.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::FamilyAttempts;
use super::bracket;
use super::conclusion::{
    Class, Conclusion, LeftOut, MAX_NAMED_DESTINATIONS, SupportingDestination, Verdict, answers_often,
};
use super::destinations::DestinationHistory;
use super::passing;
use super::port_counts::UsedPort;
use super::port_set;
use super::power;
use super::rule;
use super::segments::{self, Rates, Segment};
use super::sides::Answering;
use super::significance::{self, Evidence, Stratum, Weight, choices};
use crate::model::{Answers, Period, PortSet};

/// Below this a destination does not distinguish passed ports from others.
const MIN_SUPPORT_NATS: f64 = 0.5;

/// What the attempts of one address family say.
pub(super) fn conclude(is_ipv4: bool, family: &FamilyAttempts) -> Conclusion {
    with(is_ipv4, family, verdict)
}

/// The same where these ports are known to pass, and these attempts were made to confirm it.
pub(super) fn conclude_for(
    is_ipv4: bool,
    family: &FamilyAttempts,
    passing: &PortSet,
    confirmed: &[SupportingDestination],
) -> Conclusion {
    with(is_ipv4, family, |scales, used| confirm(&scales, &segments::given(scales.seen, passing), confirmed, used))
}

fn with(is_ipv4: bool, family: &FamilyAttempts, verdict: impl FnOnce(Scales<'_>, Answers) -> Verdict) -> Conclusion {
    let entries = family.destinations.entries();
    let used: Answers = entries.iter().map(|entry| entry.answers).sum();
    let silent = entries.iter().filter(|entry| entry.bins().is_none());
    let seen = family.counts.seen();
    let verdict = verdict(Scales::new(&seen, &Answering::of(entries)), used);
    let pattern = match verdict {
        Verdict::NoClass { .. } | Verdict::TooFew { .. } => port_set::find(&seen),
        Verdict::Class(_) | Verdict::OneDestination(_) => None,
    };
    Conclusion {
        is_ipv4,
        is_of_sockets: false,
        is_of_table: false,
        period: Period::default(),
        uplink: None,
        used,
        destinations: entries.iter().filter(|entry| entry.bins().is_some()).count(),
        left_out: LeftOut {
            silent: entries.iter().map(DestinationHistory::left_out).sum(),
            silent_destinations: silent.count() as u64,
            changed_port: family.changed_port,
            gave_up: family.gave_up(),
            refused: entries.iter().map(DestinationHistory::refused).sum(),
            shared: family.destinations.shared,
        },
        pattern,
        refusals: None,
        verdict,
        doubt: None,
    }
}

fn confirm(scales: &Scales<'_>, division: &[Segment], confirmed: &[SupportingDestination], used: Answers) -> Verdict {
    if division.len() < 2 {
        return nothing_found(scales, used);
    }
    match evidence(confirmed).weight().is_enough_and_shared_unchosen() {
        (true, true) => Verdict::Class(class_by(scales.seen, division, confirmed, 0)),
        (true, false) => Verdict::OneDestination(class_by(scales.seen, division, confirmed, 0)),
        (false, _) => undecided(scales, division, used),
    }
}

fn verdict(mut scales: Scales<'_>, used: Answers) -> Verdict {
    let divided = segments::divide(scales.seen);
    let suspected = pruned(&mut scales, &divided, Weight::is_enough);
    let proven = pruned(&mut scales, &suspected, Weight::is_shared);
    if has_classes(&proven) {
        Verdict::Class(class(&scales, &proven))
    } else if has_classes(&suspected) {
        Verdict::OneDestination(class(&scales, &suspected))
    } else if divided.len() > 1 {
        undecided(&scales, &divided, used)
    } else {
        nothing_found(&scales, used)
    }
}

/// What survives the test of a division that costs next to nothing, so that only the test stands in its way.
#[cfg(test)]
pub(super) fn survivors(family: &FamilyAttempts) -> usize {
    let seen = family.counts.seen();
    let divided = segments::divide_at(&seen, 2.0);
    let answering = Answering::of(family.destinations.entries());
    segments::groups(&pruned(&mut Scales::new(&seen, &answering), &divided, Weight::is_enough)).len()
}

/// What the evidence for segments is weighed by. The same segments are weighed once.
struct Scales<'a> {
    seen: &'a [UsedPort],
    answering: &'a Answering<'a>,
    weighed: HashMap<Vec<Segment>, Weight, FixedState>,
}

impl<'a> Scales<'a> {
    fn new(seen: &'a [UsedPort], answering: &'a Answering<'a>) -> Self {
        Self { seen, answering, weighed: HashMap::default() }
    }

    /// Evidence that the segments that pass fare otherwise than the rest of these.
    fn weigh(&mut self, segments: &[Segment]) -> Weight {
        if let Some(known) = self.weighed.get(segments) {
            return *known;
        }
        let weight = evidence(&self.answering.sides(self.seen, segments)).weight();
        self.weighed.insert(segments.to_vec(), weight);
        weight
    }
}

fn evidence(sides: &[SupportingDestination]) -> Evidence {
    significance::evidence(&sides.iter().map(|of| Stratum::of(of.inside, of.outside)).collect::<Vec<_>>())
}

/// Leaves segments undecided whose evidence, against those next to them, does not hold, the weakest first.
fn pruned(scales: &mut Scales<'_>, divided: &[Segment], holds: fn(&Weight, usize) -> bool) -> Vec<Segment> {
    let mut segments = divided.to_vec();
    loop {
        let groups = segments::groups(&segments);
        let weak = (0..groups.len()).filter_map(|group| {
            let first = groups[group.saturating_sub(1)].first()?;
            let last = groups[(group + 1).min(groups.len() - 1)].last()?;
            let weight = scales.weigh(&segments[*first..=*last]);
            // The ends of the port space were not chosen.
            let edges = last - first + usize::from(*first > 0) + usize::from(last + 1 < segments.len());
            (!holds(&weight, edges)).then_some((group, weight.total))
        });
        let Some((group, _)) = weak.min_by(|(_, a), (_, b)| a.total_cmp(b)).filter(|_| groups.len() > 1) else {
            return segments;
        };
        groups[group].iter().for_each(|&place| segments[place].is_undecided = true);
    }
}

fn has_classes(segments: &[Segment]) -> bool {
    segments::groups(segments).len() > 1
}

fn class(scales: &Scales<'_>, segments: &[Segment]) -> Class {
    let class = class_by(scales.seen, segments, &scales.answering.sides(scales.seen, segments), segments.len() - 1);
    // Each of its few ranges holds at the level of 0.001.
    Class { p_below: class.p_below.max(2), ..class }
}

/// By the evidence of these attempts, of which so many edges were chosen to fit.
fn class_by(seen: &[UsedPort], segments: &[Segment], sides: &[SupportingDestination], edges: usize) -> Class {
    let count = |passes| segments::count(seen, segments, passes);
    let logs = Rates::of(count(true), count(false)).logs();
    let (passes, undecided) = (bracket::passes(seen, segments, logs), bracket::undecided(seen, segments, logs));
    let evidence = evidence(sides);
    let passing = passing::find(sides);
    let is_passing = |of: &SupportingDestination| passing.count > 0 && answers_often(of.outside);
    let supports = |&place: &usize| evidence.parts[place] > MIN_SUPPORT_NATS && !is_passing(&sides[place]);
    let mut order: Vec<usize> = (0..sides.len()).filter(supports).collect();
    order.sort_by(|&a, &b| evidence.parts[b].total_cmp(&evidence.parts[a]));
    let supporting = order.iter().take(MAX_NAMED_DESTINATIONS).map(|&place| sides[place]);
    let likely = if undecided.is_empty() { rule::likely(&passes) } else { None };
    let split = likely.clone().unwrap_or_else(|| rule::best(&passes));
    let undecided = undecided.without(&split);
    let decided = || seen.iter().filter(|seen| !undecided.contains(seen.port));
    let (lowest, highest) = (seen.first().map_or(0, |seen| seen.port), seen.last().map_or(u16::MAX, |seen| seen.port));
    let used =
        PortSet::range(lowest.saturating_sub(rule::MAX_BRACKET_PORTS), highest.saturating_add(rule::MAX_BRACKET_PORTS));
    let within = |inside| decided().filter(|seen| split.contains(seen.port) == inside).map(|seen| seen.answers).sum();
    Class {
        inside: within(true),
        outside: within(false),
        likely,
        split,
        passes,
        undecided,
        used,
        p_below: p_below(evidence.total, edges),
        supporting_count: order.len(),
        supporting: supporting.collect(),
        passing,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number from 0 on; beyond u32 it saturates"
)]
fn p_below(total: f64, edges: usize) -> u32 {
    let nats = total - choices(u32::try_from(edges).unwrap_or(u32::MAX));
    (nats / std::f64::consts::LN_10).floor().max(0.0) as u32
}

/// A class begins to show: so many more attempts like these would prove it or not.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn undecided(scales: &Scales<'_>, divided: &[Segment], used: Answers) -> Verdict {
    let count = |passes| segments::count(scales.seen, divided, passes);
    let (inside, outside) = (count(true), count(false));
    let share = (outside.total() as f64 / used.total() as f64).min(0.5);
    let needed = power::attempts_needed(scales.answering.len(), share, Rates::of(inside, outside).fails.min(0.9));
    // Where the estimate says that it should have been enough, a tenth more is the least that can help.
    Verdict::TooFew { more: needed.saturating_sub(used.total()).max(used.total().div_ceil(10)), suspected: true }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn nothing_found(scales: &Scales<'_>, used: Answers) -> Verdict {
    let attempts = scales.answering.attempts();
    let fails = used.unanswered as f64 / used.total().max(1) as f64;
    if let Some(visible_share) = power::visible_share(&attempts, fails) {
        return Verdict::NoClass { visible_share };
    }
    // Half of the ports is the class to look for first; it would explain so much of what failed.
    let other = (2.0 * fails - 1.0).max(0.0);
    let needed = power::attempts_needed(attempts.len(), 0.5, other);
    // One destination is never enough: the other half has to come from elsewhere.
    let elsewhere = if attempts.len() < 2 { needed.div_ceil(2) } else { 1 };
    Verdict::TooFew { more: needed.saturating_sub(used.total()).max(elsewhere), suspected: false }
}
