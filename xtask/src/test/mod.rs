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

/// Run all checks and tests that can run here, and say which cannot
#[derive(clap::Args)]
pub struct Args {
    /// Run only these steps; `kernel` stands for all of `kernel-5.10`, `kernel-6.1`, ...
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Leave these steps out
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
    /// Boot every kernel of the matrix, also those that take longer than CI has: arm64, and Debian's generic kernels
    #[arg(long)]
    all_kernels: bool,
    /// Name the steps and stop
    #[arg(long)]
    list: bool,
}

/// Name, what it does, how.
type Step = (&'static str, &'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("setup", "toolchain for the eBPF programs, packages", setup::all),
    ("fmt", "formatting", || cargo("fmt --all --check")),
    ("clippy", "lints of the user half", || {
        cargo("clippy --workspace --exclude tracer-ebpf --all-targets -- -D warnings")
    }),
    ("clippy-ebpf", "lints of the kernel half", checks::clippy_ebpf),
    ("deny", "licences, sources and bans of dependencies", checks::deny),
    ("advisories", "known vulnerabilities of dependencies", checks::advisories),
    ("replay-only", "builds with stable Rust alone, without the kernel half", || {
        cargo("check --package snatrace --no-default-features")
    }),
    ("unit", "unit tests of all crates", suites::unit),
    ("build", "static release binaries, snatrace and its lab", || build::static_binary().map(drop)),
    ("readers", "DuckDB, pyarrow, Spark and Wireshark read what export writes", suites::readers),
    ("whole", "walls, command line, golden traces", suites::whole),
    ("chart", "Helm chart, manifests, kubectl plugin: linted and validated", kube::chart),
    ("fuzz", "fuzz targets, 20 s each; without cargo-fuzz their corpus alone", suites::fuzz),
    ("dist", "packages: built, checked, installed, used, removed", suites::dist),
    ("lab", "network namespaces on this kernel", suites::lab),
];

/// Steps that run only when named: they take longer than CI has.
const NAMED: &[Step] =
    &[("kubernetes", "chart and kubectl plugin in a cluster of two nodes; with --only", kube::cluster)];

pub fn run(args: &Args) -> Result<ExitCode> {
    let steps = STEPS.iter().chain(NAMED).map(|(name, ..)| (*name).to_owned());
    let names: Vec<String> = steps.chain(matrix::names().map(|(name, _)| name)).collect();
    if args.list {
        STEPS.iter().chain(NAMED).for_each(|(name, what, _)| println!("{name:<13} {what}"));
        for (name, is_extra) in matrix::names() {
            let asked = if is_extra { "; with --all-kernels or --only" } else { "" };
            println!("{name:<13} the lab on that kernel in QEMU{asked}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    for asked in args.only.iter().chain(&args.skip) {
        if !names.iter().any(|name| matches(name, asked)) {
            bail!("there is no step `{asked}`: the steps are {}", names.join(", "));
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
        if is_left_out { Err(skipped("left out by --skip")) } else { Ok(()) }
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
