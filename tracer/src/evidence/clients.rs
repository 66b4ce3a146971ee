//! Who made the connections of a conntrack table, where that explains as well which of them are answered. Their order in time is not
//! known, so nothing is said of outages.

use tracer_common::Flow;

use super::path::client;
use super::users::{PortUse, Users};
use crate::infer::Class;
use crate::model::Doubt;

/// Connections that are kept; the first ones of a table are as good as others.
const MAX_KEPT: usize = 16_384;

/// A connection.
#[derive(Clone, Copy, Debug)]
struct Connection {
    client: u8,
    /// A hash of its translated source address, the only thing but the port that a table tells of its packets.
    address: u8,
    port: u16,
    is_ipv4: bool,
    /// NAT kept the port that the client chose.
    is_kept: bool,
    answered: bool,
}

/// The clients of the connections of a table.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    connections: Vec<Connection>,
}

impl Clients {
    /// Takes a connection, before NAT and after it.
    pub fn take(&mut self, original: &Flow, translated: &Flow, answered: bool) {
        if self.connections.len() < MAX_KEPT {
            let (port, is_kept) = (translated.src_port, original.src_port == translated.src_port);
            let (address, client, is_ipv4) = (client(translated.src), client(original.src), translated.is_ipv4());
            self.connections.push(Connection { client, address, port, is_ipv4, is_kept, answered });
        }
    }

    /// What explains a class of ports as well, if clients or their programs do.
    pub fn doubt(&self, is_ipv4: bool, class: &Class) -> Option<Doubt> {
        let port_use = |&Connection { client, address, port, is_kept: is_chosen, answered, .. }: &Connection| {
            let is_outside = !class.is_inside(port)?;
            Some(PortUse { client, port, is_chosen, rule: None, packets: [0, address], is_outside, answered })
        };
        let users = Users::of(self.connections.iter().filter(|of| of.is_ipv4 == is_ipv4).filter_map(port_use));
        if users.clients_differ { Some(Doubt::ClientsDiffer) } else { users.other }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::infer::{Infer, Verdict};

    /// Connections of a table: by which client, from which port, and which port NAT makes of that.
    fn doubt(connections: impl Iterator<Item = (u8, u16, u16)>) -> Option<Doubt> {
        doubt_by(|_| 1, connections)
    }

    /// The same where NAT has several addresses, by translated port.
    fn doubt_by(address: fn(u16) -> u8, connections: impl Iterator<Item = (u8, u16, u16)>) -> Option<Doubt> {
        let (mut infer, mut clients) = (Infer::default(), Clients::default());
        for (number, (client, port, translated)) in connections.enumerate() {
            let dst = format!("203.0.113.{}:443", number % 5).parse().unwrap();
            let flow = |src: String| Flow::new(src.parse().unwrap(), dst);
            let original = flow(format!("10.42.0.{client}:{port}"));
            let translated = flow(format!("192.0.2.{}:{translated}", address(translated)));
            infer.observe(&translated, translated.src_port >= 32_768, number as u64);
            clients.take(&original, &translated, translated.src_port >= 32_768);
        }
        let Verdict::Class(class) = &infer.conclusions()[0].verdict else { return None };
        clients.doubt(true, class)
    }

    #[test]
    fn clients_or_programs_with_ports_of_their_own_are_another_explanation() {
        let drawn = || (0..300_u16).map(|number| 1024 + number.wrapping_mul(48_271) % 64_511);
        assert_eq!(doubt(drawn().map(|port| (7, 40_000, port))), None);
        let kept = |client: fn(u16) -> u8| {
            let ports = (0..300_u16).map(|number| if number % 2 == 0 { 20_000 + number } else { 33_000 + number * 90 });
            ports.map(move |port| (client(port), port, port))
        };
        assert_eq!(doubt(kept(|_| 7)), Some(Doubt::ProgramsDiffer));
        assert_eq!(doubt(kept(|port| if port < 32_768 { 8 } else { 7 })), Some(Doubt::ClientsDiffer));
    }

    #[test]
    fn an_address_of_the_node_with_ports_of_its_own_is_another_explanation() {
        let drawn = || (0..300_u16).map(|number| (7, 80, 1024 + number.wrapping_mul(48_271) % 64_511));
        let by_block = |port| if port < 32_768 { 11 } else { 10 };
        assert_eq!(doubt_by(by_block, drawn()), Some(Doubt::PacketsDiffer));
        assert_eq!(doubt_by(|port| (port % 8) as u8, drawn()), None);
    }
}
