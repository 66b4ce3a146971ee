//! The kernels of the matrix, and which of Debian's suites have them.

use crate::arch::Arch;

/// One kernel line; the newest package of it that the mirror hands out is booted.
#[derive(Debug)]
pub struct Kernel {
    pub label: &'static str,
    /// How its version begins.
    pub line: &'static str,
    pub suites: &'static [&'static str],
    pub arch: Arch,
    /// Debian's kernel for virtual machines, else the one for everything.
    pub cloud: bool,
    /// Booted only when named or with `--all-kernels`: it takes longer than CI has.
    pub extra: bool,
}

const KERNEL_5_10: Kernel = kernel("5.10", "5.10.", &["bullseye", "bullseye-security"]);
const KERNEL_6_1: Kernel = kernel("6.1", "6.1.", &["bookworm", "bookworm-security"]);
const KERNEL_6_12: Kernel = kernel("6.12", "6.12.", &["bookworm-security", "bookworm-backports", "trixie"]);
const KERNEL_NEWEST: Kernel = kernel("newest", "", &["trixie-backports", "sid"]);

pub const KERNELS: &[Kernel] = &[
    KERNEL_5_10,
    KERNEL_6_1,
    KERNEL_6_12,
    KERNEL_NEWEST,
    KERNEL_6_1.generic("6.1-generic"),
    KERNEL_6_12.generic("6.12-generic"),
    KERNEL_5_10.arm("5.10-arm64"),
    KERNEL_6_12.arm("6.12-arm64"),
    KERNEL_NEWEST.arm("newest-arm64"),
];

const fn kernel(label: &'static str, line: &'static str, suites: &'static [&'static str]) -> Kernel {
    Kernel { label, line, suites, arch: Arch::X86, cloud: true, extra: false }
}

pub fn find(label: &str) -> Result<&'static Kernel, String> {
    let labels = || KERNELS.iter().map(|kernel| kernel.label).collect::<Vec<_>>().join(", ");
    KERNELS.iter().find(|kernel| kernel.label == label).ok_or_else(|| format!("known kernels are {}", labels()))
}

impl Kernel {
    const fn generic(self, label: &'static str) -> Self {
        Self { label, cloud: false, extra: true, ..self }
    }

    const fn arm(self, label: &'static str) -> Self {
        Self { label, arch: Arch::Arm, extra: true, ..self }
    }

    /// The packages that belong to this line, the newest first.
    pub fn newest_first<'a>(&self, packages: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut versions: Vec<_> = packages.filter_map(|name| Some((self.version(name)?, name))).collect();
        versions.sort_by(|one, other| other.cmp(one));
        versions.into_iter().map(|(_, name)| name).collect()
    }

    fn version(&self, package: &str) -> Option<Vec<u64>> {
        let release = package.strip_prefix("linux-image-")?.strip_suffix(self.arch.debian())?.strip_suffix('-')?;
        let (release, is_cloud) = release.strip_suffix("-cloud").map_or((release, false), |release| (release, true));
        // Not `-rt` or `-dbg`, which are other kernels.
        let is_kernel = is_cloud == self.cloud
            && !release.contains("-rt")
            && release.starts_with(|first: char| first.is_ascii_digit());
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
    use super::find;

    const PACKAGES: [&str; 10] = [
        "linux-image-6.12.95+deb12-cloud-arm64",
        "linux-image-6.12.101+deb12-amd64",
        "linux-image-6.12.102+deb12-rt-amd64",
        "linux-image-6.12.95+deb12-cloud-amd64",
        "linux-image-6.12.100+deb12-cloud-amd64",
        "linux-image-6.12.100+deb12.1-cloud-amd64",
        "linux-image-6.12-cloud-amd64",
        "linux-image-6.1.0-50-cloud-amd64",
        "linux-image-7.3.4+deb13-cloud-amd64-dbg",
        "linux-image-7.2.13+deb14-cloud-amd64",
    ];

    fn newest(label: &str) -> Option<&str> {
        find(label).unwrap().newest_first(PACKAGES.into_iter()).first().copied()
    }

    #[test]
    fn the_newest_of_a_line_is_found_by_number() {
        assert_eq!(newest("6.12"), Some("linux-image-6.12.100+deb12.1-cloud-amd64"));
        assert_eq!(newest("6.1"), Some("linux-image-6.1.0-50-cloud-amd64"), "6.12 begins alike");
        assert_eq!(newest("newest"), Some("linux-image-7.2.13+deb14-cloud-amd64"), "debug symbols are no kernel");
        assert_eq!(newest("5.10"), None);
        let older = find("6.12").unwrap().newest_first(PACKAGES.into_iter());
        assert_eq!(older.last(), Some(&"linux-image-6.12.95+deb12-cloud-amd64"), "{older:?}");
    }

    #[test]
    fn another_architecture_or_flavour_is_another_kernel() {
        assert_eq!(newest("6.12-arm64"), Some("linux-image-6.12.95+deb12-cloud-arm64"));
        assert_eq!(newest("6.12-generic"), Some("linux-image-6.12.101+deb12-amd64"));
    }
}
