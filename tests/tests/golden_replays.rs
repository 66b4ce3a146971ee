//! Every golden trace is replayed to exactly what `tests/golden/` has beside it, each file a test of its own name.
//!
//! `UPDATE_EXPECT=1` rewrites the files; review the diff.

use std::process::ExitCode;

use expect_test::expect_file;
use libtest_mimic::{Arguments, Trial};
use tests::golden::{self, EXPECTED};
use tests::process::Outcome;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for case in golden::cases() {
        for (end, options) in EXPECTED {
            let (case, file) = (case.clone(), golden::directory().join(format!("{case}.{end}")));
            trials.push(Trial::test(format!("{case}.{end}"), move || {
                let replayed = golden::replay(env!("CARGO_BIN_EXE_snatrace-under-test"), &case, options);
                expect_file![file].assert_eq(&Outcome::of(&mut { replayed }).done());
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
