//! The `snatrace` binary: parse, run, one-line error, exit code.

fn main() -> std::process::ExitCode {
    snatrace::commands::main()
}
