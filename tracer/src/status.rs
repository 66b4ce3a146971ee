//! This thread's state in /proc/thread-self/status.

use anyhow::Context as _;

const PATH: &str = "/proc/thread-self/status";

/// A set of bits, such as `CapEff:` or `SigIgn:`.
pub fn mask(field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}: is /proc mounted?"))?;
    parse(&status, field).with_context(|| format!("cannot read {field} from {PATH}"))
}

fn parse(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effective_capabilities_are_read_from_status() {
        assert_eq!(parse("Name:\tx\nCapEff:\t000001ffffffffff\n", "CapEff:"), Some(0x1ff_ffff_ffff));
        assert_eq!(parse("Name:\tx\n", "CapEff:"), None);
    }
}
