//! What the checks look at, read once: of the machine, and of one network namespace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::sys::utsname::uname;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Uid;

use super::links::{self, Link};
use crate::model::{HookState, Policy};
use crate::netns::Netns;
use crate::ruleset::{self, Sources};
use crate::symbols;

/// Files of /proc that are looked at; those of /proc/net by way of the thread, which is in the namespace.
const FILES: [&str; 6] = [
    "/proc/sys/net/ipv4/ip_local_port_range",
    "/proc/sys/net/ipv4/ip_local_reserved_ports",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/thread-self/net/stat/nf_conntrack",
    "/proc/self/timens_offsets",
];
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// Is there where conntrack can be asked without loading a module.
const CTNETLINK: &str = "ctnetlink_net_init";

/// What could not be read, or why.
type Known<T> = std::result::Result<T, String>;

/// Everything that was read.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The namespace that was looked at; snatrace's own without.
    pub netns: Option<PathBuf>,
    /// The allowed ports.
    pub policy: Policy,
    /// Whether this is root.
    pub is_root: bool,
    /// Host name.
    pub node: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Bytes of the kernel's type information, or why it cannot be read.
    pub btf: Known<u64>,
    /// Nanoseconds: wall clock since 1970, time since boot, and the latter without suspends.
    pub clocks: Known<[i64; 3]>,
    /// What became of each hook, or why that cannot be said.
    pub hooks: Known<Vec<HookState>>,
    /// The rules.
    pub rules: Sources,
    /// The interfaces, by name.
    pub links: BTreeMap<String, Link>,
    /// What files say, by path; missing ones are left out.
    pub files: BTreeMap<&'static str, String>,
    /// What `conntrack -S` says, where the file with the counters is missing.
    pub conntrack_stats: Option<String>,
}

impl Default for Facts {
    /// Of a machine that nobody has looked at.
    fn default() -> Self {
        let unknown = || "not looked at".to_owned();
        Self {
            netns: None,
            policy: Policy::default(),
            is_root: false,
            node: String::new(),
            kernel: String::new(),
            btf: Err(unknown()),
            clocks: Err(unknown()),
            hooks: Err(unknown()),
            rules: Sources::default(),
            links: BTreeMap::new(),
            files: BTreeMap::new(),
            conntrack_stats: None,
        }
    }
}

impl Facts {
    /// Reads everything, the network's part in this namespace or that of the path.
    ///
    /// # Errors
    /// When the namespace cannot be entered. What else cannot be read is missing in what is returned.
    pub fn read(netns: Option<&Path>, policy: impl FnOnce() -> Result<Policy> + Send) -> Result<Self> {
        let paths: Vec<PathBuf> = netns.map(Path::to_owned).into_iter().collect();
        let inside = || Self::of_network(policy()?);
        let network = match netns {
            Some(path) => Netns::open(path)?.run(inside)?,
            None => inside()?,
        };
        let name = uname().context("cannot read the name of the kernel")?;
        Ok(Self {
            netns: netns.map(Path::to_owned),
            is_root: Uid::effective().is_root(),
            node: name.nodename().to_string_lossy().into_owned(),
            kernel: name.release().to_string_lossy().into_owned(),
            btf: btf(),
            clocks: clocks().map_err(|error| format!("{error:#}")),
            hooks: hooks(&paths).map_err(|error| format!("{error:#}")),
            ..network
        })
    }

    fn of_network(policy: Policy) -> Result<Self> {
        let tools = ruleset::run();
        let files: BTreeMap<_, _> =
            FILES.iter().filter_map(|&file| Some((file, fs::read_to_string(file).ok()?))).collect();
        let can_ask = || symbols::present(&[CTNETLINK]).is_ok_and(|found| found.contains(CTNETLINK));
        let conntrack_stats = (!files.contains_key("/proc/thread-self/net/stat/nf_conntrack") && can_ask())
            .then(|| ruleset::Tools::run(&tools, "conntrack", &["-S"]).ok().flatten())
            .flatten();
        let links = links::read().unwrap_or_default();
        Ok(Self { policy, rules: ruleset::read(&tools), links, files, conntrack_stats, ..Self::default() })
    }

    /// The file whose name ends so.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(path, _)| path.ends_with(name)).map(|(_, text)| text.as_str())
    }

    /// A file with one number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.file(name)?.trim().parse().ok()
    }

    /// The range that sockets of this namespace get their ports from.
    #[must_use]
    pub fn own_range(&self) -> Option<(u16, u16)> {
        let mut ports = self.file("ip_local_port_range")?.split_whitespace().map(str::parse);
        let (low, high): (u16, u16) = (ports.next()?.ok()?, ports.next()?.ok()?);
        (low <= high).then_some((low, high))
    }
}

fn btf() -> Known<u64> {
    // Opened, because it may be there and not be readable.
    let file = fs::File::open(BTF).and_then(|file| file.metadata());
    file.map(|meta| meta.len()).map_err(|error| format!("{BTF}: {error}"))
}

fn clocks() -> Result<[i64; 3]> {
    let read = |clock| -> Result<i64> {
        let now = clock_gettime(clock).context("cannot read the clock")?;
        Ok(now.tv_sec().saturating_mul(1_000_000_000).saturating_add(now.tv_nsec()))
    };
    Ok([read(ClockId::CLOCK_REALTIME)?, read(ClockId::CLOCK_BOOTTIME)?, read(ClockId::CLOCK_MONOTONIC)?])
}

#[cfg(feature = "ebpf")]
fn hooks(netns: &[PathBuf]) -> Result<Vec<HookState>> {
    crate::bpf::survey(netns)
}

#[cfg(not(feature = "ebpf"))]
fn hooks(_netns: &[PathBuf]) -> Result<Vec<HookState>> {
    anyhow::bail!("this snatrace was built without the feature `ebpf`, so it cannot capture")
}
