//! What a release has for clusters beside the image: the Helm chart, and the kubectl plugin with its manifest for krew.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{Release, image};
use crate::{paths, process};

const PLUGIN: &[&str] =
    &["deploy/kubectl/kubectl-snatrace", "deploy/kubectl/rbac.yaml", "LICENSE-MIT", "LICENSE-APACHE"];

/// Where krew finds archives of a snapshot: nowhere, so it is told which file (`--archive`).
const NOT_PUBLISHED: &str = "https://not-published.invalid";

pub fn build(release: &Release, url: Option<&str>, dist: &Path) -> Result<()> {
    // What `helm package` writes: the directory of the chart, links followed.
    let chart = dist.join(format!("snatrace-chart-{}.tgz", release.version));
    pack(release, &chart, &["-C", "deploy/chart", "snatrace"])?;
    let plugin = dist.join("kubectl-snatrace.tar.gz");
    let flat = ["--transform", "s#.*/##"];
    pack(release, &plugin, &[&flat, PLUGIN].concat())?;
    let sum = image::digest(&plugin)?.replace("sha256:", "");
    let manifest = fs::read_to_string(paths::root().join("deploy/kubectl/krew.yaml"))?;
    let manifest = krew(&manifest, &release.version, &sum, url.unwrap_or(NOT_PUBLISHED));
    Ok(fs::write(dist.join("snatrace.krew.yaml"), manifest)?)
}

/// The manifest with its placeholders filled in.
fn krew(manifest: &str, version: &str, sum: &str, url: &str) -> String {
    let manifest = manifest.replace("https://ADDRESS", url.trim_end_matches('/')).replace("VERSION", version);
    manifest.replace("sha256: SHA256", &format!("sha256: {sum}"))
}

fn pack(release: &Release, archive: &Path, args: &[&str]) -> Result<()> {
    let mut tar = super::tar(release);
    process::run(tar.args(["--mode=u+w,go=rX", "--dereference", "-I", "gzip -n", "-cf"]).arg(archive).args(args))
}

#[cfg(test)]
mod tests {
    use super::krew;

    #[test]
    fn krew_downloads_the_archive_of_this_version() {
        let manifest =
            krew(include_str!("../../../deploy/kubectl/krew.yaml"), "1.2.3", "abc", "https://example.com/snatrace/");
        let lines: Vec<_> = manifest.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
        for expected in
            ["version: v1.2.3", "uri: https://example.com/snatrace/v1.2.3/kubectl-snatrace.tar.gz", "sha256: abc"]
        {
            assert!(lines.contains(&expected), "{expected}: {manifest}");
        }
        let is_placeholder = |line: &&&str| ["ADDRESS", "VERSION", "SHA256"].iter().any(|word| line.contains(word));
        assert_eq!(lines.iter().find(is_placeholder), None);
    }
}
