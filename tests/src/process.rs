//! Children of a test: they end with it, and are waited for, but not for ever.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use serde_json::Value;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for a fact.
pub fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// How a child ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Running::start(command).finish()
    }

    /// Done; returns what it wrote to standard output.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// One line on standard error that says what failed, nothing on standard output.
    #[track_caller]
    pub fn assert_failed(&self, code: i32, expected: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:#?}");
        self.assert_one_line(expected);
    }

    /// clap's report on standard error, nothing on standard output.
    #[track_caller]
    pub fn assert_wrong_usage(&self, expected: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:#?}");
        assert!(self.stderr.starts_with("error: ") && self.stderr.contains(expected), "{expected} is not in {self:#?}");
    }

    #[track_caller]
    pub fn assert_one_line(&self, expected: &str) {
        let said: Vec<&str> = self.stderr.lines().filter(|line| !is_notice(line)).collect();
        assert!(said.len() == 1, "not one line: {self:#?}");
        assert!(said[0].starts_with("snatrace: ") && said[0].contains(expected), "{expected} is not in {self:#?}");
    }
}

/// The lines of a JSON output.
pub fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The last line of what a capture or a replay writes as JSON.
pub fn summary(text: &str) -> Value {
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["kind"], "summary", "{text}");
    last
}

/// What a capture says about the kernel it runs on, about what it watches, and about its privileges.
pub fn is_notice(line: &str) -> bool {
    let is_start = ["snatrace: watching ", "snatrace: privileges left: "].iter().any(|start| line.starts_with(start));
    is_start || line.starts_with("snatrace: ") && line.contains(" is off: ")
}

/// A child that is killed when this is dropped.
pub struct Running {
    child: Child,
    stdout: File,
    stderr: File,
}

impl Running {
    /// Starts it; what it says goes into files, so that it never waits for a reader.
    pub fn start(command: &mut Command) -> Self {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let child = end_with_us(command).spawn().unwrap();
        Self { child, stdout, stderr }
    }

    /// Starts a capture, and waits until it is attached.
    pub fn attached(command: &mut Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ready = directory.path().join("ready");
        let running = Self::start(command.arg("--ready-file").arg(&ready));
        until("the ready file", || ready.exists());
        running
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Outcome {
        let status = wait(&mut self.child);
        let [stdout, stderr] = [&mut self.stdout, &mut self.stderr].map(|file| {
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            text
        });
        Outcome { code: status.code(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The outer program runs a call, with its environment.
pub fn within(mut outer: Command, call: &Command) -> Command {
    outer.arg(call.get_program()).args(call.get_args());
    outer.envs(call.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

/// Lets a child be killed with the thread that starts it, even if that is killed itself. A hangup ends it as well, also where
/// the tests themselves run under nohup(1).
pub fn end_with_us(command: &mut Command) -> &mut Command {
    let prepare = || {
        // SAFETY: no handler is installed.
        unsafe { signal(Signal::SIGHUP, SigHandler::SigDfl) }?;
        Ok(set_pdeathsig(Signal::SIGKILL)?)
    };
    // SAFETY: both are bare system calls, so they may be made between fork and exec.
    unsafe { command.pre_exec(prepare) }
}

/// Waits for the end of a child.
pub fn wait(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("the end of a child", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}
