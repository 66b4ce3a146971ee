//! Asks the kernel over netlink, from the namespace of the calling thread.

pub(crate) mod link;
pub(crate) mod route;

use std::io;

use anyhow::{Context as _, ensure};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::libc;

/// Bytes of a netlink message's header (`nlmsghdr`), and of an attribute's (`rtattr`).
const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;
/// Datagrams of a dump are larger only where the reader offers more.
const BUFFER: usize = 1 << 18;

/// A way to ask, from the namespace that it was opened in.
pub(crate) struct Connection(Socket);

impl Connection {
    /// About links, addresses, routes and filters, from the namespace of this thread.
    pub(crate) fn open() -> anyhow::Result<Self> {
        Self::with(NETLINK_ROUTE)
    }

    /// The same for another protocol.
    pub(crate) fn with(protocol: isize) -> anyhow::Result<Self> {
        let mut socket = Socket::new(protocol).context("cannot open a netlink socket")?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Asks for one thing, and hands over the answer.
    pub(crate) fn ask(&self, kind: u16, body: &[u8], visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
        self.send(kind, libc::NLM_F_ACK, body, visit)
    }

    /// Asks for everything of a kind, and hands over each answer: its kind and what follows the header.
    pub(crate) fn dump(&self, kind: u16, body: &[u8], visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
        self.send(kind, libc::NLM_F_DUMP, body, visit)
    }

    /// A dump ends with a message of its own, any other answer with an acknowledgement.
    fn send(&self, kind: u16, flag: i32, body: &[u8], mut visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
        let mut packet = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        packet.extend([kind, (libc::NLM_F_REQUEST | flag) as u16].map(u16::to_ne_bytes).concat());
        packet.extend([0; 8]);
        packet.extend(body);
        self.0.send(&packet, 0)?;
        let mut datagram = Vec::with_capacity(BUFFER);
        loop {
            datagram.clear();
            self.0.recv(&mut datagram, 0)?;
            ensure!(datagram.len() >= HEADER, "the kernel's answer ends too early");
            for (kind, body) in messages(&datagram) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                        ensure!(
                            code == 0,
                            "the kernel refuses: {}",
                            io::Error::from_raw_os_error(code.saturating_neg())
                        );
                        return Ok(());
                    }
                    _ => visit(kind, body),
                }
            }
        }
    }
}

/// Kind and body of each message.
pub(crate) fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = number(rest)? as usize;
        let body = rest.get(HEADER..length)?;
        let kind = u16::from_ne_bytes([rest[4], rest[5]]);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Type, without the flag of nesting, and payload of each attribute.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const NLA_TYPE_MASK: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let header: [u8; ATTRIBUTE] = *rest.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let payload = rest.get(ATTRIBUTE..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([header[2], header[3]]) & NLA_TYPE_MASK, payload))
    })
}

/// The payload of the first attribute of a type.
pub(crate) fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload)
}

/// A number from the beginning of some bytes.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

/// A text that may end with a zero.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok()
}

/// An attribute as the kernel reads and writes it.
pub(crate) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = (ATTRIBUTE + payload.len()) as u16;
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_end_where_their_bytes_do() {
        let bytes = [5, 0, 3, 0x80, 7, 0, 0, 0, 8, 0, 4, 0, 1, 2, 3, 4, 9, 0, 1, 0];
        let found: Vec<_> = attributes(&bytes).collect();
        assert_eq!(found, [(3, &[7][..]), (4, &[1, 2, 3, 4])]);
        assert_eq!((attributes(&[3, 0, 1, 0]).count(), attributes(&[1]).count()), (0, 0));
    }

    #[test]
    fn messages_end_where_their_bytes_do() {
        let message = [[20, 0, 0, 0], [24, 0, 0, 0], [0; 4], [0; 4], [7; 4]].concat();
        assert_eq!(messages(&message).collect::<Vec<_>>(), [(24, &[7; 4][..])]);
        for cut_off in [&message[..19], &message[..10], &[15, 0, 0, 0], &[0; 20], &[]] {
            assert_eq!(messages(cut_off).count(), 0, "{cut_off:?}");
        }
    }
}
