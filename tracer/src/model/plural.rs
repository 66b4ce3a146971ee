//! Counts with their nouns.

/// `1 attempt`, `2 attempts`.
#[must_use]
pub fn plural(count: impl Into<u64>, noun: &str) -> String {
    let count = count.into();
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
