//! How strong the claim is that a filter drops return traffic to a port outside the policy, and the counts it rests on.

use super::{Answers, PortSet};

/// How strong the claim is, from the strongest to the refuted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strength {
    /// Inside ports are answered and outside ports are not, and chance does not explain that.
    Proven,
    /// As `Proven`, with too few attempts to exclude chance.
    Supported,
    /// No answered port to compare with.
    NoneYet,
    /// Outside ports are answered, or inside ports of the destination go unanswered too.
    Contradicted,
}

impl Strength {
    /// Every strength, the strongest claim first.
    pub const ALL: [Self; 4] = [Self::Proven, Self::Supported, Self::NoneYet, Self::Contradicted];

    /// The word in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Supported => "supported",
            Self::NoneYet => "none_yet",
            Self::Contradicted => "contradicted",
        }
    }

    /// Whether a cause may rest on the claim.
    #[must_use]
    pub const fn holds(self) -> bool {
        match self {
            Self::Proven | Self::Supported => true,
            Self::NoneYet | Self::Contradicted => false,
        }
    }
}

/// Attempts on a side; from so many on it is not their number that keeps them from being compared.
const FEW_TO_COMPARE: u64 = 20;

/// Where a port is by the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// In the policy.
    Inside,
    /// Below its lowest port.
    Below,
    /// Between two of its ranges.
    Between,
    /// Above its highest port.
    Above,
}

impl Side {
    /// Every side outside of the policy.
    pub const OUTSIDE: [Self; 3] = [Self::Below, Self::Between, Self::Above];

    /// Where the port is.
    #[must_use]
    pub fn of(allowed: &PortSet, port: u16) -> Self {
        if allowed.contains(port) {
            Self::Inside
        } else if allowed.ranges().all(|(low, _)| port < low) {
            Self::Below
        } else if allowed.ranges().all(|(_, high)| port > high) {
            Self::Above
        } else {
            Self::Between
        }
    }

    /// The ports of this side, as they follow "ports".
    #[must_use]
    pub fn ports(self, allowed: &PortSet) -> String {
        let mut ranges = allowed.ranges();
        match (self, ranges.next(), allowed.ranges().last()) {
            (Self::Inside, _, _) => "inside".to_owned(),
            (Self::Below, Some((lowest, _)), _) => format!("below {lowest}"),
            (Self::Above, _, Some((_, highest))) => format!("above {highest}"),
            (Self::Below | Self::Above, _, _) => "outside".to_owned(),
            (Self::Between, _, _) => "between the allowed ranges".to_owned(),
        }
    }
}

/// What was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The attempts to the attempt's own destination.
    Destination,
    /// Those to all destinations.
    Capture,
    /// Those to all public destinations, where there are private ones as well.
    Public,
    /// Those to all private destinations, where there are public ones as well.
    Private,
}

impl Scope {
    /// The kind of the destinations; `None` for those of all kinds.
    pub(crate) const fn kind(self) -> Option<&'static str> {
        match self {
            Self::Destination | Self::Capture => None,
            Self::Public => Some("public"),
            Self::Private => Some("private"),
        }
    }
}

/// Why the claim is as strong as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Whether an attempt is answered depends on the side of its port: chance explains it less than once in ten to this power.
    SidesDiffer {
        /// The power.
        p_below: u32,
    },
    /// Attempts from inside ports were answered, none from outside ones.
    OnlyInsideAnswered,
    /// Over other destinations the sides differ beyond chance; this one has not answered yet, or too seldom where some bypass the filter.
    OthersDiffer,
    /// No attempt from an inside port was answered, or too few to compare with.
    NothingToCompare,
    /// Something else explains the difference between the sides as well.
    Doubted(Doubt),
    /// No attempt from an outside port has waited for longer than one retransmit: answers may be late.
    ShortWait,
    /// The client gave up before the destination may have answered.
    GaveUpEarly,
    /// The port changed from one SYN to the next, so that the failure is not that of one port.
    PortChanged,
    /// The SYN was not seen leaving by an uplink, where a filter could be.
    NotOnUplink,
    /// This very port was answered.
    PortAnswered,
    /// Ports on this side of the policy are answered.
    OutsideAnswered,
    /// Inside ports of this destination go unanswered too.
    InsideUnanswered,
    /// No destination has answered on this port of theirs, inside ports or not.
    ServiceSilent,
}

/// What explains the difference between two sides as well as a filter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Failures of outside ports follow one another without an answered attempt in between, in so few runs that an outage explains them.
    InFewRuns,
    /// Only the failures of outside ports come in bursts, as those of a rate limit do.
    InBursts,
    /// Attempts repeat a few ports and destinations, each of which fares alike: whatever chooses by the port explains that.
    FewPorts,
    /// The clients that use the sides differ: they may fail for a reason of their own.
    ClientsDiffer,
    /// Programs chose the ports, those on the two sides from different pools.
    ProgramsDiffer,
    /// Other NAT rules chose the ports that fail than those that are answered.
    RulesDiffer,
    /// Packets of other classes (next hop, DSCP, TTL, shape of the SYN, translated address) have the ports that fail than those that are answered.
    PacketsDiffer,
    /// Destinations that answer such ports fail to do so as well.
    AnsweredSometimes,
}

impl Doubt {
    /// In words, after "but" or "because".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::InFewRuns => "there are too few runs of failures between answered attempts to exclude an outage",
            Self::InBursts => {
                "the attempts that fail come in bursts and the others do not, so a rate limit may be the reason"
            }
            Self::FewPorts => "most attempts repeat the same few ports, which may fail together for another reason",
            Self::ClientsDiffer => "hardly any client has used both, so a difference between clients may be the reason",
            Self::ProgramsDiffer => {
                "the clients chose these ports, and the ports that fail are from another range than the others, so \
                 a difference between programs may be the reason"
            }
            Self::RulesDiffer => {
                "another NAT rule chose the ports that fail than those that work, so whatever else differs between the \
                 connections of the two rules (a mark, a gateway) may be the reason"
            }
            Self::AnsweredSometimes => {
                "destinations answer such ports sometimes and fail to at other times, which no filter of ports explains"
            }
            Self::PacketsDiffer => {
                "the SYNs that fail differ from the others in more than their port (next hop, DSCP, TTL, TCP options, window \
                 or translated address), so that may be the reason"
            }
        }
    }
}

/// What a filter is said to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The ports of the policy.
    Policy,
    /// A range that the attempts of the capture prove.
    Inferred,
    /// A range that the attempts of the capture prove: an RST answers those from other ports.
    Refused,
}

/// How strong the claim about a port is, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// What is claimed.
    pub claim: Claim,
    /// Why.
    pub reason: Reason,
    /// Which attempts were compared.
    pub scope: Scope,
    /// Where the port is.
    pub side: Side,
    /// Attempts from ports in the policy.
    pub inside: Answers,
    /// Attempts from ports on the same side as the port in question.
    pub outside: Answers,
}

impl Reason {
    /// Whether it compares the two sides at destinations that were tried from both.
    #[must_use]
    pub const fn compares_destinations(self) -> bool {
        matches!(self, Self::SidesDiffer { .. } | Self::OthersDiffer)
    }

    /// How strong the claim is.
    #[must_use]
    pub const fn strength(self) -> Strength {
        match self {
            Self::SidesDiffer { .. } => Strength::Proven,
            Self::OnlyInsideAnswered | Self::OthersDiffer => Strength::Supported,
            Self::NothingToCompare
            | Self::Doubted(_)
            | Self::ShortWait
            | Self::GaveUpEarly
            | Self::PortChanged
            | Self::NotOnUplink => Strength::NoneYet,
            Self::PortAnswered | Self::OutsideAnswered | Self::InsideUnanswered | Self::ServiceSilent => {
                Strength::Contradicted
            }
        }
    }
}

impl Assessment {
    /// How strong the claim is.
    #[must_use]
    pub const fn strength(&self) -> Strength {
        self.reason.strength()
    }

    /// The counts in words, for a sentence that has named the range that is allowed. `to` names the destination.
    #[must_use]
    pub fn words(&self, allowed: &PortSet, to: &str) -> String {
        let Self { claim, reason, scope, side, inside, outside } = *self;
        let kind = scope.kind().map_or_else(String::new, |kind| format!("{kind} "));
        let to = match (scope, reason) {
            (Scope::Destination, _) => format!("to {to}"),
            (_, Reason::ServiceSilent) => format!("to this port of any {kind}destination"),
            (_, reason) if reason.compares_destinations() => {
                format!("over {kind}destinations tried from both sides")
            }
            _ => format!("over all {kind}destinations"),
        };
        let ports = match claim {
            Claim::Policy => side.ports(allowed),
            Claim::Inferred | Claim::Refused => "outside".to_owned(),
        };
        let counts = || {
            let inside = match inside.total() {
                0 => "none was made from ports in the range".to_owned(),
                _ => format!("{inside} from ports in the range"),
            };
            format!("{to}, {outside} attempts from ports {ports} were answered, and {inside}")
        };
        match reason {
            Reason::SidesDiffer { p_below } => format!("{} (by chance: p < 1e-{p_below})", counts()),
            Reason::OnlyInsideAnswered if inside.total().min(outside.total()) < 5 => {
                format!("{}; too few to exclude chance", counts())
            }
            // Chance does not explain so many if each is an event of its own.
            Reason::OnlyInsideAnswered if scope == Scope::Destination => {
                format!("{}; this is no proof yet, because failures in a row may have one reason", counts())
            }
            Reason::OnlyInsideAnswered => {
                format!("{}; this is no proof yet, because most destinations were tried from one side only", counts())
            }
            Reason::OthersDiffer => {
                format!("{}; attempts to this destination are too few to say it of this one alone", counts())
            }
            Reason::NothingToCompare if inside.total() == 0 => {
                format!("{to}, no attempt was made from a port in the range to compare with")
            }
            Reason::NothingToCompare if inside.answered == 0 => {
                format!("{to}, no attempt from a port in the range was answered to compare with ({inside})")
            }
            Reason::NothingToCompare if inside.total().min(outside.total()) < FEW_TO_COMPARE => {
                format!("{}; too few to compare", counts())
            }
            Reason::NothingToCompare => {
                format!("{}; too few of them to destinations that were tried from both sides to compare", counts())
            }
            Reason::Doubted(doubt) => format!("{}; but {}", counts(), doubt.words()),
            Reason::ShortWait => {
                format!("{}; none from ports {ports} has waited for longer than one retransmit yet", counts())
            }
            Reason::GaveUpEarly => {
                "the client gave up earlier than this destination is known to answer, so its silence is no evidence"
                    .to_owned()
            }
            Reason::PortChanged => {
                "the port changed from one SYN to the next, so the failure is not that of one port".to_owned()
            }
            Reason::NotOnUplink => "the SYN was not seen leaving an uplink, where a filter could be".to_owned(),
            Reason::PortAnswered => "this port was answered".to_owned(),
            Reason::OutsideAnswered | Reason::InsideUnanswered | Reason::ServiceSilent => counts(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_on_one_side_of_a_policy() {
        let allowed: PortSet = "1024-29999,32768-60999".parse().unwrap();
        for (port, side) in [
            (0, Side::Below),
            (1023, Side::Below),
            (1024, Side::Inside),
            (30000, Side::Between),
            (60999, Side::Inside),
            (61000, Side::Above),
        ] {
            assert_eq!(Side::of(&allowed, port), side, "{port}");
        }
        assert_eq!(Side::of(&PortSet::range(0, u16::MAX), 0), Side::Inside);
        let shown = Side::OUTSIDE.map(|side| side.ports(&allowed));
        assert_eq!(shown, ["below 1024", "between the allowed ranges", "above 60999"]);
    }
}
