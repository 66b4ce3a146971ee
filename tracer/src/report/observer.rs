//! Counts the attempts that the pipeline judges in the tally.

use std::io;

use crate::model::{Capture, EndedAttempt};
use crate::outputs::Observer;
use crate::tally::Tally;

/// Counts ended attempts.
#[derive(Debug)]
pub struct TallyObserver {
    tally: Tally,
    /// Session and node of each capture, in the order of their numbers.
    sessions: Vec<(u64, String)>,
    /// The number of the newest attempt's capture: attempts of one capture mostly come in a row.
    last: usize,
}

impl TallyObserver {
    /// An empty tally of attempts on these captures.
    pub fn new(captures: &[Capture]) -> Self {
        let sessions = captures.iter().map(|capture| (capture.session, capture.node.clone())).collect();
        Self { tally: Tally::default(), sessions, last: 0 }
    }

    /// What was counted.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    fn number(&mut self, capture: &Capture) -> usize {
        let is_it = |(session, node): &(u64, String)| *session == capture.session && *node == capture.node;
        if !self.sessions.get(self.last).is_some_and(is_it) {
            self.last = self.sessions.iter().position(is_it).unwrap_or_default();
        }
        self.last
    }
}

impl Observer for TallyObserver {
    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        let number = self.number(ended.capture);
        self.tally.ended(number, ended);
        Ok(())
    }
}
