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
    /// `-cloud` for Debian's kernel for virtual machines, empty for the one for everything.
    pub flavour: &'static str,
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
    Kernel { label: "6.1-generic", flavour: "", extra: true, ..KERNEL_6_1 },
    Kernel { label: "6.12-generic", flavour: "", extra: true, ..KERNEL_6_12 },
    Kernel { label: "5.10-arm64", arch: Arch::Arm, extra: true, ..KERNEL_5_10 },
    Kernel { label: "6.12-arm64", arch: Arch::Arm, extra: true, ..KERNEL_6_12 },
    Kernel { label: "newest-arm64", arch: Arch::Arm, extra: true, ..KERNEL_NEWEST },
];

const fn kernel(label: &'static str, line: &'static str, suites: &'static [&'static str]) -> Kernel {
    Kernel { label, line, suites, arch: Arch::X86, flavour: "-cloud", extra: false }
}

pub fn find(label: &str) -> Result<&'static Kernel, String> {
    let labels = || KERNELS.iter().map(|kernel| kernel.label).collect::<Vec<_>>().join(", ");
    KERNELS.iter().find(|kernel| kernel.label == label).ok_or_else(|| format!("the known kernels are {}", labels()))
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::process;

    const PACKAGES: &str = "linux-image-6.12.95+deb12-cloud-arm64
linux-image-6.12.101+deb12-amd64
linux-image-6.12.102+deb12-rt-amd64
linux-image-6.12.95+deb12-cloud-amd64
linux-image-6.12.100+deb12-cloud-amd64
linux-image-6.12.100+deb12.1-cloud-amd64
linux-image-6.12-cloud-amd64
linux-image-6.1.0-50-cloud-amd64
linux-image-7.3.4+deb13-cloud-amd64-dbg
linux-image-7.2.13+deb14-cloud-amd64";

    fn newest_first(label: &str) -> Vec<String> {
        let kernel = find(label).unwrap();
        let script = ". xtask/src/vm/kernel.sh; newest_first \"$1\" \"$2\" \"$3\" <<<\"$4\" || true";
        let mut shell = process::command("bash");
        shell.args(["-c", script, "bash", kernel.line, kernel.flavour, kernel.arch.debian(), PACKAGES]);
        process::output(&mut shell).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_newest_of_a_line_and_flavour_is_found_by_number() {
        for (label, newest) in [
            ("6.12", Some("linux-image-6.12.100+deb12.1-cloud-amd64")),
            // 6.12 begins alike.
            ("6.1", Some("linux-image-6.1.0-50-cloud-amd64")),
            // Debug symbols are no kernel.
            ("newest", Some("linux-image-7.2.13+deb14-cloud-amd64")),
            ("5.10", None),
            ("6.12-arm64", Some("linux-image-6.12.95+deb12-cloud-arm64")),
            ("6.12-generic", Some("linux-image-6.12.101+deb12-amd64")),
        ] {
            assert_eq!(newest_first(label).first().map(String::as_str), newest, "{label}");
        }
        assert_eq!(newest_first("6.12").last().unwrap(), "linux-image-6.12.95+deb12-cloud-amd64");
    }

    #[test]
    fn mirrors_are_those_of_the_release() {
        let targets = "http://a.example/debian/ bookworm\nhttp://a.example/debian/ bookworm-updates\n\
                       http://b.example/security/ bookworm-security\nhttp://c.example/other/ nodistro\n";
        let script = ". xtask/src/vm/apt.sh; mirror \"$1\" stable <<<\"$2\"";
        for (suite, mirror) in [
            ("bookworm", "http://a.example/debian/"),
            ("bookworm-security", "http://b.example/security/"),
            // Another release.
            ("trixie", ""),
        ] {
            let found = process::output(process::command("bash").args(["-c", script, "bash", suite, targets])).unwrap();
            assert_eq!(found.trim(), mirror, "{suite}");
        }
    }
}
