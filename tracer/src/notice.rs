//! What is said beside the data: one line on standard error.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Says it. `eprintln!` would panic where standard error is gone, such as a terminal that was closed, and end a capture.
pub fn notice(text: impl Display) {
    let _ = writeln!(io::stderr(), "snatrace: {text}");
}
