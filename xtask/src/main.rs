//! `cargo xtask`: setting up, building, demonstrating and testing snatrace. One task a file.

mod arch;
mod bench;
mod build;
mod consent;
mod debian;
mod demo;
mod dist;
mod fuzz;
mod paths;
mod process;
mod setup;
mod test;
mod vm;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Sets up, builds, demonstrates and tests snatrace",
    arg_required_else_help = true
)]
enum Task {
    Setup(setup::Args),
    Bench(bench::Args),
    Build(build::Args),
    Demo(demo::Args),
    Dist(dist::Args),
    Fuzz(fuzz::Args),
    Vm(vm::Args),
    Test(test::Args),
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Setup(args) => setup::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Build(args) => build::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Vm(args) => vm::run(&args),
        Task::Test(args) => test::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
