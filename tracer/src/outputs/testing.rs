//! For unit tests: an output that writes into memory.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::{ALL, Output, View, open};
use crate::causes::{self, Case};
use crate::model::{Attempt, Capture, Filter, Finding, Judgement, Owner, example::PROVEN};
use crate::tally::Counts;

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The plainest view in that format.
pub(crate) fn view(format: &str) -> View {
    let format = ALL.iter().find(|entry| entry.name == format).unwrap();
    View { format, ..View::silent(Filter::default()) }
}

/// What an output writes while `write` uses it.
pub(crate) fn written(view: &View, write: impl FnOnce(&mut dyn Output) -> io::Result<()>) -> String {
    let memory = Memory::default();
    let mut output = open(view, Box::new(memory.clone()));
    write(output.as_mut()).unwrap();
    output.flush().unwrap();
    String::from_utf8(memory.0.take()).unwrap()
}

/// So many attempts.
pub(crate) fn attempts(attempts: u64) -> Counts {
    Counts { attempts, ..Counts::default() }
}

/// An attempt with what outputs are given beside it.
pub(crate) struct Judged<'a> {
    capture: &'a Capture,
    attempt: &'a Attempt,
    owner: Option<Owner>,
    judgement: Judgement,
}

impl<'a> Judged<'a> {
    /// Judged by the capture's policy.
    pub(crate) fn new(capture: &'a Capture, attempt: &'a Attempt) -> Self {
        let case = Case::new(attempt, capture);
        let flagged = causes::is_flagged(&case);
        let case = case.assessed(flagged.then_some(PROVEN), None);
        let judgement = Judgement { flagged, cause: Some(causes::cause_of(&case).id), strength: case.strength() };
        Self { capture, attempt, owner: None, judgement }
    }

    /// As `new`, of an owner with these names.
    pub(crate) fn owned(capture: &'a Capture, attempt: &'a Attempt, names: &str) -> Self {
        Self { owner: Some(Owner::parse(names)), ..Self::new(capture, attempt) }
    }

    /// The attempt's newest retransmit, a second after boot.
    pub(crate) fn finding(&self) -> Finding<'_> {
        Finding {
            capture: self.capture,
            time_ns: 1_234_567_899,
            ordinal: self.attempt.retransmits,
            is_repeated: false,
            attempt: self.attempt,
            owner: self.owner.as_ref(),
            interface: Some("eth0"),
            judgement: &self.judgement,
            allowed: self.capture.policy.allowed_for(self.attempt),
            is_news: true,
            is_over: false,
            diagnosis: None,
        }
    }
}
