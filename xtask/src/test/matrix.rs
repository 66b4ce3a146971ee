//! The kernel matrix: the lab's scenarios on real Debian kernels in QEMU, two at a time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::report::{Outcome, Row};
use super::{Args, Context};
use crate::arch::Arch;
use crate::debian;
use crate::dist::{self, Release};
use crate::{build, paths, vm};

/// Guests wait for retransmit timers much of their time, so two share the cores well.
const AT_ONCE: usize = 2;
const LIMIT: Duration = Duration::from_secs(900);
/// Of a guest whose processor is emulated as another architecture's.
const EXTRA_LIMIT: Duration = Duration::from_secs(3600);

/// The name of each kernel's step, and whether only `--all-kernels` or its name asks for it.
pub fn names() -> impl Iterator<Item = (String, bool)> {
    vm::KERNELS.iter().map(|kernel| (name(kernel), kernel.extra))
}

pub fn run(context: &Context, args: &Args) -> Vec<Row> {
    let asked: Vec<&vm::Kernel> = vm::KERNELS.iter().filter(|kernel| is_asked(kernel, args)).collect();
    let (left_out, wanted): (Vec<_>, Vec<_>) = asked.into_iter().partition(|kernel| args.leaves_out(&name(kernel)));
    let mut rows: Vec<Row> = left_out.into_iter().map(|kernel| Row::left_out(&name(kernel))).collect();
    if wanted.is_empty() {
        return rows;
    }
    eprintln!("\n== kernels: the lab in QEMU");
    rows.extend(match prepare(context, &wanted) {
        Ok(Ok((binary, image))) => boot_all(&wanted, &binary, image.as_ref()),
        Ok(Err(reason)) => wanted.iter().map(|kernel| row(kernel, Ok(Outcome::Skipped(reason.clone())))).collect(),
        Err(error) => wanted.iter().map(|kernel| row(kernel, Err(anyhow!("{error:#}")))).collect(),
    });
    rows
}

fn is_asked(kernel: &vm::Kernel, args: &Args) -> bool {
    let name = name(kernel);
    args.wants(&name) && (!kernel.extra || args.all_kernels || args.only.contains(&name))
}

/// The binary to run, and the image of other architectures, or why VMs cannot run here.
fn prepare(context: &Context, kernels: &[&vm::Kernel]) -> Result<Result<(PathBuf, Option<PathBuf>), String>> {
    match vm::need(kernels, context.consent) {
        Err(error) if !debian::can_install() => return Ok(Err(format!("{error:#}"))),
        result => result?,
    }
    let binary = context.binary()?;
    let mut foreign: Vec<Arch> = kernels.iter().map(|kernel| kernel.arch).filter(|arch| !arch.is_host()).collect();
    foreign.dedup();
    foreign.iter().try_for_each(|arch| build::static_binary_for(*arch, context.consent).map(drop))?;
    let image = || dist::image(&Release::read()?, &foreign, &paths::target().join("vm"));
    Ok(Ok((binary, if foreign.is_empty() { None } else { Some(image()?) })))
}

fn boot_all(kernels: &[&vm::Kernel], binary: &Path, image: Option<&PathBuf>) -> Vec<Row> {
    let waiting = Mutex::new(kernels.iter());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    let work = || {
        let mut rows = Vec::new();
        while let Some(kernel) = next() {
            let start = Instant::now();
            let outcome = check(kernel, binary, image);
            rows.push(Row::new(&name(kernel), start.elapsed(), outcome));
        }
        rows
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|_| vec![crashed()])).collect()
    })
}

fn check(kernel: &vm::Kernel, binary: &Path, image: Option<&PathBuf>) -> Result<Outcome> {
    let limit = if kernel.extra { EXTRA_LIMIT } else { LIMIT };
    let image = image.filter(|_| !kernel.arch.is_host()).cloned();
    let job = vm::Job::new(vm::CHECKS.to_owned(), Some(binary.to_path_buf()), limit);
    match vm::boot(kernel, &vm::Job { image, ..job })? {
        0 => Ok(Outcome::Done),
        code => bail!("the checks in the guest ended with exit code {code}"),
    }
}

fn crashed() -> Row {
    Row::new("kernels", Duration::ZERO, Err(anyhow!("a thread of the matrix itself crashed")))
}

fn row(kernel: &vm::Kernel, outcome: Result<Outcome>) -> Row {
    Row::new(&name(kernel), Duration::ZERO, outcome)
}

fn name(kernel: &vm::Kernel) -> String {
    format!("kernel-{}", kernel.label)
}
