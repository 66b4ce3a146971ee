//! Runs a guest in QEMU: streams its console, finds the exit code on it, and never waits for ever.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::kernels::Kernel;
use crate::arch::Arch;
use crate::process;

/// What every VM of a run is given.
pub struct Job {
    pub script: String,
    pub binary: Option<PathBuf>,
    pub limit: Duration,
    /// More programs of this machine, with their libraries.
    pub programs: Vec<PathBuf>,
    /// A container image of `cargo xtask dist`
    pub image: Option<PathBuf>,
    pub hardware: Hardware,
}

impl Job {
    pub fn new(script: String, binary: Option<PathBuf>, limit: Duration) -> Self {
        Self { script, binary, limit, programs: Vec::new(), image: None, hardware: Hardware::default() }
    }
}

/// What the guest runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hardware {
    /// Two processors, as fast as they go.
    #[default]
    Fast,
    /// One emulated processor whose time is the number of its instructions: what is measured repeats exactly.
    Counted,
}

/// How a guest ended.
enum End {
    Exit(u8),
    /// Never reached its first process; with what it wrote.
    NotBooted(Vec<String>),
}

const BEGIN: &str = "SNATRACE-VM-BEGIN";
const EXIT: &str = "SNATRACE-VM-EXIT ";
/// A guest with real hardware support is up in one or two seconds.
const KVM_BOOT: Duration = Duration::from_secs(20);
/// Under emulation a kernel was seen to crash in 1 of about 70 boots, before anything of ours runs.
const BOOTS: u32 = 2;
const KVM: &[&str] = &["-accel", "kvm", "-smp", "2", "-m", "1024"];
const EMULATED: &[&str] = &["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024"];
/// An instruction takes one nanosecond, and waiting takes no longer than it takes. Peers with a compiler need the memory.
const COUNTED: &[&str] = &["-accel", "tcg,thread=single", "-smp", "1", "-m", "2048", "-icount", "shift=0,sleep=off"];
/// Set once KVM has failed: /dev/kvm exists on machines where no guest gets through.
static KVM_FAILED: AtomicBool = AtomicBool::new(false);

pub fn run(kernel: &Kernel, vmlinuz: &str, initramfs: &Path, job: &Job) -> Result<u8> {
    let attempt =
        |hardware: &[&str], boot| attempt(kernel, command(kernel.arch, hardware, vmlinuz, initramfs), boot, job);
    let result = run_with_best(kernel, job, attempt);
    fs::remove_file(initramfs)?;
    result
}

fn run_with_best(kernel: &Kernel, job: &Job, attempt: impl Fn(&[&str], Duration) -> Result<End>) -> Result<u8> {
    if job.hardware == Hardware::Fast && kernel.arch.is_host() && kvm_may_work() {
        if let End::Exit(code) = attempt(KVM, KVM_BOOT)? {
            return Ok(code);
        }
        KVM_FAILED.store(true, Ordering::Relaxed);
        eprintln!("vm: no guest boots with KVM on this machine: emulating the processor");
    }
    let hardware = if job.hardware == Hardware::Fast { EMULATED } else { COUNTED };
    let mut console = Vec::new();
    for _ in 0..BOOTS {
        match attempt(hardware, job.limit)? {
            End::Exit(code) => return Ok(code),
            End::NotBooted(lines) => console = lines,
        }
        eprintln!("vm: {}: the emulated guest did not reach its first process", kernel.label);
    }
    let tail = console.len().saturating_sub(60);
    bail!("the guest never reached its first process; its console:\n{}", console[tail..].join("\n"))
}

fn kvm_may_work() -> bool {
    !KVM_FAILED.load(Ordering::Relaxed) && fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

fn command(arch: Arch, hardware: &[&str], vmlinuz: &str, initramfs: &Path) -> Command {
    // A guest must not outlive this process, however that ends.
    let mut command = process::command("setpriv");
    command.args(["--pdeathsig", "KILL", "--", &arch.qemu()]);
    command.args(hardware).args(arch.machine()).args(["-no-reboot", "-nodefaults"]);
    command.args(["-no-user-config", "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio"]);
    command.arg("-kernel").arg(vmlinuz).arg("-initrd").arg(initramfs);
    command.arg("-append").arg(format!("console={} panic=-1 quiet mitigations=off", arch.console()));
    command
}

fn attempt(kernel: &Kernel, mut command: Command, boot: Duration, job: &Job) -> Result<End> {
    let (console, end) = io::pipe().context("cannot create a pipe")?;
    command.stdin(Stdio::null()).stdout(end.try_clone().context("cannot create a pipe")?).stderr(end);
    let child = command.spawn();
    // The command keeps the writing ends of the pipe, which would never end.
    drop(command);
    let mut child = child.with_context(|| format!("cannot start {}", kernel.arch.qemu()))?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || forward(BufReader::new(console), &sender));
    let end = follow(kernel.label, &lines, boot, job.limit);
    // After its exit code the guest only has to power off; any other is stopped unless it is gone.
    let patience = if matches!(end, Ok(End::Exit(_))) { 10 } else { 1 };
    let by_itself = process::wait_until(&mut child, Instant::now() + Duration::from_secs(patience))?;
    match end {
        Err(error) if by_itself => Err(error.context(format!("QEMU ended with {}", child.wait()?))),
        end => end,
    }
}

/// Lines of the console and of QEMU's own complaints, as they come.
fn forward(mut reader: impl BufRead, lines: &mpsc::Sender<String>) {
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        if lines.send(text).is_err() {
            return;
        }
        line.clear();
    }
}

fn follow(label: &str, lines: &Receiver<String>, boot: Duration, limit: Duration) -> Result<End> {
    let start = Instant::now();
    let mut early = Vec::new();
    let mut is_up = false;
    loop {
        let deadline = start + if is_up { limit } else { boot.min(limit) };
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(_) if !is_up => return Ok(End::NotBooted(early)),
            Err(RecvTimeoutError::Timeout) => bail!("the guest took longer than {} s and was stopped", limit.as_secs()),
            Err(RecvTimeoutError::Disconnected) => bail!("the guest ended without an exit code: did its kernel crash?"),
        };
        if let Some(code) = exit_code(&line) {
            return Ok(End::Exit(code));
        }
        if let Some((_, release)) = line.split_once(BEGIN) {
            is_up = true;
            println!("{label} | kernel{release}, up after {:.1} s", start.elapsed().as_secs_f32());
        } else if is_up {
            println!("{label} | {line}");
        } else {
            early.push(line);
        }
    }
}

/// Anywhere in a line: a script's last line need not end in a newline.
fn exit_code(line: &str) -> Option<u8> {
    line.split_once(EXIT).and_then(|(_, code)| code.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::exit_code;

    #[test]
    fn exit_code_is_found_behind_an_unfinished_line() {
        assert_eq!(exit_code("no newlineSNATRACE-VM-EXIT 3"), Some(3));
        assert_eq!(exit_code("SNATRACE-VM-BEGIN 6.1"), None);
    }
}
