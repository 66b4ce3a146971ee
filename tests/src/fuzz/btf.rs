//! The reader of type information. `tests/fuzz/seeds/btf/kinds.btf` has a type of each kind, written by hand: a struct with an anonymous
//! union and an array, one with bit fields, both enums, the typedef of a tracepoint.

use snatrace::btf::Btf;

/// What the hooks ask for, and what the seed has.
const FIELDS: [(&str, &str); 6] = [
    ("sock", "__sk_common.skc_daddr"),
    ("sock", "__sk_common.skc_ports[1]"),
    ("sock_common", "skc_num"),
    ("flags", "b"),
    ("nf_conn", "tuplehash[1].tuple"),
    ("nf_conntrack_tuple", "dst.u3.ip"),
];

/// No panic and no endless loop.
pub fn check(bytes: &[u8]) {
    let Ok(btf) = Btf::parse(bytes.to_vec()) else { return };
    for (name, path) in FIELDS {
        let _ = btf.offset(name, path);
    }
    let _ = btf.tracepoint_args("inet_sock_set_state");
    for suffix in ["drop_reason", "big", ""] {
        let _ = btf.enumerators(suffix);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn the_seed_has_what_is_asked_for() {
        let btf = Btf::parse(include_bytes!("../../fuzz/seeds/btf/kinds.btf").to_vec()).unwrap();
        assert_eq!(btf.offset("sock", "__sk_common.skc_ports[1]").unwrap(), 6);
        assert_eq!(btf.offset("sock", "__sk_common.skc_num").unwrap(), 8);
        assert!(btf.offset("flags", "b").is_err(), "a bit field");
        assert_eq!(btf.tracepoint_args("inet_sock_set_state"), Some(2));
        assert_eq!(btf.enumerators("drop_reason"), [(0, "SKB_NOT_DROPPED_YET"), (8, "SKB_DROP_REASON_NETFILTER_DROP")]);
        assert_eq!(btf.enumerators("big"), [(1, "BIG")]);
    }
}
