//! The packets of synthetic events, as files that tshark and tcpdump read (pcap with nanoseconds, raw IP).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use etherparse::PacketBuilder;
use tracer_common::events::{WIRE_SYN_ACK, Wire};
use tracer_common::{Event, Flow};

const MAGIC_NS: u32 = 0xa1b2_3c4d;
const LINKTYPE_RAW: u32 = 101;
const SNAP_LEN: u32 = 65_535;

/// What the uplink and the pods' interfaces see.
pub struct Packets(Option<BufWriter<File>>);

impl Packets {
    pub fn create(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let mut file = BufWriter::new(File::create(path)?);
        for word in [MAGIC_NS, 2 | 4 << 16, 0, 0, SNAP_LEN, LINKTYPE_RAW] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Self(Some(file)))
    }

    /// A wire observation is a packet on the uplink. A pod sends its SYN before NAT is asked, and again with each retransmit;
    /// what it gets is what became of its socket.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        let packet = match event {
            Event::Wire(Wire { flow, isn, packet, .. }) => Some((*flow, *isn, *packet == WIRE_SYN_ACK)),
            Event::NatBind(bind) => Some((bind.original, bind.isn, false)),
            Event::SynRetransmit(again) => Some((again.flow, again.isn, false)),
            Event::SockState(state) if state.err == 0 && state.new_state == 1 => {
                Some((state.flow.reversed(), state.isn.wrapping_sub(1), true))
            }
            Event::SockState(_) | Event::NatSelect(_) | Event::Lost(_) | Event::Tick(_) => None,
            Event::CtDrop(_)
            | Event::CtTable(_)
            | Event::Owner(_)
            | Event::Uplink(_)
            | Event::Address(_)
            | Event::Process(_) => None,
        };
        if let (Some((flow, isn, is_answer)), Some(file)) = (packet, &mut self.0) {
            put(file, event.stamp().time_ns, &flow, isn, is_answer)?;
        }
        Ok(())
    }

    pub fn finish(self) -> Result<()> {
        Ok(self.0.map_or(Ok(()), |mut file| file.flush())?)
    }
}

fn put(file: &mut impl Write, time_ns: u64, flow: &Flow, isn: u32, is_answer: bool) -> Result<()> {
    let (std::net::IpAddr::V4(src), std::net::IpAddr::V4(dst)) = (flow.src_addr(), flow.dst_addr()) else {
        anyhow::bail!("synthetic traffic is IPv4");
    };
    let (sequence, acknowledged) = if is_answer { (!isn, isn.wrapping_add(1)) } else { (isn, 0) };
    let tcp = PacketBuilder::ipv4(src.octets(), dst.octets(), 64).tcp(flow.src_port, flow.dst_port, sequence, 64_240);
    let tcp = if is_answer { tcp.syn().ack(acknowledged) } else { tcp.syn() };
    let mut packet = Vec::with_capacity(64);
    tcp.write(&mut packet, &[])?;
    let length = u32::try_from(packet.len())?;
    let (seconds, rest_ns) = (u32::try_from(time_ns / 1_000_000_000)?, (time_ns % 1_000_000_000) as u32);
    for word in [seconds, rest_ns, length, length] {
        file.write_all(&word.to_le_bytes())?;
    }
    Ok(file.write_all(&packet)?)
}
