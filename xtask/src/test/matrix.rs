//! The kernel matrix: the lab's scenarios on real Debian kernels in QEMU, two at a time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::report::{Row, or_skip};
use super::{Args, timed};
use crate::arch::Arch;
use crate::dist::{self, Release};
use crate::{build, paths, vm};

/// Guests wait for retransmit timers much of their time, so two share the cores well.
const PARALLEL_GUESTS: usize = 2;
const LIMIT: Duration = Duration::from_secs(900);
/// Of a guest whose processor is emulated as another architecture's.
const EXTRA_LIMIT: Duration = Duration::from_secs(3600);

/// The name of each kernel's step, and whether only `--all-kernels` or its name asks for it.
pub fn names() -> impl Iterator<Item = (String, bool)> {
    vm::KERNELS.iter().map(|kernel| (name(kernel), kernel.extra))
}

pub fn run(args: &Args) -> Vec<Row> {
    let asked: Vec<&vm::Kernel> = vm::KERNELS.iter().filter(|kernel| is_asked(kernel, args)).collect();
    let (wanted, left_out): (Vec<_>, Vec<_>) = asked.into_iter().partition(|kernel| args.check(&name(kernel)).is_ok());
    let mut rows: Vec<Row> =
        left_out.into_iter().map(|kernel| Row::new(&name(kernel), Duration::ZERO, args.check(&name(kernel)))).collect();
    if wanted.is_empty() {
        return rows;
    }
    eprintln!("\n== kernels: the lab in QEMU");
    match prepare(&wanted) {
        Ok((binary, image)) => rows.extend(boot_all(&wanted, &binary, image.as_ref())),
        Err(error) => rows.push(Row::new("kernel", Duration::ZERO, Err(error))),
    }
    rows
}

fn is_asked(kernel: &vm::Kernel, args: &Args) -> bool {
    let name = name(kernel);
    args.wants(&name) && (!kernel.extra || args.all_kernels || args.only.contains(&name))
}

/// The binary to run, and the image of other architectures; skips the step where VMs cannot run.
fn prepare(kernels: &[&vm::Kernel]) -> Result<(PathBuf, Option<PathBuf>)> {
    or_skip(vm::need(kernels))?;
    let binary = build::static_binary()?;
    let mut foreign: Vec<Arch> = kernels.iter().map(|kernel| kernel.arch).filter(|arch| !arch.is_host()).collect();
    foreign.dedup();
    foreign.iter().try_for_each(|arch| build::static_binary_for(*arch).map(drop))?;
    let image = || dist::image(&Release::read()?, &foreign, &paths::target().join("vm"));
    Ok((binary, if foreign.is_empty() { None } else { Some(image()?) }))
}

fn boot_all(kernels: &[&vm::Kernel], binary: &Path, image: Option<&PathBuf>) -> Vec<Row> {
    let waiting = Mutex::new(kernels.iter());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    let work = || {
        let mut rows = Vec::new();
        while let Some(kernel) = next() {
            rows.push(timed(&name(kernel), || check(kernel, binary, image)));
        }
        rows
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL_GUESTS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|_| vec![crashed()])).collect()
    })
}

fn check(kernel: &vm::Kernel, binary: &Path, image: Option<&PathBuf>) -> Result<()> {
    let limit = if kernel.extra { EXTRA_LIMIT } else { LIMIT };
    let image = image.filter(|_| !kernel.arch.is_host()).cloned();
    let job = vm::Job::new(vm::CHECKS.to_owned(), Some(binary.to_path_buf()), limit);
    match vm::boot(kernel, &vm::Job { image, ..job })? {
        0 => Ok(()),
        code => bail!("the checks in the guest ended with exit code {code}"),
    }
}

fn crashed() -> Row {
    Row::new("kernels", Duration::ZERO, Err(anyhow!("a worker thread of the kernel matrix panicked")))
}

fn name(kernel: &vm::Kernel) -> String {
    format!("kernel-{}", kernel.label)
}
