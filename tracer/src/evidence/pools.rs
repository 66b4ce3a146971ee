//! Whether ports that clients chose, and NAT kept, come from two pools: those of programs that bind their own, and those that the kernel
//! gives to all others. What then fails from the one and works from the other may depend on the program instead of on the port: on its
//! servers, on when it connects, on what its SYNs ask for.

use std::ops::RangeInclusive;

/// What Linux gives to sockets that bind no port, unless it is configured otherwise (`ip_local_port_range`, `inet_init_net()`).
const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;
/// A gap between the pools as wide as this is chance less than once in a hundred times.
const GAP_CHANCE: f64 = 0.01;
/// Ports are looked at in blocks of 2^8: connections to one destination take neighbouring ports, which are one draw.
const BLOCK_BITS: u32 = 8;

/// Ports that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pool {
    /// Their blocks, one bit each
    blocks: [u64; 4],
    /// The kernel gives some of them, or others, to sockets that bind none
    has_ephemeral: bool,
    has_others: bool,
}

impl Pool {
    pub(super) fn insert(&mut self, port: u16) {
        let block = usize::from(port >> BLOCK_BITS);
        self.blocks[block / 64] |= 1 << (block % 64);
        *(if EPHEMERAL.contains(&port) { &mut self.has_ephemeral } else { &mut self.has_others }) = true;
    }

    const fn has(&self, block: u16) -> bool {
        self.blocks[block as usize / 64] >> (block % 64) & 1 != 0
    }

    /// Whether one of these ports was used, or a neighbour of theirs.
    pub(super) fn has_any(&self, ports: RangeInclusive<u16>) -> bool {
        (ports.start() >> BLOCK_BITS..=ports.end() >> BLOCK_BITS).any(|block| self.has(block))
    }

    /// Whether one of two neighbouring ranges, which the same client uses, is used so much more densely than the other that one pool does
    /// not explain it: Pearson's chi-squared test of the blocks that are used, with Yates's correction.
    pub(super) fn is_uneven_with(self, other: Self) -> bool {
        /// Chance exceeds it less than once in a thousand times.
        const MAX_CHI_SQUARED: f64 = 10.83;
        let used = |pool: &Self| (0..256).filter(|&block| pool.has(block)).collect::<Vec<u16>>();
        let (mut low, mut high) = (used(&self), used(&other));
        if low.last() > high.last() {
            std::mem::swap(&mut low, &mut high);
        }
        let (Some(first), Some(last)) = (low.first(), low.last()) else { return false };
        let Some((edge, end)) = high.first().zip(high.last()).filter(|(edge, _)| *edge >= last) else { return false };
        // The outermost blocks are used because they are where the ranges end.
        let of = |used: &[u16], blocks: u16| (used.len() as f64 - 1.0, f64::from(blocks) - 1.0);
        let ((a, low), (b, high)) = (of(&low, edge - first), of(&high, end - edge + 1));
        let (all, used) = (low + high, a + b);
        let difference = ((a * high - b * low).abs() - all / 2.0).max(0.0);
        let scale = low * high * used * (all - used);
        scale > 0.0 && difference.powi(2) * all / scale > MAX_CHI_SQUARED
    }

    /// Whether these are two pools: one has only ports that the kernel gives and the other none, or neighbouring ports of the two are
    /// further apart than one pool explains.
    pub(super) fn is_apart_from(self, other: Self) -> bool {
        let is_of_kernel = |pool: &Self| pool.has_ephemeral && !pool.has_others;
        let is_bound = |pool: &Self| pool.has_others && !pool.has_ephemeral;
        if is_of_kernel(&self) && is_bound(&other) || is_bound(&self) && is_of_kernel(&other) {
            return true;
        }
        let of = |block| [(block, false, self.has(block)), (block, true, other.has(block))];
        let used = (0..256).flat_map(of).filter(|(.., is_used)| *is_used);
        let all: Vec<_> = used.map(|(block, is_of_other, _)| (block, is_of_other)).collect();
        let (Some((first, _)), Some((last, _))) = (all.first(), all.last()) else { return false };
        let span = f64::from(last - first + 1);
        let pairs = all.windows(2).filter(|pair| pair[0].1 != pair[1].1);
        let gap = pairs.map(|pair| (pair[1].0 - pair[0].0).saturating_sub(1)).max().unwrap_or_default();
        // Each of so many draws misses the gap.
        let draws = i32::try_from(all.len()).unwrap_or(i32::MAX);
        f64::from(draws) * (1.0 - f64::from(gap) / span).powi(draws) < GAP_CHANCE
    }
}
