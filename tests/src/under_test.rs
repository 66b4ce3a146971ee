//! The `snatrace` that tests run where `SNATRACE_BIN` names no other.

fn main() -> std::process::ExitCode {
    snatrace::commands::main()
}
