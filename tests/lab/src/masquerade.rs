//! The masquerade statement, which each scenario chooses, in the syntax of nft and of iptables.

/// The masquerade statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masquerade {
    /// `--random-fully`: a random port for every connection
    FullyRandom,
    /// No flag: the original port, unless it is taken.
    Plain,
    /// `--to-ports`: ports from this range only
    Ports(u16, u16),
    /// None at all
    Nothing,
}

impl Masquerade {
    /// In the syntax of nft.
    pub fn nft(self) -> String {
        match self {
            Self::FullyRandom => "masquerade fully-random".to_owned(),
            Self::Plain => "masquerade".to_owned(),
            // nft accepts ports only after a match of a protocol that has ports.
            Self::Ports(low, high) => format!("meta l4proto tcp masquerade to :{low}-{high}"),
            Self::Nothing => "accept".to_owned(),
        }
    }

    /// In the syntax of iptables, with its protocol match.
    pub fn iptables(self) -> String {
        match self {
            Self::FullyRandom => "-j MASQUERADE --random-fully".to_owned(),
            Self::Plain => "-j MASQUERADE".to_owned(),
            Self::Ports(low, high) => format!("-p tcp -j MASQUERADE --to-ports {low}-{high}"),
            Self::Nothing => "-j ACCEPT".to_owned(),
        }
    }
}
