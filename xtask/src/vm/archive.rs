//! A directory tree as an archive that the kernel unpacks as its first file system.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;

/// A tree being filled; removed when dropped.
pub struct Tree {
    pub dir: PathBuf,
}

impl Tree {
    pub fn new(dir: PathBuf) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// Copies a file of this machine to a path in the tree.
    pub fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let to = self.place(to)?;
        fs::copy(from, &to).with_context(|| format!("copying {}", from.display()))?;
        Ok(())
    }

    pub fn write(&self, to: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.place(to)?, text)?)
    }

    pub fn link(&self, target: &str, to: &str) -> Result<()> {
        Ok(std::os::unix::fs::symlink(target, self.place(to)?)?)
    }

    /// Uncompressed: an emulated CPU takes longer to inflate it than QEMU to load it.
    pub fn pack(&self, into: &Path) -> Result<()> {
        let script = "find . | cpio --quiet -o -H newc -R 0:0 > \"$1\"";
        let mut shell = process::command("sh");
        shell.args(["-c", script, "sh"]).arg(into).current_dir(&self.dir);
        process::output(&mut shell).with_context(|| format!("packing {}", into.display()))?;
        Ok(())
    }

    fn place(&self, path: &str) -> Result<PathBuf> {
        let place = self.dir.join(path.trim_start_matches('/'));
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(place)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // A left-over tree is under target/ and is replaced by the next run.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
