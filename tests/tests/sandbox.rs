//! What a process that reads files can no longer do: tried by one that has entered the sandbox, and seen on a running `replay`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::stat::Mode;
use snatrace::sandbox;
use tests::snatrace as snatrace_command;

const BUILT: &str = env!("CARGO_BIN_EXE_snatrace-under-test");
const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/format/v1.4.trace");
/// Names the directory of a test to the process that it starts.
const CHILD: &str = "SNATRACE_SANDBOX_CHILD";

/// Whether the kernel has Landlock: its version is asked for without a ruleset.
fn has_landlock() -> bool {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads no memory, and returns a number.
    let version = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0_usize,
            CREATE_RULESET_VERSION,
        )
    };
    version > 0
}

/// Runs as a process of its own: a sandbox has no way out.
#[test]
#[ignore = "started by the tests below"]
fn child() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let place = |name: &str| dir.join(name);
    if place("enter").exists() {
        sandbox::enter(&[place("input")], &[&place("out")]);
    }
    let mut tried = String::new();
    let mut result = |what: &str, is_done: bool| tried.push_str(&format!("{what} {is_done}\n"));
    result("read_input", fs::read(place("input")).is_ok());
    result("read_random", fs::File::open("/dev/urandom").is_ok());
    result("write_below_output", fs::write(place("out/file"), "x").is_ok());
    result("thread", std::thread::spawn(|| 1).join().is_ok());
    result("read_other", fs::read("/etc/passwd").is_ok());
    result("list_other", fs::read_dir("/etc").is_ok());
    result("write_other", fs::write(place("other"), "x").is_ok());
    result("overwrite_input", fs::OpenOptions::new().write(true).open(place("input")).is_ok());
    let connected = TcpStream::connect("127.0.0.1:9");
    // Refused by a closed port means that it was tried.
    result("connect", connected.is_ok_and(|_| true) || is_refused());
    result("exec", Command::new("/bin/true").status().is_ok_and(|status| status.success()));
    result("mount", nix::mount::umount("/proc/none") != Err(Errno::EPERM));
    fs::write(place("out/tried"), tried).unwrap();
}

fn is_refused() -> bool {
    TcpStream::connect("127.0.0.1:9").is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// What the child could do, by name.
fn tried(is_entered: bool) -> Vec<(String, bool)> {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("out")).unwrap();
    fs::write(dir.path().join("input"), "input").unwrap();
    if is_entered {
        fs::write(dir.path().join("enter"), "").unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored"]).env(CHILD, dir.path());
    let output = command.output().unwrap();
    let text = fs::read_to_string(dir.path().join("out/tried"));
    let text = text.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)));
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(what, is_done)| (what.to_owned(), is_done == "true"))
        .collect()
}

fn of(tried: &[(String, bool)], is_done: bool) -> Vec<&str> {
    tried.iter().filter(|(_, done)| *done == is_done).map(|(what, _)| what.as_str()).collect()
}

#[test]
fn a_process_in_the_sandbox_reads_its_input_and_writes_its_output_and_nothing_else() {
    let tried = tried(true);
    if has_landlock() {
        assert_eq!(of(&tried, true), ["read_input", "read_random", "write_below_output", "thread"]);
    } else {
        eprintln!("this kernel has no Landlock: files are not restricted");
        assert_eq!(of(&tried, false), ["connect", "exec", "mount"]);
    }
}

#[test]
fn without_it_all_of_that_works() {
    let free = tried(false);
    let not_as_root: &[&str] = if nix::unistd::geteuid().is_root() { &[] } else { &["mount"] };
    assert_eq!(of(&free, false), not_as_root);
}

#[test]
fn every_command_that_reads_files_is_in_the_sandbox_before_the_first_byte() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let csv = dir.path().join("out.csv");
    let (fifo_name, csv_name) = (fifo.to_str().unwrap(), csv.to_str().unwrap());
    for arguments in [
        &["replay", fifo_name][..],
        &["report", fifo_name],
        &["infer", fifo_name],
        &["infer", "--conntrack", fifo_name],
        &["infer", "--counts", fifo_name],
        &["export", fifo_name, "-o", "csv", "-w", csv_name],
    ] {
        let _ = fs::remove_file(&fifo);
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let mut command = snatrace_command(BUILT);
        let mut child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Opens once the command does.
        let mut writer = open_for_writing(&fifo);
        writer.write_all(&fs::read(TRACE).unwrap()[..4]).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let _ = child.kill();
        child.wait().unwrap();
        for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.lines().any(|found| found == line), "{arguments:?}: no {line}\n{status}");
        }
    }
}

fn open_for_writing(fifo: &Path) -> fs::File {
    use std::os::unix::fs::OpenOptionsExt as _;
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let opened = fs::OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(fifo);
        match opened {
            Ok(file) => return file,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
