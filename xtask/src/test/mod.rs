//! `cargo xtask test`: everything that can run where it is, step by step. What CI runs.
//!
//! A new step is one line in `STEPS` and one function.

mod checks;
mod kube;
mod matrix;
mod report;
mod suites;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::consent::Consent;
use crate::{build, setup};
use report::{Outcome, Row};

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
    #[command(flatten)]
    consent: Consent,
}

/// What steps share.
pub struct Context {
    pub consent: Consent,
    binary: OnceCell<PathBuf>,
}

impl Context {
    /// The static release binary; built by the first step that needs it.
    pub fn binary(&self) -> Result<PathBuf> {
        let built = self.binary.get().cloned().map_or_else(build::static_binary, Ok)?;
        Ok(self.binary.get_or_init(|| built).clone())
    }
}

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Context) -> Result<Outcome>,
}

const fn step(name: &'static str, what: &'static str, run: fn(&Context) -> Result<Outcome>) -> Step {
    Step { name, what, run }
}

const STEPS: &[Step] = &[
    step("setup", "toolchain for the eBPF programs, packages", prepare),
    step("fmt", "formatting", checks::fmt),
    step("clippy", "lints of the user half", checks::clippy),
    step("clippy-ebpf", "lints of the kernel half", checks::clippy_ebpf),
    step("deny", "licences, sources and bans of dependencies", checks::deny),
    step("advisories", "known vulnerabilities of dependencies", checks::advisories),
    step("replay-only", "builds with stable Rust alone, without the kernel half", checks::without_ebpf),
    step("unit", "unit tests of all crates", suites::unit),
    step("build", "static release binaries, snatrace and its lab", binaries),
    step("readers", "DuckDB, pyarrow, Spark and Wireshark read what export writes", suites::readers),
    step("whole", "walls, command line, golden traces", suites::whole),
    step("chart", "Helm chart, manifests, kubectl plugin: linted and validated", kube::chart),
    step("fuzz", "fuzz targets, 20 s each; without cargo-fuzz their corpus alone", suites::fuzz),
    step("dist", "packages: built, checked, installed, used, removed", suites::dist),
    step("lab", "network namespaces on this kernel", suites::lab),
];

/// Steps that run only when named: they take longer than CI has.
const NAMED: &[Step] =
    &[step("kubernetes", "chart and kubectl plugin in a cluster of two nodes; with --only", kube::cluster)];

pub fn run(args: &Args) -> Result<ExitCode> {
    let named = || NAMED.iter().filter(|step| args.only.iter().any(|name| name == step.name));
    let steps = STEPS.iter().chain(NAMED).map(|step| step.name.to_owned());
    let names: Vec<String> = steps.chain(matrix::names().map(|(name, _)| name)).collect();
    if args.list {
        STEPS.iter().chain(NAMED).for_each(|step| println!("{:<13} {}", step.name, step.what));
        matrix::names().for_each(|(name, is_extra)| {
            println!(
                "{name:<13} the lab on that kernel in QEMU{}",
                if is_extra { "; with --all-kernels or --only" } else { "" }
            );
        });
        return Ok(ExitCode::SUCCESS);
    }
    for asked in args.only.iter().chain(&args.skip) {
        if !names.iter().any(|name| matches(name, asked)) {
            bail!("there is no step `{asked}`: the steps are {}", names.join(", "));
        }
    }
    let context = Context { consent: args.consent, binary: OnceCell::new() };
    let mut rows: Vec<Row> =
        STEPS.iter().filter(|step| args.wants(step.name)).chain(named()).map(|step| args.row(step, &context)).collect();
    rows.extend(matrix::run(&context, args));
    Ok(report::print(&rows))
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|asked| matches(name, asked))
    }

    fn leaves_out(&self, name: &str) -> bool {
        self.skip.iter().any(|asked| matches(name, asked))
    }

    fn row(&self, step: &Step, context: &Context) -> Row {
        if self.leaves_out(step.name) {
            return Row::left_out(step.name);
        }
        eprintln!("\n== {}: {}", step.name, step.what);
        let start = Instant::now();
        let outcome = (step.run)(context);
        Row::new(step.name, start.elapsed(), outcome)
    }
}

fn matches(name: &str, asked: &str) -> bool {
    name == asked || name.strip_prefix(asked).is_some_and(|rest| rest.starts_with('-'))
}

fn prepare(context: &Context) -> Result<Outcome> {
    setup::all(context.consent)?;
    Ok(Outcome::Done)
}

fn binaries(context: &Context) -> Result<Outcome> {
    context.binary().map(|_| Outcome::Done)
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
