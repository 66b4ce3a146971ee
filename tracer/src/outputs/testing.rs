//! For unit tests: an output that writes into memory.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::{ALL, Output, View, open};
use crate::causes::{self, Case};
use crate::model::{Attempt, Capture, Filter, Finding};

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
pub(super) fn view(format: &str) -> View {
    let format = ALL.iter().find(|entry| entry.name == format).unwrap();
    View { format, all: false, utc: false, colour: false, filter: Filter::default() }
}

/// What an output writes while `write` uses it.
pub(super) fn written(view: &View, write: impl FnOnce(&mut dyn Output) -> io::Result<()>) -> String {
    let memory = Memory::default();
    let mut output = open(view, Box::new(memory.clone()));
    write(output.as_mut()).unwrap();
    output.flush().unwrap();
    String::from_utf8(memory.0.take()).unwrap()
}

/// The attempt's first retransmit, a second after boot, judged by the capture's policy.
pub(super) fn finding<'a>(capture: &'a Capture, attempt: &'a Attempt) -> Finding<'a> {
    let case = Case::new(attempt, capture);
    Finding {
        capture,
        time_ns: 1_234_567_899,
        ordinal: attempt.retransmits,
        attempt,
        allowed: case.allowed,
        flagged: causes::is_flagged(&case),
        cause: Some(causes::judge(&case).id),
        is_news: true,
        is_over: false,
        diagnosis: None,
    }
}
