//! A tool at work: started, waited for until it is attached, ended with Ctrl-C as a user ends it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::tools::{Ready, Tool};
use super::{Bench, machine};
use crate::{paths, process};

const START_LIMIT: Duration = Duration::from_secs(60);
const END_LIMIT: Duration = Duration::from_secs(30);

/// The tool ends when this is dropped.
pub struct Running<'a> {
    bench: &'a Bench,
    tool: &'static Tool,
    child: Child,
    pub dir: PathBuf,
}

pub struct Ended {
    pub status: ExitStatus,
    pub lost: Option<u64>,
    pub peak_kib: Option<u64>,
}

impl<'a> Running<'a> {
    /// Starts the tool in the node's namespace and waits until it is attached.
    pub fn start(bench: &'a Bench, tool: &'static Tool) -> Result<Self> {
        let dir = bench.scratch(tool.name)?;
        let words = (tool.command)(&bench.snatrace, &dir);
        let (program, args) = words.split_first().context("no program")?;
        let Some(program) = paths::program(program) else { bail!("{program} is not installed") };
        let mut command = bench.lab.command(&bench.lab.node, &program);
        command.args(args).stderr(File::create(dir.join("err"))?);
        // conntrack writes a line a connection, which is not read.
        let stdout = if tool.ready == Ready::Netlink { Stdio::null() } else { File::create(dir.join("out"))?.into() };
        let child = command.stdout(stdout).spawn().with_context(|| format!("cannot start {}", tool.name))?;
        let mut running = Self { bench, tool, child, dir };
        if !process::poll_for(START_LIMIT, || running.is_ready())? {
            bail!("{} was not attached after {} s", tool.name, START_LIMIT.as_secs());
        }
        Ok(running)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn end(mut self) -> Result<Ended> {
        let peak_kib = machine::peak_kib(self.pid());
        self.interrupt();
        if !process::wait_until(&mut self.child, Instant::now() + END_LIMIT)? {
            eprintln!("bench: {} did not end within {} s of Ctrl-C: killed", self.tool.name, END_LIMIT.as_secs());
        }
        let status = self.child.wait()?;
        Ok(Ended { status, lost: (self.tool.lost)(&self.bench.snatrace, &self.dir), peak_kib })
    }

    fn is_ready(&mut self) -> Result<bool> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended ({status}): {}", self.tool.name, last_line(&self.dir.join("err")));
        }
        let read =
            |file: &str| String::from_utf8_lossy(&fs::read(self.dir.join(file)).unwrap_or_default()).into_owned();
        Ok(match self.tool.ready {
            Ready::File(file) => self.dir.join(file).exists(),
            Ready::Says(file, words) => read(file).contains(words),
            Ready::Netlink => {
                let sockets = fs::read_to_string(format!("/proc/{}/net/netlink", self.pid())).unwrap_or_default();
                sockets.lines().any(listens_to_netfilter)
            }
        })
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
            let _ = process::wait_until(&mut self.child, Instant::now() + END_LIMIT);
        }
    }
}

/// A line of /proc/net/netlink: protocol NETLINK_NETFILTER, and some group joined.
fn listens_to_netfilter(line: &str) -> bool {
    let mut fields = line.split_whitespace().skip(1);
    let protocol = fields.next();
    let groups = fields.nth(1).and_then(|groups| u32::from_str_radix(groups, 16).ok());
    protocol == Some("12") && groups.is_some_and(|groups| groups != 0)
}

fn last_line(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::listens_to_netfilter;

    #[test]
    fn a_netfilter_listener_is_known_by_protocol_and_groups() {
        let line = |protocol, groups| {
            listens_to_netfilter(&format!("0000000000000000 {protocol:<3} 4242       {groups} 0  0  0  2  0  99"))
        };
        assert!(line(12, "00000001"));
        assert!(!line(12, "00000000"));
        assert!(!line(0, "00000001"));
    }
}
