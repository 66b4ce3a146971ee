//! What can be concluded, in numbers. `words` says it.

use super::destination::Destination;
use super::port_set::PortSetPattern;
use crate::model::{Answers, Doubt, Period, PortSet, UplinkName};

/// Where more than one in ten attempts from ports outside is answered, some of what carries them passes those ports.
pub(crate) const RARE_PASS_DIVISOR: u32 = 10;
/// Destinations that are named.
pub(super) const MAX_NAMED_DESTINATIONS: usize = 5;

/// What the attempts of one address family say.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// IPv4, else IPv6.
    pub is_ipv4: bool,
    /// It is about the node's own sockets, whose ports NAT leaves alone.
    pub is_of_sockets: bool,
    /// It is about entries of a conntrack table, which does not show what this node dropped before.
    pub is_of_table: bool,
    /// The part of the capture that it is about.
    pub period: Period,
    /// The uplink that it is about; `None` where it is about all of them.
    pub uplink: Option<UplinkName>,
    /// Attempts that count, to destinations that answered at least once.
    pub used: Answers,
    /// How many destinations those are.
    pub destinations: usize,
    /// Attempts that do not count.
    pub left_out: LeftOut,
    /// Where no class of ports was found: what the answered ports look like.
    pub pattern: Option<PortSetPattern>,
    /// Where an RST answers ports of a class, while others are accepted.
    pub refusals: Option<Refusals>,
    /// What follows from those that do.
    pub verdict: Verdict,
    /// What else explains a class of ports as well.
    pub doubt: Option<Doubt>,
}

impl Conclusion {
    /// Ports that do not pass, whatever place in its bracket each edge has; `None` where no class was found beyond doubt.
    pub fn denied(&self) -> Option<PortSet> {
        Some(self.class()?.denied())
    }

    /// Whether another conclusion, about a part of the attempts, says otherwise than this one about all of them.
    pub(crate) fn contradicts(&self, part: &Self) -> bool {
        match (self.shown_class(), part.shown_class()) {
            (Some(all), Some(part)) => {
                let both = [all.denied().and(&part.passed()), part.denied().and(&all.passed())];
                !both.iter().all(PortSet::is_empty)
            }
            (None, Some(_)) => true,
            (Some(_), None) => matches!(part.verdict, Verdict::NoClass { .. }),
            (None, None) => false,
        }
    }

    /// The class of ports that shows, be it by the word of one destination.
    pub(crate) const fn shown_class(&self) -> Option<&Class> {
        match &self.verdict {
            Verdict::Class(class) | Verdict::OneDestination(class) => Some(class),
            Verdict::NoClass { .. } | Verdict::TooFew { .. } => None,
        }
    }

    /// The class of ports that was found beyond doubt.
    pub fn class(&self) -> Option<&Class> {
        match &self.verdict {
            Verdict::Class(class) if self.doubt.is_none() && !class.is_partial() => Some(class),
            Verdict::Class(_) | Verdict::OneDestination(_) | Verdict::NoClass { .. } | Verdict::TooFew { .. } => None,
        }
    }
}

/// Ports from which connections are refused, while the same destinations accept others: those that pass are accepted, and refused
/// attempts count as unanswered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals(pub Class);

/// Attempts that do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// To destinations that never answered, or before their first answer with too many waiting.
    pub silent: u64,
    /// How many destinations never answered.
    pub silent_destinations: u64,
    /// Whose port changed from one SYN to the next.
    pub changed_port: u64,
    /// Whose client gave up unanswered, before an answer was due.
    pub gave_up: u64,
    /// That an RST answered, by destinations that accept others.
    pub refused: u64,
    /// They do count, but their destinations have no entry of their own, only their network's.
    pub shared: u64,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Whether an attempt is answered depends on its port.
    Class(Class),
    /// As `Class`, but most of the evidence is one destination's, which may itself be the reason.
    OneDestination(Class),
    /// Nothing speaks for a class of ports.
    NoClass {
        /// A class with this share of the attempts would have been found, four times in five.
        visible_share: f64,
    },
    /// Nothing can be concluded.
    TooFew {
        /// About how many attempts more would decide.
        more: u64,
        /// A class of ports begins to show.
        suspected: bool,
    },
}

/// Ports that are answered and ports that are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Ranges that pass, in ascending order.
    pub passes: Vec<Passes>,
    /// Ports that seem to fare otherwise than those around them, with too few attempts to say so; in neither class.
    pub undecided: PortSet,
    /// From the lowest port that was used to the highest one, and as much beyond as an edge may be off: of others nothing is known.
    pub used: PortSet,
    /// The ports that `inside` counts: the likely rule, else the best place for each edge.
    pub split: PortSet,
    /// Attempts with ports in `split`.
    pub inside: Answers,
    /// Attempts with other ports.
    pub outside: Answers,
    /// The probability that chance does this is below ten to the power of minus this.
    pub p_below: u32,
    /// How many destinations distinguish passed ports from others.
    pub supporting_count: usize,
    /// Those that support it most, the strongest first.
    pub supporting: Vec<SupportingDestination>,
    /// The passed ports, if each edge is near one well-known boundary. An offer, not a measurement.
    pub likely: Option<PortSet>,
    /// Destinations that the filter does not concern.
    pub passing: PassingDestinations,
}

/// Destinations that answer ports outside of a class, unlike those that support it: the path to them has no such filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassingDestinations {
    /// How many.
    pub count: usize,
    /// Attempts to them from ports outside.
    pub outside: Answers,
    /// Those with the most attempts from ports outside.
    pub named: Vec<SupportingDestination>,
    /// Attempts to all other destinations.
    pub others: Sides,
}

/// Attempts on the two sides of edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// With passed ports.
    pub inside: Answers,
    /// With other ports.
    pub outside: Answers,
}

/// Whether more of these attempts were answered than a filter passes that is a few ports off.
pub(crate) fn answers_often(outside: Answers) -> bool {
    outside.answered * u64::from(RARE_PASS_DIVISOR) > outside.total()
}

impl Class {
    /// Whether the path passes a port, where that is known.
    pub(crate) fn is_inside(&self, port: u16) -> Option<bool> {
        (!self.undecided.contains(port)).then(|| self.split.contains(port))
    }

    /// The attempts that it is about: without those to destinations that it does not concern.
    pub(crate) const fn counted(&self) -> Sides {
        match self.passing.count {
            0 => Sides { inside: self.inside, outside: self.outside },
            1.. => self.passing.others,
        }
    }

    /// Whether ports outside are answered as well, by those that support it most or by destinations that chance does not set apart: a
    /// filter drops all or nothing.
    pub(super) fn is_partial(&self) -> bool {
        let outside = self.supporting.iter().map(|supporting| supporting.outside).sum();
        answers_often(outside) || self.passing.count == 0 && answers_often(self.passing.others.outside)
    }

    /// Ports that do not pass, whatever place in its bracket each edge has.
    pub(crate) fn denied(&self) -> PortSet {
        let passes = &self.passes;
        let ends = std::iter::once(None).chain(passes.iter().map(|range| Some(range.high)));
        let begins = passes.iter().map(|range| Some(range.low)).chain([None]);
        let gaps = ends.zip(begins).filter_map(|(before, after)| {
            let low = before.filter(|edge| edge.is_measured).map(|edge| edge.to.saturating_add(1));
            let high = after.filter(|edge| edge.is_measured).map(|edge| edge.from.saturating_sub(1));
            match (before, after) {
                (None, Some(_)) => Some((0, high?)),
                (Some(_), None) => Some((low?, u16::MAX)),
                (Some(_), Some(_)) => Some((low?, high?)),
                (None, None) => None,
            }
        });
        PortSet::of(gaps).without(&self.undecided).and(&self.used)
    }

    /// Ports that pass, whatever place in its bracket each edge has.
    pub(crate) fn passed(&self) -> PortSet {
        PortSet::of(self.passes.iter().filter(|of| of.low.to <= of.high.from).map(|of| (of.low.to, of.high.from)))
            .without(&self.undecided)
    }
}

/// A range of ports that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// The lowest passed port is one of these.
    pub low: Edge,
    /// The highest passed port is one of these.
    pub high: Edge,
}

/// Where an edge can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Not lower than this.
    pub from: u16,
    /// Not higher than this.
    pub to: u16,
    /// The likeliest port.
    pub best: u16,
    /// Ports beyond it were seen to fail. Otherwise none beyond it was used.
    pub is_measured: bool,
}

/// A destination whose attempts distinguish passed ports from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportingDestination {
    /// Which.
    pub destination: Destination,
    /// Attempts with passed ports; those near an edge are in neither.
    pub inside: Answers,
    /// Attempts with other ports.
    pub outside: Answers,
}
