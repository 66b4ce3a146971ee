//! Whether this process may trace, asked before anything fails half-way.

use anyhow::bail;

use crate::status;

/// Bits of `CapEff` (linux/capability.h).
const CAP_NET_ADMIN: u64 = 1 << 12;
const CAP_SYS_ADMIN: u64 = 1 << 21;
const CAP_PERFMON: u64 = 1 << 38;
const CAP_BPF: u64 = 1 << 39;

/// Fails with what is missing.
pub(super) fn check() -> anyhow::Result<()> {
    let missing = missing(held()?);
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "cannot trace the kernel: {} missing: run it as root (sudo), or grant these capabilities",
        missing.join(" and ")
    )
}

/// Whether what is left to CAP_SYS_ADMIN may be done.
pub(super) fn is_admin() -> bool {
    held().is_ok_and(|held| held & CAP_SYS_ADMIN != 0)
}

fn held() -> anyhow::Result<u64> {
    status::mask("CapEff:")
}

fn missing(held: u64) -> Vec<&'static str> {
    let admin = held & CAP_SYS_ADMIN != 0;
    let needed = [
        ("CAP_BPF", admin || held & CAP_BPF != 0),
        ("CAP_PERFMON", admin || held & CAP_PERFMON != 0),
        ("CAP_NET_ADMIN", held & CAP_NET_ADMIN != 0),
    ];
    needed.into_iter().filter(|(_, present)| !present).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        assert!(missing(u64::MAX).is_empty());
        assert!(missing(CAP_BPF | CAP_PERFMON | CAP_NET_ADMIN).is_empty());
        assert!(missing(CAP_SYS_ADMIN | CAP_NET_ADMIN).is_empty());
        assert_eq!(missing(CAP_SYS_ADMIN), ["CAP_NET_ADMIN"]);
        assert_eq!(missing(0), ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]);
    }
}
