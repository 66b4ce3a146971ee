//! A lab's number: a free one, held by a lock as long as the lab's process lives; and the leftovers of killed processes.
//!
//! The kernel releases the lock when its owner dies, however it dies. A lock file that can be locked therefore has no owner, and
//! everything named after its number may be removed.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::command::run;
use super::{cgroup, net, netns};

const DIRECTORY: &str = "/run/snatrace-lab";
/// Low numbers are networks that people often use.
const NUMBERS: std::ops::RangeInclusive<u8> = 7..=250;

/// A number that belongs to this process until this is dropped.
pub struct Claim {
    number: u8,
    lock_path: PathBuf,
    _lock: File,
}

impl Claim {
    /// Removes what killed owners left behind, then takes a free number.
    pub fn take() -> Result<Self> {
        let directory = Path::new(DIRECTORY);
        fs::create_dir_all(directory).with_context(|| format!("cannot make {DIRECTORY}"))?;
        sweep(directory);
        let routes = run("ip", &["-4", "route", "show", "table", "all"], "")?;
        for number in NUMBERS.filter(|&number| !is_used(&routes, number)) {
            if let Some(claim) = Self::lock(directory, number)? {
                claim.clean()?;
                return Ok(claim);
            }
        }
        bail!("no network is free for a lab: all of 10.7.0.0/16 to 10.250.0.0/16 are in use; end other labs first")
    }

    /// The number.
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// A directory that is removed with the claim.
    pub fn scratch(&self) -> PathBuf {
        self.lock_path.with_extension("d")
    }

    fn lock(directory: &Path, number: u8) -> Result<Option<Self>> {
        let lock_path = directory.join(format!("{number}.lock"));
        let context = || format!("cannot lock {}", lock_path.display());
        let file = File::options().create(true).append(true).open(&lock_path).with_context(context)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        // The previous owner may have unlinked the file between our open and our lock.
        let ours = file.metadata().with_context(context)?.ino();
        let current = fs::metadata(&lock_path).ok().map(|found| found.ino());
        Ok((current == Some(ours)).then_some(Self { number, lock_path, _lock: file }))
    }

    /// Removes what an earlier owner of the number left behind, and makes the scratch directory again.
    fn clean(&self) -> Result<()> {
        for name in netns::names_with(&net::prefix(self.number)) {
            netns::remove(&name)?;
        }
        cgroup::sweep(self.number);
        let scratch = self.scratch();
        // Fails where there is none; any other reason shows when the directory is made.
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir(&scratch).with_context(|| format!("cannot make {}", scratch.display()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The next start removes leftovers, so a failure here loses nothing.
        let _ = fs::remove_dir_all(self.scratch());
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Whether the machine itself has a route into the lab's network: the two would not collide, but confuse people.
fn is_used(routes: &str, number: u8) -> bool {
    let network = format!("10.{number}.");
    routes.split_whitespace().any(|word| word.starts_with(&network))
}

/// Removes the labs of owners that were killed.
fn sweep(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter_map(|name| name.strip_suffix(".lock")?.parse::<u8>().ok());
    for number in numbers {
        let cleaned = Claim::lock(directory, number).and_then(|claim| claim.map_or(Ok(()), |claim| claim.clean()));
        if let Err(error) = cleaned {
            log::warn!("cannot remove what a killed lab left behind: {error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_held_until_its_claim_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let claim = Claim::lock(directory.path(), 9).unwrap().unwrap();
        assert!(Claim::lock(directory.path(), 9).unwrap().is_none());
        assert!(Claim::lock(directory.path(), 10).unwrap().is_some());
        drop(claim);
        assert!(Claim::lock(directory.path(), 9).unwrap().is_some());
    }

    #[test]
    fn a_network_that_the_machine_routes_is_not_taken() {
        let routes = "default via 192.168.1.1 dev eth0\n10.42.0.0/24 dev cni0 proto kernel\n";
        assert!(is_used(routes, 42));
        assert!(!is_used(routes, 4) && !is_used(routes, 168));
    }

    #[test]
    fn a_dropped_claim_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        drop(Claim::lock(directory.path(), 9).unwrap().unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
