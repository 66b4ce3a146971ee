//! `nat_bind`: original flow with ISN, translated flow, status, zone.

use tracer_common::events::{NatBind, Stamp};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter};
use crate::store::varint::Malformed;

impl Stored for NatBind {
    fn put(&self, to: &mut ItemWriter) {
        let original = to.flow(&self.original);
        let translated = to.flow(&self.translated);
        to.put_flow(original, Some(self.isn));
        to.put_flow(translated, None);
        to.remember_isn(translated, self.isn);
        to.put_number(self.status);
        to.put_number(self.zone);
    }

    fn get(stamp: Stamp, from: &mut ItemReader<'_>) -> Result<Self, Malformed> {
        let original = from.flow_with_isn()?;
        let translated = from.flow()?;
        from.remember_isn(&translated, original.isn)?;
        Ok(Self {
            stamp,
            original: original.flow,
            translated: translated.flow,
            isn: original.isn,
            status: from.number()?,
            zone: from.number()?,
            unused: [0; 3],
        })
    }
}
