//! Which attempts the user asked for: by original source, destination, destination port, and by who made them.
//!
//! The hooks apply as much of it as they can; this is the exact answer. A fact that is unknown matches nothing.

use std::net::IpAddr;

use fast_glob::glob_match;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tracer_common::Flow;

use super::{Attempt, Owner, PortSet};

/// `--src`, `--dst`, `--dport`, `--pod`, `--namespace`, `--container`; what is empty restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// The original source is in one of these; the translated one, where that is all that the wire shows.
    pub src: Vec<IpNet>,
    /// The destination is in one of these, before or after NAT.
    pub dst: Vec<IpNet>,
    /// And so is the port of that same destination.
    pub dport: Option<PortSet>,
    /// The name of the pod matches one of these patterns, in which `*` stands for any text.
    pub pod: Vec<String>,
    /// So does that of the namespace of Kubernetes.
    pub namespace: Vec<String>,
    /// So does that of the container.
    pub container: Vec<String>,
}

impl Filter {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.src.is_empty() && self.dst.is_empty() && self.dport.is_none() && !self.names_owner()
    }

    /// The options that restrict anything.
    pub fn options(&self) -> Vec<&'static str> {
        let is_given = [
            ("--src", !self.src.is_empty()),
            ("--dst", !self.dst.is_empty()),
            ("--dport", self.dport.is_some()),
            ("--pod", !self.pod.is_empty()),
            ("--namespace", !self.namespace.is_empty()),
            ("--container", !self.container.is_empty()),
        ];
        is_given.into_iter().filter(|(_, is_given)| *is_given).map(|(option, _)| option).collect()
    }

    /// Whether the attempt of that owner is one that was asked for.
    pub fn matches(&self, attempt: &Attempt, owner: Option<&Owner>) -> bool {
        self.is_empty()
            || (self.matches_source(attempt) && self.matches_destination(attempt) && self.matches_owner(owner))
    }

    /// Whether it is about pods or containers.
    pub const fn names_owner(&self) -> bool {
        !(self.pod.is_empty() && self.namespace.is_empty() && self.container.is_empty())
    }

    fn matches_owner(&self, owner: Option<&Owner>) -> bool {
        let is_one = |names: &[String], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|asked| glob_match(asked, name)))
        };
        is_one(&self.pod, owner.and_then(|owner| owner.pod.as_deref()))
            && is_one(&self.namespace, owner.and_then(|owner| owner.namespace.as_deref()))
            && is_one(&self.container, owner.and_then(|owner| owner.container.as_deref()))
    }

    fn matches_source(&self, attempt: &Attempt) -> bool {
        let source = attempt.original.or(attempt.translated);
        self.src.is_empty() || source.is_some_and(|source| contains(&self.src, source.src_addr()))
    }

    fn matches_destination(&self, attempt: &Attempt) -> bool {
        if self.dst.is_empty() && self.dport.is_none() {
            return true;
        }
        [attempt.original, attempt.translated].into_iter().flatten().any(|flow| self.is_destination(&flow))
    }

    fn is_destination(&self, flow: &Flow) -> bool {
        (self.dst.is_empty() || contains(&self.dst, flow.dst_addr()))
            && self.dport.as_ref().is_none_or(|ports| ports.contains(flow.dst_port))
    }
}

fn contains(prefixes: &[IpNet], address: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example;

    /// A pod that connects to a ClusterIP, 10.96.0.10:443, whose backend is 203.0.113.80:8443.
    fn service() -> Attempt {
        example::attempt("10.42.0.7:51234", "10.96.0.10:443", "192.0.2.1:1200", "203.0.113.80:8443")
    }

    #[test]
    fn an_empty_filter_lets_everything_through() {
        assert!(Filter::default().matches(&service(), None));
    }

    #[test]
    fn a_source_counts_before_nat_and_a_destination_before_and_after_with_its_own_port() {
        let forwarded = Attempt { original: None, ..service() };
        let nets = |text: &str| text.split_terminator(',').map(|net| net.parse().unwrap()).collect();
        for (attempt, src, dst, dport, matches) in [
            (service(), "10.42.0.0/16", "", None, true),
            (service(), "192.0.2.0/24", "", None, false),
            (service(), "", "10.96.0.10/32", None, true),
            (service(), "", "203.0.113.0/24,2001:db8::/32", None, true),
            (service(), "", "10.42.0.7/32", None, false),
            (service(), "", "10.96.0.10/32", Some(443), true),
            (service(), "", "10.96.0.10/32", Some(8443), false),
            // Where the original source is unknown, the translated one counts.
            (forwarded.clone(), "192.0.2.0/24", "", None, true),
            (forwarded.clone(), "10.42.0.0/16", "", None, false),
            (forwarded, "", "", Some(8443), true),
        ] {
            let dport = dport.map(|port| PortSet::range(port, port));
            let filter = Filter { src: nets(src), dst: nets(dst), dport, ..Filter::default() };
            assert_eq!(filter.matches(&attempt, None), matches, "{filter:?}");
        }
    }

    #[test]
    fn owners_match_by_whole_names_or_patterns_and_nobody_known_matches_none() {
        let names = |name: &str| if name.is_empty() { Vec::new() } else { vec![name.to_owned()] };
        for (namespace, pod, container, owner, matches) in [
            ("", "checkout-0", "", "shop/checkout-0/", true),
            ("shop", "checkout-0", "", "shop/checkout-0/", true),
            ("other", "checkout-0", "", "shop/checkout-0/", false),
            ("", "checkout", "", "shop/checkout-0/", false),
            ("s?op", "check*", "", "shop/checkout-0/", true),
            ("", "*-1", "", "shop/checkout-0/", false),
            ("", "", "web", "//web", true),
            ("", "", "web", "shop/checkout-0/web", true),
            ("", "", "web", "shop/web/app", false),
        ] {
            let (namespace, pod, container) = (names(namespace), names(pod), names(container));
            let filter = Filter { namespace, pod, container, ..Filter::default() };
            assert_eq!(filter.matches(&service(), Some(&Owner::parse(owner))), matches, "{filter:?}, {owner}");
            assert!(!filter.matches(&service(), None) && !filter.is_empty(), "nobody known");
        }
        let two = Filter { pod: vec!["other".to_owned(), "checkout-0".to_owned()], ..Filter::default() };
        assert!(two.matches(&service(), Some(&Owner::parse("shop/checkout-0/"))));
        let any = Filter { pod: names("*"), ..Filter::default() };
        assert!(!any.matches(&service(), None));
    }
}
