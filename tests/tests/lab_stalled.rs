//! A signal ends a capture within a second, whatever its outputs do, and nothing of it is left in the kernel.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, File, OpenOptions};
use std::io::{PipeReader, PipeWriter, pipe};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;
use tests::attached::Attached;
use tests::lab::{ALLOW, Lab};
use tests::process::{Outcome, Running, end_with_us, until, wait};

/// What is promised.
const SECOND: Duration = Duration::from_secs(1);
const SIGNALS: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// A capture whose output is about to stall.
struct Capture {
    child: Child,
    attached: Attached,
}

impl Capture {
    fn start(command: &mut Command) -> Self {
        let child = end_with_us(command.stdin(Stdio::null())).spawn().unwrap();
        Self { child, attached: Attached { programs: [].into(), links: [].into() } }
    }

    /// Waits until its main thread waits in this system call with this first argument.
    fn wait_in(mut self, call: libc::c_long, argument: Option<i32>) -> Self {
        let expected = argument.map_or_else(|| format!("{call} "), |argument| format!("{call} {argument:#x} "));
        let path = format!("/proc/{}/syscall", self.child.id());
        until("a stalled capture", || {
            assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
            fs::read_to_string(&path).is_ok_and(|now| now.starts_with(&expected))
        });
        self.attached = Attached::by(self.child.id());
        assert!(self.attached.programs.len() >= 4, "{:?}", self.attached);
        self
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// How long it took to end, and by which signal.
    #[track_caller]
    fn assert_ends(mut self, limit: Duration, signal: Signal) {
        let start = Instant::now();
        let status = wait(&mut self.child);
        let took = start.elapsed();
        println!("{signal}: {} ms", took.as_millis());
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        assert!(took < limit, "{took:?}");
        self.attached.wait_until_gone();
    }

    #[track_caller]
    fn assert_signal_ends(self, signal: Signal) {
        self.signal(signal);
        self.assert_ends(SECOND, signal);
    }
}

fn fifo() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    (directory, path)
}

/// A pipe without room for one byte, and without a reader that makes some.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    fill(&mut writer);
    (reader, writer)
}

fn fill(pipe: &mut (impl AsFd + std::io::Write)) {
    let set = |pipe: &dyn AsFd, flags| fcntl(pipe.as_fd(), FcntlArg::F_SETFL(flags)).unwrap();
    set(pipe, OFlag::O_NONBLOCK);
    for len in [4096, 1] {
        while pipe.write(&[b'\n'; 4096][..len]).is_ok() {}
    }
    set(pipe, OFlag::empty());
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_stalled_standard_output_holds_up_no_signal() {
    let lab = Lab::up("fully_random");
    for signal in SIGNALS {
        let (_reader, writer) = full_pipe();
        let mut tail = lab.capture("tail", ALLOW, &["-o", "json"]);
        let tail = Capture::start(tail.stdout(writer).stderr(Stdio::null()));
        tail.wait_in(libc::SYS_write, Some(1)).assert_signal_ends(signal);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_stalled_standard_error_holds_up_no_signal() {
    let lab = Lab::up("fully_random");
    let (_reader, writer) = full_pipe();
    let mut tail = lab.capture("tail", ALLOW, &["-o", "json"]);
    let tail = Capture::start(tail.stdout(Stdio::null()).stderr(writer));
    tail.wait_in(libc::SYS_write, Some(2)).assert_signal_ends(Signal::SIGTERM);
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_fifo_without_a_reader_holds_up_no_signal() {
    let lab = Lab::up("fully_random");
    let (_directory, path) = fifo();
    for (verb, options) in [("record", &["-w"][..]), ("tail", &["-o", "json", "--ready-file"])] {
        let mut capture = lab.capture(verb, ALLOW, options);
        let capture = Capture::start(capture.arg(&path).stdout(Stdio::null()).stderr(Stdio::null()));
        capture.wait_in(libc::SYS_openat, None).assert_signal_ends(Signal::SIGTERM);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_fifo_whose_reader_stalls_holds_up_no_signal() {
    let lab = Lab::up("fully_random");
    let (_directory, path) = fifo();
    // A reader and a writer at once, which opens without waiting.
    let mut reader: File = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    fill(&mut reader);
    let mut record = lab.capture("record", ALLOW, &["-w"]);
    let record = Capture::start(record.arg(&path).stdout(Stdio::null()).stderr(Stdio::null()));
    let fd = record_fd(&record.child, &path);
    record.wait_in(libc::SYS_write, Some(fd)).assert_signal_ends(Signal::SIGTERM);
}

/// The descriptor by which a process has a file open, once it has.
fn record_fd(child: &Child, path: &Path) -> i32 {
    let mut fd = None;
    until("the open trace", || {
        let files = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().map(|file| file.unwrap().path());
        let open = files.into_iter().find(|file| fs::read_link(file).is_ok_and(|to| to == path));
        fd = open.and_then(|file| file.file_name()?.to_str()?.parse().ok());
        fd.is_some()
    });
    fd.unwrap()
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_second_signal_ends_a_stalled_capture_at_once() {
    let lab = Lab::up("fully_random");
    let (_reader, writer) = full_pipe();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("metrics");
    let mut tail = lab.capture("tail", ALLOW, &["-o", "json", "--metrics"]);
    tail.arg(format!("unix:{}", socket.display()));
    let tail = Capture::start(tail.stdout(writer).stderr(Stdio::null())).wait_in(libc::SYS_write, Some(1));
    assert!(socket.exists());
    tail.signal(Signal::SIGINT);
    // A signal that comes before the last one was handled is the same one.
    thread::sleep(Duration::from_millis(100));
    tail.signal(Signal::SIGINT);
    tail.assert_ends(Duration::from_millis(400), Signal::SIGINT);
    assert!(!socket.exists(), "the socket is left behind");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_terminal_that_stalls_is_given_back() {
    let lab = Lab::up("fully_random");
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let terminal = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut top = lab.capture("top", ALLOW, &[]);
    top.stdin(terminal()).stdout(terminal()).stderr(Stdio::null()).env("TERM", "xterm");
    // Nobody reads the terminal: what is drawn fills its buffer.
    let mut child = end_with_us(&mut top).spawn().unwrap();
    drop(top);
    let is_raw = || !tcgetattr(&pty.slave).unwrap().local_flags.contains(LocalFlags::ICANON);
    until("hooks on a terminal in raw mode", || is_raw() && Attached::by(child.id()).programs.len() >= 4);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGSTOP).unwrap();
    fill(&mut File::from(pty.slave.try_clone().unwrap()));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGCONT).unwrap();
    for _ in 0..2 {
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
    let status = wait(&mut child);
    assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "{status}");
    assert!(!is_raw(), "the terminal is left in raw mode");
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_command_ends_with_a_stalled_capture() {
    let lab = Lab::up("fully_random");
    let (_reader, writer) = pipe().unwrap();
    let mut tail = lab.capture("tail", ALLOW, &["-o", "json", "--", "sh", "-c"]);
    // The command fills standard output by what it causes, and then goes on for ever.
    tail.args(["while :; do \"$@\"; done", "sh"]).args(Lab::traffic(300)).stdout(writer).stderr(Stdio::null());
    let tail = Capture::start(&mut tail).wait_in(libc::SYS_write, Some(1));
    let children = format!("/proc/{0}/task/{0}/children", tail.child.id());
    let command: u32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    tail.assert_signal_ends(Signal::SIGTERM);
    until("the end of the command", || !Path::new(&format!("/proc/{command}")).exists());
}

/// A filesystem in a file that can be frozen: what is written to it then waits, as on a disk that hangs.
struct Disk {
    directory: TempDir,
}

impl Disk {
    /// `None` where no disk can be made of a file.
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let (image, at) = (directory.path().join("image"), directory.path().join("at"));
        fs::create_dir(&at).unwrap();
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&image)
            .unwrap()
            .set_len(64 << 20)
            .unwrap();
        let run =
            |words: &[&str]| Command::new(words[0]).args(&words[1..]).output().is_ok_and(|of| of.status.success());
        let (image, at) = (image.to_str().unwrap(), at.to_str().unwrap());
        let is_made = run(&["mkfs.ext4", "-q", "-F", image]) && run(&["mount", "-o", "loop", image, at]);
        is_made.then_some(Self { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("at")
    }

    fn freeze(&self, option: &str) {
        Outcome::of(Command::new("fsfreeze").arg(option).arg(self.path())).done();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(self.path()).output();
        let _ = Command::new("umount").arg(self.path()).output();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn a_disk_that_hangs_holds_up_no_hook() {
    let Some(disk) = Disk::new() else {
        println!("SKIPPED: no disk can be made of a file here (mkfs.ext4, mount -o loop)");
        return;
    };
    let lab = Lab::up("fully_random");
    let mut record = lab.capture("record", ALLOW, &["-w"]);
    let record = record.arg(disk.path().join("t")).stdout(Stdio::null()).stderr(Stdio::null());
    let record = Capture::start(record);
    let fd = record_fd(&record.child, &disk.path().join("t"));
    disk.freeze("--freeze");
    let _load = Running::start(&mut lab.client(&["--truth", "/dev/null", "-n", "500"]));
    let record = record.wait_in(libc::SYS_write, Some(fd));
    record.signal(Signal::SIGTERM);
    let start = Instant::now();
    // No signal ends what waits for a disk, so the hooks go first.
    record.attached.wait_until_gone();
    println!("hooks were gone after {} ms", start.elapsed().as_millis());
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    disk.freeze("--unfreeze");
    record.assert_ends(SECOND, Signal::SIGTERM);
}
