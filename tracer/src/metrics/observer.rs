//! Counts by owner, and stores a snapshot of all counts once a second.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::board::{Board, OwnerCounts, Snapshot};
use super::owners::OwnerSeries;
use crate::evidence::InPeriod;
use crate::model::{EndedAttempt, Finding, Judgement, Owner, Period, PolicyEvidence};
use crate::outputs::{Moment, Observer};

const SECOND_NS: u64 = 1_000_000_000;
/// What the attempts say about ports takes milliseconds to find out, so it is done at most so often, and only if it is asked for.
const CONCLUDE_EVERY_NS: u64 = 15 * SECOND_NS;
/// Namespaces whose attempts are counted between two snapshots.
const MAX_NAMESPACES: usize = 4096;

/// Feeds the board from the pipeline.
#[derive(Debug)]
pub struct MetricsObserver {
    board: Board,
    owners: OwnerSeries,
    /// Ended attempts since the last snapshot by the namespace of their socket: a lookup by number for each attempt, one by
    /// name a second.
    ended: HashMap<u32, (Option<Owner>, u64), RandomState>,
    snapshot: Snapshot,
    concluded_ns: Option<u64>,
}

impl MetricsObserver {
    /// An observer with so many series for pods and containers.
    pub fn new(board: Board, max_owners: usize) -> Self {
        let (owners, ended) = (OwnerSeries::new(max_owners), HashMap::default());
        Self { board, owners, ended, snapshot: Snapshot::default(), concluded_ns: None }
    }

    fn settle(&mut self) {
        for (_, (owner, attempts)) in self.ended.drain() {
            self.owners.add(owner.as_ref(), OwnerCounts { attempts, ..OwnerCounts::default() });
        }
    }

    fn conclude(&mut self, moment: &Moment<'_>) {
        let now_ns = moment.tick.time_ns;
        let is_due = self.concluded_ns.is_none_or(|last| now_ns.saturating_sub(last) >= CONCLUDE_EVERY_NS);
        if !is_due || !self.board.take_wanted() {
            return;
        }
        self.concluded_ns = Some(now_ns);
        self.snapshot.conclusions = moment.infer.conclusions();
        // The newest period of each path: what held before a filter changed is history.
        let newest: BTreeMap<_, _> = moment
            .evidence
            .policies()
            .into_iter()
            .map(|(path, of)| ((!path.is_ipv4, path.netns, path.ifindex), of))
            .collect();
        let policies = newest.into_iter().map(|((is_ipv6, netns, ifindex), InPeriod { since_ns, until_ns, value })| {
            let period = Period::of(moment.capture, since_ns, until_ns);
            PolicyEvidence::new(moment.capture, !is_ipv6, (netns, ifindex), period, value)
        });
        self.snapshot.policies = policies.collect();
    }
}

impl Observer for MetricsObserver {
    fn judged(&mut self, finding: &Finding<'_>, before: &Judgement) {
        let Some(owner) = finding.owner else {
            let counts = first(finding, before);
            return self.owners.add(None, counts);
        };
        self.owners.failing(owner, first(finding, before), finding.time_ns);
    }

    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        let netns = ended.attempt.socket_netns.unwrap_or_default();
        if let Some((owner, count)) = self.ended.get_mut(&netns)
            && is_same(owner.as_ref(), ended.owner)
        {
            *count += 1;
            return Ok(());
        }
        if self.ended.len() >= MAX_NAMESPACES || self.ended.contains_key(&netns) {
            self.settle();
        }
        self.ended.insert(netns, (ended.owner.cloned(), 1));
        Ok(())
    }

    fn tick(&mut self, moment: &Moment<'_>) {
        let since_ns = moment.tick.time_ns.saturating_sub(self.snapshot.tick.time_ns);
        let is_first = self.snapshot.tick.time_ns == 0;
        if !is_first && since_ns < SECOND_NS {
            return;
        }
        self.settle();
        self.conclude(moment);
        if moment.is_blind && !is_first {
            self.snapshot.blind_ns += since_ns;
        }
        if moment.progress.lost_total() > self.snapshot.progress.lost_total() {
            self.snapshot.lost_at_ns = Some(moment.tick.time_ns);
        }
        let (owners, other_owners) = self.owners.counts();
        self.snapshot.capture.get_or_insert_with(|| Arc::new(moment.capture.clone()));
        let Moment { tick, progress, is_blind, .. } = *moment;
        self.snapshot = Snapshot {
            tick,
            progress: *progress,
            owners,
            other_owners,
            is_blind,
            ..std::mem::take(&mut self.snapshot)
        };
        self.board.store(self.snapshot.clone());
    }
}

/// An attempt counts at its first retransmit, and as flagged at its first flagged one.
fn first(finding: &Finding<'_>, before: &Judgement) -> OwnerCounts {
    OwnerCounts {
        attempts: 0,
        retransmitted: u64::from(before.cause.is_none()),
        flagged: u64::from(finding.judgement.flagged && !before.flagged),
    }
}

/// Whether two owners are the same by their names' places in memory, which are shared while an owner is known.
fn is_same(one: Option<&Owner>, other: Option<&Owner>) -> bool {
    let places =
        |owner: &Owner| [&owner.namespace, &owner.pod, &owner.container].map(|name| name.as_ref().map(Arc::as_ptr));
    one.map(places) == other.map(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::PortEvidence;
    use crate::infer::Infer;
    use crate::join::TickState;
    use crate::model::{Attempt, example};
    use crate::outputs::testing::Judged;
    use crate::tally::Progress;

    #[test]
    fn attempts_are_counted_by_owner_and_a_tick_publishes_them_once_a_second() {
        let (capture, board) = (example::capture("node7"), Board::default());
        let attempt = example::attempt("10.42.0.7:5000", "203.0.113.80:443", "192.0.2.1:1200", "203.0.113.80:443");
        let attempt = Attempt { socket_netns: Some(7), ..attempt };
        let owner = Owner::parse("shop/checkout-0/");
        let judged = Judged::owned(&capture, &attempt, "shop/checkout-0/");
        let (mut observer, finding) = (MetricsObserver::new(board.clone(), 10), judged.finding());
        observer.judged(&finding, &Judgement::default());
        observer.judged(&finding, finding.judgement);
        let judgement = finding.judgement;
        let ended = EndedAttempt { capture: &capture, attempt: &attempt, owner: Some(&owner), judgement };
        observer.ended(&ended).unwrap();
        observer.ended(&ended).unwrap();
        observer.ended(&EndedAttempt { owner: None, ..ended }).unwrap();
        let (infer, evidence, progress) = (Infer::default(), PortEvidence::default(), Progress::default());
        let mut tick = |time_ns, is_blind| {
            let tick = TickState { time_ns, ..TickState::default() };
            observer.tick(&Moment {
                capture: &capture,
                tick,
                progress: &progress,
                infer: &infer,
                evidence: &evidence,
                is_blind,
            });
            board.load().unwrap().1
        };
        let snapshot = tick(SECOND_NS, true);
        assert_eq!(snapshot.owners, [(owner.clone(), OwnerCounts { attempts: 2, retransmitted: 1, flagged: 1 })]);
        assert_eq!((snapshot.other_owners.attempts, snapshot.blind_ns), (1, 0));
        assert_eq!(tick(SECOND_NS + 5, true).tick.time_ns, SECOND_NS, "not yet");
        assert_eq!(tick(3 * SECOND_NS, true).blind_ns, 2 * SECOND_NS);
    }
}
