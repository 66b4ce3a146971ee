//! The client: makes the connections of a plan and reports the truth about each.

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

/// Makes the connections of a plan and writes the truth about each when it ends, one JSON object per line.
pub fn run(plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let chains = plan.chains()?;
    raise_descriptor_limit()?;
    let mut write = |truth: &Truth| -> Result<()> {
        serde_json::to_writer(&mut *out, truth).context("cannot write the truth")?;
        out.write_all(b"\n").context("cannot write the truth")
    };
    let scenario = scenarios::find(&plan.scenario)?;
    if scenario.raw {
        raw::run(plan, &chains, &mut write)?;
    } else if scenario.pairs {
        pairs::run(plan, &chains, &mut write)?;
    } else {
        connect::run(plan, chains, &mut write)?;
    }
    out.flush().context("cannot write the truth")
}

/// Raises the limit of open files: every connection needs one, and the usual limit is 1024.
pub fn raise_descriptor_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit of open files")
}
