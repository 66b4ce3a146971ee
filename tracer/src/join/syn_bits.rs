//! What the first and the newest SYN of an attempt asked for, four bits each.

use tracer_common::events::{WIRE_DATA, WIRE_ECN, WIRE_FAST_OPEN, WIRE_MPTCP};

use crate::model::SynFeatures;

const _: () = assert!(WIRE_ECN == 2 && WIRE_DATA == 4 && WIRE_FAST_OPEN == 8 && WIRE_MPTCP == 16);

/// `detail` of a SYN in `wire`, shifted by one: the low half of the first one, the high half of the newest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SynBits(u8);

impl SynBits {
    #[inline]
    pub(super) const fn put_first(&mut self, detail: u16) {
        self.0 = self.0 & 0xf0 | (detail >> 1) as u8 & 0x0f;
    }

    #[inline]
    pub(super) const fn put_newest(&mut self, detail: u16) {
        self.0 = self.0 & 0x0f | (detail << 3) as u8 & 0xf0;
    }

    pub(super) const fn first(self) -> SynFeatures {
        features((self.0 as u16) << 1)
    }

    pub(super) const fn newest(self) -> SynFeatures {
        features(self.0 as u16 >> 3)
    }
}

const fn features(detail: u16) -> SynFeatures {
    SynFeatures {
        ecn: detail & WIRE_ECN != 0,
        data: detail & WIRE_DATA != 0,
        fast_open: detail & WIRE_FAST_OPEN != 0,
        mptcp: detail & WIRE_MPTCP != 0,
    }
}
