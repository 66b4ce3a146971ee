//! Runs other programs: shown before they start, with one clear error when they fail.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use anyhow::{Context, Result, anyhow, bail};

/// Lines of a failed command that its error repeats: those who read a log see its end first.
const LAST_LINES: usize = 80;

/// What a failed command said: what failed tests printed, where cargo ran tests and one failed, else its end.
#[derive(Default)]
struct Transcript {
    failures: Vec<String>,
    is_failure: bool,
    last: VecDeque<String>,
}

impl Transcript {
    fn add(&mut self, line: String) {
        // libtest: "failures:", what each printed, "failures:", their names, "test result: ".
        self.is_failure = line == "failures:" || self.is_failure && !line.starts_with("test result: ");
        // Of a backtrace, the rest says no more.
        let is_frame = line.starts_with("  ") && (line.contains(": ") || line.trim_start().starts_with("at "));
        if self.is_failure && !is_frame && self.failures.len() < LAST_LINES {
            self.failures.push(line.clone());
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn lines(self) -> Vec<String> {
        if self.failures.is_empty() { self.last.into() } else { self.failures }
    }
}

/// A command in the workspace root, without the variables that `cargo run` adds for the xtask itself:
/// they would make the inner cargo rebuild what has not changed.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::paths::root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_BIN_NAME" {
            command.env_remove(&name);
        }
    }
    if let Some(libraries) = env::var_os("LD_LIBRARY_PATH") {
        let foreign = env::split_paths(&libraries)
            .filter(|dir| !dir.starts_with(crate::paths::target()) && !dir.to_string_lossy().contains("/toolchains/"));
        match env::join_paths(foreign) {
            Ok(rest) if !rest.is_empty() => command.env("LD_LIBRARY_PATH", rest),
            Ok(_) | Err(_) => command.env_remove("LD_LIBRARY_PATH"),
        };
    }
    command
}

pub fn cargo() -> Command {
    command("cargo")
}

/// Runs it with its output on ours.
pub fn run(command: &mut Command) -> Result<()> {
    let status = start(command)?.wait()?;
    check(command, status)
}

/// As `run`; without a terminal, the error repeats the last lines of the output.
pub fn run_and_repeat(command: &mut Command) -> Result<()> {
    if io::stderr().is_terminal() {
        return run(command);
    }
    let (output, end) = io::pipe().context("cannot create a pipe")?;
    command.stdout(end.try_clone().context("cannot create a pipe")?).stderr(end);
    let child = start(command);
    // The command keeps the writing ends of the pipe, which would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child?;
    let mut transcript = Transcript::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line.context("cannot read the output")?).into_owned();
        eprintln!("{line}");
        transcript.add(line);
    }
    let status = child.wait()?;
    check(command, status).map_err(|error| anyhow!("{error:#}\n{}", transcript.lines().join("\n")))
}

/// Runs it silently; what it wrote to stdout.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}: {}", shown(command), output.status, reason.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As `run`, but killed when it takes longer: for what hangs where a network drops packets.
pub fn run_for(limit: Duration, command: &mut Command) -> Result<()> {
    let mut child = start(command)?;
    if !wait_until(&mut child, Instant::now() + limit)? {
        bail!("`{}` took longer than {} s and was stopped", shown(command), limit.as_secs());
    }
    check(command, child.wait()?)
}

/// Whether the child ended by itself before the deadline; it has ended afterwards in both cases.
pub fn wait_until(child: &mut Child, deadline: Instant) -> Result<bool> {
    let limit = deadline.saturating_duration_since(Instant::now());
    let by_itself = poll_for(limit, || Ok(child.try_wait()?.is_some()))?;
    if !by_itself {
        child.kill()?;
        child.wait()?;
    }
    Ok(by_itself)
}

/// Whether it became true within the limit. Asks each millisecond.
pub fn poll_for(limit: Duration, mut is_true: impl FnMut() -> Result<bool>) -> Result<bool> {
    let begin = Instant::now();
    while !is_true()? {
        if begin.elapsed() >= limit {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(true)
}

fn start(command: &mut Command) -> Result<Child> {
    eprintln!("$ {}", shown(command));
    command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {}", shown(command)))
}

fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
