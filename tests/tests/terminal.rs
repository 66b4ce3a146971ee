//! `replay` and `infer` on terminals of several widths, and into pipes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::pty::{Winsize, openpty};
use tests::process::{Outcome, end_with_us, wait};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn replay(trace: &str, options: &[&str]) -> std::process::Command {
    let mut replay = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    replay.arg("replay").arg(golden(trace)).args(options).env_remove("NO_COLOR").env("TERM", "xterm");
    replay
}

/// What it shows on a terminal of that width.
fn on_terminal(columns: u16, trace: &str, options: &[&str]) -> String {
    shown_on_terminal(columns, &mut replay(trace, options))
}

fn shown_on_terminal(columns: u16, command: &mut std::process::Command) -> String {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::from(pty.slave)).stderr(Stdio::null());
    let mut child = end_with_us(command).spawn().unwrap();
    // It holds the terminal too.
    command.stdout(Stdio::null());
    let (mut master, mut shown, mut buffer) = (File::from(pty.master), Vec::new(), [0; 65_536]);
    // Fails once no process has the terminal open any more.
    while let Ok(read @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(wait(&mut child).code(), Some(0));
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

const TRACES: [&str; 2] = ["fully_random-kprobes.trace", "mixed-wire.trace"];

#[test]
fn no_line_is_wider_than_the_terminal() {
    for trace in TRACES {
        for width in [40, 80, 100, 160] {
            let shown = on_terminal(width, trace, &["--color", "never"]);
            let widest = shown.lines().max_by_key(|line| line.chars().count()).unwrap();
            assert!(widest.chars().count() <= usize::from(width), "{trace} {width}: {widest}");
            assert!(shown.contains("CAUSE\n"), "{shown}");
            assert_eq!(shown.contains("WAIT"), width == 160, "{shown}");
        }
    }
}

#[test]
fn what_is_inferred_fits_the_terminal() {
    let mut infer = tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test"));
    infer.arg("infer").arg(golden(TRACES[0]));
    for width in [50, 80, 200] {
        let shown = shown_on_terminal(width, &mut infer);
        let widest = shown.lines().map(str::len).max().unwrap();
        assert!(
            (usize::from(width.min(120)) * 2 / 3..=usize::from(width.min(120))).contains(&widest),
            "{width}: {shown}"
        );
    }
}

#[test]
fn colours_are_for_terminals_unless_asked_for_otherwise() {
    let trace = TRACES[0];
    let piped = |options: &[&str], variable: &str| Outcome::of(replay(trace, options).env(variable, "1")).done();
    assert!(on_terminal(80, trace, &[]).contains("\x1b[31m"));
    assert!(!on_terminal(80, trace, &["--color", "never"]).contains('\x1b'));
    assert!(!piped(&[], "X").contains('\x1b'));
    assert!(piped(&["--color", "always"], "NO_COLOR").contains("\x1b[31m"));
}

#[test]
fn wide_leaves_nothing_out_and_says_where_a_syn_left() {
    let shown = Outcome::of(&mut replay("service-wire.trace", &["-o", "wide"])).done();
    let titles = shown.lines().find(|line| line.starts_with("TIME")).unwrap();
    for title in ["NODE", "BACKEND", "INTERFACE", "WAIT", "NAT MODE"] {
        assert!(titles.contains(title), "{titles}");
    }
    assert!(!shown.contains('…'), "{shown}");
}

#[test]
fn the_log_of_a_pod_stays_below_a_megabyte_a_minute() {
    let manifest = include_str!("../../deploy/daemonset.yaml");
    assert!(manifest.contains("--fold, --max-lines, 10/s, --interval, 60s]"), "{manifest}");
    // The longest lines there are, and one a second that says how many were left out.
    let longest = |options: &[&str], kind: &str| {
        let lines = |trace: &PathBuf| {
            let shown = Outcome::of(&mut replay(trace.file_name().unwrap().to_str().unwrap(), options)).done();
            shown.lines().filter(|line| line.contains(kind)).map(str::len).max().unwrap_or_default()
        };
        let traces = std::fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path());
        traces.filter(|path| path.extension().is_some_and(|ending| ending == "trace")).map(|trace| lines(&trace)).max()
    };
    let json = 60 * 10 * longest(&["-o", "json"], r#""kind":"retransmit""#).unwrap();
    let left_out = 60 * longest(&["-o", "json", "--max-lines", "1/s"], r#""kind":"left_out""#).unwrap();
    let text = 60 * 50 * longest(&[], ":").unwrap();
    assert!(json > 0 && left_out > 0 && text > 0);
    assert!(json + left_out < 1_000_000, "{json} + {left_out}");
    assert!(text < 1_000_000, "{text}");
}

#[test]
fn attempts_are_followed_to_their_end() {
    let options = ["--fold", "--ends", "--no-header"];
    let shown = Outcome::of(&mut replay("fully_random-wire.trace", &options)).done();
    let lines: Vec<_> = shown.lines().take_while(|line| !line.is_empty()).collect();
    let ends = lines.iter().filter(|line| line.contains(" end ") && line.contains(" after ")).count();
    let first = lines.iter().filter(|line| line.contains("  1 ")).count();
    assert!(first > 0 && first == ends, "{shown}");
    let all = Outcome::of(&mut replay("fully_random-wire.trace", &["--no-header"])).done();
    let repeated = |shown: &str| shown.lines().filter(|line| line.contains("  2 ")).count();
    assert!(repeated(&all) > 0 && repeated(&shown) == 0, "{shown}");
}

#[test]
fn columns_are_those_that_were_asked_for() {
    let options = ["--no-header", "--columns", "destination,rtx,cause", "-c", "2"];
    let shown = Outcome::of(&mut replay(TRACES[0], &options)).done();
    let lines: Vec<_> = shown.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines.iter().all(|line| line.starts_with("10.7.192.") && line.ends_with("1 no answer?")), "{shown}");
}
