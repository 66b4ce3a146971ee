//! BTF-enabled tracepoint `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`:
//! a connecting socket became established, or failed.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::debug;
use tracer_common::events::{SockState, TCP_SYN_SENT};

use crate::address::is_loopback;
use crate::kernel::sock::Sock;
use crate::{emit, filter};

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn sock_state(ctx: BtfTracePointContext) -> i32 {
    if ctx.arg::<u32>(1) == u32::from(TCP_SYN_SENT) {
        let _ = observe(&ctx);
    }
    0
}

#[inline(always)]
fn observe(ctx: &BtfTracePointContext) -> Option<()> {
    let sock = Sock::new(ctx.arg::<*const u8>(0))?;
    let flow = sock.flow()?;
    if is_loopback(flow.dst) || !filter::wants(&flow) {
        return None;
    }
    let new_state = ctx.arg::<u32>(2) as u8;
    emit::emit(|event: &mut SockState| {
        event.stamp = emit::stamp(SockState::KIND, sock.netns());
        event.flow = flow;
        event.isn = sock.snd_una();
        event.err = sock.err();
        event.new_state = new_state;
        event.retransmits = sock.total_retrans().min(255) as u8;
        event.unused = [0; 2];
        Some(())
    });
    debug!(ctx, "sock_state: source port {} is in state {}", flow.src_port, new_state);
    Some(())
}
