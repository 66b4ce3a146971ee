//! Events that are joined in the thread that asks for updates: those of a live capture, and those of traces of which reading
//! is to stop at a finding.

use tracer_common::Event;

use super::Source;
use crate::join::{Joins, Update};

pub struct Joined<S, F> {
    /// `None` once nothing more is read.
    events: Option<S>,
    joins: Joins,
    see: F,
    batch: Vec<(u32, Event)>,
    taken: usize,
    is_stepwise: bool,
}

impl<S: Source<Item = (u32, Event)>, F: FnMut(u32, &Event) -> anyhow::Result<()>> Joined<S, F> {
    /// Joins the events of so many nodes, and shows each of them to `see` before what follows from it is handed on.
    pub fn new(events: S, nodes: usize, see: F) -> Self {
        let joins = Joins::new(nodes);
        Self { events: Some(events), joins, see, batch: Vec::new(), taken: 0, is_stepwise: false }
    }

    /// Joins no event before the updates of the one before it were handed on, so that [`Source::stop`] stops right there.
    #[must_use]
    pub fn stepwise(self, is_stepwise: bool) -> Self {
        Self { is_stepwise, ..self }
    }

    /// Joins some more of the batch; `false` once the whole batch is joined.
    fn join(&mut self, updates: &mut Vec<(u32, Update)>) -> anyhow::Result<bool> {
        let rest = self.batch.get(self.taken..).unwrap_or_default();
        let next = if self.is_stepwise { rest.get(..1).unwrap_or_default() } else { rest };
        let taken = self.joins.take(next, updates);
        next.iter().take(taken).try_for_each(|(node, event)| (self.see)(*node, event))?;
        self.taken += taken;
        Ok(!next.is_empty())
    }
}

impl<S: Source<Item = (u32, Event)>, F: FnMut(u32, &Event) -> anyhow::Result<()>> Source for Joined<S, F> {
    type Item = (u32, Update);

    async fn next(&mut self, updates: &mut Vec<(u32, Update)>) -> anyhow::Result<bool> {
        updates.clear();
        loop {
            if self.join(updates)? {
                return Ok(true);
            }
            let Some(events) = &mut self.events else {
                self.joins.finish(updates);
                return Ok(!updates.is_empty());
            };
            self.taken = 0;
            if !events.next(&mut self.batch).await? {
                self.batch.clear();
                // Let go of it first: what is left to do may wait for a slow reader of the output.
                self.events = None;
            }
        }
    }

    fn stop(&mut self) {
        if let Some(mut events) = self.events.take() {
            events.stop();
        }
        self.batch.clear();
    }
}
