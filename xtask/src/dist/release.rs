//! The version of a release: of the workspace, of the tag, of the changelog and of the manifests in `deploy/`.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{paths, process};

pub struct Release {
    pub version: String,
    /// Seconds since 1970 of the commit: the time of all files, so that two builds of one commit are alike.
    pub epoch: String,
    /// The same as Debian's changelog writes it.
    pub date: String,
    tags: String,
    changelog: String,
    /// Files of `deploy/` that name a version, with their text.
    manifests: Vec<(String, String)>,
}

/// Files of `deploy/` that name the version of the image or of the chart.
const MANIFESTS: &[&str] = &["deploy/daemonset.yaml", "deploy/chart/snatrace/Chart.yaml"];

impl Release {
    pub fn read() -> Result<Self> {
        let git = |args: &[&str]| process::output(process::command("git").args(args));
        let commit = |format: &str| git(&["log", "-1", format]).map(|text| text.trim().to_owned());
        let read = |file: &&str| Ok(((*file).to_owned(), fs::read_to_string(paths::root().join(file))?));
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: commit("--format=%ct").context("cannot read the commit time for the files")?,
            date: commit("--format=%cD")?,
            tags: git(&["tag", "--points-at", "HEAD"])?,
            changelog: fs::read_to_string(paths::root().join("CHANGELOG.md"))?,
            manifests: MANIFESTS.iter().map(read).collect::<Result<_>>()?,
        })
    }

    /// Whether version, tag, changelog and manifests agree.
    pub fn check(&self) -> Result<()> {
        let version = &self.version;
        for (file, text) in &self.manifests {
            let mut lines = text.lines().map(str::trim);
            if let Some(line) = lines.find(|line| named_version(line).is_some_and(|named| named != version)) {
                bail!("{file} has `{line}`, but the version is {version}: change one of them");
            }
        }
        let heading = format!("## {version}");
        if !self.changelog.lines().any(|line| line == heading || line.starts_with(&format!("{heading} "))) {
            bail!("CHANGELOG.md has no section `{heading}`: rename its section `Unreleased`");
        }
        if !self.tags.lines().any(|tag| tag.strip_prefix('v') == Some(version)) {
            bail!("this commit has no tag v{version}: run `git tag v{version}`");
        }
        Ok(())
    }
}

/// The version of an image's tag, of a chart, or of what a chart installs.
fn named_version(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(": ")?;
    match key {
        "version" | "appVersion" => Some(value),
        "image" => value.rsplit_once(':').map(|(_, tag)| tag),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    fn problem(tags: &str, changelog: &str, image: &str) -> String {
        let text = format!("apiVersion: v2\nappVersion: 1.2.0\n      image: {image}\n");
        let manifests = vec![("x.yaml".to_owned(), text)];
        let (tags, changelog) = (tags.to_owned(), changelog.to_owned());
        let release = Release {
            version: "1.2.0".to_owned(),
            epoch: String::new(),
            date: String::new(),
            tags,
            changelog,
            manifests,
        };
        release.check().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn version_tag_changelog_and_manifests_agree() {
        assert_eq!(problem("v1.2.0\n", "## 1.2.0 (2026-12-01)\n", "r/snatrace:1.2.0"), "");
        assert!(problem("v1.2.1\n", "## 1.2.0\n", "r/snatrace:1.2.0").contains("no tag v1.2.0"));
        assert!(
            problem("v1.2.0\n", "## Unreleased\n## 1.2.01\n", "r/snatrace:1.2.0").contains("no section `## 1.2.0`")
        );
        assert!(problem("v1.2.0\n", "## 1.2.0\n", "r/snatrace:1.1.0").contains("x.yaml has `image: r/snatrace:1.1.0`"));
    }

    #[test]
    fn the_manifests_of_this_commit_have_its_version() {
        let release = Release::read().unwrap();
        let release =
            Release { tags: format!("v{}", release.version), changelog: format!("## {}", release.version), ..release };
        release.check().unwrap();
    }
}
