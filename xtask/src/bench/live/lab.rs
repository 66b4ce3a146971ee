//! The lab that the measurement runs in, as `snatrace-lab demo -- COMMAND` tells of it, made fit for a storm.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::Signal;

use crate::process;

/// Namespaces of a lab, by the paths of their files.
pub struct Lab {
    pub pod: PathBuf,
    pub node: PathBuf,
    pub router: PathBuf,
    pub server: PathBuf,
    /// `snatrace-lab`.
    pub program: PathBuf,
    /// The first half of its addresses: `10.N`.
    pub prefix: String,
}

impl Lab {
    pub fn from_env() -> Result<Self> {
        let path =
            |name: &str| std::env::var(format!("SNATRACE_LAB_{name}")).with_context(|| format!("no lab: {name}"));
        let netns = |name: &str| path(&format!("{name}_NETNS")).map(PathBuf::from);
        let src = path("SRC")?;
        let prefix = src.split('.').take(2).collect::<Vec<_>>().join(".");
        Ok(Self {
            pod: netns("POD")?,
            node: netns("NODE")?,
            router: netns("ROUTER")?,
            server: netns("SERVER")?,
            program: path("BIN")?.into(),
            prefix,
        })
    }

    /// No filter, and no conntrack entry that outlives its connection by more than a second.
    pub fn prepare(&self) -> Result<()> {
        process::output(self.command(&self.router, "nft").args(["delete", "table", "inet", "provider"]))?;
        let key = Path::new("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close");
        within(&self.node, || fs::write(key, "1").with_context(|| format!("{} cannot be set", key.display())))
    }

    /// A command in one of the namespaces that ends with us, however we end.
    pub fn command(&self, netns: &Path, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        enter(&mut command, File::open(netns));
        command
    }

    /// One of the server's addresses, counted from 0.
    pub fn server_address(&self, index: u8) -> String {
        format!("{}.192.{}", self.prefix, 10 + index)
    }
}

fn enter(command: &mut Command, netns: std::io::Result<File>) {
    use std::os::unix::process::CommandExt;
    // SAFETY: setns(2) and prctl(2) are bare system calls, so they may be made between fork and exec.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
            match &netns {
                Ok(file) => Ok(setns(file, CloneFlags::CLONE_NEWNET)?),
                Err(error) => Err(error.kind().into()),
            }
        });
    }
}

/// Runs work in a namespace, on a thread of its own.
pub fn within<T: Send>(netns: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let file = File::open(netns).with_context(|| format!("no namespace {}", netns.display()))?;
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            setns(&file, CloneFlags::CLONE_NEWNET).context("a namespace cannot be entered")?;
            work()
        });
        thread.join().map_err(|_| anyhow!("the thread in {} ended badly", netns.display()))?
    })
}
