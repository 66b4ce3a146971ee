//! What the targets share.

/// Checks the files that are named on the command line: what a fuzzer found, without the fuzzer.
pub fn check_files(check: fn(&[u8])) -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        eprintln!("{}", path.display());
        check(&std::fs::read(path)?);
    }
    Ok(())
}
