//! The provider's filter: stateless, so it recognises return traffic by its flags and its destination port only.

use anyhow::{Context, Result};

use super::net::{Family, Net};
use super::{command, netns};

/// The destination ports of return traffic that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The lowest and the highest port that passes.
    pub passes: (u16, u16),
    /// Whether IPv6 is filtered too; the filters of many providers ignore IPv6.
    pub ipv6: bool,
}

impl Filter {
    /// The usual filter of providers: return traffic to 32768-65535 passes, IPv6 is not filtered.
    pub const USUAL: Self = Self { passes: (32768, 65535), ipv6: false };

    /// Whether this address family is filtered.
    pub const fn applies_to(&self, family: Family) -> bool {
        match family {
            Family::V4 => true,
            Family::V6 => self.ipv6,
        }
    }
}

/// Installs the filter on the router.
pub fn install(net: &Net, filter: Filter) -> Result<()> {
    netns::within(&net.router_ns(), || command::run("nft", &["-f", "-"], &text(net, filter)).map(drop))
}

/// The number of packets that the filter dropped.
pub fn drops(net: &Net) -> Result<u64> {
    let listed = netns::within(&net.router_ns(), || {
        command::run("nft", &["list", "counter", "inet", "provider", "answers_dropped"], "")
    })?;
    parse_counter(&listed).with_context(|| format!("the filter's counter has no number: {listed}"))
}

fn text(net: &Net, filter: Filter) -> String {
    let (low, high) = filter.passes;
    let answers = format!("tcp flags & ack == ack tcp dport != {low}-{high} counter name answers_dropped drop");
    let mut rules = format!("\t\tiifname \"server0\" ip daddr {} {answers}\n", net.node(Family::V4));
    if filter.ipv6 {
        rules += &format!("\t\tiifname \"server0\" ip6 daddr {} {answers}\n", net.node(Family::V6));
    }
    format!(
        "table inet provider {{\n\
         \tcounter answers_dropped {{ }}\n\
         \tchain prerouting {{\n\
         \t\ttype filter hook prerouting priority raw; policy accept;\n\
         \t\tnotrack\n{rules}\
         \t}}\n\
         }}\n"
    )
}

fn parse_counter(listed: &str) -> Option<u64> {
    let mut words = listed.split_whitespace().skip_while(|&word| word != "packets");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_is_read_from_the_listing() {
        let listed = "table inet provider {\n\tcounter answers_dropped {\n\t\tpackets 42 bytes 2520\n\t}\n}\n";
        assert_eq!(parse_counter(listed), Some(42));
        assert_eq!(parse_counter("table inet provider { }"), None);
    }

    #[test]
    fn ipv6_is_filtered_only_when_asked() {
        let net = Net::new(7);
        assert!(!text(&net, Filter::USUAL).contains("ip6 daddr"));
        assert!(text(&net, Filter { ipv6: true, ..Filter::USUAL }).contains("ip6 daddr"));
    }
}
