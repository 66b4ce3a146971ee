//! A path in virtual time.

use std::net::SocketAddr;

use fastrand::Rng;

use crate::model::PortSet;
use crate::probe::conclude::ProbeReport;
use crate::probe::ledger::{Ask, ProbeAnswer};
use crate::probe::plan::Plan;

/// Seconds that a connection waits for an answer.
const TIMEOUT_S: f64 = 0.3;

/// What is between this node and its targets.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    /// Ports whose answers pass.
    pub(super) passes: PortSet,
    /// Ports that are asked.
    pub(super) from: PortSet,
    /// Share of connections that get lost.
    pub(super) loss: f64,
    pub(super) targets: usize,
    /// Of those, the first so many are down.
    pub(super) dead: usize,
    /// Connections a second that are answered at most, and so many at once.
    pub(super) limit: Option<(f64, f64)>,
    /// After so many connections nothing is answered any more.
    pub(super) ban: usize,
    /// After so many connections these ports pass instead.
    pub(super) changes: Option<(usize, PortSet)>,
    /// Share of ports that other sockets have.
    pub(super) in_use: f64,
    pub(super) connections: usize,
    pub(super) rate: f64,
}

impl World {
    pub(super) fn new(seed: u64, passes: &str) -> Self {
        let blocks = || PortSet::of((1..64).step_by(2).map(|block| (block * 1024, block * 1024 + 1023)));
        let passes = match passes {
            "blocks" => blocks(),
            "odd" => PortSet::of((1..=u16::MAX).step_by(2).map(|port| (port, port))),
            ranges => ranges.parse().unwrap(),
        };
        Self {
            seed,
            passes,
            from: PortSet::range(1024, 65535),
            loss: 0.0,
            targets: 2,
            dead: 0,
            limit: None,
            ban: usize::MAX,
            changes: None,
            in_use: 0.0,
            connections: 300,
            rate: 50.0,
        }
    }

    /// Plays it, and the seconds that it takes.
    pub(super) fn probe(&self) -> (ProbeReport, f64) {
        let mut rng = Rng::with_seed(self.seed);
        let targets: Vec<SocketAddr> =
            (0..self.targets).map(|number| SocketAddr::from(([203, 0, 113, number as u8 + 1], 443))).collect();
        let mut plan = Plan::new(self.targets, &self.from, self.connections, self.rate);
        let (mut now, mut tokens, mut refilled) = (0.0_f64, self.limit.map_or(0.0, |(_, burst)| burst), 0.0);
        let busy: PortSet =
            PortSet::of((0..65536_u32).filter(|_| rng.f64() < self.in_use).map(|port| (port as u16, port as u16)));
        loop {
            let wave = plan.wave();
            if wave.is_empty() {
                break;
            }
            for ask in wave {
                now += 1.0 / plan.rate();
                if let Some((rate, burst)) = self.limit {
                    tokens = (tokens + (now - refilled) * rate).min(burst);
                    refilled = now;
                }
                let answer = self.answer(&mut rng, &busy, ask, &mut tokens, plan.made());
                plan.take(ask, answer, 1000 + now as u64);
            }
            now += TIMEOUT_S;
        }
        (ProbeReport::of(&plan, &targets), now)
    }

    fn answer(&self, rng: &mut Rng, busy: &PortSet, ask: Ask, tokens: &mut f64, made: usize) -> ProbeAnswer {
        if busy.contains(ask.port) {
            return ProbeAnswer::InUse;
        }
        if self.limit.is_some() {
            if *tokens < 1.0 {
                return ProbeAnswer::Silent;
            }
            *tokens -= 1.0;
        }
        let passes = self.changes.as_ref().filter(|(after, _)| made >= *after).map_or(&self.passes, |(_, new)| new);
        let is_lost = rng.f64() < self.loss || ask.target < self.dead || made >= self.ban;
        if is_lost || !passes.contains(ask.port) { ProbeAnswer::Silent } else { ProbeAnswer::Accepted }
    }
}
