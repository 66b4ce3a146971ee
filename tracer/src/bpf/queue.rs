//! `wire_sent`: looks at what leaves after all programs of TC, where others are attached there too.

use aya::programs::BtfTracePoint;
use aya::programs::tp_btf::BtfTracePointLinkId;
use aya::{Btf, Ebpf};

use super::object::program;
use super::refusal;

const PROGRAM: &str = "wire_sent";
const TRACEPOINT: &str = "net_dev_queue";

/// The tracepoint, attached or not.
pub(super) struct Queue {
    is_loaded: bool,
    link: Option<BtfTracePointLinkId>,
}

impl Queue {
    /// Loads the program; where the kernel forbids that, what leaves is seen by TC only.
    pub(super) fn load(ebpf: &mut Ebpf, btf: &Btf) -> Self {
        let loaded = program::<BtfTracePoint>(ebpf, PROGRAM).and_then(|program| Ok(program.load(TRACEPOINT, btf)?));
        if let Err(error) = &loaded {
            log::info!("{PROGRAM} cannot be loaded: {}", refusal::of_program(error));
        }
        Self { is_loaded: loaded.is_ok(), link: None }
    }

    /// Attaches it, unless it is; whether it is now.
    pub(super) fn attach(&mut self, ebpf: &mut Ebpf) -> bool {
        if self.is_loaded && self.link.is_none() {
            match program::<BtfTracePoint>(ebpf, PROGRAM).and_then(|program| Ok(program.attach()?)) {
                Ok(link) => self.link = Some(link),
                Err(error) => log::warn!("{PROGRAM} cannot be attached: {error:#}"),
            }
        }
        self.link.is_some()
    }

    /// Detaches it, if it is attached.
    pub(super) fn detach(&mut self, ebpf: &mut Ebpf) {
        let Some(link) = self.link.take() else { return };
        if let Err(error) = program::<BtfTracePoint>(ebpf, PROGRAM).and_then(|program| Ok(program.detach(link)?)) {
            log::warn!("{PROGRAM} cannot be detached: {error:#}");
        }
    }
}
