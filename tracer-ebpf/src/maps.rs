//! The maps: what the programs share with user space. Sizes of the large ones are set by user space before loading.

use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::LpmTrie;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use tracer_common::config::{FILTER_NAMESPACES, FILTER_PREFIXES, Loss, UPLINKS as MAX_UPLINKS};
use tracer_common::events::Selected;

/// Every event on its way to user space.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// How many facts were lost, by [`Loss`]: one entry, so that one system call reads them all.
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

/// The hooked interfaces, as namespace inode number and index: SYNs that come in there are of strangers.
#[map]
pub static UPLINKS: HashMap<[u32; 2], u8> = HashMap::with_max_entries(MAX_UPLINKS, 0);

/// Address and port behind a DNAT whose original destination is wanted: `wire` sees only these.
#[map]
pub static WANTED_DST: LruHashMap<[u8; 18], u8> = LruHashMap::with_max_entries(4096, 0);
