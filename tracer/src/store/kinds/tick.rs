//! `tick`: nothing but its time.

use tracer_common::events::{Stamp, Tick};

use super::Stored;
use crate::store::block::{ItemReader, ItemWriter};
use crate::store::varint::Malformed;

impl Stored for Tick {
    fn put(&self, _: &mut ItemWriter) {}

    fn get(stamp: Stamp, _: &mut ItemReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stamp })
    }
}
