//! What became of the attempts of a trace, for people: `text` for a terminal, `html` as one page for a browser.
//!
//! Text and HTML have equal content: `words` has the sentences, `tables` the rows, `tally` the counts. Like every output, a report
//! follows from the trace and the options alone.

pub mod html;
pub mod json;
mod numbers;
mod tables;
#[cfg(test)]
mod tests;
pub mod text;
mod words;

use std::io;

use crate::infer::Conclusion;
use crate::model::{Capture, Clock, EndedAttempt, PortSet};
use crate::outputs::Observer;
use crate::store::ReadReport;
use crate::summary::Summary;
use crate::tally::{PortAnswers, Tally};

/// All that a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Names of the files that were read.
    pub files: &'a [String],
    /// One for each recording, with the policy in force.
    pub captures: &'a [Capture],
    /// The counts that every command ends with.
    pub summary: &'a Summary,
    /// The counts of the tables and pictures.
    pub tally: &'a Tally,
    /// How much of the files could be read.
    pub read: &'a ReadReport,
    /// What can be concluded about the path, for each address family.
    pub inference: &'a [Conclusion],
    /// Times in UTC.
    pub utc: bool,
}

/// An address family's ports, with what the policy says about them.
struct FamilyPorts<'a> {
    name: &'static str,
    ports: &'a PortAnswers,
    /// `None` where captures were judged by different policies.
    allowed: Option<&'a PortSet>,
}

impl Report<'_> {
    fn clock(&self) -> Clock {
        Clock::new(&self.captures.iter().collect::<Vec<_>>(), self.utc)
    }

    /// Those families that have something to show; IPv4 where there is nothing at all.
    fn families(&self) -> Vec<FamilyPorts<'_>> {
        let (v4, v6) = (&self.tally.ports_v4, &self.tally.ports_v6);
        let v4 = FamilyPorts { name: "IPv4", ports: v4, allowed: self.allowed(true) };
        let v6 = FamilyPorts { name: "IPv6", ports: v6, allowed: self.allowed(false) };
        match (v4.ports.is_empty(), v6.ports.is_empty()) {
            (_, true) => vec![v4],
            (true, false) => vec![v6],
            (false, false) => vec![v4, v6],
        }
    }

    fn allowed(&self, is_ipv4: bool) -> Option<&PortSet> {
        let mut all = self.captures.iter().map(|capture| capture.policy.allowed(is_ipv4));
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }
}

/// Answered and unanswered attempts from allowed ports, and from others.
fn inside_and_outside(ports: &PortAnswers, allowed: &PortSet) -> [(u64, u64); 2] {
    let inside = allowed.ranges().map(|(low, high)| ports.between(low.into(), high.into()));
    let inside = inside.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    let total = ports.total();
    [inside, (total.0 - inside.0, total.1 - inside.1)]
}

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
