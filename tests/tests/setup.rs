//! Who builds snatrace before `cargo xtask setup` is told so at the first crate.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::process::Outcome;

fn cargo(args: &[&str], target: &Path) -> (Outcome, Duration) {
    let began = Instant::now();
    let mut cargo = Command::new("cargo");
    cargo.args(args).arg("--offline").current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo.env("SNATRACE_TOOLS", "/nonexistent").env("CARGO_TARGET_DIR", target);
    let variables = ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER", "CARGO", "RUSTC"];
    for variable in variables {
        cargo.env_remove(variable);
    }
    (Outcome::of(&mut cargo), began.elapsed())
}

#[test]
fn building_without_the_tools_fails_at_once_and_names_the_way_out() {
    let target = tempfile::tempdir().unwrap();
    for args in [&["build"][..], &["build", "--release"], &["install", "--path", "tracer", "--root", "/nonexistent"]] {
        let (outcome, took) = cargo(args, target.path());
        assert!(
            outcome.code.is_some_and(|code| code != 0) && outcome.stderr.contains("run `cargo xtask setup`"),
            "{outcome:#?}"
        );
        // One for each job that began at once.
        assert!(outcome.stderr.matches("Compiling").count() <= 64, "{outcome:#?}");
        // A second on a machine that does nothing else.
        assert!(took < Duration::from_secs(20), "{args:?} took {took:?}");
    }
    // In the same target directory, where cargo has kept what it asked rustc.
    let (outcome, _) = cargo(&["build", "--no-default-features", "-p", "tracer-common"], target.path());
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
}
