//! `cargo xtask`: setting up, building, demonstrating and testing snatrace. One task a file.

mod arch;
mod bench;
mod build;
mod debian;
mod demo;
mod dist;
mod fuzz;
mod paths;
mod process;
mod setup;
mod test;
mod vm;

/// Set up, build, demonstrate, test and measure snatrace
#[derive(clap::Parser)]
#[command(bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
    /// Install missing packages and tools without asking
    #[arg(long, short, global = true)]
    yes: bool,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Find or install the eBPF toolchain and the programs that the demo needs
    Setup,
    #[command(subcommand)]
    Bench(bench::Bench),
    Build(build::Args),
    Demo(demo::Args),
    Dist(dist::Args),
    Fuzz(fuzz::Args),
    Vm(vm::Args),
    Test(test::Args),
}

fn main() -> std::process::ExitCode {
    let Cli { task, yes } = clap::Parser::parse();
    setup::consent::give(yes);
    let result = match task {
        Task::Setup => setup::run(),
        Task::Bench(bench) => bench::run(&bench),
        Task::Build(args) => build::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Vm(args) => vm::run(&args),
        Task::Test(args) => test::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        std::process::ExitCode::FAILURE
    })
}
