//! BTF-enabled tracepoint `net_dev_queue(struct sk_buff *skb)`: a SYN left TC on an uplink where another program is attached too.
//!
//! Such a program may translate the packet (eBPF masquerade) and end the chain, so that no program after it runs in TC. This
//! tracepoint comes after all of them. It is attached only while there is such a program: every packet of the node passes it.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use tracer_common::Flow;
use tracer_common::config::UPLINK_BY_QUEUE;
use tracer_common::events::{WIRE_EGRESS, WIRE_RST, WIRE_SYN, WIRE_SYN_ACK};

use crate::kernel::Typed;
use crate::kernel::globals::{DEV_IFINDEX, DEV_NET, NET_INUM, SKB_DEV, SKB_LEN};
use crate::kernel::skb::{Header, Skb};
use crate::packet::{TCP_ACK, TCP_RST, TCP_SYN, Tcp};
use crate::{filter, observation, options};

const TCP_SYN_ACK: u8 = TCP_SYN | TCP_ACK;
/// A SYN is not longer, even one that carries data (RFC 7413): neither is it part of a bulk transfer.
const LONGEST: u32 = 1600;

#[btf_tracepoint(function = "net_dev_queue")]
pub fn wire_sent(ctx: BtfTracePointContext) -> i32 {
    let _ = observe(&ctx);
    0
}

#[inline(always)]
fn observe(ctx: &BtfTracePointContext) -> Option<()> {
    let packet = Typed::new(ctx.arg::<*const u8>(0));
    if packet.load::<u32>(SKB_LEN.load()) > LONGEST {
        return None;
    }
    let device = packet.follow(SKB_DEV.load());
    let ifindex: u32 = device.load(DEV_IFINDEX.load());
    let netns: u32 = device.follow(DEV_NET.load()).load(NET_INUM.load());
    if filter::uplink(netns, ifindex) & UPLINK_BY_QUEUE == 0 {
        return None;
    }
    let skb = Skb::new(ctx.arg::<*const u8>(0));
    let header = skb.tcp(TCP_SYN | TCP_RST)?;
    match header.flags & (TCP_SYN | TCP_ACK | TCP_RST) {
        TCP_SYN => syn(skb, &header, ifindex),
        TCP_RST => {
            let tcp = tcp(&header)?;
            if !filter::wants_wire(&tcp.flow) {
                return None;
            }
            observation::send(skb, &tcp, WIRE_RST, WIRE_EGRESS, tcp.seq.wrapping_sub(1), ifindex, 0)
        }
        TCP_SYN_ACK => {
            let tcp = tcp(&header)?;
            if !observation::leaves_again(skb, skb.received_by()?, ifindex) || !filter::wants_wire(&tcp.flow.reversed())
            {
                return None;
            }
            observation::send(skb, &tcp, WIRE_SYN_ACK, WIRE_EGRESS, tcp.ack.wrapping_sub(1), ifindex, 0)
        }
        _ => None,
    }
}

#[inline(always)]
fn syn(skb: Skb, header: &Header, ifindex: u32) -> Option<()> {
    let tcp = tcp(header)?;
    observation::leaving(skb, &tcp, ifindex);
    if !filter::wants_wire(&tcp.flow) {
        return None;
    }
    let options = options::bits(tcp.header_len, |at| header.option_word(at));
    let bits = tcp.syn_bits(header.has_data(), options) | header.class();
    observation::send(skb, &tcp, WIRE_SYN, WIRE_EGRESS, tcp.seq, ifindex, bits)
}

#[inline(always)]
fn tcp(header: &Header) -> Option<Tcp> {
    let mut flow = Flow { src: [0; 16], dst: [0; 16], src_port: 0, dst_port: 0 };
    header.flow(&mut flow)?;
    let (seq, ack) = (header.seq()?, header.ack()?);
    Some(Tcp { flow, seq, ack, flags: header.flags, icmp: 0, at: 0, header_len: header.tcp_len()? })
}
