//! What became of a connection, as its client saw it.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// Receives the truth about each connection when it ends.
pub(super) type Report<'a> = &'a mut dyn FnMut(&Truth) -> Result<()>;

/// One connection, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Source address before NAT.
    pub src: IpAddr,
    /// Source port before NAT.
    pub src_port: u16,
    /// Destination address before NAT.
    pub dst: IpAddr,
    /// Destination port before NAT.
    pub dst_port: u16,
    /// Initial sequence number: chosen by the client, or read from its socket; `None` where the socket does not provide it.
    pub isn: Option<u32>,
    /// It was established.
    pub ok: bool,
    /// Why it failed, other than by being given up.
    pub error: Option<String>,
    /// Its translated port was a new random draw.
    pub drawn: bool,
    /// Number of SYN retransmits that its socket reports.
    #[serde(default)]
    pub retransmits: u32,
    /// How long it took to succeed or to be given up.
    pub ms: u64,
}

impl Truth {
    /// The truth about a connection that has not ended.
    pub fn new(src: SocketAddr, dst: SocketAddr, drawn: bool) -> Self {
        Self {
            src: src.ip(),
            src_port: src.port(),
            dst: dst.ip(),
            dst_port: dst.port(),
            isn: None,
            ok: false,
            error: None,
            drawn,
            retransmits: 0,
            ms: 0,
        }
    }
}
