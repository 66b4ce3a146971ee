//! The maps: what the programs share with user space. Sizes of the large ones are set by user space before loading.

use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::LpmTrie;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use tracer_common::Flow;
use tracer_common::config::{
    CT_WINDOW, FILTER_NAMESPACES, FILTER_PREFIXES, Loss, OWN_ADDRESSES as MAX_OWN_ADDRESSES, SEEN_SYNS,
    UPLINKS as MAX_UPLINKS, WAITING_SYNS, WAITING_WORDS,
};
use tracer_common::events::Selected;

/// Every event on its way to user space.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// How many events were lost, by [`Loss`]: one entry, so that one system call reads them all.
#[map]
pub static LOST: PerCpuArray<[u64; Loss::ALL.len()]> = PerCpuArray::with_max_entries(1, 0);

/// The selection that waits for its binding.
#[map]
pub static SELECTED: PerCpuArray<Selected> = PerCpuArray::with_max_entries(1, 0);

/// Original source addresses that are wanted; IPv4 as IPv4-mapped.
#[map]
pub static FILTER_SRC: LpmTrie<[u8; 16], u8> = LpmTrie::with_max_entries(FILTER_PREFIXES, 0);

/// Destination addresses that are wanted.
#[map]
pub static FILTER_DST: LpmTrie<[u8; 16], u8> = LpmTrie::with_max_entries(FILTER_PREFIXES, 0);

/// Destination ports that are wanted: bit `port % 64` of word `port / 64`.
#[map]
pub static FILTER_DPORT: Array<u64> = Array::with_max_entries(1024, 0);

/// Namespaces, by inode number, whose NAT is wanted.
#[map]
pub static FILTER_NETNS: HashMap<u32, u8> = HashMap::with_max_entries(FILTER_NAMESPACES, 0);

/// The watched interfaces, as namespace inode number and index, with `UPLINK_*`.
#[map]
pub static UPLINKS: HashMap<[u32; 2], u8> = HashMap::with_max_entries(MAX_UPLINKS, 0);

/// Room for the conntrack entry of a packet that leaves.
#[map]
pub static ENTRY: PerCpuArray<[u64; CT_WINDOW / 8]> = PerCpuArray::with_max_entries(1, 0);

/// Indexes of watched interfaces that are no uplinks: SYNs that come in there are on their way out.
#[map]
pub static INNER: HashMap<u32, u8> = HashMap::with_max_entries(MAX_UPLINKS, 0);

/// Addresses of the node: a SYN to another one is to be forwarded.
#[map]
pub static OWN_ADDRESSES: HashMap<[u8; 16], u8> = HashMap::with_max_entries(MAX_OWN_ADDRESSES, 0);

/// SYNs that left, by ISN: `syn::fingerprint` of the last one in each slot.
#[map]
pub static SEEN: Array<u64> = Array::with_max_entries(SEEN_SYNS, 0);

/// Retransmitted SYNs, by the flow of their answers: the ISN, and above it how many stray answers were reported.
#[map]
pub static WAITING: LruHashMap<Flow, u64> = LruHashMap::with_max_entries(WAITING_SYNS, 0);

/// The translated ports of `WAITING` as a set of bits, and whether there are any: what packets are checked against first.
#[map]
pub static WAITING_PORTS: Array<[u64; WAITING_WORDS + 1]> = Array::with_max_entries(1, 0);

/// How many drops of SYNs from outside may be reported now, and when that was counted.
#[map]
pub static OUTSIDE_DROPS: PerCpuArray<[u64; 2]> = PerCpuArray::with_max_entries(2, 0);

/// Address and port behind a DNAT whose original destination is wanted: `wire` sees only these.
#[map]
pub static WANTED_DST: LruHashMap<[u8; 18], u8> = LruHashMap::with_max_entries(4096, 0);
