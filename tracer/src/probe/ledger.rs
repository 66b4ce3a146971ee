//! What became of each connection, and which of it says something about ports.

use std::collections::{BTreeMap, BTreeSet};

/// A connection to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// From this source port.
    pub port: u16,
    /// To this target, by its place in the list.
    pub target: usize,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// The target accepted it.
    Accepted,
    /// The target refused it with an RST, which says as much about the port.
    Refused,
    /// Nothing came back in time.
    Silent,
    /// An ICMP error came back, or there is no route: this errno.
    Unreachable(i32),
    /// A rule or program of this node refused it: this errno.
    Denied(i32),
    /// Another socket has the port. Nothing was sent.
    InUse,
}

impl ProbeAnswer {
    /// Whether the target answered.
    pub const fn is_answer(self) -> bool {
        match self {
            Self::Accepted | Self::Refused => true,
            Self::Silent | Self::Unreachable(_) | Self::Denied(_) | Self::InUse => false,
        }
    }
}

/// A connection that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) ask: Ask,
    pub(super) answer: ProbeAnswer,
    /// When, on any clock.
    pub(super) second: u64,
    /// Connections of one wave are made together.
    pub(super) wave: u32,
    /// Which of the rates was in force.
    pub(super) pace: usize,
    /// What was known of the port before.
    pub(super) expected: Expected,
}

/// What was known of a port before a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It had been answered.
    Answer,
    /// It was among ports that loss does not explain.
    Silence,
    /// Not enough.
    Unknown,
}

/// What a port has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) answered: u32,
    /// Unanswered while others were answered.
    pub(super) silent: u32,
}

impl Port {
    pub(super) const fn is_open(self) -> bool {
        self.answered > 0
    }
}

/// Connections whose port had been answered before, so that ports are not why they fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Controls {
    pub(super) made: u32,
    pub(super) failed: u32,
}

impl Controls {
    fn with(self, asked: &Asked) -> Self {
        Self { made: self.made + 1, failed: self.failed + u32::from(!asked.answer.is_answer()) }
    }

    pub(super) fn share(self) -> f64 {
        f64::from(self.failed) / f64::from(self.made.max(1))
    }
}

/// All connections so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) asked: Vec<Asked>,
    /// Ports that another socket has.
    pub(super) in_use: BTreeSet<u16>,
    /// Targets that are asked no more, and whose silence says nothing.
    pub(super) left_out: BTreeSet<usize>,
    /// Rates at which ports that had been answered went unanswered.
    pub(super) too_fast: BTreeSet<usize>,
}

impl Ledger {
    /// Connections that say something about ports.
    pub(super) fn evidence(&self) -> impl Iterator<Item = &Asked> {
        let answering: BTreeSet<_> = self
            .asked
            .iter()
            .filter(|asked| asked.answer.is_answer())
            .map(|asked| (asked.ask.target, asked.wave))
            .collect();
        let first = |target| {
            answering
                .range((target, 0)..)
                .next()
                .map_or(u32::MAX, |(of, wave)| if *of == target { *wave } else { u32::MAX })
        };
        let firsts: BTreeMap<usize, u32> = answering.iter().map(|(target, _)| (*target, first(*target))).collect();
        self.asked.iter().filter(move |asked| {
            let (target, wave) = (asked.ask.target, asked.wave);
            let says = match asked.answer {
                ProbeAnswer::Accepted | ProbeAnswer::Refused => true,
                // A wave that the target left unanswered as a whole says something of the target.
                ProbeAnswer::Silent | ProbeAnswer::Unreachable(_) => {
                    let is_alive =
                        answering.contains(&(target, wave)) || firsts.get(&target).is_none_or(|first| wave < *first);
                    is_alive && !self.too_fast.contains(&asked.pace)
                }
                ProbeAnswer::Denied(_) | ProbeAnswer::InUse => false,
            };
            says && !self.left_out.contains(&target)
        })
    }

    /// Every port that was asked.
    pub(super) fn ports(&self) -> BTreeMap<u16, Port> {
        let asked = self.asked.iter().filter(|asked| !self.left_out.contains(&asked.ask.target));
        let mut ports: BTreeMap<u16, Port> = asked.map(|asked| (asked.ask.port, Port::default())).collect();
        for asked in self.evidence() {
            let port = ports.entry(asked.ask.port).or_default();
            if asked.answer.is_answer() { port.answered += 1 } else { port.silent += 1 }
        }
        ports.retain(|port, _| !self.in_use.contains(port));
        ports
    }

    /// Of these connections, those whose port had been answered before.
    pub(super) fn controls(&self, of: impl Fn(&Asked) -> bool) -> Controls {
        let controls = self.asked.iter().filter(|asked| asked.expected == Expected::Answer && of(asked));
        controls.fold(Controls::default(), Controls::with)
    }

    /// How many connections get lost, by the controls. Other connections do not show it: of open ports that were asked once, only
    /// those that were answered are known to be open.
    pub(super) fn loss(&self) -> Controls {
        let controls = self.evidence().filter(|asked| asked.expected == Expected::Answer);
        controls.fold(Controls::default(), Controls::with)
    }

    /// Whether this target has ever answered.
    pub(super) fn has_answered(&self, target: usize) -> bool {
        self.asked.iter().any(|asked| asked.ask.target == target && asked.answer.is_answer())
    }
}
