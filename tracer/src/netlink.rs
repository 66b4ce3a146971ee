//! Asks the kernel over netlink, from the namespace of the calling thread.

use std::io;

use anyhow::{Context as _, bail, ensure};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::libc;

/// Bytes of a netlink message's header (`nlmsghdr`), and of an attribute's (`rtattr`).
const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;
/// `NLMSG_ERROR`, `NLMSG_DONE`
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`: what is listed changed meanwhile.
const CHANGED: u16 = 0x10;
/// Datagrams of a dump are larger only where the reader offers more.
const BUFFER: usize = 1 << 18;

/// Sends a request and shows each message of the answer, its header included. Says whether what is listed changed meanwhile.
///
/// # Errors
/// When the kernel cannot be asked, or refuses.
pub fn dump(protocol: isize, request: &[u8], mut each: impl FnMut(&[u8])) -> anyhow::Result<bool> {
    let mut socket = Socket::new(protocol).context("cannot open a netlink socket")?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(request, 0)?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut is_changed = false;
    loop {
        buffer.clear();
        socket.recv(&mut buffer, 0)?;
        let mut rest = &buffer[..];
        if rest.len() < HEADER {
            bail!("the kernel's answer ends too early");
        }
        while let Some(message) = first(rest) {
            let kind = u16::from_ne_bytes([message[4], message[5]]);
            is_changed |= u16::from_ne_bytes([message[6], message[7]]) & CHANGED != 0;
            match kind {
                DONE => return Ok(is_changed),
                ERROR => {
                    let code = message.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok());
                    return match code.map_or(0, i32::from_ne_bytes) {
                        0 => Ok(is_changed),
                        code => Err(io::Error::from_raw_os_error(code.saturating_neg())).context("the kernel refuses"),
                    };
                }
                _ => each(message),
            }
            rest = &rest[message.len().next_multiple_of(4).min(rest.len())..];
        }
    }
}

/// The first message; `None` where there is none.
fn first(rest: &[u8]) -> Option<&[u8]> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
    (length >= HEADER).then(|| rest.get(..length)).flatten()
}

/// A way to ask, from the namespace that it was opened in.
pub(crate) struct Connection(Socket);

impl Connection {
    /// From the namespace of this thread.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Asks for one thing, and hands over the answer.
    pub(crate) fn ask(&self, kind: u16, body: &[u8], visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
        self.send(kind, (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16, body)?;
        self.answers(visit)
    }

    /// Asks for everything of a kind, and hands over each answer: its kind and what follows the header.
    pub(crate) fn dump(&self, kind: u16, body: &[u8], visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
        self.send(kind, (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16, body)?;
        self.answers(visit)
    }

    fn send(&self, kind: u16, flags: u16, body: &[u8]) -> anyhow::Result<()> {
        let mut packet = Vec::with_capacity(HEADER + body.len());
        packet.extend(((HEADER + body.len()) as u32).to_ne_bytes());
        packet.extend([kind, flags].map(u16::to_ne_bytes).concat());
        packet.extend([0; 8]);
        packet.extend(body);
        self.0.send(&packet, 0)?;
        Ok(())
    }

    /// A dump ends with a message of its own, any other answer with an acknowledgement.
    fn answers(&self, mut visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
        loop {
            let (datagram, _) = self.0.recv_from_full()?;
            for (kind, body) in messages(&datagram) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        let error = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                        ensure!(error == 0, "the kernel refuses: {}", std::io::Error::from_raw_os_error(-error));
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
        let len = length(rest)?;
        let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
        let (message, others) = rest.split_at(len);
        rest = others;
        Some((kind, &message[HEADER..]))
    })
}

/// Type, without the flag of nesting, and payload of each attribute.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const NLA_TYPE_MASK: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let [len, kind] = [rest.get(..2)?, rest.get(2..4)?].map(|half| half.first_chunk().copied());
        let (len, kind) = (usize::from(u16::from_ne_bytes(len?)), u16::from_ne_bytes(kind?));
        let payload = rest.get(ATTRIBUTE..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & NLA_TYPE_MASK, payload))
    })
}

/// A number from the beginning of some bytes.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

/// Bytes up to the next message; `None` where there is none.
fn length(rest: &[u8]) -> Option<usize> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
    (length >= HEADER).then(|| length.next_multiple_of(4).min(rest.len())).filter(|length| *length >= HEADER)
}

/// The payload of the first attribute of a type.
pub(crate) fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload)
}

/// A text that may end with a zero.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok()
}

/// The interfaces of a route with several hops (`rtnexthop`).
pub(crate) fn hops(mut rest: &[u8]) -> Vec<u32> {
    const HOP: usize = 8;
    let mut indexes = Vec::new();
    while let (Some(len), Some(index)) = (rest.first_chunk(), rest.get(4..).and_then(number)) {
        indexes.push(index);
        let len = usize::from(u16::from_ne_bytes(*len)).max(HOP).next_multiple_of(4);
        rest = rest.get(len..).unwrap_or_default();
    }
    indexes
}

/// An attribute as the kernel writes it.
#[cfg(test)]
pub(crate) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let len = (ATTRIBUTE + payload.len()) as u16;
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_cut_off_is_none() {
        let message = [[20, 0, 0, 0], [0; 4], [0; 4], [0; 4], [7; 4]].concat();
        assert_eq!(first(&message), Some(&message[..]));
        assert_eq!((first(&message[..19]), first(&[15, 0, 0, 0]), first(&[])), (None, None, None));
    }

    #[test]
    fn attributes_end_where_their_bytes_do() {
        let bytes = [5, 0, 3, 0x80, 7, 0, 0, 0, 8, 0, 4, 0, 1, 2, 3, 4, 9, 0, 1, 0];
        let found: Vec<_> = attributes(&bytes).collect();
        assert_eq!(found, [(3, &[7][..]), (4, &[1, 2, 3, 4])]);
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[1]).count(), 0);
    }

    #[test]
    fn messages_end_where_their_bytes_do() {
        let mut bytes = 20u32.to_ne_bytes().to_vec();
        bytes.extend(24u16.to_ne_bytes());
        bytes.extend([0; 14]);
        let found: Vec<_> = messages(&bytes).collect();
        assert_eq!(found, [(24, &[0; 4][..])]);
        assert_eq!(messages(&bytes[..10]).count(), 0);
        assert_eq!(messages(&[0; 20]).count(), 0);
    }
}
