//! Transport protocols that a rule meets.

use std::collections::BTreeSet;

/// Those whose ports NAT can choose.
const WITH_PORTS: [&str; 5] = ["tcp", "udp", "udplite", "sctp", "dccp"];

/// A set of protocols, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocols {
    /// All.
    #[default]
    Any,
    /// These.
    Only(BTreeSet<String>),
    /// All but these.
    Not(BTreeSet<String>),
}

impl Protocols {
    pub(super) fn only(name: &str) -> Self {
        Self::Only([name.to_owned()].into())
    }

    fn have(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.contains(name),
            Self::Not(names) => !names.contains(name),
        }
    }

    /// Whether TCP is among them.
    pub fn have_tcp(&self) -> bool {
        self.have("tcp")
    }

    /// Whether each of them has ports, as a rule that names ports must ask for.
    pub fn all_have_ports(&self) -> bool {
        matches!(self, Self::Only(names) if names.iter().all(|name| WITH_PORTS.contains(&name.as_str())))
    }

    /// Those of TCP and UDP that are among them.
    pub fn common(&self) -> Vec<&'static str> {
        ["tcp", "udp"].into_iter().filter(|name| self.have(name)).collect()
    }

    /// What both have.
    pub(super) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, both) | (both, Self::Any) => both.clone(),
            (Self::Only(one), Self::Only(other)) => Self::Only(one & other),
            (Self::Only(one), Self::Not(other)) | (Self::Not(other), Self::Only(one)) => Self::Only(one - other),
            (Self::Not(one), Self::Not(other)) => Self::Not(one | other),
        }
    }
}

/// The name of a protocol that a tool may give as a number.
pub(super) fn name(text: &str) -> String {
    match text {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negated_protocol_leaves_all_others() {
        let not = |name: &str| Protocols::Not([name.to_owned()].into());
        assert!(!not("tcp").have_tcp() && not("esp").have_tcp() && !not("esp").all_have_ports());
        assert!(Protocols::only("tcp").and(&not("tcp")) == Protocols::Only(BTreeSet::new()));
        assert_eq!(not("udp").common(), ["tcp"]);
        assert!(Protocols::only("tcp").all_have_ports() && !Protocols::Any.all_have_ports());
    }
}
