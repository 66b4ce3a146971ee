//! Steps that run cargo's tests. In the package `tests`, targets whose names begin with `lab` need root.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::Context;
use super::report::Outcome;
use crate::debian::{self, Need};
use crate::process;

/// What the lab's tests call.
const LAB: &[Need] = &[
    Need { program: "ip", package: "iproute2" },
    Need { program: "nft", package: "nftables" },
    Need { program: "iptables", package: "iptables" },
    Need { program: "conntrack", package: "conntrack" },
    Need { program: "tcpdump", package: "tcpdump" },
    Need { program: "bpftool", package: "bpftool" },
    Need { program: "runc", package: "runc" },
];

pub fn unit(_: &Context) -> Result<Outcome> {
    process::run_and_repeat(process::cargo().args([
        "test",
        "--workspace",
        "--exclude",
        "tracer-ebpf",
        "--exclude",
        "tests",
    ]))?;
    Ok(Outcome::Done)
}

pub fn whole(context: &Context) -> Result<Outcome> {
    run_targets(context, |name| !name.starts_with("lab"))
}

pub fn lab(context: &Context) -> Result<Outcome> {
    if !debian::is_root() {
        return Ok(Outcome::Skipped("network namespaces need root: run it as root".to_owned()));
    }
    if let Err(error) = process::output(process::command("unshare").args(["--net", "true"])) {
        return Ok(Outcome::Skipped(format!("no network namespaces here: {error:#}")));
    }
    debian::need(LAB, context.consent)?;
    run_targets(context, |name| name.starts_with("lab"))
}

fn run_targets(context: &Context, wanted: fn(&str) -> bool) -> Result<Outcome> {
    let targets: Vec<String> = test_targets()?.into_iter().filter(|name| wanted(name)).collect();
    if targets.is_empty() {
        return Ok(Outcome::Skipped("the package `tests` has no such tests".to_owned()));
    }
    let mut cargo = process::cargo();
    cargo.env("SNATRACE_BIN", context.binary()?).args(["test", "--package", "tests"]);
    // A plain `cargo test` ignores what needs root or the release binary; both are there now.
    process::run_and_repeat(add_targets(&mut cargo, &targets).args(["--", "--include-ignored"]))?;
    Ok(Outcome::Done)
}

fn add_targets<'a>(cargo: &'a mut Command, targets: &[String]) -> &'a mut Command {
    targets.iter().fold(cargo, |cargo, target| cargo.args(["--test", target]))
}

/// Names of the test targets of the package `tests`, as cargo knows them.
fn test_targets() -> Result<Vec<String>> {
    let text = process::output(process::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).context("reading what `cargo metadata` says")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let tests = packages.iter().find(|package| package["name"] == "tests").context("there is no package `tests`")?;
    let targets = tests["targets"].as_array().context("the package `tests` has no targets")?;
    let names =
        targets.iter().filter(|target| target["kind"][0] == "test").filter_map(|target| target["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}
