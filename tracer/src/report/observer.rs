//! Where the pipeline meets the tally.

use std::io;

use crate::model::{Capture, EndedAttempt, Finding};
use crate::outputs::Output;
use crate::summary::Summary;
use crate::tally::Tally;

/// Counts ended attempts.
#[derive(Debug)]
pub struct Observer<'a> {
    tally: &'a mut Tally,
    /// What the pipeline calls captures by, in the order of their numbers.
    sessions: Vec<(u64, String)>,
    last: usize,
}

impl<'a> Observer<'a> {
    /// An output that only counts.
    pub fn new(tally: &'a mut Tally) -> Self {
        Self { tally, sessions: Vec::new(), last: 0 }
    }

    /// Attempts of one capture mostly come in a row.
    fn number(&mut self, capture: &Capture) -> usize {
        let is_it = |(session, node): &(u64, String)| *session == capture.session && *node == capture.node;
        if !self.sessions.get(self.last).is_some_and(is_it) {
            self.last = self.sessions.iter().position(is_it).unwrap_or_default();
        }
        self.last
    }
}

impl Output for Observer<'_> {
    fn start(&mut self, captures: &[&Capture]) -> io::Result<()> {
        self.sessions = captures.iter().map(|capture| (capture.session, capture.node.clone())).collect();
        Ok(())
    }

    fn shows_findings(&self) -> bool {
        false
    }

    fn finding(&mut self, _finding: &Finding<'_>) -> io::Result<()> {
        Ok(())
    }

    fn over(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        let number = self.number(ended.capture);
        self.tally.ended(number, ended);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }
}
