//! The processor architectures that snatrace is built and tested for, and what differs between them outside of the product.

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::debian;
use crate::setup::consent;
use crate::{paths, process};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    #[value(name = "x86_64")]
    X86,
    #[value(name = "aarch64")]
    Arm,
}

impl Arch {
    /// As Rust, GNU and the kernel name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// As Debian and container images name it.
    pub const fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    /// This machine's.
    pub fn host() -> Option<Self> {
        Self::value_variants().iter().copied().find(|arch| arch.is_host())
    }

    pub fn is_host(self) -> bool {
        self.name() == std::env::consts::ARCH
    }

    pub fn triple(self) -> String {
        format!("{}-unknown-linux-gnu", self.name())
    }

    pub fn qemu(self) -> String {
        format!("qemu-system-{}", self.name())
    }

    /// Installs QEMU for this architecture.
    pub fn need_qemu(self) -> Result<()> {
        let package = match self {
            Self::X86 => "qemu-system-x86",
            Self::Arm => "qemu-system-arm",
        };
        debian::need(&format!("{}={package}", self.qemu()))
    }

    /// The guest's first serial port.
    pub const fn console(self) -> &'static str {
        match self {
            Self::X86 => "ttyS0",
            Self::Arm => "ttyAMA0",
        }
    }

    /// Arguments of QEMU for an emulated machine.
    pub const fn machine(self) -> &'static [&'static str] {
        match self {
            Self::X86 => &["-cpu", "max"],
            // Exact emulation of pointer authentication would take most of a guest's time.
            Self::Arm => &["-M", "virt", "-cpu", "max,pauth-impdef=on"],
        }
    }

    /// A program such as `gcc` or `objcopy` that produces or reads code for this architecture.
    pub fn tool(self, name: &str) -> String {
        if self.is_host() { name.to_owned() } else { format!("{}-linux-gnu-{name}", self.name()) }
    }

    /// Installs what building for another architecture needs: Rust's library, a linker, a C compiler for zstd, a static C library.
    pub fn prepare(self) -> Result<()> {
        if self.is_host() {
            return Ok(());
        }
        if paths::program(&self.tool("gcc")).is_none() {
            let gcc = format!("gcc-{}-linux-gnu", self.name().replace('_', "-"));
            debian::install(&[&gcc, &format!("libc6-dev-{}-cross", self.debian())])?;
        }
        let triple = self.triple();
        let installed = process::output(process::command("rustup").args(["target", "list", "--installed"]))?;
        if installed.lines().any(|line| line == triple) {
            return Ok(());
        }
        consent::ask(&format!("rustup's standard library for {triple}"))?;
        process::run(process::command("rustup").args(["target", "add", &triple])).with_context(|| {
            format!(
                "rustup cannot download the standard library for {triple}: build on a machine of that architecture, \
                 or install the library by hand below `rustc --print sysroot`/lib/rustlib"
            )
        })
    }
}
