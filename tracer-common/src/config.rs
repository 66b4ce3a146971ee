//! What user space sets before the programs are loaded: frozen globals, map names and sizes.
//!
//! The globals are constants to the verifier, so a branch they switch off is not even loaded.

/// Calls `$with!` with every frozen global: documentation, name, in the order of declaration. All are `u32`.
///
/// Offsets are bytes from the start of the struct named first; user space takes them from the running kernel's BTF.
#[macro_export]
macro_rules! for_each_global {
    ($with:ident) => {
        $with! {
            /// `sk_buff.head`
            SKB_HEAD,
            /// `sk_buff.transport_header`
            SKB_TRANSPORT_HEADER,
            /// `sk_buff.network_header`
            SKB_NETWORK_HEADER,
            /// `sk_buff.__pkt_type_offset`, the byte whose lowest three bits are `pkt_type`; `u32::MAX` where not known
            SKB_PKT_TYPE,
            /// `sk_buff.dev`
            SKB_DEV,
            /// `sk_buff.skb_iif`
            SKB_IIF,
            /// `sk_buff.sk`
            SKB_SK,
            /// `sk_buff.len`
            SKB_LEN,
            /// `net_device.ifindex`
            DEV_IFINDEX,
            /// `net_device.nd_net`
            DEV_NET,
            /// `net_device.rx_handler`; `u32::MAX` where not known
            DEV_RX_HANDLER,
            /// `sk_buff._nfct`
            SKB_NFCT,
            /// `sk_buff.cb` + `tcp_skb_cb.seq`
            SKB_TCP_SEQ,
            /// Where in `nf_conn` the window of [`CT_WINDOW`] bytes begins that the next five lie in
            CT_BASE,
            /// `nf_conn.tuplehash[IP_CT_DIR_ORIGINAL].tuple`, from there, as all of them
            CT_ORIGINAL,
            /// `nf_conn.tuplehash[IP_CT_DIR_REPLY].tuple`
            CT_REPLY,
            /// `nf_conn.status`
            CT_STATUS,
            /// `nf_conn.zone.id`; `u32::MAX` where the kernel has no conntrack zones
            CT_ZONE,
            /// `nf_conn.ct_net`
            CT_NET,
            /// `net.ns.inum`
            NET_INUM,
            /// `sock.__sk_common.skc_net`
            SK_NET,
            /// `sock.__sk_common.skc_family`
            SK_FAMILY,
            /// `sock.__sk_common.skc_state`
            SK_STATE,
            /// `sock.__sk_common.skc_daddr`
            SK_DADDR,
            /// `sock.__sk_common.skc_rcv_saddr`
            SK_RCV_SADDR,
            /// `sock.__sk_common.skc_v6_daddr`
            SK_V6_DADDR,
            /// `sock.__sk_common.skc_v6_rcv_saddr`
            SK_V6_RCV_SADDR,
            /// `sock.__sk_common.skc_dport`
            SK_DPORT,
            /// `inet_sock.inet_sport`; `skc_num` is already 0 when a socket closes
            SK_SPORT,
            /// `sock.sk_err`
            SK_ERR,
            /// `sock.sk_socket`; `u32::MAX` where the three that lead to the inode are not known
            SK_SOCKET,
            /// `socket.file`
            SOCKET_FILE,
            /// `file.f_inode`
            FILE_INODE,
            /// `inode.i_ino`
            INODE_NUMBER,
            /// `tcp_sock.snd_una`
            TP_SND_UNA,
            /// `tcp_sock.total_retrans`
            TP_TOTAL_RETRANS,
            /// 1 where the tracepoint `tcp_retransmit_skb` has its third argument `err` (from 6.17)
            RETRANSMIT_HAS_ERR,
            /// 1 where the tracepoint `kfree_skb` has its third argument `reason` (from 5.17)
            DROP_HAS_REASON,
            /// The value of `SKB_CONSUMED`, which is no drop; `u32::MAX` where the kernel has none
            DROP_CONSUMED,
            /// The value of `SKB_DROP_REASON_NOT_SPECIFIED`; 0 where the kernel gives no reasons
            DROP_UNSPECIFIED,
            /// The upper half of the addresses below; 0 where they are not known
            KERNEL_HIGH,
            /// Address of `nf_hook_slow`, lower half
            HOOK_SLOW_LOW,
            /// Bytes from there to the next symbol
            HOOK_SLOW_LEN,
            /// Address of `tcp_v4_rcv`, lower half
            TCP_V4_RCV_LOW,
            /// Bytes from there to the next symbol; 0 where it is not known
            TCP_V4_RCV_LEN,
            /// As `TCP_V4_RCV_LOW`, of `tcp_v6_rcv`
            TCP_V6_RCV_LOW,
            /// As `TCP_V4_RCV_LEN`
            TCP_V6_RCV_LEN,
            /// 1 where `FILTER_SRC` restricts the original source address
            FILTER_BY_SRC,
            /// 1 where `FILTER_DST` restricts the destination address
            FILTER_BY_DST,
            /// 1 where `FILTER_DPORT` restricts the destination port
            FILTER_BY_DPORT,
            /// 1 where `FILTER_NETNS` restricts the namespace of the NAT
            FILTER_BY_NETNS,
            /// 1 where `wire` applies the destination filters too; off when the binding comes from the wire, where DNAT may have changed it
            FILTER_WIRE,
            /// 1 where `wire` can read conntrack entries: those of SYNs that are retransmitted without a translated source
            WIRE_READS,
            /// 1 where `wire` and `ct_drop` read bindings from conntrack entries too, because the kprobe `nat_bind` is off
            WIRE_BINDS,
            /// 1 where `wire` reads the namespace of the interface: several are watched, in which an index may name different interfaces
            WIRE_NETNS,
            /// 1 where interfaces that are no uplinks may be watched: a SYN that arrives there is reported
            WATCHES_INNER,
            /// bytes waiting in the ring buffer at which the consumer is woken early
            WAKE_AT_BYTES,
        }
    };
}

macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Values of all frozen globals, by name.
        #[derive(Clone, Copy, Debug, Default)]
        #[allow(non_snake_case, reason = "the fields are the names of the statics in the eBPF object")]
        pub struct Globals {
            $($(#[$doc])* pub $name: u32,)*
        }

        impl Globals {
            /// Every global with its value, to be written into the eBPF object before loading.
            #[must_use]
            pub fn pairs(&self) -> [(&'static str, u32); [$(stringify!($name)),*].len()] {
                [$((stringify!($name), self.$name)),*]
            }
        }
    };
}
for_each_global!(globals);

/// Events lost in the kernel, counted per CPU in the map `LOST`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loss {
    /// The ring buffer had no room for an event.
    RingFull = 0,
    /// Kernel memory could not be read, so an event was not made.
    Unreadable = 1,
    /// Reserved: no program counts this; its place in the trace and its name in JSON stay.
    TableFull = 2,
    /// An event may be missing: the kernel's `recursion_misses` (from 5.12; of kprobes from 6.7), or more dropped SYNs from outside than
    /// [`OUTSIDE_DROPS_PER_SECOND`].
    Skipped = 3,
}

impl Loss {
    /// All kinds, in the order of their index in the map.
    pub const ALL: [Self; 4] = [Self::RingFull, Self::Unreadable, Self::TableFull, Self::Skipped];

    /// Whether something is known to be lost.
    #[must_use]
    pub const fn is_certain(self) -> bool {
        match self {
            Self::RingFull | Self::Unreadable | Self::TableFull => true,
            Self::Skipped => false,
        }
    }

    /// The name in JSON and text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::Unreadable => "unreadable",
            Self::TableFull => "table_full",
            Self::Skipped => "skipped",
        }
    }
}

/// Bytes of a conntrack entry that are read at once.
pub const CT_WINDOW: usize = 144;
/// Most interfaces that are watched at once.
pub const UPLINKS: u32 = 1024;
/// Bit in the map of watched interfaces: it leads to the outside, so SYNs that come in there are of strangers.
pub const UPLINK_OUTSIDE: u8 = 1;
/// Bit in the map of watched interfaces: `wire_sent` sees what leaves, after the programs of others in TC.
pub const UPLINK_BY_QUEUE: u8 = 2;
/// Bit in the map of watched interfaces, of interface 0: this namespace is watched.
pub const NETNS_WATCHED: u8 = 4;
/// Most addresses of the node that `ct_drop` knows.
pub const OWN_ADDRESSES: u32 = 16_384;
/// Slots of the SYNs seen last, a power of two: 3 s of 20,000 connections a second.
pub const SEEN_SYNS: u32 = 65_536;
/// Most retransmitted SYNs whose stray answers are looked for.
pub const WAITING_SYNS: u32 = 8192;
/// Words of the set of ports with a waiting SYN; the one after them is not 0 where the set is not empty.
pub const WAITING_WORDS: usize = 1024;
/// Drops of forwarded SYNs that came in on an uplink: so many a second and CPU, and so many at once.
pub const OUTSIDE_DROPS_PER_SECOND: u64 = 100;
/// See [`OUTSIDE_DROPS_PER_SECOND`].
pub const OUTSIDE_DROPS_BURST: u64 = 200;
/// Most prefixes that one address filter holds.
pub const FILTER_PREFIXES: u32 = 256;
/// Most namespaces that the namespace filter holds.
pub const FILTER_NAMESPACES: u32 = 256;
