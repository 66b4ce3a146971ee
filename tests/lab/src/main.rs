//! The `snatrace-lab` binary: parse, run, one-line error, exit code.

fn main() -> std::process::ExitCode {
    snatrace_lab::commands::main()
}
