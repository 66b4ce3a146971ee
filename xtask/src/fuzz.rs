//! `cargo xtask fuzz`: coverage-guided fuzzing by cargo-fuzz and libFuzzer. The targets: `tests/src/fuzz`.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use crate::{paths, process, setup};

pub const TARGETS: &[&str] = &["trace", "nft", "iptables", "btf", "capture"];
const VERSION: &str = "0.13.1";
/// Well-formed inputs of all targets: what another target's file is costs a target nothing.
const SEEDS: &[&str] =
    &["tests/golden", "tracer/src/ruleset/tests/fixtures", "tests/fuzz/seeds", "tests/fuzz/regressions"];
/// An input that takes longer, or makes the target hold more memory, is a finding.
const LIMITS: &[&str] = &["-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=256"];

/// Fuzz the parsers of traces, packet captures, NAT rules and BTF, guided by coverage
#[derive(clap::Args)]
pub struct Args {
    /// Targets to fuzz [default: all, one after the other]
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// Seconds to fuzz each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    setup::cargo_tool("cargo-fuzz", VERSION)?;
    let is_wanted = |target: &str| args.targets.is_empty() || args.targets.iter().any(|wanted| wanted == target);
    TARGETS.iter().filter(|target| is_wanted(target)).try_for_each(|target| fuzz(target, args.seconds))?;
    Ok(ExitCode::SUCCESS)
}

pub fn is_installed() -> bool {
    paths::tools().join("bin/cargo-fuzz").exists()
}

/// Fails where it found something; the input is below target/fuzz/artifacts, and belongs into tests/fuzz/regressions.
pub fn fuzz(target: &str, seconds: u32) -> Result<()> {
    let dir = paths::target().join("fuzz");
    let (corpus, artifacts) = (dir.join("corpus").join(target), dir.join("artifacts").join(target));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut fuzz = process::command(&paths::tools().join("bin/cargo-fuzz").to_string_lossy());
    // Safe Rust needs no sanitizer, and without one the stable toolchain will do.
    fuzz.env("CARGO_PROFILE_RELEASE_LTO", "off");
    fuzz.args(["run", "--fuzz-dir", "tests/fuzz", "--sanitizer", "none", "--target-dir"]).arg(&dir);
    fuzz.arg(format!("fuzz-{target}")).arg(corpus).args(SEEDS).arg("--").args(LIMITS);
    fuzz.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(format!("-max_total_time={seconds}"));
    if target != "trace" {
        fuzz.arg("-dict=tests/fuzz/rules.dict").arg("-max_len=16384");
    }
    process::run(&mut fuzz)
}
