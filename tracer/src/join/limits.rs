//! How much the join keeps.

/// How much the join keeps at most; beyond that the oldest is given up and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open attempts, 112 bytes each, and 16 for each address of IPv6.
    pub attempts: u32,
    /// Of these, attempts without a socket here whose SYNs were only seen being dropped.
    pub dropped: u32,
    /// Bindings that outlive their attempts, 68 bytes each, with addresses of IPv6 116 and as many again; rounded up to a power
    /// of two.
    pub bindings: u32,
    /// Selections that wait for their binding; rounded up to a power of two.
    pub selections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attempts: 1_000_000, dropped: 65_536, bindings: 131_072, selections: 4096 }
    }
}
