//! Where things lie: the workspace, its target directory, and the tools that `setup` puts there.

use std::env;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The same rule as in `tracer/build.rs`, which reads what `setup` leaves here.
pub fn tools() -> PathBuf {
    env::var_os("SNATRACE_TOOLS").map_or_else(|| root().join("target/tools"), |dir| root().join(dir))
}

/// Looks a program up as a root shell would: an unprivileged user's PATH often lacks the sbin directories.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|file| file.is_file())
}
