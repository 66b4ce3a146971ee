//! `nat_bind`: shape status, zone; facts original and translated flow, both with ISN.

use tracer_common::events::{NatBind, Stamp};

use super::{NO_FLOW, Stored};
use crate::store::block::{ItemReader, ItemWriter, ShapeReader, ShapeWriter};
use crate::store::varint::Malformed;

impl Stored for NatBind {
    fn put_shape(&self, to: &mut ShapeWriter<'_>) {
        to.put_number(self.status);
        to.put_number(self.zone);
    }

    fn put_facts(&self, to: &mut ItemWriter) {
        let original = to.flow(&self.original);
        let translated = to.flow(&self.translated);
        to.put_flow_with_isn(original, self.isn);
        to.put_flow_with_isn(translated, self.isn);
    }

    fn get_shape(stamp: Stamp, from: &mut ShapeReader<'_>) -> Result<Self, Malformed> {
        let (status, zone) = (from.number()?, from.number()?);
        Ok(Self { stamp, original: NO_FLOW, translated: NO_FLOW, isn: 0, status, zone, unused: [0; 3] })
    }

    #[inline]
    fn get_facts(&mut self, from: &mut ItemReader<'_>) -> Result<(), Malformed> {
        (self.original, _) = from.flow_with_isn()?;
        (self.translated, self.isn) = from.flow_with_isn()?;
        Ok(())
    }
}
