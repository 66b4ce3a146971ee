//! How long the join waits for what, in nanoseconds of event time, and the coarse stamps that attempts keep.

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// A retransmit is reported this long after it was sent: other events of the same packet may arrive a little later.
pub const SETTLE_NS: u64 = 20 * MS;
/// How far apart two facts about one transmission of a SYN can be: a CPU may be taken away in between, and no SYN is retransmitted
/// within 200 ms (`TCP_RTO_MIN`).
pub const ONE_SYN_NS: u64 = 150 * MS;
/// An attempt that became established at once, by its socket's event, ends this soon, so that few have to stay in the CPU's cache.
pub const DONE_NS: u64 = 100 * MS;
/// Attempts that are over are looked for this often.
pub const SWEEP_NS: u64 = 10 * MS;
/// An attempt whose socket reported another outcome ends this long after its last event.
pub const LINGER_NS: u64 = SECOND;
/// As `LINGER_NS`, where only the wire reported the outcome: longer than the first gap between two SYNs (3 s on old systems), for if the answer
/// did not get through to the client, then another SYN follows.
pub const ANSWERED_NS: u64 = 4 * SECOND;
/// An answer later than this comes after gaps too long for `ANSWERED_NS`; such an attempt waits until it is idle.
pub const ANSWERED_WITHIN_NS: u64 = 2 * SECOND;
/// An attempt without an event for this long ends: longer than any gap between SYNs (`TCP_RTO_MAX` is 120 s).
pub const IDLE_NS: u64 = 150 * SECOND;
/// A wire observation or a selection that came before its attempt is kept this long.
pub const HINT_NS: u64 = SECOND;
/// A dropped SYN is kept this long for its attempt: those that wait for a neighbour are dropped after 3 s, the next is sent 4 s later.
pub const DROP_HINT_NS: u64 = 8 * SECOND;
/// A table that was nearly full counts for a SYN dropped this long before or after it was read, which is once a second.
pub const TABLE_NS: u64 = 2 * SECOND;
/// A binding is trusted this long: the 127 s of a failing attempt and then 120 s, `nf_conntrack_tcp_timeout_syn_sent`.
pub const BINDING_NS: u64 = 300 * SECOND;
/// A binding forgotten sooner than this counts as evicted: `nf_conntrack_tcp_timeout_close`, the state that is reopened.
pub const BINDING_COUNTS_NS: u64 = 10 * SECOND;
/// Times that fall back by more than this are believed: the times before them were wrong.
pub const FALL_BACK_NS: u64 = 10 * SECOND;
/// After a gap of this length an attempt is put at the end of its list again.
pub const RELIST_NS: u64 = 500 * MS;

/// A time in units of 1.024 microseconds that wraps after 73 minutes; only differences count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coarse(u32);

impl Coarse {
    #[expect(clippy::cast_possible_truncation, reason = "wraps on purpose")]
    pub(super) const fn from_ns(time_ns: u64) -> Self {
        Self((time_ns >> 10) as u32)
    }

    /// Nanoseconds from `earlier` to here; negative if it was later.
    pub(super) fn since_ns(self, earlier: Self) -> i64 {
        i64::from(self.0.wrapping_sub(earlier.0).cast_signed()) << 10
    }
}
