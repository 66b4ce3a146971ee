//! Asks the kernel over netlink, from the namespace of the calling thread.

use std::io;

use anyhow::{Context as _, bail};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Bytes of a netlink message's header.
const HEADER: usize = 16;
/// `NLMSG_ERROR`, `NLMSG_DONE`
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`: what is listed changed meanwhile.
const CHANGED: u16 = 0x10;
/// Datagrams of a dump are larger only where the reader offers more.
const BUFFER: usize = 1 << 18;

/// Asks over route netlink. An answer that is not understood is left out: one strange route must not hide the others.
///
/// # Errors
/// When the kernel cannot be asked, or refuses.
pub fn route(message: RouteNetlinkMessage, flags: u16) -> anyhow::Result<Vec<RouteNetlinkMessage>> {
    let mut packet = NetlinkMessage::from(message);
    packet.header.flags = flags;
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    let mut answers = Vec::new();
    dump(NETLINK_ROUTE, &bytes, |answer| {
        match NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer).map(|answer| answer.payload) {
            Ok(NetlinkPayload::InnerMessage(answer)) => answers.push(answer),
            // Not as `Debug`, which for all of these messages is 3 % of the binary.
            Ok(other) => log::debug!("netlink: an answer of type {}", other.message_type()),
            Err(error) => log::debug!("netlink: not understood: {error}"),
        }
    })?;
    Ok(answers)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_cut_off_is_none() {
        let message = [[20, 0, 0, 0], [0; 4], [0; 4], [0; 4], [7; 4]].concat();
        assert_eq!(first(&message), Some(&message[..]));
        assert_eq!((first(&message[..19]), first(&[15, 0, 0, 0]), first(&[])), (None, None, None));
    }
}
