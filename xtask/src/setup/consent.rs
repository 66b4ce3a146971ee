//! Nothing is installed behind a person's back: on a terminal it asks, elsewhere it says what it does.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

static IS_GIVEN: AtomicBool = AtomicBool::new(false);

/// Of `--yes`.
pub fn give(yes: bool) {
    IS_GIVEN.store(yes, Ordering::Relaxed);
}

/// Says what is about to be installed; an error when the person at the terminal says no.
pub fn ask(what: &str) -> Result<()> {
    eprintln!("setup: installing {what}");
    if IS_GIVEN.load(Ordering::Relaxed) || !io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("Proceed? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("not installed: {what}: install it yourself, or answer y");
    }
    Ok(())
}
