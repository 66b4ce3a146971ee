//! What to ask next: spread over the range first, then between ports that differ, then the edges again. Pure.
//!
//! An answer proves a port open, silence proves little: loss, a rate limit, a target that is down, or a filter. So a silent port next to
//! an open one is asked until loss does not explain it, an answer at any time overturns what silence said, and each wave also asks ports that
//! were answered before (controls), which measures whatever else makes connections fail.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{Answer, Ask, Asked, Expected, Ledger, Port};
use super::runs::{Run, passing, runs};
use super::strata::{scattered, strata};
use super::targets::{Pace, failing, pace};
use crate::model::PortSet;

/// Ports of the first round that are asked in one wave.
const STRATA_PER_WAVE: usize = 32;
/// Of so many connections one is a control.
const ASKS_PER_CONTROL: usize = 8;
/// Loss may explain the silence of an edge with this probability.
const MAX_EDGE_DOUBT: f64 = 1e-5;
/// The same where the connections are used up before that: an edge is said to be where it is with this probability of being wrong.
const MAX_CLAIM_DOUBT: f64 = 1e-3;
/// The same of a range of fewer ports than this.
const MAX_HOLE_DOUBT: f64 = 1e-9;
const NARROW: u16 = 256;
/// The same of a port from which the search goes on, over many ports and over few: a mistake is found out later, at a cost.
const MAX_FAR_DOUBT: f64 = 0.005;
const MAX_NEAR_DOUBT: f64 = 0.08;
/// More ports than this are many. Between them, ports at round numbers are tried first.
const FAR: u16 = 512;
/// Where people begin and end ranges.
const ROUND: u16 = 1000;
/// Connections whose silence is predicted, and as many whose answer is: the evidence for the test.
const CONFIRMATIONS: u32 = 20;
/// Of those, to each target.
const MIN_CONFIRMATIONS_PER_TARGET: u32 = 5;
/// Of those, to each target in one wave.
const CONFIRMATIONS_PER_WAVE: u32 = 5;
/// Of more ranges than this each edge has to be known: one bracket in a hundred misses its edge.
const MAX_RUNS_UNFOLLOWED: usize = 9;
/// So many unanswered connections predict silence.
const SILENT_BEFORE: u32 = 3;

/// Asks in waves until the edges are known or the connections are used up.
#[derive(Clone, Debug)]
pub struct Plan {
    from: PortSet,
    /// Connections that may still be made.
    left: usize,
    targets: usize,
    /// Those of the first round that are left, the next one last.
    strata: Vec<u16>,
    /// Connections a second; each half of the one before.
    rates: Vec<f64>,
    wave: u32,
    /// What was known before this wave.
    runs: Vec<Run>,
    open: BTreeSet<u16>,
    pub(super) ledger: Ledger,
}

/// Why a port is asked; what comes first is more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Again,
    Between,
    Edge,
    Twice,
}

impl Plan {
    /// Of so many targets, from these ports, with at most so many connections at this rate.
    #[must_use]
    pub fn new(targets: usize, from: &PortSet, connections: usize, rate: f64) -> Self {
        let mut strata = strata(from, connections);
        strata.reverse();
        Self {
            from: from.clone(),
            left: connections,
            targets,
            strata,
            rates: vec![rate],
            wave: 0,
            runs: Vec::new(),
            open: BTreeSet::new(),
            ledger: Ledger::default(),
        }
    }

    /// Connections a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rates.last().copied().unwrap_or(1.0)
    }

    /// Connections that were made.
    #[must_use]
    pub fn made(&self) -> usize {
        self.ledger.asked.len()
    }

    /// All rates, the first one first.
    pub(super) fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// Takes what became of a connection of the last wave.
    pub fn take(&mut self, ask: Ask, answer: Answer, second: u64) {
        match answer {
            Answer::InUse => {
                self.left += 1;
                self.ledger.in_use.insert(ask.port);
                // A neighbour instead.
                return self.strata.push(ask.port);
            }
            Answer::Denied(_) => drop(self.ledger.in_use.insert(ask.port)),
            Answer::Accepted | Answer::Refused | Answer::Silent | Answer::Unreachable(_) => {}
        }
        let (expected, wave, pace) = (self.expected(ask.port), self.wave, self.rates.len() - 1);
        self.ledger.asked.push(Asked { ask, answer, second, wave, pace, expected });
    }

    fn expected(&self, port: u16) -> Expected {
        let is_silent =
            |run: &Run| !run.is_open && run.silent >= SILENT_BEFORE && (run.first..=run.last).contains(&port);
        match self.open.contains(&port) {
            true => Expected::Answer,
            false if self.runs.iter().any(is_silent) => Expected::Silence,
            false => Expected::Unknown,
        }
    }

    /// The connections to make next; none where nothing is left to ask.
    pub fn wave(&mut self) -> Vec<Ask> {
        self.leave_out_targets();
        let active: Vec<usize> = (0..self.targets).filter(|target| !self.ledger.left_out.contains(target)).collect();
        if active.is_empty() || self.gives_up() {
            return Vec::new();
        }
        self.wave += 1;
        let ports = self.ledger.ports();
        self.runs = runs(&ports);
        self.open = ports.iter().filter(|(_, port)| port.is_open()).map(|(port, _)| *port).collect();
        let mut wanted = self.wanted(&ports);
        let mut each = wanted.len() / ASKS_PER_CONTROL / active.len();
        if wanted.is_empty() && self.runs.len() > 1 {
            let [silent, answered] = self.unconfirmed(&active);
            wanted = self.silent_ports(silent);
            each = each.max(answered as usize);
        }
        let controls = self.controls(each.max(1), &active);
        wanted.truncate(self.left.saturating_sub(controls.len()));
        let targets = wanted.iter().enumerate().map(|(turn, port)| self.least_asked(*port, &active, turn));
        let asks = wanted.iter().zip(targets).map(|(&port, target)| Ask { port, target });
        if wanted.is_empty() && each == 0 || self.left < controls.len() {
            return Vec::new();
        }
        let asks: BTreeSet<Ask> = asks.chain(controls).collect();
        self.left -= asks.len().min(self.left);
        scattered(&asks.into_iter().collect::<Vec<_>>())
    }

    /// Targets that say nothing about ports are asked no more, and others are asked in their place.
    fn leave_out_targets(&mut self) {
        let before = self.ledger.ports();
        let failing = failing(&self.ledger, self.targets, self.rates.len() - 1);
        self.ledger.left_out.extend(failing);
        let after = self.ledger.ports();
        self.strata.extend(before.into_keys().filter(|port| !after.contains_key(port)));
    }

    /// Whether ports that had been answered go unanswered at any rate; slows down where they do at this one.
    fn gives_up(&mut self) -> bool {
        let now = self.rates.len() - 1;
        match pace(&self.ledger, now) {
            Pace::Keep => return false,
            Pace::Halve => self.rates.push(self.rate() / 2.0),
            Pace::GiveUp => {}
        }
        self.ledger.too_fast.insert(now);
        self.rates.len() - 1 == now
    }

    /// Ports that are not clear yet, the most urgent first.
    fn wanted(&mut self, ports: &BTreeMap<u16, Port>) -> Vec<u16> {
        let next = self.strata.split_off(self.strata.len().saturating_sub(STRATA_PER_WAVE));
        let strata: Vec<u16> = next.iter().rev().filter_map(|port| self.usable(*port, 0, u16::MAX)).collect();
        let loss = self.ledger.loss();
        let mut wanted: BTreeSet<(Reason, u32, u16)> = BTreeSet::new();
        for ((low, left), (high, right)) in ports.iter().zip(ports.iter().skip(1)) {
            if left.is_open() == right.is_open() {
                continue;
            }
            let (closed, silent) = if left.is_open() { (*high, right.silent) } else { (*low, left.silent) };
            let doubt = if high - low > FAR { MAX_FAR_DOUBT } else { MAX_NEAR_DOUBT };
            if silent < silences(loss, doubt).max(1) {
                wanted.insert((Reason::Again, silent, closed));
            } else if strata.is_empty() {
                let between = self.between(*low, *high);
                let run = self.runs.iter().find(|run| (run.first..=run.last).contains(&closed));
                if between.is_empty() && (silent < enough(loss) || run.is_some_and(|run| !is_sure(run, loss))) {
                    // Those first that belong to few.
                    wanted.insert((Reason::Edge, run.map_or(0, |run| run.silent), closed));
                }
                wanted.extend(between.into_iter().map(|port| (Reason::Between, 0, port)));
            }
        }
        if strata.is_empty() && wanted.is_empty() && !self.open.is_empty() {
            // A range of few blocks may have been lost as a whole.
            let once = ports.iter().filter(|(_, port)| !port.is_open() && port.silent < 2);
            wanted.extend(once.map(|(port, of)| (Reason::Twice, of.silent, *port)));
        }
        let mut known = BTreeSet::new();
        let wanted = strata.into_iter().chain(wanted.into_iter().map(|(.., port)| port));
        wanted.filter(|port| known.insert(*port)).collect()
    }

    /// Ports that divide what is between two others.
    fn between(&self, low: u16, high: u16) -> BTreeSet<u16> {
        let gap = high - low;
        let round = (low / ROUND + 1..=high / ROUND).flat_map(|number| [number * ROUND - 1, number * ROUND]);
        let mut at: Vec<u16> = round.filter(|port| gap > FAR && (low + 1..high).contains(port)).collect();
        if at.is_empty() {
            at = (1..4).map(|quarter| low + (u32::from(gap) * quarter / 4) as u16).collect();
        }
        at.into_iter().filter_map(|port| self.usable(port, low, high)).collect()
    }

    /// The nearest port that can be asked, above `low` and, unless that is the highest port, below `high`.
    fn usable(&self, port: u16, low: u16, high: u16) -> Option<u16> {
        let can = |port: &u16| {
            let is_between = *port > low && (*port < high || high == u16::MAX);
            is_between && self.from.contains(*port) && !self.ledger.in_use.contains(port)
        };
        let found = [(low..=port).rev().find(can), (port..=high).find(can)];
        found.into_iter().flatten().min_by_key(|found| found.abs_diff(port))
    }

    /// How many connections to each target are missing as evidence: with silence predicted, and with an answer.
    fn unconfirmed(&self, active: &[usize]) -> [u32; 2] {
        let each = (CONFIRMATIONS / active.len() as u32).max(MIN_CONFIRMATIONS_PER_TARGET);
        [Expected::Silence, Expected::Answer].map(|expected| {
            let made = |target: usize| {
                let of = |asked: &&Asked| asked.ask.target == target && asked.expected == expected;
                self.ledger.evidence().filter(of).count() as u32
            };
            let missing = active.iter().map(|target| each.saturating_sub(made(*target)));
            missing.max().unwrap_or_default().min(CONFIRMATIONS_PER_WAVE)
        })
    }

    /// Ports whose silence is predicted, others in each wave; so many for each target.
    fn silent_ports(&self, each: u32) -> Vec<u16> {
        let silent = self.runs.iter().filter(|run| !run.is_open && run.silent >= SILENT_BEFORE);
        let ranges: Vec<Run> = scattered(&silent.copied().collect::<Vec<_>>());
        if ranges.is_empty() {
            return Vec::new();
        }
        let wanted = each as usize * (self.targets - self.ledger.left_out.len());
        let ports = (0..wanted).filter_map(|number| {
            let Run { first, last, .. } = ranges[(number + self.wave as usize) % ranges.len()];
            // Another place in each wave, by steps of the golden ratio.
            let step = (self.wave * 16 + number as u32) * 618 % 1000;
            let place = (u32::from(last - first) * step / 999) as u16;
            self.usable(first + place, first.saturating_sub(1), last.saturating_add(1))
        });
        let ports: BTreeSet<u16> = ports.collect();
        ports.into_iter().collect()
    }

    /// Connections from ports that were answered before, so many to each target.
    fn controls(&self, each: usize, active: &[usize]) -> Vec<Ask> {
        let open = scattered(&self.open.iter().copied().collect::<Vec<_>>());
        let ask = |number: usize| Ask {
            port: open[(self.wave as usize * 7 + number) % open.len()],
            target: active[number % active.len()],
        };
        let count = if open.is_empty() { 0 } else { each * active.len() };
        (0..count).map(ask).collect()
    }

    /// The target that was asked least often from this port, each in its turn.
    fn least_asked(&self, port: u16, active: &[usize], turn: usize) -> usize {
        let count = |target: usize| self.ledger.asked.iter().filter(|asked| asked.ask == Ask { port, target }).count();
        let in_turn = (0..active.len()).map(|step| active[(turn + self.wave as usize + step) % active.len()]);
        in_turn.min_by_key(|target| count(*target)).unwrap_or_default()
    }

    /// Whether loss does not explain the silence of any port, and the edges are known as well as the inference takes for granted.
    pub(super) fn is_sure(&self) -> bool {
        let runs = runs(&self.ledger.ports());
        let loss = self.ledger.loss();
        let is_sure = runs.iter().all(|run| run.is_open || is_sure(run, loss));
        is_sure && (runs.len() <= MAX_RUNS_UNFOLLOWED || self.is_complete())
    }

    /// Ports next to open ones whose silence loss may explain, so that the edge may be beyond them.
    pub(super) fn doubtful(&self) -> BTreeSet<u16> {
        let (ports, needed) = (self.ledger.ports(), silences(self.ledger.loss(), MAX_CLAIM_DOUBT));
        let mut doubtful = BTreeSet::new();
        let mut walk = |ports: &mut dyn Iterator<Item = (&u16, &Port)>| {
            // Since the last open port.
            let mut silent = needed;
            for (port, of) in ports {
                silent = if of.is_open() { 0 } else { silent.saturating_add(of.silent) };
                if !of.is_open() && silent < needed {
                    doubtful.insert(*port);
                }
            }
        };
        walk(&mut ports.iter());
        walk(&mut ports.iter().rev());
        doubtful
    }

    /// Whether each edge was followed as far as ports can be asked.
    pub(super) fn is_complete(&self) -> bool {
        let ports = self.ledger.ports();
        let mut pairs = ports.iter().zip(ports.iter().skip(1));
        let is_followed = pairs.all(|((low, left), (high, right))| {
            left.is_open() == right.is_open() || self.between(*low, *high).is_empty()
        });
        let is_few = runs(&ports).len() <= MAX_RUNS_UNFOLLOWED;
        let is_twice = is_few || ports.values().all(|port| port.is_open() || port.silent > 1);
        self.strata.is_empty() && is_followed && is_twice && !passing(&ports).is_empty()
    }
}

/// Whether loss does not explain why none of these ports was answered. There are many places for a narrow hole, and few filters have one.
fn is_sure(run: &Run, loss: f64) -> bool {
    let is_narrow = run.last - run.first < NARROW;
    run.silent >= if is_narrow { silences(loss, MAX_HOLE_DOUBT).max(6) } else { enough(loss) }
}

/// How often an edge must be silent.
fn enough(loss: f64) -> u32 {
    silences(loss, MAX_EDGE_DOUBT).clamp(3, 12)
}

/// So many times in a row loss fails with less than this probability.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn silences(loss: f64, doubt: f64) -> u32 {
    (doubt.ln() / loss.clamp(0.001, 0.9).ln()).ceil() as u32
}
