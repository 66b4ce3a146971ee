//! Asks the kernel over route netlink, and listens to what it announces.

use std::io::ErrorKind;

use anyhow::{Context as _, ensure};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::libc;

/// Bytes of a netlink message's header (`nlmsghdr`), and of an attribute's (`rtattr`).
const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;
/// Groups of announcements (linux/rtnetlink.h): links, filters, addresses, routes and rules of both families, nexthop objects.
const GROUPS: [u32; 9] = [1, 4, 5, 7, 8, 9, 11, 19, 32];
/// Bytes of announcements that may wait: hundreds of pods may come at once.
const BUFFER: usize = 1 << 20;

/// A way to ask, from the namespace that it was opened in.
pub(super) struct Connection(Socket);

impl Connection {
    /// From the namespace of this thread.
    pub(super) fn open() -> anyhow::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Asks for one thing, and hands over the answer.
    pub(super) fn ask(&self, kind: u16, body: &[u8], visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
        self.send(kind, (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16, body)?;
        self.answers(visit)
    }

    /// Asks for everything of a kind, and hands over each answer: its kind and what follows the header.
    pub(super) fn dump(&self, kind: u16, body: &[u8], visit: impl FnMut(u16, &[u8])) -> anyhow::Result<()> {
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

/// Announcements of changes in the namespace that it was opened in.
pub(super) struct Monitor(Socket);

impl Monitor {
    /// In the namespace of this thread.
    pub(super) fn open() -> anyhow::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        let _ = socket.set_rx_buf_sz(BUFFER as libc::c_int);
        for group in GROUPS {
            // Older kernels do not have all.
            if let Err(error) = socket.add_membership(group) {
                log::debug!("netlink: no announcements of group {group}: {error}");
            }
        }
        Ok(Self(socket))
    }

    /// Hands over what was announced since the last call; whether something was missed.
    pub(super) fn read(&self, mut visit: impl FnMut(u16, &[u8])) -> anyhow::Result<bool> {
        let mut has_missed = false;
        loop {
            match self.0.recv_from_full() {
                Ok((datagram, _)) => messages(&datagram).for_each(|(kind, body)| visit(kind, body)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(has_missed),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => has_missed = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot follow the interfaces"),
            }
        }
    }
}

/// Kind and body of each message.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = length(rest)?;
        let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
        let (message, others) = rest.split_at(len);
        rest = others;
        Some((kind, &message[HEADER..]))
    })
}

/// Type, without the flag of nesting, and payload of each attribute.
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
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
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

/// Sends a request from the namespace of this thread and collects what the kernel answers.
///
/// An answer that is not understood is left out: one strange filter must not hide the others.
pub(super) fn request(message: RouteNetlinkMessage, flags: u16) -> anyhow::Result<Vec<RouteNetlinkMessage>> {
    let Connection(socket) = Connection::open()?;
    let mut packet = NetlinkMessage::from(message);
    packet.header.flags = flags;
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let mut answers = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = &datagram[..];
        while let Some(length) = length(rest) {
            match NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map(|answer| answer.payload) {
                Ok(NetlinkPayload::InnerMessage(answer)) => answers.push(answer),
                Ok(NetlinkPayload::Error(error)) => {
                    ensure!(error.code.is_none(), "the kernel refuses: {}", error.to_io());
                    return Ok(answers);
                }
                Ok(NetlinkPayload::Done(_)) => return Ok(answers),
                Ok(other) => log::debug!("netlink: an answer of type {}", other.message_type()),
                Err(error) => log::debug!("netlink: not understood: {error}"),
            }
            rest = &rest[length..];
        }
    }
}

/// Bytes up to the next message; `None` where there is none.
fn length(rest: &[u8]) -> Option<usize> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
    (length >= HEADER).then(|| length.next_multiple_of(4).min(rest.len())).filter(|length| *length >= HEADER)
}

/// An attribute as the kernel writes it.
#[cfg(test)]
pub(super) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
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
