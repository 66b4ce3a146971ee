//! apt with a state of its own: sees suites that the machine itself does not use, and changes nothing outside its directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::process;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

pub struct Apt {
    dir: PathBuf,
    arch: Arch,
}

impl Apt {
    /// Fetches the package lists of these suites from the mirror that the machine itself is configured with.
    pub fn with(dir: PathBuf, suites: &[&str], arch: Arch) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(part))?;
        }
        fs::write(dir.join("status"), "")?;
        fs::write(dir.join("sources.list"), sources(suites)?)?;
        let apt = Self { dir, arch };
        process::output(apt.command("apt-get").arg("update")).context("fetching Debian's package lists")?;
        Ok(apt)
    }

    /// Names of all packages that begin so.
    pub fn names(&self, beginning: &str) -> Result<Vec<String>> {
        let names = process::output(self.command("apt-cache").args(["pkgnames", beginning]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The package and those parts of the same kernel that newer releases keep in packages of their own.
    pub fn with_parts(&self, package: &str) -> Result<Vec<String>> {
        let release = package.trim_start_matches("linux-image");
        let depends = process::output(self.command("apt-cache").args(["depends", "--important", package]))?;
        let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        let parts = names.filter(|name| name.ends_with(release));
        Ok(std::iter::once(package).chain(parts).map(str::to_owned).collect())
    }

    /// Downloads the packages, without what they depend on.
    pub fn download(&self, packages: &[String]) -> Result<Vec<PathBuf>> {
        let downloads = self.dir.join("downloads");
        let _ = fs::remove_dir_all(&downloads);
        fs::create_dir_all(&downloads)?;
        process::output(self.command("apt-get").arg("download").args(packages).current_dir(&downloads))?;
        packages_in(&downloads)
    }

    /// Downloads the packages and everything that they depend on.
    pub fn download_with_dependencies(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        process::output(self.command("apt-get").arg("clean"))?;
        let mut get = self.command("apt-get");
        get.args(["install", "--yes", "--download-only", "--no-install-recommends"]).args(packages);
        process::output(&mut get)?;
        packages_in(&self.dir.join("cache/archives"))
    }

    /// Unpacks packages without installing anything.
    pub fn unpack_all(packages: &[PathBuf], into: &Path) -> Result<()> {
        for package in packages {
            process::output(process::command("dpkg-deb").arg("-x").arg(package).arg(into))?;
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = process::command(program);
        let dir = self.dir.display();
        for option in [
            format!("Dir::State::lists={dir}/lists"),
            format!("Dir::State::status={dir}/status"),
            format!("Dir::Cache={dir}/cache"),
            format!("Dir::Etc::sourcelist={dir}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            format!("APT::Architecture={}", self.arch.debian()),
            format!("APT::Architectures={}", self.arch.debian()),
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Check-Valid-Until=false".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command
    }
}

fn packages_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut packages: Vec<_> =
        files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "deb")).collect();
    packages.sort();
    Ok(packages)
}

fn sources(suites: &[&str]) -> Result<String> {
    let format = "$(REPO_URI) $(RELEASE)";
    let targets = process::output(process::command("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Identifier: Packages",
    ]))?;
    let (main, security) = mirrors(&targets, &codename()?);
    let Some(main) = main else {
        bail!("apt's sources name no mirror of this Debian release: kernels cannot be fetched: add one to /etc/apt");
    };
    let signed = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    let mirror = |suite: &str| if suite.ends_with("-security") { security.as_deref() } else { Some(main.as_str()) };
    let lines = suites.iter().filter_map(|suite| mirror(suite).map(|uri| format!("deb {signed}{uri} {suite} main\n")));
    Ok(lines.collect())
}

/// The addresses of this release and of its security updates, from lines of `address suite`.
fn mirrors(targets: &str, codename: &str) -> (Option<String>, Option<String>) {
    let security = format!("{codename}-security");
    let of = |suite: &str| {
        let mut found = targets.lines().filter_map(|line| line.split_once(' '));
        found.find(|(_, release)| *release == suite).map(|(uri, _)| uri.to_owned())
    };
    (of(codename).or_else(|| of("stable")), of(&security).or_else(|| of("stable-security")))
}

fn codename() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("/etc/os-release names no Debian release: kernels come from Debian's packages")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::mirrors;

    const TARGETS: &str = "http://a.example/debian/ bookworm\nhttp://a.example/debian/ bookworm-updates\n\
                           http://b.example/security/ bookworm-security\nhttp://c.example/other/ nodistro\n";

    #[test]
    fn mirrors_are_those_of_the_release() {
        let (main, security) = mirrors(TARGETS, "bookworm");
        assert_eq!(main.as_deref(), Some("http://a.example/debian/"));
        assert_eq!(security.as_deref(), Some("http://b.example/security/"));
        assert_eq!(mirrors(TARGETS, "trixie"), (None, None), "another release");
    }
}
