//! `top` on a real terminal: it draws, ends at `q`, and leaves the terminal as it was.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use tests::process::{Outcome, end_with_us, wait};

#[test]
fn a_trace_is_shown_until_q() {
    shown_until(|_, master| master.write_all(b"q").unwrap(), |status| status.code() == Some(0));
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let terminate =
        |child: &Child, _: &mut File| kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    shown_until(terminate, |status| status.signal() == Some(Signal::SIGTERM as i32));
}

#[test]
fn a_dumb_terminal_is_left_alone() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/fully_random-kprobes.trace");
    let mut top = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    Outcome::of(top.args(["top", "-r"]).arg(trace).env("TERM", "dumb")).assert_failed(1, "TERM=dumb");
}

/// Shows a trace on a terminal until `end` ends it.
fn shown_until(end: impl Fn(&Child, &mut File), is_right: impl Fn(ExitStatus) -> bool) {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/fully_random-kprobes.trace");
    let mut top = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    top.args(["top", "-r"]).arg(trace).env("TERM", "xterm");
    let terminal = || Stdio::from(pty.slave.try_clone().unwrap());
    top.stdin(terminal()).stdout(terminal()).stderr(terminal());
    let mut child = end_with_us(&mut top).spawn().unwrap();
    drop(top);
    let mut master = File::from(pty.master);
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("10.7.192.1") {
        let read = master.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
        if String::from_utf8_lossy(&seen).contains("node-1") {
            // The next table: destinations.
            master.write_all(b"l").unwrap();
        }
    }
    end(&child, &mut master);
    let reader = thread::spawn(move || {
        let mut rest = Vec::new();
        while let Ok(read @ 1..) = master.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..read]);
            if String::from_utf8_lossy(&rest).contains("\u{1b}[?1049l") {
                break;
            }
        }
        (master, rest)
    });
    let status = wait(&mut child);
    assert!(is_right(status), "{status}");
    let flags = tcgetattr(&pty.slave).unwrap().local_flags;
    assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON), "the terminal is left in raw mode");
    drop(pty.slave);
    let (_master, rest) = reader.join().unwrap();
    assert!(String::from_utf8_lossy(&seen).contains("\u{1b}[?1049h"), "no screen of its own");
    assert!(String::from_utf8_lossy(&rest).contains("\u{1b}[?1049l"), "the screen is not given back");
}
