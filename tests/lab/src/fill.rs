//! Fills the node's conntrack table through ctnetlink with entries that the kernel does not evict.

use std::fs;
use std::os::fd::AsRawFd as _;

use anyhow::{Context, Result, bail};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, sendto, socket};

use super::net::{Family, Net};
use super::netns;

const DIRECTORY: &str = "/proc/sys/net/netfilter";
/// Entries in one message to the kernel.
const BATCH: u32 = 128;
/// Filling a larger table takes too long.
const MAX_ENTRIES: u32 = 2_000_000;

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`, and attributes (linux/netfilter/nfnetlink_conntrack.h, UAPI)
const CT_NEW: u16 = 1 << 8;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_TIMEOUT: u16 = 7;
const NESTED: u16 = 1 << 15;
/// `IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED`: the kernel does not evict such an entry for a new one.
const STATUS: u32 = 1 << 1 | 1 << 2 | 1 << 3;
const TIMEOUT_S: u32 = 600;
const UDP: u8 = 17;

/// Fills the table up to its limit.
pub fn fill(net: &Net) -> Result<()> {
    let source = u32::from_be_bytes([10, net.number(), 2, 0]);
    let std::net::IpAddr::V4(server) = net.server(Family::V4, 0) else { bail!("the server has no IPv4 address") };
    netns::within(&net.node_ns(), || {
        let max = number("nf_conntrack_max")?;
        if max > MAX_ENTRIES {
            bail!(
                "this machine's conntrack table has room for {max} entries: too many to fill; lower nf_conntrack_max"
            );
        }
        let (family, protocol) = (AddressFamily::Netlink, SockProtocol::NetlinkNetFilter);
        let socket =
            socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).context("cannot open a netlink socket")?;
        let mut next = 0;
        while number("nf_conntrack_count")? < max && next < max * 2 {
            let mut bytes = Vec::new();
            for index in next..next + BATCH {
                let src = (source + index / 60_000).to_be_bytes();
                let port = 1024 + u16::try_from(index % 60_000).unwrap_or_default();
                put_entry(&mut bytes, (src, port), (server.octets(), 9));
            }
            sendto(socket.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())
                .context("cannot add conntrack entries")?;
            next += BATCH;
        }
        if number("nf_conntrack_count")? < max {
            bail!("the conntrack table does not fill up: is the kernel module nf_conntrack_netlink missing?");
        }
        Ok(())
    })
}

fn number(name: &str) -> Result<u32> {
    let path = format!("{DIRECTORY}/{name}");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    text.trim().parse().with_context(|| format!("{path} holds no number"))
}

type End = ([u8; 4], u16);

fn put_entry(bytes: &mut Vec<u8>, src: End, dst: End) {
    const REQUEST_CREATE: u16 = 0x1 | 0x400;
    let start = bytes.len();
    bytes.extend([0; 4]);
    bytes.extend(CT_NEW.to_ne_bytes());
    bytes.extend(REQUEST_CREATE.to_ne_bytes());
    bytes.extend([0; 8]);
    // struct nfgenmsg: AF_INET, NFNETLINK_V0
    bytes.extend([2, 0, 0, 0]);
    put_tuple(bytes, CTA_TUPLE_ORIG, src, dst);
    put_tuple(bytes, CTA_TUPLE_REPLY, dst, src);
    put(bytes, CTA_STATUS, &STATUS.to_be_bytes());
    put(bytes, CTA_TIMEOUT, &TIMEOUT_S.to_be_bytes());
    let length = u32::try_from(bytes.len() - start).unwrap_or_default();
    bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

fn put_tuple(bytes: &mut Vec<u8>, kind: u16, src: End, dst: End) {
    let (mut ip, mut proto, mut tuple) = (Vec::new(), Vec::new(), Vec::new());
    put(&mut ip, 1, &src.0);
    put(&mut ip, 2, &dst.0);
    put(&mut proto, 1, &[UDP]);
    put(&mut proto, 2, &src.1.to_be_bytes());
    put(&mut proto, 3, &dst.1.to_be_bytes());
    put(&mut tuple, 1 | NESTED, &ip);
    put(&mut tuple, 2 | NESTED, &proto);
    put(bytes, kind | NESTED, &tuple);
}

/// Appends an attribute, padded to a multiple of four bytes.
fn put(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or_default();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_as_long_as_it_says_and_aligned() {
        let mut bytes = Vec::new();
        put_entry(&mut bytes, ([10, 7, 2, 0], 1024), ([10, 7, 192, 10], 9));
        let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        assert_eq!((bytes.len(), length % 4), (length, 0));
        // Header 16, nfgenmsg 4, two tuples of 4 + (4 + 16) + (4 + 24), status 8, timeout 8.
        assert_eq!(length, 16 + 4 + 2 * 52 + 8 + 8);
    }
}
