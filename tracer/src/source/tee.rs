//! Events on their way to the join, shown to somebody else first.

use tracer_common::Event;

use super::Source;

/// A source of events that hands each batch on to `see`.
pub struct Tee<S, F> {
    /// Where they come from.
    pub events: S,
    /// Sees them.
    pub see: F,
}

impl<S: Source<Item = (u32, Event)>, F: FnMut(&[(u32, Event)])> Source for Tee<S, F> {
    type Item = (u32, Event);

    async fn next(&mut self, batch: &mut Vec<(u32, Event)>) -> anyhow::Result<bool> {
        let more = self.events.next(batch).await?;
        (self.see)(batch);
        Ok(more)
    }

    fn stop(&mut self) {
        self.events.stop();
    }
}
