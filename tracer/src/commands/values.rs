//! Values of options as people write them, and as the rest of the program takes them.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use ipnet::IpNet;
use jiff::SignedDuration;

use super::machine;
use crate::model::{Origin, PortSet};
use crate::outputs::bounded::LineRate;
use crate::outputs::inference::ConclusionFormat;

/// `-o` of commands whose output is no list of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    #[default]
    Text,
    Json,
}

impl TextOrJson {
    /// Of what is inferred.
    pub fn of_conclusions(self) -> ConclusionFormat {
        match self {
            Self::Text => ConclusionFormat::Text(machine::page_width()),
            Self::Json => ConclusionFormat::Json,
        }
    }
}

/// `--fold`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// As the command and the output suggest
    #[default]
    Auto,
    Always,
    Never,
}

/// `--max-lines`: `off`, or a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxLines(pub Option<LineRate>);

/// `--allow`: ports, or where to take them from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// These.
    Ports(PortSet),
    /// ip_local_port_range of the node.
    Auto,
}

impl Allow {
    /// The ports, and where they came from.
    pub fn resolve(&self) -> Result<(PortSet, Origin)> {
        match self {
            Self::Ports(ports) => Ok((ports.clone(), Origin::Given)),
            Self::Auto => Ok((machine::ip_local_port_range()?, Origin::Auto)),
        }
    }
}

/// `32768-65535`, `any`, `auto`.
pub fn allow(text: &str) -> Result<Allow> {
    if text.trim() == "auto" { Ok(Allow::Auto) } else { Ok(Allow::Ports(text.parse()?)) }
}

/// `32768-65535`, `any`, where there is no node to ask for more.
pub fn ports(text: &str) -> Result<PortSet> {
    ensure!(
        text.trim() != "auto",
        "auto is neither a port nor a range: it is the range of the capturing node, so write the range"
    );
    Ok(text.parse()?)
}

/// `443`, `8000-8999`, `https`, and comma lists of those.
pub fn dport(text: &str) -> Result<PortSet> {
    let is_name = |part: &str| part.starts_with(|first: char| first.is_ascii_alphabetic()) && part != "any";
    let number = |part: &str| if is_name(part) { Ok(service(part)?.to_string()) } else { Ok(part.to_owned()) };
    let numbers: Result<Vec<_>> = text.split(',').map(|part| number(part.trim())).collect();
    Ok(numbers?.join(",").parse()?)
}

/// The port of a service over TCP, as services(5) lists it.
fn service(name: &str) -> Result<u16> {
    const FILE: &str = "/etc/services";
    let text = fs::read_to_string(FILE).with_context(|| {
        format!("{name}: {FILE}, which has the ports of services, cannot be read: write the number")
    })?;
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    let port = lines.find_map(|mut words| {
        let (first, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        (first == name || words.any(|alias| alias == name)).then(|| port.parse().ok())?
    });
    port.with_context(|| format!("{name} is neither a port, a range nor a service in {FILE}: write 443 or 8000-8999"))
}

/// `10.0.0.0/8`, `2001:db8::7`.
pub fn prefix(text: &str) -> Result<IpNet> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let prefix: IpNet = text.parse().ok().context("not an address or prefix: write 10.42.0.0/16 or 2001:db8::7")?;
    Ok(prefix.trunc())
}

/// The name of a pod, a namespace of Kubernetes or a container, whole or as a pattern.
pub fn name(text: &str) -> Result<String> {
    ensure!(!text.is_empty(), "a name is missing");
    ensure!(!text.contains('/'), "a name has no slash: write --namespace NAMESPACE --pod POD");
    ensure!(!text.contains('…'), "this name was shortened to fit its column: -o json shows all of it");
    Ok(text.to_owned())
}

/// The name of a node: a host name or a name in Kubernetes, which has at most 253 characters.
pub fn node(text: &str) -> Result<String> {
    ensure!(!text.is_empty(), "a name is missing: write the node's name, or omit the option for the host name");
    ensure!(text.len() <= 253, "too long for the name of a node: at most 253 characters");
    Ok(text.to_owned())
}

/// `blue`, as ip-netns(8) knows it, or a path such as `/proc/PID/ns/net`.
pub fn netns(text: &str) -> Result<PathBuf> {
    ensure!(!text.is_empty(), "a name is missing: write one that `ip netns` lists, or a path such as /proc/PID/ns/net");
    Ok(if text.contains('/') { text.into() } else { Path::new("/run/netns").join(text) })
}

/// `30s`, `5m`, `1h 30m`.
pub fn duration(text: &str) -> Result<Duration> {
    let duration: SignedDuration = text.parse().ok().context("not a duration: write 30s, 5m or 1h")?;
    ensure!(duration.is_positive(), "too short: write at least 1ms");
    Ok(duration.unsigned_abs())
}

/// `100/s`, `600/m`, `off`; `100` means per second.
pub fn line_rate(text: &str) -> Result<MaxLines> {
    const HELP: &str = "not a number of lines per time: write 100/s, 600/m or off";
    if text == "off" {
        return Ok(MaxLines(None));
    }
    let (lines, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1),
        Some((lines, "m")) => (lines, 60),
        Some(_) => bail!(HELP),
    };
    let lines = lines.parse().ok().filter(|lines| *lines > 0).context(HELP)?;
    Ok(MaxLines(Some(LineRate { lines, period: Duration::from_secs(seconds) })))
}

/// `500000`, `64K`, `100M`, `2G`: bytes, in powers of 1024.
pub fn size(text: &str) -> Result<u64> {
    const HELP: &str = "not a size: write 64K, 100M or 2G";
    let units = [(['k', 'K'], 10), (['m', 'M'], 20), (['g', 'G'], 30)];
    let (digits, shift) =
        units.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift))).unwrap_or((text, 0));
    let number: u64 = digits.parse().ok().context(HELP)?;
    match number.checked_mul(1 << shift) {
        Some(bytes) if bytes >= 64 << 10 => Ok(bytes),
        Some(_) => bail!("too small: write at least 64K"),
        None => bail!(HELP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_no_set_of_ports() {
        assert_eq!(allow("auto").unwrap(), Allow::Auto);
        assert_eq!(allow("any").unwrap(), Allow::Ports(PortSet::range(0, u16::MAX)));
        assert!(allow("automatic").is_err());
    }

    #[test]
    fn an_address_is_a_prefix_of_its_full_length() {
        for (given, expected) in [
            ("10.42.0.7", "10.42.0.7/32"),
            ("10.42.0.7/16", "10.42.0.0/16"),
            ("2001:db8::7", "2001:db8::7/128"),
            ("::ffff:10.42.0.7", "10.42.0.7/32"),
        ] {
            assert_eq!(prefix(given).unwrap().to_string(), expected);
        }
        for wrong in ["", "10.42.0", "10.42.0.0/33", "node7"] {
            assert_eq!(
                prefix(wrong).unwrap_err().to_string(),
                "not an address or prefix: write 10.42.0.0/16 or 2001:db8::7"
            );
        }
    }

    #[test]
    fn a_network_namespace_has_a_name_or_a_path() {
        for (given, expected) in [("blue", "/run/netns/blue"), ("/proc/1/ns/net", "/proc/1/ns/net"), ("./x", "./x")] {
            assert_eq!(netns(given).unwrap(), Path::new(expected));
        }
        assert!(netns("").is_err());
    }

    #[test]
    fn a_name_is_one_that_can_match() {
        assert_eq!(name("checkout-0").unwrap(), "checkout-0");
        for (wrong, expected) in [("", "missing"), ("shop/checkout-0", "--namespace"), ("chec…t-0", "-o json")] {
            assert!(name(wrong).unwrap_err().to_string().contains(expected), "{wrong}");
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("1h 30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        for wrong in ["", "30", "-5s", "0s", "fast"] {
            assert!(duration(wrong).unwrap_err().to_string().contains(": write "), "{wrong}");
        }
    }

    #[test]
    fn a_size_is_in_powers_of_1024() {
        assert_eq!(size("65536").unwrap(), 65536);
        assert_eq!(size("100M").unwrap(), 100 << 20);
        assert_eq!(size("2g").unwrap(), 2 << 30);
        for wrong in ["", "M", "10", "1K", "-1M", "1.5M", "1T", "99999999999999999999G", "18446744073709551615G"] {
            assert!(size(wrong).unwrap_err().to_string().contains(": write "), "{wrong}");
        }
    }
}
