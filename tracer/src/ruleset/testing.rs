//! Recorded sets of rules, for the tests of the checks too.

use std::collections::BTreeMap;

use super::Sources;
use super::read::{Kernel, read_from};
use super::tool::Tools;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/ruleset/tests/fixtures/", $name))
    };
}
pub(super) use fixture;

/// Tools that say what was recorded.
#[derive(Default)]
pub(super) struct Recorded(BTreeMap<String, String>);

impl Recorded {
    pub(super) fn with(mut self, call: &str, output: impl Into<String>) -> Self {
        self.0.insert(call.to_owned(), output.into());
        self
    }

    pub(super) fn nft(json: &str, text: &str) -> Self {
        Self::default().with("nft -j list ruleset", json).with("nft -a list ruleset", text)
    }

    /// Also by iptables-nft, for IPv4 and IPv6.
    pub(super) fn iptables(self, save: &str, save6: &str) -> Self {
        let version = "v1.8.9 (nf_tables)";
        let v4 = self.with("iptables-nft-save -V", version).with("iptables-nft-save", save);
        v4.with("ip6tables-nft-save -V", version).with("ip6tables-nft-save", save6)
    }

    pub(super) fn read(&self) -> Sources {
        read_from(self, &Kernel { nf_tables: true, legacy: [Ok(String::new()), Ok(String::new())] })
    }
}

impl Tools for Recorded {
    fn run(&self, name: &str, args: &[&str]) -> anyhow::Result<Option<String>> {
        let call = [&[name], args].concat().join(" ");
        Ok(self.0.get(&call).cloned())
    }
}

pub fn flannel_nft() -> Sources {
    Recorded::nft(fixture!("flannel-nft.json"), fixture!("flannel-nft.txt")).read()
}

pub fn flannel_iptables() -> Sources {
    let nft = Recorded::nft(fixture!("flannel-iptables.json"), fixture!("flannel-iptables.txt"));
    nft.iptables(fixture!("flannel-iptables.iptables"), fixture!("flannel-iptables.ip6tables")).read()
}

pub fn kube_proxy_nft() -> Sources {
    Recorded::nft(fixture!("kube-proxy-nft.json"), fixture!("kube-proxy-nft.txt")).read()
}

pub fn kube_proxy_iptables() -> Sources {
    Recorded::default().iptables(fixture!("kube-proxy-iptables.iptables"), "").read()
}

pub fn docker() -> Sources {
    let nft = Recorded::nft(fixture!("docker.json"), fixture!("docker.txt"));
    nft.iptables(fixture!("docker.iptables"), fixture!("docker.ip6tables")).read()
}

pub fn docker_without_iptables() -> Sources {
    Recorded::nft(fixture!("docker.json"), fixture!("docker.txt")).read()
}

pub fn variants() -> Sources {
    Recorded::nft(fixture!("variants.json"), fixture!("variants.txt")).read()
}
