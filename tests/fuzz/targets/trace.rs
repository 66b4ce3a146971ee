//! libFuzzer over traces. Built without cargo-fuzz it checks the files that it is given.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::trace::check(bytes));

// Behind checksums and compression, where libFuzzer's own mutations do not get.
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut any = |bytes: &mut Vec<u8>| {
        let size = bytes.len();
        bytes.resize(size + 64, 0);
        let capacity = bytes.len();
        let size = libfuzzer_sys::fuzzer_mutate(bytes, size, capacity);
        bytes.truncate(size);
    };
    let mutant = tests::fuzz::mutate::trace(&data[..size], &mut fastrand::Rng::with_seed(seed.into()), &mut any);
    let size = mutant.len().min(max_size);
    data[..size].copy_from_slice(&mutant[..size]);
    size
});

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    snatrace_fuzz::check_files(tests::fuzz::trace::check)
}
