//! A kernel image on disk: found by name at most once a day, unpacked once, used offline afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};

use super::apt::Apt;
use super::kernels::Kernel;
use crate::paths;

pub struct Image {
    pub release: String,
    pub dir: PathBuf,
    pub vmlinuz: PathBuf,
}

/// Point releases replace each other on the mirror, so a name found earlier is looked up again after this.
const NAME_LIVES: Duration = Duration::from_secs(24 * 3600);

pub fn fetch(kernel: &Kernel) -> Result<Image> {
    let record = dir().join(format!("{}.name", kernel.label));
    let known = fs::read_to_string(&record).ok().and_then(|name| open(name.trim()));
    match known {
        Some(image) if is_fresh(&record) => Ok(image),
        known => look_up(kernel, &record).or_else(|error| match known {
            Some(image) => {
                eprintln!("vm: {}: {error:#}: using {} from before", kernel.label, image.release);
                Ok(image)
            }
            None => Err(error.context(format!("no kernel {}", kernel.label))),
        }),
    }
}

fn look_up(kernel: &Kernel, record: &Path) -> Result<Image> {
    let apt = Apt::with(paths::target().join("vm/apt").join(kernel.label), kernel.suites, kernel.arch)?;
    let names = apt.names("linux-image-")?;
    let mut newest_problem = None;
    // A mirror's index may list releases whose files are gone: an older one is of the same line.
    for package in kernel.newest_first(names.iter().map(String::as_str)) {
        match open(package).map_or_else(|| unpack(&apt, package), Ok) {
            Ok(image) => {
                fs::write(record, package)?;
                return Ok(image);
            }
            Err(error) => {
                eprintln!("vm: cannot get {package}: trying an older one");
                newest_problem.get_or_insert(error);
            }
        }
    }
    Err(newest_problem.unwrap_or_else(|| anyhow!("Debian's mirror has none in {}", kernel.suites.join(", "))))
}

fn unpack(apt: &Apt, package: &str) -> Result<Image> {
    eprintln!("vm: fetching {package}");
    let files = apt.download(&apt.with_parts(package)?)?;
    let partial = dir().join(format!("{package}.partial-{}", std::process::id()));
    fs::create_dir_all(&partial)?;
    Apt::unpack_all(&files, &partial)?;
    // Newer packages lie below /usr; depmod looks for /lib.
    if !partial.join("lib/modules").exists() {
        fs::rename(partial.join("usr/lib"), partial.join("lib"))?;
    }
    let place = dir().join(package);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::rename(&partial, place)?;
    open(package).with_context(|| format!("{package} holds no kernel image where one is expected"))
}

fn open(package: &str) -> Option<Image> {
    let release = package.strip_prefix("linux-image-")?.to_owned();
    let dir = dir().join(package);
    let places = [dir.join(format!("boot/vmlinuz-{release}")), dir.join(format!("lib/modules/{release}/vmlinuz"))];
    let vmlinuz = places.into_iter().find(|file| file.exists())?;
    let is_whole = dir.join(format!("lib/modules/{release}/modules.builtin")).exists();
    is_whole.then_some(Image { release, dir, vmlinuz })
}

fn is_fresh(record: &Path) -> bool {
    let modified = fs::metadata(record).and_then(|data| data.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age < NAME_LIVES))
}

fn dir() -> PathBuf {
    paths::target().join("vm/kernels")
}

/// The file, unless it is older than this xtask, which may build it differently now.
pub fn still_good(file: &Path) -> Result<bool> {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    let Ok(made) = modified(file) else { return Ok(false) };
    let own = std::env::current_exe()?;
    match modified(&own) {
        Ok(built) => Ok(made >= built),
        Err(error) => bail!("reading {}: {error}", own.display()),
    }
}
