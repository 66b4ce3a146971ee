//! raw tracepoint `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`:
//! a connecting socket became established, or failed.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use tracer_common::events::{SockState, TCP_SYN_SENT};

use crate::kernel::sock::Sock;
use crate::{emit, filter};

#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn sock_state(ctx: RawTracePointContext) -> i32 {
    if ctx.arg::<u32>(1) == u32::from(TCP_SYN_SENT) {
        let _ = observe(&ctx);
    }
    0
}

#[inline(always)]
fn observe(ctx: &RawTracePointContext) -> Option<()> {
    let sock = Sock::new(ctx.arg::<*const u8>(0));
    if !sock.is_tcp()? {
        return None;
    }
    let flow = sock.flow()?;
    if flow.dst_addr().is_loopback() || !filter::wants(&flow) {
        return None;
    }
    let new_state = ctx.arg::<u32>(2) as u8;
    let netns = sock.netns()?;
    emit::emit(|event: &mut SockState| {
        event.stamp = emit::stamp(SockState::KIND, netns);
        event.flow = flow;
        event.isn = sock.snd_una()?;
        event.err = sock.err()?;
        event.new_state = new_state;
        event.unused = [0; 3];
        Some(())
    });
    debug!(ctx, "sock_state: source port {} is in state {}", flow.src_port, new_state);
    Some(())
}
