//! Files of a package that are generated: man pages, completions, changelog, SBOM.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Release;
use crate::{paths, process};

/// Directory beside the binary where `tracer/Cargo.toml` expects the files: packagers know its target directory already.
const STAGE: &str = "package";
const SHELLS: &[(&str, &str)] = &[("bash", "snatrace"), ("zsh", "_snatrace"), ("fish", "snatrace.fish")];

/// Writes the files beside the binary; the machine's own binary generates them.
pub fn stage(release: &Release, own: &Path, binary: &Path, sbom: &Path) -> Result<()> {
    let stage = binary.with_file_name(STAGE);
    if stage.exists() {
        fs::remove_dir_all(&stage)?;
    }
    for dir in ["man", "completions"] {
        fs::create_dir_all(stage.join(dir))?;
    }
    let own = own.to_string_lossy();
    process::output(process::command(&own).arg("man").arg(stage.join("man")))?;
    for (shell, file) in SHELLS {
        let script = process::output(process::command(&own).args(["completions", shell]))?;
        fs::write(stage.join("completions").join(file), script)?;
    }
    fs::write(stage.join("changelog.Debian"), debian_changelog(release))?;
    fs::copy(paths::root().join("CHANGELOG.md"), stage.join("changelog"))?;
    fs::copy(sbom, stage.join("sbom.cdx.json"))?;
    // Without the time of the file, which gzip would write into it.
    let script = "gzip -9n man/* changelog changelog.Debian";
    process::output(process::command("sh").args(["-c", script]).current_dir(&stage)).map(drop)
}

fn debian_changelog(release: &Release) -> String {
    let Release { version, date, .. } = release;
    format!(
        "snatrace ({version}-1) unstable; urgency=medium\n\n  * Version {version}: see changelog.gz.\n\n -- {}  {date}\n",
        super::packages::MAINTAINER
    )
}

/// The components of the product and their licenses, as CycloneDX.
pub fn sbom(release: &Release, dist: &Path) -> Result<PathBuf> {
    let name = format!("snatrace-{}.cdx", release.version);
    let mut cyclonedx = process::command(&paths::tools().join("bin/cargo-cyclonedx").to_string_lossy());
    cyclonedx.args(["cyclonedx", "--manifest-path", "tracer/Cargo.toml", "--format", "json", "--target", "all"]);
    process::run(
        cyclonedx.args(["--no-build-deps", "--override-filename", &name]).env("SOURCE_DATE_EPOCH", &release.epoch),
    )?;
    // It writes one beside the manifest of each member.
    let file = format!("{name}.json");
    let members = ["tracer-common", "tracer-ebpf", "xtask", "tests", "tests/lab", "tests/fuzz"];
    members.iter().for_each(|member| drop(fs::remove_file(paths::root().join(member).join(&file))));
    let sbom = dist.join(&file);
    fs::rename(paths::root().join("tracer").join(&file), &sbom).context("cargo-cyclonedx wrote no SBOM")?;
    Ok(sbom)
}
