//! libFuzzer over packet captures. Built without cargo-fuzz it checks the files that it is given.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::capture::check(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    snatrace_fuzz::check_files(tests::fuzz::capture::check)
}
