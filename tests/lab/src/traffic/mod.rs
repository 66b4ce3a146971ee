//! The client: makes the connections of a plan and tells the truth about each.

mod connect;
pub mod flood;
mod info;
mod pairs;
mod raw;
mod segment;
pub mod storm;
pub mod truth;

use std::io::Write;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use truth::Truth;

use super::plan::Plan;
use super::scenarios;

/// Makes the connections of a plan and writes the truth, one JSON object a line, as each one ends.
///
/// # Errors
/// When sockets cannot be made or the truth cannot be written; a connection that fails is no error.
pub fn run(plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let chains = plan.chains()?;
    raise_descriptor_limit()?;
    let mut write = |truth: &Truth| -> Result<()> {
        serde_json::to_writer(&mut *out, truth).context("the truth cannot be written")?;
        out.write_all(b"\n").context("the truth cannot be written")
    };
    let scenario = scenarios::find(&plan.scenario)?;
    if scenario.raw {
        raw::run(plan, &chains, &mut write)?;
    } else if scenario.pairs {
        pairs::run(plan, &chains, &mut write)?;
    } else {
        connect::run(plan, chains, &mut write)?;
    }
    out.flush().context("the truth cannot be written")
}

/// Every connection needs a descriptor, and the usual limit is 1024.
///
/// # Errors
/// When the system refuses.
pub fn raise_descriptor_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit of open files cannot be read")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("the limit of open files cannot be raised")
}
