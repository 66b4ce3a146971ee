//! `infer`: which translated ports the path accepts, from the answered and unanswered attempts of traces, or from a
//! conntrack table.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueHint;

use super::End;
use super::args::{FilterArgs, PacketArgs};
use super::replay::run_ahead;
use super::values::{self, TextOrJson};
use crate::conntrack::{self, Observations};
use crate::counts;
use crate::netns::Netns;
use crate::outputs::{View, inference};
use crate::pipeline::Judge;
use crate::sandbox;
use crate::source::Ahead;
use crate::summary::Summary;

/// Bytes read at once.
const BUFFER: usize = 1 << 18;

/// What people give for a listing and what is none: how it begins, what it is, what to do.
const NO_TEXT: [(&[u8], &str, &str); 5] = [
    (&[0x1f, 0x8b], "compressed", "decompress it with `gunzip` first"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "compressed", "decompress it with `unzstd` first"),
    (&[0xff, 0xfe], "UTF-16 text", "convert it with `iconv -f UTF-16 -t UTF-8` first"),
    (&[0xfe, 0xff], "UTF-16 text", "convert it with `iconv -f UTF-16 -t UTF-8` first"),
    (b"\x89SNTR", "a snatrace trace", "leave out --conntrack"),
];

/// Options of `infer`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Traces and packet captures of nodes behind the same filter, `-` for standard input
    #[arg(conflicts_with = "conntrack", value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Infer from a conntrack table instead: this node's (needs root), or the output of `conntrack -L` or `conntrack -E`, or a
    /// copy of /proc/net/nf_conntrack; `-` for standard input
    #[arg(long, value_name = "FILE", num_args = 0..=1, value_hint = ValueHint::FilePath)]
    conntrack: Option<Option<PathBuf>>,
    /// Infer from counts instead, CSV or Parquet with the columns `port`, `answered`, `unanswered`, and optionally `dst` and `dst_port`, as a query over exported attempts gives them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "conntrack", "FilterArgs"], value_hint = ValueHint::FilePath)]
    counts: Option<PathBuf>,
    /// With --conntrack: read the table of this network namespace, a name of `ip netns` or a path such as /proc/PID/ns/net
    #[arg(long, value_name = "NETNS", requires = "conntrack", value_parser = values::netns, value_hint = ValueHint::FilePath)]
    netns: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: TextOrJson,
    #[command(flatten)]
    packets: PacketArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs to the end of what is read, then concludes.
pub fn run(args: &Args) -> Result<End> {
    if let Some(file) = &args.counts {
        sandbox::enter(std::slice::from_ref(file), &[]);
        let summary = Summary { infer: counts::read(file)?, ..Summary::default() };
        inference::write(&summary, args.output.of_conclusions(), Box::new(io::stdout()))?;
        return Ok(End::Done);
    }
    let filter = args.filter.filter()?;
    if let Some(file) = &args.conntrack {
        // The owner of an entry's socket is unknown.
        if filter.names_owner() {
            let problem = "a conntrack table has no pods or containers: use --src, --dst or --dport";
            return Err(super::wrong_usage(problem).into());
        }
        let mut observations = Observations::new(filter);
        match (file, &args.netns) {
            (Some(_), Some(_)) => {
                return Err(super::wrong_usage("--netns is for the table of this node: leave the file out").into());
            }
            (Some(file), None) => {
                sandbox::enter(std::slice::from_ref(file), &[]);
                lines(file, &mut observations)?;
            }
            (None, netns) => table(netns.as_deref(), &mut observations)?,
        }
        let conclusions = observations.conclusions();
        inference::write_table(&conclusions, &observations.counts, args.output.of_conclusions(), io::stdout())?;
        return Ok(End::Done);
    }
    if args.files.is_empty() {
        return Err(super::wrong_usage(
            "nothing to infer from: name traces or packet captures, or use --conntrack for the conntrack table of this node \
             or a listing of one, or --counts for counts by port",
        )
        .into());
    }
    let traces = args.packets.open(&args.files, &[])?;
    let captures = traces.captures();
    let updates = Ahead::new(traces)?.joined(captures.len())?;
    let summary = run_ahead(updates, Judge::new(captures, View::silent(filter), None))?;
    inference::write(&summary, args.output.of_conclusions(), Box::new(io::stdout()))?;
    Ok(End::Done)
}

fn lines(file: &Path, observations: &mut Observations) -> Result<()> {
    let name = file.display();
    let input: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).with_context(|| format!("cannot open {name}"))?)
    };
    let mut input = BufReader::with_capacity(BUFFER, input);
    let start = input.fill_buf().with_context(|| format!("failed to read {name}"))?;
    if let Some((_, what, how)) = NO_TEXT.iter().find(|(magic, ..)| start.starts_with(magic)) {
        anyhow::bail!("{name} is {what}: {how}");
    }
    conntrack::lines(input, observations).with_context(|| format!("failed to read {name}"))?;
    let counts = &observations.counts;
    anyhow::ensure!(
        counts.entries + counts.other_protocols > 0 || counts.not_understood == 0,
        "{name} has no line as conntrack writes them: expected `conntrack -L`, `conntrack -E` or /proc/net/nf_conntrack"
    );
    Ok(())
}

fn table(netns: Option<&Path>, observations: &mut Observations) -> Result<()> {
    let source = match netns {
        Some(path) => Netns::open(path)?.run(|| conntrack::read(observations))?,
        None => conntrack::read(observations)?,
    };
    source.map(|_| ()).context(
        "no conntrack table can be read here without loading a module: run `conntrack -L > FILE` and give that file",
    )
}
