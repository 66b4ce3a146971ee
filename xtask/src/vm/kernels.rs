//! The kernels of the matrix, and which of Debian's suites have them.

/// One kernel line; the newest package of it is booted.
#[derive(Debug)]
pub struct Kernel {
    pub label: &'static str,
    /// How its version begins.
    pub line: &'static str,
    pub suites: &'static [&'static str],
}

pub const KERNELS: &[Kernel] = &[
    Kernel { label: "5.10", line: "5.10.", suites: &["bullseye", "bullseye-security"] },
    Kernel { label: "6.1", line: "6.1.", suites: &["bookworm", "bookworm-security"] },
    Kernel { label: "6.12", line: "6.12.", suites: &["bookworm-security", "bookworm-backports", "trixie"] },
    Kernel { label: "newest", line: "", suites: &["trixie-backports", "sid"] },
];

pub fn find(label: &str) -> Result<&'static Kernel, String> {
    let labels = || KERNELS.iter().map(|kernel| kernel.label).collect::<Vec<_>>().join(", ");
    KERNELS.iter().find(|kernel| kernel.label == label).ok_or_else(|| format!("known kernels are {}", labels()))
}

impl Kernel {
    /// The newest of the packages that belong to this line.
    pub fn newest<'a>(&self, packages: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let versions = packages.filter_map(|name| Some((self.version(name)?, name)));
        versions.max().map(|(_, name)| name)
    }

    fn version(&self, package: &str) -> Option<Vec<u64>> {
        let release = package.strip_prefix("linux-image-")?.strip_suffix("-cloud-amd64")?;
        let is_kernel = release.starts_with(|first: char| first.is_ascii_digit());
        // The metapackages of a line (linux-image-6.12-cloud-amd64) have two numbers only.
        let version = numbers(release);
        (is_kernel && release.starts_with(self.line) && version.len() > 2).then_some(version)
    }
}

/// All runs of digits, so that 6.12.100 is newer than 6.12.95 and +deb12.1 newer than +deb12.
fn numbers(release: &str) -> Vec<u64> {
    release.split(|letter: char| !letter.is_ascii_digit()).filter_map(|run| run.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::find;

    const PACKAGES: [&str; 7] = [
        "linux-image-6.12.95+deb12-cloud-amd64",
        "linux-image-6.12.100+deb12-cloud-amd64",
        "linux-image-6.12.100+deb12.1-cloud-amd64",
        "linux-image-6.12-cloud-amd64",
        "linux-image-6.1.0-50-cloud-amd64",
        "linux-image-7.3.4+deb13-cloud-amd64-dbg",
        "linux-image-7.2.13+deb14-cloud-amd64",
    ];

    fn newest(label: &str) -> Option<&str> {
        find(label).unwrap().newest(PACKAGES.into_iter())
    }

    #[test]
    fn the_newest_of_a_line_is_found_by_number() {
        assert_eq!(newest("6.12"), Some("linux-image-6.12.100+deb12.1-cloud-amd64"));
        assert_eq!(newest("6.1"), Some("linux-image-6.1.0-50-cloud-amd64"), "6.12 begins alike");
        assert_eq!(newest("newest"), Some("linux-image-7.2.13+deb14-cloud-amd64"), "debug symbols are no kernel");
        assert_eq!(newest("5.10"), None);
    }
}
