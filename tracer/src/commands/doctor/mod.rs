//! `doctor`: reads rules, counters and settings of the node, and says what they will do to connections. Writes nothing.

mod text;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueHint;
use schemars::JsonSchema;
use serde::Serialize;

use super::args::{LivePolicy, NodeArgs};
use super::values::{self, TextOrJson};
use super::{End, machine};
use crate::checks::{self, CheckReport, DoctorOutcome, DoctorVerdict, Facts, Level};
use crate::model::{Policy, PortSet};

/// Options of `doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: TextOrJson,
    /// Look at this network namespace instead of snatrace's own: a name of `ip netns`, or a path such as /proc/PID/ns/net
    #[arg(long, value_name = "NETNS", value_parser = values::netns, value_hint = ValueHint::FilePath)]
    netns: Option<PathBuf>,
    /// Exit with 3 if there is a problem
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    policy: LivePolicy,
}

/// Everything that is said.
#[derive(Serialize, JsonSchema)]
pub(super) struct Findings<'a> {
    #[schemars(extend("const" = "doctor"))]
    kind: &'static str,
    version: &'static str,
    node: &'a str,
    kernel: &'a str,
    netns: Option<String>,
    allowed: &'a PortSet,
    allowed6: &'a PortSet,
    /// The older name of `allowed_from`.
    policy: &'static str,
    allowed_from: &'static str,
    verdict: DoctorOutcome,
    conclusion: &'a DoctorVerdict,
    level: Level,
    checks: &'a [CheckReport],
}

/// Looks, and says what it sees.
pub fn run(args: &Args, verbose: bool) -> Result<End> {
    // `auto` is what the namespace says that is looked at.
    let policy = || Ok(args.policy.change()?.over(&Policy::default()));
    let mut facts = Facts::read(args.netns.as_deref(), policy)?;
    if let Some(node) = &args.node.node {
        facts.node.clone_from(node);
    }
    let reports = checks::run(&facts);
    let verdict = checks::verdict(&facts, &reports);
    let level = reports.iter().map(|report| report.level).max().unwrap_or(Level::Ok);
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.output {
        TextOrJson::Text => {
            out.write_all(text::write(&facts, &reports, &verdict, verbose, machine::wants_colour()).as_bytes())?;
        }
        TextOrJson::Json => {
            serde_json::to_writer(&mut out, &findings(&facts, &reports, &verdict, level)).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(if args.exit_code && level == Level::Problem { End::Flagged } else { End::Done })
}

fn findings<'a>(
    facts: &'a Facts,
    reports: &'a [CheckReport],
    verdict: &'a DoctorVerdict,
    level: Level,
) -> Findings<'a> {
    Findings {
        kind: "doctor",
        version: env!("CARGO_PKG_VERSION"),
        node: &facts.node,
        kernel: &facts.kernel,
        netns: facts.netns.as_ref().map(|path| path.display().to_string()),
        allowed: &facts.policy.v4,
        allowed6: &facts.policy.v6,
        policy: facts.policy.origin.name(),
        allowed_from: facts.policy.origin.name(),
        verdict: verdict.outcome,
        conclusion: verdict,
        level,
        checks: reports,
    }
}
