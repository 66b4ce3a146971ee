//! The frozen globals from the running kernel's BTF: where the fields lie that the programs read.

use std::ops::Range;

use anyhow::{Context as _, bail};
use tracer_common::config::{CT_WINDOW, Globals};

use crate::btf::Btf;
use crate::symbols;

/// What the programs need to know of a kernel, and why a hook cannot run where it does not say.
#[derive(Default)]
pub struct KernelLayout {
    /// Offsets and argument counts.
    pub globals: Globals,
    /// Why the hooks that read conntrack entries cannot run.
    pub conntrack: Option<String>,
    /// Why the hooks that read sockets cannot run.
    pub sockets: Option<String>,
    /// Why the hooks that read dropped packets cannot run.
    pub drops: Option<String>,
    /// The kernel's reasons to drop a packet.
    pub drop_reasons: Vec<(u32, String)>,
}

impl KernelLayout {
    /// Reads the layout of a kernel.
    pub fn read(btf: &Btf) -> Self {
        let mut layout = Self::default();
        layout.conntrack = conntrack(btf, &mut layout.globals).err().map(|error| format!("{error:#}"));
        layout.sockets = sockets(btf, &mut layout.globals).err().map(|error| format!("{error:#}"));
        layout.drops = drops(btf, &mut layout.globals).err().map(|error| format!("{error:#}"));
        layout.drops = layout.drops.or_else(|| layout.conntrack.clone());
        layout.drop_reasons = drop_reasons(btf);
        layout
    }
}

fn conntrack(btf: &Btf, globals: &mut Globals) -> anyhow::Result<()> {
    check_tuple(btf)?;
    globals.SKB_HEAD = btf.offset("sk_buff", "head")?;
    globals.SKB_TRANSPORT_HEADER = btf.offset("sk_buff", "transport_header")?;
    globals.SKB_NFCT = btf.offset("sk_buff", "_nfct")?;
    globals.NET_INUM = btf.offset("net", "ns.inum")?;
    entry(btf, globals)
}

/// Offsets in a window of a conntrack entry.
fn entry(btf: &Btf, globals: &mut Globals) -> anyhow::Result<()> {
    const TUPLE: u32 = 40;
    const WORD: u32 = size_of::<u64>() as u32;
    let original = btf.offset("nf_conn", "tuplehash[0].tuple")?;
    let reply = btf.offset("nf_conn", "tuplehash[1].tuple")?;
    let (status, net) = (btf.offset("nf_conn", "status")?, btf.offset("nf_conn", "ct_net.net")?);
    // CONFIG_NF_CONNTRACK_ZONES is optional.
    let zone = btf.offset("nf_conn", "zone.id").ok();
    let starts = [original, reply, status, net].into_iter().chain(zone);
    let base = starts.min().unwrap_or(0) / WORD * WORD;
    let end =
        [original + TUPLE, reply + TUPLE, status + WORD, net + WORD].into_iter().chain(zone.map(|zone| zone + 2)).max();
    if end.is_none_or(|end| (end - base) as usize > CT_WINDOW) {
        bail!(
            "this kernel's struct nf_conn has its fields too far apart for snatrace: please report it with `uname -a`"
        );
    }
    globals.CT_BASE = base;
    (globals.CT_ORIGINAL, globals.CT_REPLY) = (original - base, reply - base);
    (globals.CT_STATUS, globals.CT_NET) = (status - base, net - base);
    globals.CT_ZONE = zone.map_or(u32::MAX, |zone| zone - base);
    Ok(())
}

/// `tracer-ebpf` reads a tuple in one piece, so its layout has to be the one it knows; it has never changed.
fn check_tuple(btf: &Btf) -> anyhow::Result<()> {
    const KNOWN: [(&str, u32); 7] = [
        ("src.u3", 0),
        ("src.u.all", 16),
        ("src.l3num", 18),
        ("dst.u3", 20),
        ("dst.u.all", 36),
        ("dst.protonum", 38),
        ("dst.dir", 39),
    ];
    for (field, known) in KNOWN {
        let found = btf.offset("nf_conntrack_tuple", field)?;
        if found != known {
            bail!("this kernel's nf_conntrack_tuple has {field} at {found} instead of {known}");
        }
    }
    Ok(())
}

fn sockets(btf: &Btf, globals: &mut Globals) -> anyhow::Result<()> {
    globals.SKB_TCP_SEQ = btf.offset("sk_buff", "cb")? + btf.offset("tcp_skb_cb", "seq")?;
    globals.SK_NET = btf.offset("sock", "__sk_common.skc_net.net")?;
    globals.SK_FAMILY = btf.offset("sock", "__sk_common.skc_family")?;
    globals.SK_STATE = btf.offset("sock", "__sk_common.skc_state")?;
    globals.SK_DADDR = btf.offset("sock", "__sk_common.skc_daddr")?;
    globals.SK_RCV_SADDR = btf.offset("sock", "__sk_common.skc_rcv_saddr")?;
    globals.SK_V6_DADDR = btf.offset("sock", "__sk_common.skc_v6_daddr")?;
    globals.SK_V6_RCV_SADDR = btf.offset("sock", "__sk_common.skc_v6_rcv_saddr")?;
    globals.SK_DPORT = btf.offset("sock", "__sk_common.skc_dport")?;
    globals.SK_SPORT = btf.offset("inet_sock", "inet_sport")?;
    globals.SK_ERR = btf.offset("sock", "sk_err")?;
    inode(btf, globals).unwrap_or_else(|_| globals.SK_SOCKET = u32::MAX);
    globals.TP_SND_UNA = btf.offset("tcp_sock", "snd_una")?;
    globals.TP_TOTAL_RETRANS = btf.offset("tcp_sock", "total_retrans")?;
    globals.NET_INUM = btf.offset("net", "ns.inum")?;
    globals.RETRANSMIT_HAS_ERR = u32::from(btf.tracepoint_args("tcp_retransmit_skb") >= Some(3));
    Ok(())
}

/// Where a socket's inode is; without it only processes stay unknown.
fn inode(btf: &Btf, globals: &mut Globals) -> anyhow::Result<()> {
    globals.SK_SOCKET = btf.offset("sock", "sk_socket")?;
    globals.SOCKET_FILE = btf.offset("socket", "file")?;
    globals.FILE_INODE = btf.offset("file", "f_inode")?;
    globals.INODE_NUMBER = btf.offset("inode", "i_ino")?;
    Ok(())
}

fn drops(btf: &Btf, globals: &mut Globals) -> anyhow::Result<()> {
    globals.SKB_NETWORK_HEADER = btf.offset("sk_buff", "network_header")?;
    globals.SKB_IIF = btf.offset("sk_buff", "skb_iif")?;
    globals.SKB_SK = btf.offset("sk_buff", "sk")?;
    globals.SKB_LEN = btf.offset("sk_buff", "len")?;
    globals.SK_NET = btf.offset("sock", "__sk_common.skc_net.net")?;
    globals.SKB_DEV = btf.offset("sk_buff", "dev")?;
    globals.DEV_IFINDEX = btf.offset("net_device", "ifindex")?;
    globals.DEV_NET = btf.offset("net_device", "nd_net.net")?;
    globals.DEV_RX_HANDLER = btf.offset("net_device", "rx_handler").unwrap_or(u32::MAX);
    // The bit field itself has no offset in bytes. On big-endian machines its bits lie at the other end.
    let pkt_type = btf.offset("sk_buff", "__pkt_type_offset").ok().filter(|_| cfg!(target_endian = "little"));
    globals.SKB_PKT_TYPE = pkt_type.unwrap_or(u32::MAX);
    let args = btf.tracepoint_args("kfree_skb").context("this kernel's BTF does not have the tracepoint kfree_skb")?;
    globals.DROP_HAS_REASON = u32::from(args >= 3);
    let reasons = btf.enumerators("skb_drop_reason");
    let reason = |of: &str| reasons.iter().find(|(_, name)| *name == of).map(|(value, _)| *value);
    globals.DROP_CONSUMED = reason("SKB_CONSUMED").unwrap_or(u32::MAX);
    globals.DROP_UNSPECIFIED = reason("SKB_DROP_REASON_NOT_SPECIFIED").unwrap_or(0);
    // gcc may split kfree_skb; the tracepoint then names kfree_skb itself as the place where the packet was freed.
    const SPLIT: [&str; 2] = ["kfree_skb.part.0", "kfree_skb_reason.part.0"];
    let has_caller = symbols::present(&SPLIT).is_ok_and(|found| found.is_empty());
    if has_caller {
        places_of_drops(globals);
    }
    Ok(())
}

/// Where functions lie that free packets.
fn places_of_drops(globals: &mut Globals) {
    let [hook, ipv4, ipv6] = symbols::ranges_of(["nf_hook_slow", "tcp_v4_rcv", "tcp_v6_rcv"]);
    let Some(hook) = hook else { return };
    globals.KERNEL_HIGH = (hook.start >> 32) as u32;
    let is_near = |place: &Range<u64>| (place.start >> 32) as u32 == globals.KERNEL_HIGH;
    let low_and_len = |place: Range<u64>| (place.start as u32, (place.end - place.start) as u32);
    let [ipv4, ipv6] = [ipv4, ipv6].map(|place| place.filter(is_near).map_or((0, 0), low_and_len));
    (globals.HOOK_SLOW_LOW, globals.HOOK_SLOW_LEN) = low_and_len(hook);
    (globals.TCP_V4_RCV_LOW, globals.TCP_V4_RCV_LEN) = ipv4;
    (globals.TCP_V6_RCV_LOW, globals.TCP_V6_RCV_LEN) = ipv6;
}

/// The names of `enum skb_drop_reason` and of the enums of subsystems, as this kernel numbers them.
fn drop_reasons(btf: &Btf) -> Vec<(u32, String)> {
    let mut reasons: Vec<_> = Vec::new();
    for (value, name) in btf.enumerators("drop_reason") {
        let name = name.strip_prefix("SKB_DROP_REASON_").or_else(|| name.strip_prefix("SKB_")).unwrap_or(name);
        if !name.starts_with("__") && !matches!(name, "MAX" | "SUBSYS_MASK" | "NOT_DROPPED_YET" | "CONSUMED") {
            reasons.push((value, name.to_owned()));
        }
    }
    reasons.sort();
    reasons.dedup_by_key(|(value, _)| *value);
    reasons
}
