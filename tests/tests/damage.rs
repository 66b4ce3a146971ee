//! Replay of what is no trace, or was one: a clear line or what is left of it with a count, never a panic.
//!
//! On golden traces, through the whole pipeline in this process for the many, through the binary for a sample.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

use snatrace::outputs;
use snatrace::store::{Error, ReadReport};
use tests::fuzz::trace::{one_thread, view};
use tests::process::Outcome;

fn golden(case: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{case}.trace"))).unwrap()
}

const CASES: [&str; 2] = ["fully_random-wire", "fully_random-kprobes"];

/// Replays bytes as `replay -o json --all` would, into nothing.
fn replay(bytes: &[u8]) -> anyhow::Result<ReadReport> {
    let view = view("json", true);
    let (_, report) = one_thread(bytes, &view, outputs::open(&view, Box::new(std::io::sink())))?;
    Ok(report)
}

/// A failure that says what is wrong with which file, in one line.
fn assert_clear(error: &anyhow::Error) {
    assert!(error.is::<Error>(), "{error:#}");
    let text = format!("{error:#}");
    assert!(text.starts_with("cannot read ") && text.contains("; ") && !text.contains('\n'), "{text}");
}

/// Where the last block of events begins: the last marker of a frame is that of the end.
fn last_block(bytes: &[u8]) -> usize {
    let frames: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"\xf5SNF")).collect();
    assert!(frames.len() >= 3, "{frames:?}");
    frames[frames.len() - 2]
}

#[test]
fn a_trace_cut_at_any_byte_is_read_up_to_there() {
    for case in CASES {
        let bytes = golden(case);
        let whole = replay(&bytes).unwrap();
        assert!(!whole.has_notes(), "{case}: {whole}");
        let last = last_block(&bytes);
        for length in 0..bytes.len() {
            match replay(&bytes[..length]) {
                Ok(report) => {
                    assert_eq!(report.unfinished, 1, "{case} cut at {length}: {report}");
                    assert!(length < last || report.blocks >= whole.blocks - 1, "{case} cut at {length}: {report}");
                    assert!(
                        report.damaged_blocks == 0 && report.skipped_bytes == 0,
                        "{case} cut at {length}: {report}"
                    );
                }
                Err(error) => {
                    assert!(length < last, "{case} cut at {length}: {error:#}");
                    assert_clear(&error);
                }
            }
        }
    }
}

#[test]
fn any_flipped_bit_costs_at_most_its_block() {
    for case in CASES {
        let mut bytes = golden(case);
        let whole = replay(&bytes).unwrap();
        for at in 0..bytes.len() {
            let bit = 1 << (at % 8);
            bytes[at] ^= bit;
            match replay(&bytes) {
                Ok(report) => {
                    assert!(report.has_notes(), "{case}: byte {at} was not noticed");
                    assert!(report.blocks >= whole.blocks - 1, "{case}, byte {at}: {report}");
                }
                Err(error) => assert_clear(&error),
            }
            bytes[at] ^= bit;
        }
    }
}

fn through_the_binary(path: &Path) -> Outcome {
    Outcome::of(tests::snatrace(env!("CARGO_BIN_EXE_snatrace-under-test")).args(["replay", "-o", "json"]).arg(path))
}

#[test]
fn what_is_no_trace_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    // Bytes without a pattern, the same each time.
    let random: Vec<u8> = (0..5000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let text = b"{\"kind\":\"summary\"}\n".repeat(9);
    for (name, bytes, expected) in [
        ("empty", &b""[..], "this is an empty file"),
        ("random", &random, "this is not a snatrace trace"),
        ("text", &text, "this is a JSON file"),
        ("as-text", &golden(CASES[0]).iter().copied().filter(|byte| *byte != b'\r').collect::<Vec<_>>(), "this is "),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        through_the_binary(&path).assert_failed(1, expected);
    }
    through_the_binary(directory.path()).assert_failed(1, "this is a directory");
    through_the_binary(&directory.path().join("missing")).assert_failed(1, "check the name");
}

#[test]
fn a_damaged_trace_is_shown_as_far_as_it_goes_with_a_line_about_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t");
    let whole = golden(CASES[0]);
    let last = last_block(&whole);
    for (bytes, expected) in [
        (
            whole[..last + 60].to_vec(),
            "60 bytes of an incomplete block at the end left out, the recorder did not finish",
        ),
        (whole[..last].to_vec(), "the recorder did not finish"),
        (flipped(&whole, last + 60), "1 damaged blocks skipped"),
        (flipped(&whole, last + 5), "damaged blocks skipped"),
    ] {
        fs::write(&path, &bytes).unwrap();
        let outcome = through_the_binary(&path);
        outcome.assert_one_line(expected);
        assert!(outcome.done().lines().last().unwrap().contains(r#""kind":"summary""#));
    }
    fs::write(&path, flipped(&whole, 70)).unwrap();
    through_the_binary(&path).assert_failed(1, "without it no event can be judged");
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x10;
    bytes
}
