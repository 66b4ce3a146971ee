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
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.src.is_empty() && self.dst.is_empty() && self.dport.is_none() && !self.names_owner()
    }

    /// The options that restrict anything.
    #[must_use]
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
    #[must_use]
    pub fn matches(&self, attempt: &Attempt, owner: Option<&Owner>) -> bool {
        self.is_empty()
            || (self.matches_source(attempt) && self.matches_destination(attempt) && self.matches_owner(owner))
    }

    /// Whether it is about pods or containers.
    #[must_use]
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

    fn nets(text: &str) -> Vec<IpNet> {
        text.split(',').map(|net| net.parse().unwrap()).collect()
    }

    /// A pod that connects to a ClusterIP, 10.96.0.10:443, whose backend is 203.0.113.80:8443.
    fn service() -> Attempt {
        example::attempt("10.42.0.7:51234", "10.96.0.10:443", "192.0.2.1:1200", "203.0.113.80:8443")
    }

    #[test]
    fn an_empty_filter_lets_everything_through() {
        assert!(Filter::default().matches(&service(), None));
    }

    #[test]
    fn the_source_is_the_one_before_nat() {
        assert!(Filter { src: nets("10.42.0.0/16"), ..Filter::default() }.matches(&service(), None));
        assert!(!Filter { src: nets("192.0.2.0/24"), ..Filter::default() }.matches(&service(), None));
    }

    #[test]
    fn the_destination_counts_before_and_after_nat() {
        for (dst, matches) in [("10.96.0.10/32", true), ("203.0.113.0/24,2001:db8::/32", true), ("10.42.0.7/32", false)]
        {
            assert_eq!(Filter { dst: nets(dst), ..Filter::default() }.matches(&service(), None), matches, "{dst}");
        }
    }

    #[test]
    fn destination_and_port_must_be_of_the_same_tuple() {
        let filter = |dport| Filter {
            dst: nets("10.96.0.10/32"),
            dport: Some(PortSet::range(dport, dport)),
            ..Filter::default()
        };
        assert!(filter(443).matches(&service(), None));
        assert!(!filter(8443).matches(&service(), None));
    }

    #[test]
    fn where_the_original_source_is_unknown_the_translated_one_counts() {
        let forwarded = Attempt { original: None, ..service() };
        assert!(Filter { src: nets("192.0.2.0/24"), ..Filter::default() }.matches(&forwarded, None));
        assert!(!Filter { src: nets("10.42.0.0/16"), ..Filter::default() }.matches(&forwarded, None));
        assert!(Filter { dport: Some(PortSet::range(8443, 8443)), ..Filter::default() }.matches(&forwarded, None));
    }

    #[test]
    fn a_container_is_known_by_its_name_in_a_pod_or_without_one() {
        let filter = Filter { container: vec!["web".to_owned()], ..Filter::default() };
        let matches = |owner: &str| filter.matches(&service(), Some(&Owner::parse(owner)));
        assert!(matches("//web") && matches("shop/checkout-0/web") && !matches("shop/web/app"));
        assert!(!filter.matches(&service(), None) && !filter.is_empty());
    }

    #[test]
    fn pod_and_namespace_are_whole_names_or_patterns_and_nobody_known_matches_none() {
        let (service, owner) = (service(), Owner::parse("shop/checkout-0/"));
        let owner = Some(&owner);
        let filter = |pod: &[&str], namespace: &[&str]| Filter {
            pod: pod.iter().map(|&name| name.to_owned()).collect(),
            namespace: namespace.iter().map(|&name| name.to_owned()).collect(),
            ..Filter::default()
        };
        assert!(filter(&["other", "checkout-0"], &[]).matches(&service, owner));
        assert!(filter(&["checkout-0"], &["shop"]).matches(&service, owner));
        assert!(!filter(&["checkout-0"], &["other"]).matches(&service, owner));
        assert!(!filter(&["checkout"], &[]).matches(&service, owner));
        assert!(filter(&["check*"], &["s?op"]).matches(&service, owner));
        assert!(!filter(&["*-1"], &[]).matches(&service, owner));
        assert!(!filter(&["*"], &[]).matches(&service, None), "nobody known");
        assert!(!filter(&[], &["shop"]).matches(&service, None));
        assert!(!filter(&["checkout-0"], &[]).is_empty());
    }
}
