//! `nat_select`: flow, flags, lowest and highest port, zone.

use tracer_common::events::{NatSelect, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter};
use crate::store::varint::Malformed;

impl Stored for NatSelect {
    fn put(&self, to: &mut ItemWriter) {
        let original = to.flow(&self.original);
        to.put_flow(original, None);
        to.put_number(self.flags);
        to.put_number(self.min_port);
        to.put_number(self.max_port);
        to.put_number(self.zone);
    }

    fn get(stamp: Stamp, from: &mut ItemReader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            stamp,
            original: from.flow()?.flow,
            flags: from.number()?,
            min_port: from.number()?,
            max_port: from.number()?,
            zone: from.number()?,
            unused: 0,
        })
    }
}
