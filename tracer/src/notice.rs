//! What is said beside the data: one line on standard error.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// Lines that are kept for the end; what comes later is dropped.
const MAX_HELD: usize = 100;

/// `Some` while lines are kept.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// A line on the terminal that messages are written above.
static BELOW: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// From now on messages are written above this line.
pub fn make_room_in(bar: Option<ProgressBar>) {
    *BELOW.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Says it. `eprintln!` would panic where standard error is gone, such as a terminal that was closed, and end a capture.
pub fn notice(text: impl Display) {
    if let Some(held) = HELD.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        if held.len() < MAX_HELD {
            held.push(text.to_string());
        }
        return;
    }
    let below = BELOW.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let write = || drop(writeln!(io::stderr(), "snatrace: {text}"));
    below.map_or_else(write, |bar| bar.suspend(write));
}

/// Keeps what is said until this is dropped: a screen that is drawn has no room for it.
#[derive(Debug)]
pub struct HeldNotices(());

impl HeldNotices {
    /// From now on.
    #[must_use]
    pub fn begin() -> Self {
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        Self(())
    }
}

impl Drop for HeldNotices {
    fn drop(&mut self) {
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
        held.into_iter().flatten().for_each(notice);
    }
}
