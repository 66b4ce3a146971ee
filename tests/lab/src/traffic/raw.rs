//! SYNs from a raw socket: a client with another TCP stack than this kernel's, as in a VM or behind a TUN device.
//!
//! It retransmits its SYN every 300 ms, takes the SYN-ACK as success, and ends with an RST so that the server frees the connection.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, setsockopt, sockopt,
};

use super::segment::{self, SynAck};
use super::truth::{Report, Truth};
use crate::netns;
use crate::plan::{Chain, Connection, Plan};
use crate::topology::RAW_MARK;

const RETRANSMIT_AFTER: Duration = Duration::from_millis(300);
/// Room for the SYN-ACKs of all SYNs that are sent together.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Makes all connections; `report` gets the truth about each when it ends.
pub(super) fn run(plan: &Plan, chains: &[Chain], report: Report<'_>) -> Result<()> {
    let connections: Vec<&Connection> = chains.iter().flat_map(|chain| &chain.connections).collect();
    let Some(first) = connections.first() else { return Ok(()) };
    netns::enter(&first.netns)?;
    let mut client = Client { socket: open()?, pending: HashMap::new(), give_up: plan.give_up() };
    let begin = Instant::now();
    let pace = Duration::from_micros(plan.pace_us);
    let mut waiting = connections.iter().zip(0_u32..).peekable();
    while waiting.peek().is_some() || !client.pending.is_empty() {
        let now = Instant::now();
        while client.pending.len() < plan.concurrency.max(1) as usize
            && let Some((connection, _)) = waiting.next_if(|&(_, index)| begin + pace * index <= now)
        {
            client.begin(connection, now)?;
        }
        client.wait(Duration::from_millis(5))?;
        client.read(report)?;
        client.resend_and_give_up(Instant::now(), report)?;
    }
    Ok(())
}

struct Client {
    socket: OwnedFd,
    /// By ISN.
    pending: HashMap<u32, Pending>,
    give_up: Duration,
}

struct Pending {
    src: SocketAddrV4,
    dst: SocketAddrV4,
    begin: Instant,
    resend: Instant,
    truth: Truth,
}

fn open() -> Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Tcp)
        .context("cannot open a raw socket in the pod")?;
    setsockopt(&socket, sockopt::Mark, &RAW_MARK).context("cannot set SO_MARK of a raw socket")?;
    setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).context("cannot set SO_RCVBUFFORCE of a raw socket")?;
    Ok(socket)
}

impl Client {
    fn begin(&mut self, connection: &Connection, now: Instant) -> Result<()> {
        let (SocketAddr::V4(dst), Some(port)) = (connection.dst, connection.step.src_port) else {
            bail!("the raw client supports IPv4 from chosen ports only");
        };
        let SocketAddr::V4(src) = SocketAddr::new(connection.src, port) else {
            bail!("the raw client supports IPv4 only");
        };
        let isn = self.new_isn(src, dst);
        let mut truth = Truth::new(src.into(), dst.into(), connection.step.drawn);
        truth.isn = Some(isn);
        self.send(&segment::syn(src, dst, isn), dst)?;
        self.pending.insert(isn, Pending { src, dst, begin: now, resend: now + RETRANSMIT_AFTER, truth });
        Ok(())
    }

    /// A random ISN that no pending connection uses.
    fn new_isn(&self, src: SocketAddrV4, dst: SocketAddrV4) -> u32 {
        use std::hash::{BuildHasher, RandomState};
        let [.., a, b, c, d] = RandomState::new().hash_one((src, dst)).to_be_bytes();
        let mut isn = u32::from_be_bytes([a, b, c, d]);
        while self.pending.contains_key(&isn) {
            isn = isn.wrapping_add(1);
        }
        isn
    }

    fn send(&self, bytes: &[u8], dst: SocketAddrV4) -> Result<()> {
        let to = SockaddrIn::from(SocketAddrV4::new(*dst.ip(), 0));
        match socket::sendto(self.socket.as_raw_fd(), bytes, &to, MsgFlags::empty()) {
            // No buffer space: the SYN is retransmitted later.
            Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS) => Ok(()),
            Err(errno) => Err(io::Error::from(errno)).context("the raw client cannot send"),
        }
    }

    fn wait(&self, longest: Duration) -> Result<()> {
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::ZERO);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(io::Error::from(errno)).context("the raw client cannot wait"),
        }
    }

    fn read(&mut self, report: Report<'_>) -> Result<()> {
        let mut buffer = [0; 2048];
        loop {
            match socket::recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => {
                    if let Some(answer) = buffer.get(..length).and_then(segment::parse_syn_ack) {
                        self.answered(answer, report)?;
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(io::Error::from(errno)).context("the raw client cannot read"),
            }
        }
    }

    fn answered(&mut self, answer: SynAck, report: Report<'_>) -> Result<()> {
        // Repeated SYN-ACKs, and those for other sockets, match no pending connection.
        let is_ours = |pending: &Pending| pending.src.port() == answer.port;
        if !self.pending.get(&answer.isn).is_some_and(is_ours) {
            return Ok(());
        }
        let Some(pending) = self.pending.remove(&answer.isn) else { return Ok(()) };
        self.send(&segment::rst(pending.src, pending.dst, answer.isn.wrapping_add(1)), pending.dst)?;
        report(&pending.end(true))
    }

    fn resend_and_give_up(&mut self, now: Instant, report: Report<'_>) -> Result<()> {
        let over: Vec<u32> = self
            .pending
            .iter()
            .filter(|(_, pending)| now >= pending.begin + self.give_up)
            .map(|(&isn, _)| isn)
            .collect();
        for pending in over.iter().filter_map(|isn| self.pending.remove(isn)) {
            report(&pending.end(false))?;
        }
        let due: Vec<(u32, SocketAddrV4, SocketAddrV4)> = self
            .pending
            .iter_mut()
            .filter(|(_, pending)| now >= pending.resend)
            .map(|(&isn, pending)| {
                pending.resend = now + RETRANSMIT_AFTER;
                (isn, pending.src, pending.dst)
            })
            .collect();
        due.iter().try_for_each(|&(isn, src, dst)| self.send(&segment::syn(src, dst, isn), dst))
    }
}

impl Pending {
    fn end(self, ok: bool) -> Truth {
        let ms = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        Truth { ok, ms, ..self.truth }
    }
}
