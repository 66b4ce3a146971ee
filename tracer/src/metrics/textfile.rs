//! Metrics as a file for the textfile collector of node_exporter: written beside and renamed, so that no half of it is ever read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "snatrace.prom";

/// Writes the metrics into the directory.
pub(super) fn write(directory: &Path, text: &str) -> io::Result<()> {
    // The collector reads names that end in `.prom` only.
    let fresh = directory.join(format!(".{NAME}.{}", std::process::id()));
    let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path(directory)));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// The file.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}
