//! Asks the kernel over route netlink.

use anyhow::{Context as _, ensure};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Bytes of a netlink message's header.
const HEADER: usize = 16;

/// Sends a request from the namespace of this thread and collects what the kernel answers.
///
/// An answer that is not understood is left out: one strange route must not hide the others.
pub(super) fn request(message: RouteNetlinkMessage, flags: u16) -> anyhow::Result<Vec<RouteNetlinkMessage>> {
    let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
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
                Ok(other) => log::debug!("netlink: {other:?}"),
                Err(error) => log::debug!("netlink: not understood: {error}"),
            }
            rest = &rest[length..];
        }
    }
}

/// Bytes up to the next message; `None` where there is none.
fn length(rest: &[u8]) -> Option<usize> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
    (length >= HEADER).then(|| length.next_multiple_of(4).min(rest.len()))
}
