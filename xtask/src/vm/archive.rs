//! A directory tree as an archive that the kernel unpacks as its first file system.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process;

/// A tree being filled; removed when dropped.
pub struct Tree(TempDir);

impl Tree {
    /// An empty tree in this directory.
    pub fn new(parent: &Path) -> Result<Self> {
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        let dir = TempDir::new_in(parent)?;
        // It becomes the root directory, which is not root's alone.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Self(dir))
    }

    pub fn dir(&self) -> &Path {
        self.0.path()
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
        shell.args(["-c", script, "sh"]).arg(into).current_dir(self.dir());
        process::output(&mut shell).with_context(|| format!("packing {}", into.display()))?;
        Ok(())
    }

    fn place(&self, path: &str) -> Result<PathBuf> {
        let place = self.dir().join(path.trim_start_matches('/'));
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(place)
    }
}
