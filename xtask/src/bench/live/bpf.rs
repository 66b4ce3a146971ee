//! The little of bpf(2) that a measurement needs: statistics of programs, and programs that do nothing.
//!
//! The product's loader is aya and stays in `tracer/src/probe`; an empty program is two instructions, so it needs none.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use nix::libc;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

const PROG_LOAD: i32 = 5;
const OBJ_PIN: i32 = 6;
const PROG_GET_NEXT_ID: i32 = 11;
const PROG_GET_FD_BY_ID: i32 = 13;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const RAW_TRACEPOINT_OPEN: i32 = 17;
const LINK_CREATE: i32 = 28;
const ENABLE_STATS: i32 = 32;

const PERF_IOC_ENABLE: libc::c_ulong = 0x2400;
const PERF_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;

/// Where an empty program goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    RawTracepoint(&'static CStr),
    Kprobe(&'static CStr),
    TcIngress,
    TcEgress,
}

/// What a program has done since statistics are kept.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub id: u32,
    pub name: String,
    pub runs: u64,
    pub ns: u64,
}

/// `union bpf_attr`: its first bytes, as 32-bit words where fields are so.
#[repr(C, align(8))]
struct Attr([u32; 32]);

impl Attr {
    fn new(words: &[u32]) -> Self {
        let mut attr = Self([0; 32]);
        for (place, word) in attr.0.iter_mut().zip(words) {
            *place = *word;
        }
        attr
    }

    /// Puts an address at a word.
    fn with(mut self, index: usize, address: u64) -> Self {
        let halves = [address as u32, (address >> 32) as u32];
        for (place, half) in self.0.iter_mut().skip(index).zip(halves) {
            *place = half;
        }
        self
    }

    fn call(&mut self, command: i32) -> io::Result<i32> {
        // SAFETY: the kernel reads and writes within the attribute, whose size it is given; addresses in it stay valid
        // for the call, as the callers hold what they point to.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), size_of::<Self>()) };
        i32::try_from(result).ok().filter(|&result| result >= 0).ok_or_else(io::Error::last_os_error)
    }

    fn fd(&mut self, command: i32) -> io::Result<OwnedFd> {
        // SAFETY: these commands return a new descriptor that nobody else has.
        self.call(command).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// Statistics are kept while this is held; nothing is changed for good.
pub fn keep_stats() -> Result<OwnedFd> {
    // Kernels before 5.11 count programs as locked memory. Where it cannot be raised, attaching says what is missing.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    Attr::new(&[0]).fd(ENABLE_STATS).context("the kernel keeps no statistics of programs")
}

/// All programs of the machine.
pub fn programs() -> Result<Vec<Stats>> {
    let mut all = Vec::new();
    let mut id = 0;
    loop {
        let mut next = Attr::new(&[id, 0, 0]);
        match next.call(PROG_GET_NEXT_ID) {
            Ok(_) => id = next.0[1],
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(all),
            Err(error) => return Err(error).context("programs cannot be listed"),
        }
        // A program may go away between the two calls.
        if let Ok(fd) = Attr::new(&[id, 0, 0]).fd(PROG_GET_FD_BY_ID) {
            all.push(stats(&fd).context("the statistics of a program cannot be read")?);
        }
    }
}

/// Places in `struct bpf_prog_info`, in 64-bit words; the kernel fills as much as it has.
const INFO_NAME: usize = 8;
const INFO_RUN_TIME: usize = 24;
const INFO_RUN_COUNT: usize = 25;

fn stats(program: &impl AsRawFd) -> io::Result<Stats> {
    let mut info = [0_u64; 32];
    let address = info.as_mut_ptr() as u64;
    Attr::new(&[fd(program), size_of_val(&info) as u32]).with(2, address).call(OBJ_GET_INFO_BY_FD)?;
    let name: Vec<u8> = info[INFO_NAME..INFO_NAME + 2].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(Stats {
        id: (info[0] >> 32) as u32,
        name: String::from_utf8_lossy(name).into_owned(),
        runs: info[INFO_RUN_COUNT],
        ns: info[INFO_RUN_TIME],
    })
}

/// A program that does nothing, attached until it is dropped.
pub struct Empty {
    _attached: Vec<OwnedFd>,
    program: OwnedFd,
    pub hook: Hook,
}

impl Empty {
    /// Attaches to a hook; to an interface of the namespace that the thread is in.
    pub fn attach(hook: Hook, interface: &str) -> Result<Self> {
        let what = || format!("an empty program cannot be attached to {hook:?}");
        let (kind, verdict) = match hook {
            Hook::RawTracepoint(_) => (17, 0),
            Hook::Kprobe(_) => (2, 0),
            // TC_ACT_UNSPEC: the next program decides.
            Hook::TcIngress | Hook::TcEgress => (3, -1),
        };
        let program = load(kind, verdict).with_context(what)?;
        let attached = match hook {
            Hook::RawTracepoint(name) => vec![raw_tracepoint(name, &program).with_context(what)?],
            Hook::Kprobe(function) => vec![kprobe(function, &program).with_context(what)?],
            Hook::TcIngress => tc(&program, interface, 46, "ingress").with_context(what)?,
            Hook::TcEgress => tc(&program, interface, 47, "egress").with_context(what)?,
        };
        Ok(Self { _attached: attached, program, hook })
    }

    pub fn stats(&self) -> Result<Stats> {
        stats(&self.program).context("the statistics of an empty program cannot be read")
    }
}

fn fd(of: &impl AsRawFd) -> u32 {
    of.as_raw_fd().cast_unsigned()
}

/// `r0 = verdict; exit`.
fn load(kind: u32, verdict: i32) -> io::Result<OwnedFd> {
    let code: [u64; 2] = [0xb7 | (u64::from(verdict.cast_unsigned()) << 32), 0x95];
    let license = c"GPL";
    // Type, number of instructions, their address, the license's, log level, log size, log buffer, version, flags, name.
    let name = u32::from_ne_bytes(*b"empt");
    let mut attr = Attr::new(&[kind, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, name, u32::from_ne_bytes(*b"y\0\0\0")])
        .with(2, code.as_ptr() as u64)
        .with(4, license.as_ptr() as u64);
    attr.fd(PROG_LOAD)
}

fn raw_tracepoint(name: &CStr, program: &OwnedFd) -> io::Result<OwnedFd> {
    Attr::new(&[0, 0, fd(program)]).with(0, name.as_ptr() as u64).fd(RAW_TRACEPOINT_OPEN)
}

/// By TCX, else as a filter of `tc`, which goes away with its interface.
fn tc(program: &OwnedFd, interface: &str, attach_type: u32, direction: &str) -> Result<Vec<OwnedFd>> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    if let Ok(link) = Attr::new(&[fd(program), index, attach_type, 0]).fd(LINK_CREATE) {
        return Ok(vec![link]);
    }
    let path = format!("/sys/fs/bpf/snatrace-bench-{}-{direction}", std::process::id());
    let name = CString::new(path.clone())?;
    Attr::new(&[0, 0, fd(program)]).with(0, name.as_ptr() as u64).call(OBJ_PIN).context("pinning below /sys/fs/bpf")?;
    // Fails where snatrace has made it already.
    let tc = |args: &str| crate::process::output(std::process::Command::new("tc").args(args.split_whitespace()));
    let _ = tc(&format!("qdisc add dev {interface} clsact"));
    let added =
        tc(&format!("filter add dev {interface} {direction} prio 60000 protocol all bpf da object-pinned {path}"));
    fs::remove_file(&path)?;
    added.map(|_| Vec::new())
}

/// A kprobe by perf_event_open(2), whose kernel side goes away with the descriptor.
fn kprobe(function: &CStr, program: &OwnedFd) -> Result<OwnedFd> {
    let kind = fs::read_to_string("/sys/bus/event_source/devices/kprobe/type").context("this kernel has no kprobes")?;
    // `struct perf_event_attr`: type and size, then config1 (the function) in its eighth word of 64 bits.
    let mut attr = [0_u64; 16];
    attr[0] = kind.trim().parse::<u64>()? | ((size_of_val(&attr) as u64) << 32);
    attr[7] = function.as_ptr() as u64;
    // SAFETY: the attribute has the size it names, and the function's name outlives the call.
    let event = unsafe { libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), -1, 0, -1, 8) };
    let raw = RawFd::try_from(event).ok().filter(|&fd| fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: perf_event_open returned a new descriptor that nobody else has.
    let event = unsafe { OwnedFd::from_raw_fd(raw) };
    for (request, argument) in [(PERF_IOC_SET_BPF, program.as_raw_fd()), (PERF_IOC_ENABLE, 0)] {
        // SAFETY: both requests take a plain number.
        if unsafe { libc::ioctl(event.as_raw_fd(), request, argument) } < 0 {
            return Err(io::Error::last_os_error().into());
        }
    }
    Ok(event)
}
