//! What the checks look at, read once: of the machine, and of one network namespace.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::sys::utsname::uname;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Uid;

use super::links::{self, LinkFacts};
use super::{BpfNat, SeenTable};
use crate::conntrack::{self, Observations};
use crate::model::{HookState, Policy};
use crate::netns::Netns;
use crate::ruleset::{self, Installed, Sources, Tools as _, shell_word};
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
type ReadResult<T> = std::result::Result<T, String>;

/// Everything that was read.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The namespace that was looked at; snatrace's own without.
    pub netns: Option<PathBuf>,
    pub policy: Policy,
    pub is_root: bool,
    /// Host name.
    pub node: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Bytes of the kernel's type information, or why it cannot be read.
    pub btf: ReadResult<u64>,
    /// Nanoseconds: wall clock since 1970, time since boot, and the latter without suspends.
    pub clocks: ReadResult<[i64; 3]>,
    /// What became of each hook, or why that cannot be said.
    pub hooks: ReadResult<Vec<HookState>>,
    pub rules: Sources,
    /// The interfaces, by name.
    pub links: BTreeMap<String, LinkFacts>,
    /// What the conntrack table shows; `None` where there is none.
    pub seen: ReadResult<Option<SeenTable>>,
    /// Reverse path filtering by interface, `all` among them.
    pub rp_filters: BTreeMap<String, u8>,
    /// eBPF programs that may translate sources.
    pub bpf_nat: BpfNat,
    /// What files say, by path; missing ones are left out.
    pub files: BTreeMap<&'static str, String>,
    /// What `conntrack -S` says, where the file with the counters is missing.
    pub conntrack_stats: Option<String>,
}

impl Default for Facts {
    /// The facts of a machine before anything was read.
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
            seen: Ok(None),
            rp_filters: BTreeMap::new(),
            bpf_nat: BpfNat::default(),
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
            bpf_nat: bpf_nat(),
            hooks: hooks(&paths).map_err(|error| format!("{error:#}")),
            ..network
        })
    }

    fn of_network(policy: Policy) -> Result<Self> {
        let tools = Installed;
        let files: BTreeMap<_, _> =
            FILES.iter().filter_map(|&file| Some((file, fs::read_to_string(file).ok()?))).collect();
        let can_ask = || symbols::present(&[CTNETLINK]).is_ok_and(|found| found.contains(CTNETLINK));
        let has_counters = files.contains_key("/proc/thread-self/net/stat/nf_conntrack");
        let asked = if has_counters || !can_ask() { Ok(None) } else { tools.run("conntrack", &["-S"]) };
        let links = links::read().unwrap_or_default();
        let seen = seen().map_err(|error| format!("{error:#}"));
        Ok(Self {
            policy,
            rules: ruleset::read(&tools),
            rp_filters: rp_filters(&links),
            links,
            seen,
            files,
            conntrack_stats: asked.ok().flatten(),
            ..Self::default()
        })
    }

    /// Interfaces that lead to the outside.
    pub fn uplinks(&self) -> impl Iterator<Item = &str> {
        let uplinks = self.links.iter().filter(|(name, link)| link.leads_outside && *name != "lo");
        uplinks.map(|(name, _)| name.as_str())
    }

    /// Whether a connection of this family can leave; it can where no interface could be listed.
    pub fn is_routed(&self, family: &str) -> bool {
        let place = usize::from(family == "ipv6");
        self.links.is_empty() || self.links.values().any(|link| link.is_routed[place])
    }

    /// How an interface filters by reverse path: the stricter of its own setting and that of all, where 2 is loose.
    pub fn rp_filter(&self, interface: &str) -> Option<u8> {
        [interface, "all"].iter().filter_map(|name| self.rp_filters.get(*name).copied()).max()
    }

    /// What a command for the namespace that was looked at begins with.
    pub fn prefix(&self) -> String {
        let enter = |path: &PathBuf| format!("nsenter {} ", shell_word(&format!("--net={}", path.display())));
        self.netns.as_ref().map_or_else(String::new, enter)
    }

    /// The file whose name ends so.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(path, _)| path.ends_with(name)).map(|(_, text)| text.as_str())
    }

    /// A file with one number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.file(name)?.trim().parse().ok()
    }

    /// The range that sockets of this namespace get their ports from.
    pub fn own_range(&self) -> Option<(u16, u16)> {
        let mut ports = self.file("ip_local_port_range")?.split_whitespace().map(str::parse);
        let (low, high): (u16, u16) = (ports.next()?.ok()?, ports.next()?.ok()?);
        (low <= high).then_some((low, high))
    }
}

/// What the conntrack table of this namespace shows.
fn seen() -> Result<Option<SeenTable>> {
    let mut observations = Observations::default();
    let source = conntrack::read(&mut observations)?;
    Ok(source.map(|source| SeenTable { source, counts: observations.counts, conclusions: observations.conclusions() }))
}

/// Where Cilium pins its maps.
const PINNED: &str = "/sys/fs/bpf/tc/globals";
/// Options of Cilium's agent that decide about ports.
const OPTIONS: [&str; 3] = ["node-port-range", "node-port-nat-range-ext", "enable-bpf-masquerade"];

fn bpf_nat() -> BpfNat {
    let names = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    let pinned = fs::read_dir(PINNED).into_iter().flatten().filter_map(names);
    let mut found = BpfNat { pinned: pinned.filter(|name| name.contains("snat")).collect(), ..BpfNat::default() };
    match classifiers() {
        Ok(programs) => found.programs = programs,
        Err(error) => found.unseen = Some(format!("{error:#}")),
    }
    if found.is_there() {
        found.options = cilium_options();
    }
    found
}

/// Those of the running agent: from its command line, and from the files of its configuration.
fn cilium_options() -> BTreeMap<String, String> {
    let is_agent =
        |path: &PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "cilium-agent");
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let Some(agent) = processes.filter(|path| path.join("comm").exists()).find(is_agent) else {
        return BTreeMap::new();
    };
    let line = fs::read(agent.join("cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let given: BTreeMap<String, String> = words
        .filter_map(|word| {
            word.strip_prefix("--")?.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        })
        .collect();
    let directory = given.get("config-dir").map(|directory| agent.join("root").join(directory.trim_start_matches('/')));
    let option = |name: &str| {
        let file = || fs::read_to_string(directory.as_ref()?.join(name)).ok();
        Some((name.to_owned(), given.get(name).cloned().or_else(file)?.trim().to_owned()))
    };
    let mut options: BTreeMap<_, _> = OPTIONS.iter().filter_map(|name| option(name)).collect();
    // That it runs is known, and so are its defaults.
    options.entry("node-port-range".to_owned()).or_insert_with(|| "30000,32767".to_owned());
    options
}

#[cfg(feature = "ebpf")]
fn classifiers() -> Result<Vec<(String, Vec<String>)>> {
    crate::bpf::classifiers()
}

#[cfg(not(feature = "ebpf"))]
fn classifiers() -> Result<Vec<(String, Vec<String>)>> {
    anyhow::bail!("this snatrace was built without the feature `ebpf`, so it cannot list programs")
}

fn rp_filters(links: &BTreeMap<String, LinkFacts>) -> BTreeMap<String, u8> {
    let all = "all".to_owned();
    let names = links.keys().chain([&all]);
    let read = |name: &String| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter")).ok()?;
        Some((name.clone(), text.trim().parse().ok()?))
    };
    names.filter_map(read).collect()
}

fn btf() -> ReadResult<u64> {
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
