//! What a capture is written as, one format a file.

use std::io;

use crate::model::{Capture, Finding};
use crate::summary::Summary;

/// A format that findings are written in.
pub trait Output {
    /// Once, before the first finding; `captures` has one entry for each node that is read.
    ///
    /// # Errors
    /// When it cannot be written.
    fn start(&mut self, captures: &[&Capture]) -> io::Result<()>;

    /// A SYN retransmit that the user asked to see.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()>;

    /// Make everything so far visible; called when there is nothing more to write for the moment.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> io::Result<()>;

    /// Once, at the end.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}
