//! What a release has for clusters beside the image: the Helm chart, and the kubectl plugin with its manifest for krew.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{Release, image};
use crate::{paths, process};

const PLUGIN: &[&str] =
    &["deploy/kubectl/kubectl-snatrace", "deploy/kubectl/rbac.yaml", "LICENSE-MIT", "LICENSE-APACHE"];

pub fn build(release: &Release, dist: &Path) -> Result<()> {
    // What `helm package` writes: the directory of the chart, links followed.
    let chart = dist.join(format!("snatrace-chart-{}.tgz", release.version));
    pack(release, &chart, &["-C", "deploy/chart", "snatrace"])?;
    let plugin = dist.join("kubectl-snatrace.tar.gz");
    let flat = ["--transform", "s#.*/##"];
    pack(release, &plugin, &[&flat, PLUGIN].concat())?;
    let sum = image::digest(&plugin)?.replace("sha256:", "");
    let manifest = fs::read_to_string(paths::root().join("deploy/kubectl/krew.yaml"))?;
    let manifest = manifest.replace("VERSION", &release.version).replace("sha256: SHA256", &format!("sha256: {sum}"));
    Ok(fs::write(dist.join("snatrace.krew.yaml"), manifest)?)
}

fn pack(release: &Release, archive: &Path, args: &[&str]) -> Result<()> {
    let mut tar = process::command("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+w,go=rX", "--dereference"]);
    tar.arg(format!("--mtime=@{}", release.epoch)).args(["-I", "gzip -n", "-cf"]).arg(archive);
    process::run(tar.args(args))
}
