//! Runs the tools that list rules: bounded in time and output, and found without the administrator's PATH too.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A list of rules that is longer is not read.
const MAX_BYTES: u64 = 64 << 20;
/// A list that takes longer is not waited for.
const LISTING_TIMEOUT: Duration = Duration::from_secs(20);
/// Where the system's own tools are. They come before PATH, which whoever started this may have changed.
const SYSTEM: [&str; 6] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// Finds tools; replaced in tests.
pub trait Tools {
    /// Runs the tool: its output, or `None` where it is not installed.
    ///
    /// # Errors
    /// When it cannot be run, fails, or says too much.
    fn run(&self, name: &str, args: &[&str]) -> anyhow::Result<Option<String>>;
}

/// The tools of this machine, run in the namespace of this thread.
#[derive(Debug)]
pub struct Installed;

impl Tools for Installed {
    fn run(&self, name: &str, args: &[&str]) -> anyhow::Result<Option<String>> {
        let Some(path) = find(name) else { return Ok(None) };
        let mut command = Command::new(path);
        command.args(args).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("cannot run {name}"))?;
        output(name, child).map(Some)
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    candidates(name, &path).find(|file| file.is_file())
}

/// A relative or empty entry of PATH means the working directory, where anybody may have put a program of this name.
fn candidates(name: &str, path: &OsStr) -> impl Iterator<Item = PathBuf> {
    let others = std::env::split_paths(path).filter(|directory| directory.is_absolute());
    SYSTEM.iter().map(PathBuf::from).chain(others).map(move |directory| directory.join(name))
}

fn output(name: &str, mut child: Child) -> anyhow::Result<String> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (done, watched) = mpsc::channel::<()>();
    let pid = i32::try_from(child.id()).map(Pid::from_raw);
    let (text, complaint) = std::thread::scope(|scope| {
        // The child is not waited for before this ends, so its id is still its own.
        scope.spawn(move || {
            if watched.recv_timeout(LISTING_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                let _ = pid.map(|pid| kill(pid, Signal::SIGKILL));
            }
        });
        let complaint = scope.spawn(|| complaint(stderr));
        let text = read(stdout, MAX_BYTES + 1);
        let complaint = complaint.join().unwrap_or_default();
        drop(done);
        (text, complaint)
    });
    let status = child.wait().with_context(|| format!("cannot wait for {name}"))?;
    if text.len() as u64 > MAX_BYTES {
        bail!("{name} lists more than {} MiB of rules", MAX_BYTES >> 20);
    }
    if !status.success() {
        let complaint = String::from_utf8_lossy(&complaint);
        bail!("{name} failed ({status}): {}", complaint.lines().next().unwrap_or("it does not say why").trim());
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The beginning of what the tool complains about; nft does so for each rule that it cannot read, so the rest is read too.
fn complaint(stream: Option<std::process::ChildStderr>) -> Vec<u8> {
    let mut stream = stream;
    let beginning = read(stream.as_mut(), 4096);
    let _ = stream.map(|mut rest| std::io::copy(&mut rest, &mut std::io::sink()));
    beginning
}

/// Reads at most so much; what comes after that is left, and the tool ends when its output is closed.
fn read(stream: Option<impl std::io::Read>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What was read before an error is what there is.
        let _ = stream.take(limit).read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_not_installed_is_no_error() {
        assert!(Installed.run("snatrace-no-such-tool", &[]).unwrap().is_none());
    }

    #[test]
    fn the_working_directory_is_no_place_for_tools() {
        let tools: Vec<_> = candidates("nft", OsStr::new(":.:bin::/opt/bin")).collect();
        assert!(tools.iter().all(|tool| tool.is_absolute()), "{tools:?}");
        assert_eq!((tools.first(), tools.last()), (Some(&"/usr/sbin/nft".into()), Some(&"/opt/bin/nft".into())));
    }

    #[test]
    fn a_tool_that_fails_is_quoted() {
        let error = Installed.run("sh", &["-c", "echo no permission >&2; exit 4"]).unwrap_err().to_string();
        assert!(error.contains("exit status: 4") && error.ends_with("no permission"), "{error}");
    }

    #[test]
    fn a_tool_that_never_stops_talking_is_cut_off() {
        let error = Installed.run("sh", &["-c", "exec cat /dev/zero"]).unwrap_err().to_string();
        assert!(error.contains("more than 64 MiB"), "{error}");
    }
}
