//! The lab that the measurement runs in, as `snatrace-lab demo -- COMMAND` describes it in the environment.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::Signal;

use crate::process;

/// The lab's network namespaces, by the paths of their files.
pub struct Lab {
    pub pod: PathBuf,
    pub node: PathBuf,
    pub router: PathBuf,
    pub server: PathBuf,
    /// `snatrace-lab`.
    pub program: PathBuf,
    /// The first half of its addresses: `10.N`.
    prefix: String,
}

impl Lab {
    pub fn from_env() -> Result<Self> {
        let value = |name: &str| env::var(format!("SNATRACE_LAB_{name}")).with_context(|| format!("no lab: {name}"));
        let netns = |name: &str| value(&format!("{name}_NETNS")).map(PathBuf::from);
        let program = value("BIN")?.into();
        let prefix = value("SRC")?.split('.').take(2).collect::<Vec<_>>().join(".");
        Ok(Self {
            program,
            pod: netns("POD")?,
            node: netns("NODE")?,
            router: netns("ROUTER")?,
            server: netns("SERVER")?,
            prefix,
        })
    }

    /// Removes the filter, and lets no conntrack entry outlive its connection by more than a second.
    pub fn prepare(&self) -> Result<()> {
        process::output(self.command(&self.router, "nft").args(["delete", "table", "inet", "provider"]))?;
        let key = Path::new("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close");
        within(&self.node, || fs::write(key, "1").with_context(|| format!("cannot write {}", key.display())))
    }

    /// A command in one of the namespaces that ends with us, however we end.
    pub fn command(&self, netns: &Path, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        let netns = File::open(netns);
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
        command
    }

    /// One of the server's addresses, counted from 0.
    pub fn server_address(&self, index: u8) -> String {
        format!("{}.192.{}", self.prefix, 10 + index)
    }
}

/// Runs work in a namespace, on a thread of its own.
pub fn within<T: Send>(netns: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let file = File::open(netns).with_context(|| format!("cannot open namespace {}", netns.display()))?;
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            setns(&file, CloneFlags::CLONE_NEWNET).context("cannot enter the namespace")?;
            work()
        });
        thread.join().map_err(|_| anyhow!("the thread in {} panicked", netns.display()))?
    })
}
