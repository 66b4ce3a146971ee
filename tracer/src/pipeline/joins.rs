//! A join for each node: events in, steps out. Facts only, so that it can run ahead of those who judge them.

use tracer_common::Event;

use crate::join::{FAR, Join, NEAR, Update, What};
use crate::model::Attempt;
use crate::source::Maker;

/// What the events of a node come to, one after the other.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// Something was found out about an attempt.
    Update(Update<'a>),
    /// An event that says nothing about attempts: who a namespace belongs to, or what was lost.
    Beside(&'a Event),
    /// At the end: attempts and bindings that were given up because a table was full.
    Evicted(u64),
}

/// A step that was put aside for another thread.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are updates, and they are written in place")]
pub enum Aside {
    /// About an attempt.
    Update {
        /// Its number.
        id: u32,
        /// What is told.
        what: What,
        /// As it was known then.
        attempt: Attempt,
    },
    /// An event that says nothing about attempts.
    Beside(Event),
    /// What was given up.
    Evicted(u64),
}

impl Aside {
    // Made where it stays: it is large.
    #[inline(always)]
    fn of(step: &Step<'_>) -> Self {
        match step {
            Step::Update(Update { id, what, snapshot }) => {
                Self::Update { id: *id, what: *what, attempt: snapshot.attempt() }
            }
            Step::Beside(event) => Self::Beside(**event),
            Step::Evicted(count) => Self::Evicted(*count),
        }
    }
}

/// By the number of the node.
#[derive(Debug)]
pub(super) struct Joins(Vec<Join>);

impl Joins {
    pub(super) fn of(nodes: usize) -> Self {
        Self((0..nodes).map(|_| Join::default()).collect())
    }

    /// Has fetched what the events that come soon after the one at `index` need.
    pub(super) fn prepare(&self, batch: &[(u32, Event)], index: usize) {
        let join = |node: u32| self.0.get(node as usize);
        if let Some((node, near)) = batch.get(index + NEAR) {
            join(*node).inspect(|join| join.warm(near));
        }
        if let Some((node, far)) = batch.get(index + FAR) {
            join(*node).inspect(|join| join.foresee(far));
        }
    }

    /// Takes an event and tells `take` what follows from it.
    pub(super) fn event(&mut self, node: u32, event: &Event, take: &mut impl FnMut(u32, Step<'_>)) {
        if matches!(event, Event::Lost(_) | Event::Owner(_)) {
            take(node, Step::Beside(event));
        }
        if let Some(join) = self.0.get_mut(node as usize) {
            join.event(event, &mut |update| take(node, Step::Update(update)));
        }
    }

    /// Ends all attempts.
    pub(super) fn finish(&mut self, take: &mut impl FnMut(u32, Step<'_>)) {
        for (node, join) in (0..).zip(&mut self.0) {
            join.finish(&mut |update| take(node, Step::Update(update)));
            take(node, Step::Evicted(join.evicted()));
        }
    }
}

impl Maker<(u32, Event), (u32, Aside)> for Joins {
    fn take(&mut self, batch: &[(u32, Event)], out: &mut impl FnMut((u32, Aside))) {
        for (index, (node, event)) in batch.iter().enumerate() {
            self.prepare(batch, index);
            self.event(*node, event, &mut |node, step| out((node, Aside::of(&step))));
        }
    }

    fn finish(&mut self, out: &mut impl FnMut((u32, Aside))) {
        Joins::finish(self, &mut |node, step| out((node, Aside::of(&step))));
    }
}
