//! A tool at work: started, waited for until it is attached, ended as a user ends it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Bench;
use super::machine;
use super::tools::{self, Ready, Tool};
use crate::process;

const TO_START: Duration = Duration::from_secs(60);
const TO_END: Duration = Duration::from_secs(30);

/// Ends with this guard.
pub struct Running<'a> {
    bench: &'a Bench,
    tool: &'static Tool,
    child: Child,
    pub dir: PathBuf,
    /// From its start until it was attached.
    pub started: Duration,
}

/// What is known of a tool that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub lost: Option<u64>,
    pub peak_kib: Option<u64>,
    /// From the signal to its end.
    pub took: Duration,
}

impl<'a> Running<'a> {
    /// Starts the tool in the node's namespace and waits until it sees connections.
    pub fn start(bench: &'a Bench, tool: &'static Tool) -> Result<Self> {
        Self::start_with(bench, tool, &[])
    }

    /// With more options.
    pub fn start_with(bench: &'a Bench, tool: &'static Tool, options: &[String]) -> Result<Self> {
        let dir = bench.scratch.path(tool.name)?;
        let words = (tool.command)(bench, &dir);
        if let Some(why) = tools::missing(&words) {
            bail!(why);
        }
        let (program, args) = words.split_first().context("no program")?;
        let begin = Instant::now();
        let child = bench
            .lab
            .command(&bench.lab.node, program)
            .args(args)
            .args(options)
            .stdout(output(&dir, tool)?)
            .stderr(File::create(dir.join("err"))?)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let mut running = Self { bench, tool, child, dir, started: Duration::ZERO };
        running.wait_until_ready(begin)?;
        running.started = begin.elapsed();
        Ok(running)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As with Ctrl-C.
    pub fn end(mut self) -> Result<Ended> {
        let peak_kib = machine::peak_kib(self.pid());
        let begin = Instant::now();
        self.interrupt();
        if !wait(&mut self.child, begin + TO_END)? {
            eprintln!("bench: {} did not end within {} s of Ctrl-C: it is killed", self.tool.name, TO_END.as_secs());
            self.child.kill()?;
        }
        let (took, status) = (begin.elapsed(), self.child.wait()?);
        Ok(Ended { status, lost: (self.tool.lost)(self.bench, &self.dir), peak_kib, took })
    }

    fn wait_until_ready(&mut self, begin: Instant) -> Result<()> {
        while !self.is_ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.tool.name, last_line(&self.dir.join("err")));
            }
            if begin.elapsed() > TO_START {
                bail!("{} was not attached after {} s", self.tool.name, TO_START.as_secs());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let holds = |file: &str, words: &str| {
            fs::read(self.dir.join(file)).is_ok_and(|text| String::from_utf8_lossy(&text).contains(words))
        };
        match self.tool.ready {
            Ready::File(file) => self.dir.join(file).exists(),
            Ready::Says(file, words) => holds(file, words),
            Ready::Netlink => {
                let sockets = fs::read_to_string(format!("/proc/{}/net/netlink", self.pid())).unwrap_or_default();
                sockets.lines().any(listens_to_netfilter)
            }
        }
    }

    fn interrupt(&self) {
        if let Ok(pid) = i32::try_from(self.pid()) {
            // Fails only when it has ended already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.interrupt();
            // It is killed when it does not end.
            let _ = process::wait_until(&mut self.child, Instant::now() + TO_END);
        }
    }
}

/// Where its text is of use it goes to a file; that of conntrack, a line a connection, goes nowhere.
fn output(dir: &Path, tool: &Tool) -> Result<Stdio> {
    Ok(match tool.ready {
        Ready::Netlink => Stdio::null(),
        Ready::File(_) | Ready::Says(..) => File::create(dir.join("out"))?.into(),
    })
}

/// A line of /proc/net/netlink: protocol NETLINK_NETFILTER, and some group joined.
fn listens_to_netfilter(line: &str) -> bool {
    let mut fields = line.split_whitespace().skip(1);
    let protocol = fields.next();
    let groups = fields.nth(1).and_then(|groups| u32::from_str_radix(groups, 16).ok());
    protocol == Some("12") && groups.is_some_and(|groups| groups != 0)
}

/// Whether it ended before the deadline; looks often, for the time it takes is a figure.
fn wait(child: &mut Child, deadline: Instant) -> Result<bool> {
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(true)
}

fn last_line(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::listens_to_netfilter;

    #[test]
    fn a_listener_is_known_by_protocol_and_groups() {
        assert!(listens_to_netfilter(
            "0000000000000000 12  4242       00000001 0        0        0     2        0        99"
        ));
        assert!(!listens_to_netfilter(
            "0000000000000000 12  4242       00000000 0        0        0     2        0        99"
        ));
        assert!(!listens_to_netfilter(
            "0000000000000000 0   4242       00000001 0        0        0     2        0        99"
        ));
    }
}
