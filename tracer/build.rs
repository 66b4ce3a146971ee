//! Builds the eBPF programs with the toolchain that `cargo xtask setup` found or installed.

fn main() {
    #[cfg(feature = "ebpf")]
    if let Err(message) = ebpf::build() {
        // One line that names the way out instead of a compiler's wall of text.
        println!("cargo::error={message}");
    }
}

#[cfg(feature = "ebpf")]
mod ebpf {
    use std::fmt::Display;
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use aya_build::{Package, Toolchain};
    use object::build::elf::{Builder, SectionData};

    const SETUP: &str = "run `cargo xtask setup` (or build without live capture: --no-default-features)";

    pub fn build() -> Result<(), String> {
        let root = PathBuf::from(var("CARGO_MANIFEST_DIR")?).join("..");
        let tools = env::var_os("SNATRACE_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from);
        println!("cargo::rerun-if-env-changed=SNATRACE_TOOLS");

        let choice = tools.join("ebpf-toolchain");
        println!("cargo::rerun-if-changed={}", choice.display());
        let toolchain = fs::read_to_string(&choice)
            .map_err(|_| format!("the eBPF programs need a toolchain of their own that is not set up: {SETUP}"))?;
        let linker = tools.join("bin");
        if !linker.join("bpf-linker").exists() {
            return Err(format!("bpf-linker is not set up: {SETUP}"));
        }

        set_environment(&linker)?;
        // aya-build watches the package itself, not what it shares with user space.
        println!("cargo::rerun-if-changed={}", root.join("tracer-common/src").display());
        let ebpf = root.join("tracer-ebpf");
        let package = Package {
            name: "tracer-ebpf",
            root_dir: ebpf.to_str().ok_or("the path of the project is not UTF-8")?,
            ..Package::default()
        };
        aya_build::build_ebpf([package], Toolchain::Custom(toolchain.trim()))
            .map_err(|error| format!("building the eBPF programs failed: {error:#}: {SETUP}"))?;
        strip(&PathBuf::from(var("OUT_DIR")?).join("snatrace-ebpf"))
    }

    /// Leaves DWARF out of what is embedded: it is most of the file, and the kernel takes types and lines from BTF.
    fn strip(programs: &Path) -> Result<(), String> {
        let failed = |error: &dyn Display| format!("stripping {} failed: {error}", programs.display());
        let linked = fs::read(programs).map_err(|error| failed(&error))?;
        let mut elf = Builder::read(linked.as_slice()).map_err(|error| failed(&error))?;
        for section in &mut elf.sections {
            let name = section.name.to_string();
            // Loaders take BTF as it is, without relocations.
            section.delete = [".debug_", ".rel.debug_", ".rel.BTF"].iter().any(|start| name.starts_with(start));
        }
        // LLVM keeps the names of sections and symbols in one table; the writer wants two.
        let names = elf.sections.add();
        names.name = ".shstrtab".into();
        names.sh_type = object::elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
        elf.delete_orphans();
        elf.set_section_sizes();
        let mut stripped = Vec::new();
        elf.write(&mut stripped).map_err(|error| failed(&error))?;
        // aya-build leaves a link to the linker's own output, which stays as it is.
        fs::remove_file(programs).and_then(|()| fs::write(programs, stripped)).map_err(|error| failed(&error))
    }

    /// The inner cargo finds the linker by PATH, and a stable compiler takes `-Z build-std` only with RUSTC_BOOTSTRAP.
    fn set_environment(linker: &Path) -> Result<(), String> {
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = std::iter::once(linker.to_path_buf()).chain(env::split_paths(&path));
        let joined = env::join_paths(dirs).map_err(|error| error.to_string())?;
        // SAFETY: the build script has one thread.
        unsafe {
            env::set_var("PATH", joined);
            env::set_var("RUSTC_BOOTSTRAP", "1");
            // aya-build turns all that the inner cargo says into warnings.
            env::set_var("CARGO_TERM_QUIET", "true");
        }
        Ok(())
    }

    fn var(name: &str) -> Result<String, String> {
        env::var(name).map_err(|error| format!("{name}: {error}"))
    }
}
