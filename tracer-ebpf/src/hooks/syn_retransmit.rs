//! BTF-enabled tracepoint `tcp_retransmit_skb(const struct sock *sk, const struct sk_buff *skb [, int err from 6.17])`:
//! a socket in `SYN_SENT` sent its SYN again.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::debug;
use tracer_common::events::{COMMAND_BYTES, Process, SynRetransmit, TCP_SYN_SENT};

use crate::address::is_loopback;
use crate::kernel::globals::RETRANSMIT_HAS_ERR;
use crate::kernel::skb::Skb;
use crate::kernel::sock::Sock;
use crate::{emit, filter};

#[btf_tracepoint(function = "tcp_retransmit_skb")]
pub fn syn_retransmit(ctx: BtfTracePointContext) -> i32 {
    let _ = observe(&ctx);
    0
}

#[inline(always)]
fn observe(ctx: &BtfTracePointContext) -> Option<()> {
    let sock = Sock::new(ctx.arg::<*const u8>(0))?;
    if sock.state() != TCP_SYN_SENT {
        return None;
    }
    let flow = sock.flow()?;
    if is_loopback(flow.dst) || !filter::wants(&flow) {
        return None;
    }
    // Reading a third argument that the tracepoint does not have is refused by the verifier, so the branch must be dead.
    let err = if RETRANSMIT_HAS_ERR.load() == 1 { ctx.arg::<u32>(2) as i32 } else { 0 };
    let (netns, ordinal) = (sock.netns(), sock.total_retrans());
    let isn = Skb::new(ctx.arg::<*const u8>(1)).queued_seq()?;
    emit::emit(|event: &mut SynRetransmit| {
        event.stamp = emit::stamp(SynRetransmit::KIND, netns);
        event.flow = flow;
        event.isn = isn;
        event.ordinal = ordinal;
        event.err = err;
        Some(())
    });
    if let Some(socket) = sock.inode() {
        emit::emit(|event: &mut Process| {
            event.stamp = emit::stamp(Process::KIND, netns);
            event.flow = flow;
            event.isn = isn;
            event.socket = socket;
            event.pid = 0;
            event.command = [0; COMMAND_BYTES];
            Some(())
        });
    }
    debug!(ctx, "syn_retransmit: source port {}, {} times, error {}", flow.src_port, ordinal, err);
    Some(())
}
