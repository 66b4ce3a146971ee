//! The kprobes and tracepoints: whether each can run here, and if so, attaches it.
//!
//! To add one: a line in `HOOKS`.

use std::io::ErrorKind;
use std::path::Path;

use aya::programs::{BtfTracePoint, KProbe, RawTracePoint};
use aya::{Btf, Ebpf};

use super::layout::KernelLayout;
use super::object::program;
use super::privileges;
use super::refusal;
use crate::model::HookState;
use crate::symbols;

/// How a hook is attached, and what it needs.
enum AttachPoint {
    /// Entry of a function, which may be in a module that is loaded later.
    Kprobe { function: &'static str, module: &'static str },
    /// A BTF-enabled tracepoint on sockets: nearly every connection passes it several times, and typed loads are cheap.
    BtfTracepoint(&'static str),
    /// A raw tracepoint on dropped packets.
    DropTracepoint(&'static str),
}

struct Hook {
    stem: &'static str,
    place: AttachPoint,
    /// What is lost without it.
    without: &'static str,
}

const HOOKS: &[Hook] = &[
    Hook {
        stem: "nat_select",
        place: AttachPoint::Kprobe { function: "nf_nat_setup_info", module: "nf_nat" },
        without: "the mode of the NAT rule is unknown",
    },
    Hook {
        stem: "nat_bind",
        place: AttachPoint::Kprobe { function: "__nf_conntrack_confirm", module: "nf_conntrack" },
        without: "bindings are read from the conntrack entries of SYNs that leave through a watched interface",
    },
    Hook {
        stem: "syn_retransmit",
        place: AttachPoint::BtfTracepoint("tcp_retransmit_skb"),
        without: "retransmits are taken from the wire",
    },
    Hook {
        stem: "sock_state",
        place: AttachPoint::BtfTracepoint("inet_sock_set_state"),
        without: "outcomes are taken from the wire",
    },
    Hook {
        stem: "ct_drop",
        place: AttachPoint::DropTracepoint("kfree_skb"),
        without: "local drops cannot be distinguished from loss on the path",
    },
];

/// The kernel's source of kprobes for perf events.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe/type";
/// Above 2, kernels with a patch of Debian and Ubuntu leave perf_event_open(2), which makes kprobes, to CAP_SYS_ADMIN.
const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";
/// Has a directory for each module that is loaded.
const MODULES: &str = "/sys/module";

/// Whether this kernel has kprobes at all.
pub(super) fn has_kprobes() -> bool {
    Path::new(KPROBE_PMU).exists()
}

/// What became of the hooks.
pub(super) struct Hooks {
    pub(super) states: Vec<HookState>,
    waiting: Vec<&'static Hook>,
}

impl Hooks {
    /// Attaches what can be attached; `wire` has been already.
    pub(super) fn attach(ebpf: &mut Ebpf, btf: &Btf, layout: &KernelLayout, wire: HookState) -> anyhow::Result<Self> {
        let mut hooks = Self { states: Vec::new(), waiting: Vec::new() };
        for hook in HOOKS {
            let off = match hook.can_run(layout) {
                Ok(()) => hooks.try_attach(ebpf, btf, hook)?,
                Err(why) => Some(why),
            };
            let off = off.map(|why| format!("{why}: {}", hook.without));
            hooks.states.push(HookState { stem: hook.stem.to_owned(), off });
        }
        hooks.states.push(wire);
        hooks.check()?;
        Ok(hooks)
    }

    /// Whether a hook is on or will be.
    pub(super) fn may_run(&self, stem: &str) -> bool {
        let is_on = |state: &HookState| state.stem == stem && state.off.is_none();
        self.states.iter().any(is_on) || self.waiting.iter().any(|hook| hook.stem == stem)
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Attaches what waits for a module that is loaded now.
    pub(super) fn retry(&mut self, ebpf: &mut Ebpf) -> Vec<&'static str> {
        let is_loaded = |hook: &Hook| hook.kprobe().is_some_and(|(_, module)| Path::new(MODULES).join(module).exists());
        let on: Vec<_> = self.waiting.extract_if(.., |hook| is_loaded(hook) && hook.attach_late(ebpf)).collect();
        let on: Vec<_> = on.into_iter().map(|hook| hook.stem).collect();
        for state in self.states.iter_mut().filter(|state| on.contains(&state.stem.as_str())) {
            state.off = None;
        }
        on
    }

    /// The reason why the hook is off; it may be on later.
    fn try_attach(&mut self, ebpf: &mut Ebpf, btf: &Btf, hook: &'static Hook) -> anyhow::Result<Option<String>> {
        match hook.load(ebpf, btf).and_then(|()| hook.attach(ebpf)) {
            Ok(()) => Ok(None),
            Err(error) if refusal::has_kind(error.as_ref(), ErrorKind::NotFound) && hook.kprobe().is_some() => {
                self.waiting.push(hook);
                Ok(hook.waits_for())
            }
            Err(error) if refusal::is_forbidden(error.as_ref()) => {
                Ok(Some(format!("the kernel forbids it ({}): {}", hook.why_forbidden(), refusal::of_program(&error))))
            }
            Err(error) => Ok(Some(refusal::of_program(&error))),
        }
    }

    /// Without a source of translated ports there is nothing to find.
    fn check(&self) -> anyhow::Result<()> {
        let is_off =
            |stem: &str| self.states.iter().find(|state| state.stem == stem).and_then(|state| state.off.as_ref());
        if let (Some(bind), Some(wire), true) = (is_off("nat_bind"), is_off("wire"), self.waiting.is_empty()) {
            anyhow::bail!(
                "no active hook can observe translated ports: nat_bind is off ({bind}), and wire is off ({wire}): name the \
                 interface that connections leave through with --iface"
            );
        }
        Ok(())
    }
}

/// What would become of the hooks if they were attached now.
pub(super) fn survey(ebpf: &mut anyhow::Result<Ebpf>, btf: &Btf, layout: &KernelLayout) -> Vec<HookState> {
    let functions: Vec<_> = HOOKS.iter().filter_map(Hook::kprobe).map(|(function, _)| function).collect();
    // Where the kernel does not list its functions, only attaching shows whether the function is there.
    let present = symbols::present(&functions).ok();
    let is_absent = |name| present.as_ref().is_some_and(|present| !present.contains(name));
    let state = |hook: &Hook| {
        let off = match hook.can_run(layout) {
            Err(why) => Some(why),
            Ok(()) if hook.kprobe().is_some_and(|(function, _)| is_absent(function)) => hook.waits_for(),
            Ok(()) => refusal::of_loading(ebpf, |ebpf| hook.load(ebpf, btf)),
        };
        HookState { stem: hook.stem.to_owned(), off: off.map(|why| format!("{why}: {}", hook.without)) }
    };
    HOOKS.iter().map(state).collect()
}

impl Hook {
    /// The function that has to be there, and its module.
    fn kprobe(&self) -> Option<(&'static str, &'static str)> {
        if let AttachPoint::Kprobe { function, module } = self.place { Some((function, module)) } else { None }
    }

    /// What it waits for, in words.
    fn waits_for(&self) -> Option<String> {
        let (_, module) = self.kprobe()?;
        Some(format!("the kernel module {module} is not loaded yet, will attach when it is"))
    }

    /// Loads without attaching.
    fn load(&self, ebpf: &mut Ebpf, btf: &Btf) -> anyhow::Result<()> {
        match self.place {
            AttachPoint::Kprobe { .. } => program::<KProbe>(ebpf, self.stem)?.load()?,
            AttachPoint::BtfTracepoint(name) => program::<BtfTracePoint>(ebpf, self.stem)?.load(name, btf)?,
            AttachPoint::DropTracepoint(_) => program::<RawTracePoint>(ebpf, self.stem)?.load()?,
        }
        Ok(())
    }

    /// Why it cannot run on this kernel.
    fn can_run(&self, layout: &KernelLayout) -> Result<(), String> {
        let unknown = match self.place {
            AttachPoint::Kprobe { .. } if !has_kprobes() => {
                return Err("this kernel has no kprobes (CONFIG_KPROBES)".to_owned());
            }
            AttachPoint::Kprobe { .. } => &layout.conntrack,
            AttachPoint::BtfTracepoint(_) => &layout.sockets,
            AttachPoint::DropTracepoint(_) => &layout.drops,
        };
        unknown.as_ref().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// What most likely makes the kernel refuse it to who has the capabilities.
    fn why_forbidden(&self) -> String {
        let paranoid = || std::fs::read_to_string(PARANOID).ok()?.trim().parse::<i32>().ok();
        match paranoid() {
            Some(level) if level > 2 && self.kprobe().is_some() && !privileges::is_admin() => {
                format!("kernel.perf_event_paranoid is {level}, which requires CAP_SYS_ADMIN: run as root")
            }
            Some(_) | None => "lockdown? /sys/kernel/security/lockdown shows the mode".to_owned(),
        }
    }

    /// Attaches what was loaded.
    fn attach(&self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        match self.place {
            // The bare name: `nf_nat:nf_nat_setup_info` is ENOENT on 5.15 and 6.1.
            AttachPoint::Kprobe { function, .. } => {
                program::<KProbe>(ebpf, self.stem)?.attach(function, 0)?;
            }
            AttachPoint::BtfTracepoint(_) => program::<BtfTracePoint>(ebpf, self.stem)?.attach().map(drop)?,
            AttachPoint::DropTracepoint(name) => program::<RawTracePoint>(ebpf, self.stem)?.attach(name).map(drop)?,
        }
        Ok(())
    }

    /// Whether it could be attached now that its module is there.
    fn attach_late(&self, ebpf: &mut Ebpf) -> bool {
        self.attach(ebpf).inspect_err(|error| log::debug!("{} still waits: {error:#}", self.stem)).is_ok()
    }
}
