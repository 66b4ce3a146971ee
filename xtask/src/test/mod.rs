//! `cargo xtask test`: everything that can run where it is, step by step. What CI runs.
//!
//! A new step is one line in `STEPS` and one function.

mod checks;
mod kube;
mod matrix;
mod report;
mod suites;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{build, process, setup};
use report::{Row, skipped};

/// Run every check and test that this machine supports, and list the skipped ones
#[derive(clap::Args)]
pub struct Args {
    /// Run only these steps; `kernel` selects `kernel-5.10`, `kernel-6.1`, ...
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Skip these steps
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
    /// Boot every kernel of the matrix, including those too slow for CI: arm64 and Debian's generic kernels
    #[arg(long)]
    all_kernels: bool,
    /// List the steps and exit
    #[arg(long)]
    list: bool,
}

/// Name, what it does, how.
type Step = (&'static str, &'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("setup", "toolchain for the eBPF programs, packages", setup::all),
    ("fmt", "formatting", || cargo("fmt --all --check")),
    ("clippy", "lints of the user-space crates", || {
        cargo("clippy --workspace --exclude tracer-ebpf --all-targets -- -D warnings")
    }),
    ("clippy-ebpf", "lints of the eBPF programs", checks::clippy_ebpf),
    ("deny", "licences, sources and bans of dependencies", checks::deny),
    ("advisories", "known vulnerabilities of dependencies", checks::advisories),
    ("replay-only", "build with stable Rust alone, without the eBPF programs", || {
        cargo("check --package snatrace --no-default-features")
    }),
    ("unit", "unit tests of all crates", suites::unit),
    ("build", "static release binaries, snatrace and its lab", || build::static_binary().map(drop)),
    ("readers", "DuckDB, pyarrow, Spark and Wireshark read the files that export writes", suites::readers),
    ("whole", "rules of the source, command line, golden traces", suites::whole),
    ("chart", "Helm chart, manifests, kubectl plugin: linted and validated", kube::chart),
    ("fuzz", "fuzz targets, 20 s each, if cargo-fuzz is installed", suites::fuzz),
    ("dist", "packages: built, checked, installed, used, removed", suites::dist),
    ("lab", "lab scenarios in network namespaces on this kernel", suites::lab),
];

/// Steps that run only when named: they take longer than CI has.
const NAMED: &[Step] =
    &[("kubernetes", "chart and kubectl plugin in a cluster of two nodes; only with --only", kube::cluster)];

pub fn run(args: &Args) -> Result<ExitCode> {
    let steps = STEPS.iter().chain(NAMED).map(|(name, ..)| (*name).to_owned());
    let names: Vec<String> = steps.chain(matrix::names().map(|(name, _)| name)).collect();
    if args.list {
        STEPS.iter().chain(NAMED).for_each(|(name, what, _)| println!("{name:<13} {what}"));
        for (name, is_extra) in matrix::names() {
            let asked = if is_extra { "; only with --all-kernels or --only" } else { "" };
            println!("{name:<13} the lab on that kernel in QEMU{asked}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    for asked in args.only.iter().chain(&args.skip) {
        if !names.iter().any(|name| matches(name, asked)) {
            bail!("unknown step `{asked}`: the steps are {}", names.join(", "));
        }
    }
    let steps = STEPS.iter().filter(|(name, ..)| args.wants(name));
    let named = NAMED.iter().filter(|(name, ..)| args.only.iter().any(|asked| asked == name));
    let mut rows: Vec<Row> = steps.chain(named).map(|step| args.row(step)).collect();
    rows.extend(matrix::run(args));
    Ok(report::print(&rows))
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|asked| matches(name, asked))
    }

    /// An error where `--skip` leaves the step out.
    fn check(&self, name: &str) -> Result<()> {
        let is_left_out = self.skip.iter().any(|asked| matches(name, asked));
        if is_left_out { Err(skipped("excluded by --skip")) } else { Ok(()) }
    }

    fn row(&self, (name, what, run): &Step) -> Row {
        if let Err(left_out) = self.check(name) {
            return Row::new(name, Duration::ZERO, Err(left_out));
        }
        eprintln!("\n== {name}: {what}");
        timed(name, run)
    }
}

fn timed(name: &str, run: impl FnOnce() -> Result<()>) -> Row {
    let start = Instant::now();
    let outcome = run();
    Row::new(name, start.elapsed(), outcome)
}

fn matches(name: &str, asked: &str) -> bool {
    name == asked || name.strip_prefix(asked).is_some_and(|rest| rest.starts_with('-'))
}

fn cargo(words: &str) -> Result<()> {
    process::run(process::cargo().args(words.split(' ')))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_name_stands_for_its_group() {
        assert!(matches("kernel-6.1", "kernel"));
        assert!(matches("kernel-6.1", "kernel-6.1"));
        assert!(!matches("kernel-6.12", "kernel-6.1"));
    }
}
