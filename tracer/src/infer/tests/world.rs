//! A path with a filter, destinations that live or not, loss, and NAT that draws ports by the kernel's law.

use std::fmt;
use std::ops::RangeInclusive;

use fastrand::Rng;

use crate::infer::{Conclusion, Infer};
use crate::model::{Attempt, Outcome, PortSet, example, port_distribution};
use tracer_common::Flow;

/// How NAT chooses ports.
#[derive(Clone, Debug)]
pub(super) enum Ports {
    /// At random from this range, as nf_nat draws them.
    Drawn(RangeInclusive<u16>),
    /// Kept, and each client socket takes one a little above the last, per destination, as Linux does.
    Sequential(RangeInclusive<u16>),
}

/// What is true.
#[derive(Clone)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) ports: Ports,
    pub(super) passes: PortSet,
    pub(super) destinations: u32,
    /// So many of them never answer.
    pub(super) dead: u32,
    /// So many of them are on a path without the filter.
    pub(super) unfiltered: u32,
    /// Failures that have nothing to do with the port.
    pub(super) fails: f64,
    /// Each SYN or answer is lost with this probability; five SYNs are sent.
    pub(super) loss: f64,
    /// From this share of the attempts on, a third of the destinations answer no more.
    pub(super) outage: Option<f64>,
    pub(super) attempts: u32,
    pub(super) template: Attempt,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, ports, passes, destinations, dead, unfiltered, fails, loss, outage, attempts, .. } = self;
        write!(
            f,
            "seed {seed}: {attempts} attempts, {ports:?}, the path passes {passes}; {destinations} destinations, "
        )?;
        write!(f, "{dead} dead, {unfiltered} unfiltered, fails {fails}, loss {loss}, outage {outage:?}")
    }
}

impl World {
    /// Fully random masquerade, nothing filtered, everything alive.
    pub(super) fn new(seed: u64, attempts: u32) -> Self {
        Self {
            seed,
            ports: Ports::Drawn(port_distribution::default_range(40000)),
            passes: PortSet::range(0, u16::MAX),
            destinations: 6,
            dead: 0,
            unfiltered: 0,
            fails: 0.0,
            loss: 0.0,
            outage: None,
            attempts,
            template: example::attempt("10.42.0.7:51234", "203.0.0.0:443", "192.0.2.1:1", "203.0.0.0:443"),
        }
    }

    pub(super) fn passing(self, ports: &str) -> Self {
        Self { passes: ports.parse().unwrap(), ..self }
    }

    pub(super) fn infer(&self) -> Infer {
        let mut rng = Rng::with_seed(self.seed);
        let mut infer = Infer::default();
        let start: Vec<u16> = (0..self.destinations).map(|_| rng.u16(..)).collect();
        let mut used = vec![0_u16; start.len()];
        for number in 0..self.attempts {
            let to = rng.u32(0..self.destinations);
            let port = self.port(&mut rng, start[to as usize], &mut used[to as usize]);
            let late = f64::from(number) / f64::from(self.attempts);
            let is_out = self.outage.is_some_and(|from| late >= from && to.is_multiple_of(3));
            let attempt = self.attempt(&mut rng, to, port, is_out);
            infer.ended(&Attempt { first_ns: u64::from(number) * 300_000_000, ..attempt });
        }
        infer
    }

    /// The only conclusion.
    pub(super) fn conclude(&self) -> Conclusion {
        let conclusions = self.infer().conclusions();
        assert_eq!(conclusions.len(), 1, "{self:?}");
        conclusions.into_iter().next().unwrap()
    }

    fn port(&self, rng: &mut Rng, start: u16, used: &mut u16) -> u16 {
        match &self.ports {
            Ports::Drawn(range) => {
                let size = u32::from(range.end() - range.start()) + 1;
                range.start() + u16::try_from(rng.u32(0..1 << 16) % size).unwrap()
            }
            Ports::Sequential(range) => {
                *used = used.wrapping_add(2 * rng.u16(1..8));
                let size = u32::from(range.end() - range.start()) + 1;
                range.start() + u16::try_from(u32::from(start.wrapping_add(*used)) % size).unwrap()
            }
        }
    }

    fn attempt(&self, rng: &mut Rng, to: u32, port: u16, is_out: bool) -> Attempt {
        let filtered = to >= self.unfiltered && !self.passes.contains(port);
        let is_dead = to >= self.destinations - self.dead;
        let never = filtered || is_dead || is_out || rng.f64() < self.fails;
        let lost = (0..5).take_while(|_| rng.f64() < self.loss || rng.f64() < self.loss).count();
        let answered = !never && lost < 5;
        let mut attempt = self.template.clone();
        let mut flow = attempt.translated.unwrap();
        flow.dst[13..].copy_from_slice(&to.to_be_bytes()[1..]);
        attempt.translated = Some(Flow { src_port: port, ..flow });
        if matches!(self.ports, Ports::Sequential(_)) {
            attempt.original = attempt.original.map(|original| Flow { src_port: port, ..original });
        }
        attempt.outcome = if answered { Outcome::Established } else { Outcome::TimedOut };
        attempt.retransmits = if answered { u32::try_from(lost).unwrap() } else { 5 };
        attempt
    }
}
