//! Nothing is installed behind a person's back: on a terminal it asks, elsewhere it says what it does.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, bail};

#[derive(Clone, Copy, clap::Args)]
pub struct Consent {
    /// Install what is missing without asking
    #[arg(long = "yes", short = 'y')]
    pub given: bool,
}

impl Consent {
    /// Says what is about to be installed; an error when the person at the terminal says no.
    pub fn ask(self, what: &str) -> Result<()> {
        eprintln!("setup: installing {what}");
        if self.given || !io::stdin().is_terminal() {
            return Ok(());
        }
        eprint!("Go ahead? [y/N] ");
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            bail!("not installed: {what}: install it yourself, or answer y");
        }
        Ok(())
    }
}
