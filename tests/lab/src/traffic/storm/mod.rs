//! A connection storm: as many connections as the machine can make, or a fixed rate, from a pod through the node's NAT.
//!
//! The load of `cargo xtask bench live`. One thread, few system calls a connection: each is begun without waiting for it
//! and closed by an RST as soon as it is established, so that no socket lingers. A line on standard input asks for the counts
//! since the last one; the end of standard input ends the storm.

mod pace;
mod server;
mod unused;
mod window;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt};

pub use server::serve;

use self::pace::Pace;
use self::server::PORTS;
use self::window::Window;
use crate::net::{Family, Net, SERVERS};
use crate::netns;

/// A forgotten storm ends by itself.
const MAX_LENGTH: Duration = Duration::from_secs(3600);
const STDIN: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// The load of a storm.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections per second; `None` for as many as possible.
    pub rate: Option<u32>,
    /// Connections at once.
    pub at_once: usize,
}

/// Makes connections until standard input ends.
pub fn run(net: &Net, load: Load) -> Result<()> {
    netns::enter(&netns::path(&net.pod_ns(0)))?;
    let mut storm = Storm::new(destinations(net), load)?;
    let begin = Instant::now();
    while begin.elapsed() < MAX_LENGTH && storm.turn()? {}
    Ok(())
}

/// The destinations in turn: all addresses of one port, then the next port.
fn destinations(net: &Net) -> Vec<SockaddrStorage> {
    let address = |port| (0..SERVERS).map(move |index| SocketAddr::new(net.server(Family::V4, index), port));
    PORTS.flat_map(address).map(SockaddrStorage::from).collect()
}

struct Storm {
    epoll: Epoll,
    pace: Pace,
    destinations: Vec<SockaddrStorage>,
    next: usize,
    /// The connections that are not established yet; empty places are listed in `free`.
    open: Vec<Option<(OwnedFd, Instant)>>,
    free: Vec<usize>,
    window: Window,
}

impl Storm {
    fn new(destinations: Vec<SockaddrStorage>, load: Load) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("cannot open an epoll")?;
        epoll
            .add(io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, STDIN))
            .context("cannot wait for standard input: it must be a pipe")?;
        let pace = Pace::new(load.rate)?;
        if let Some(timer) = pace.timer() {
            epoll.add(timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER)).context("cannot watch the timer")?;
        }
        let open = (0..load.at_once).map(|_| None).collect();
        let free = (0..load.at_once).rev().collect();
        Ok(Self { epoll, pace, destinations, next: 0, open, free, window: Window::new() })
    }

    /// Begins what is due, waits, ends what is established; false when the storm is over.
    fn turn(&mut self) -> Result<bool> {
        for _ in 0..self.pace.due().min(self.free.len() as u64) {
            self.begin()?;
        }
        let mut events = [EpollEvent::empty(); 64];
        let ready = match self.epoll.wait(&mut events, EpollTimeout::from(200_u8)) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(io::Error::from(errno)).context("the storm cannot wait"),
        };
        let now = Instant::now();
        for event in events.iter().take(ready) {
            match event.data() {
                STDIN if !self.answer()? => return Ok(false),
                STDIN => {}
                TIMER => self.pace.tick(),
                place => self.end(place, event.events(), now),
            }
        }
        Ok(true)
    }

    fn begin(&mut self) -> Result<()> {
        let Some(dst) = self.destinations.get(self.next % self.destinations.len()) else { return Ok(()) };
        self.next += 1;
        let socket = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK, None)
            .context("cannot open a socket for the storm")?;
        // Closing sends an RST, and neither end keeps state of the connection.
        setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).context("SO_LINGER")?;
        let begin = Instant::now();
        self.pace.begun();
        match socket::connect(socket.as_raw_fd(), dst) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(_) => {
                self.window.failed();
                return Ok(());
            }
        }
        let Some(place) = self.free.pop() else { return Ok(()) };
        self.epoll.add(socket.as_fd(), EpollEvent::new(EpollFlags::EPOLLOUT, place as u64)).context("epoll_ctl")?;
        if let Some(entry) = self.open.get_mut(place) {
            *entry = Some((socket, begin));
        }
        Ok(())
    }

    /// Dropping the socket closes it.
    fn end(&mut self, place: u64, events: EpollFlags, now: Instant) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let Some((_socket, begin)) = self.open.get_mut(place).and_then(Option::take) else { return };
        self.free.push(place);
        if events.intersects(EpollFlags::EPOLLERR) {
            self.window.failed();
        } else {
            self.window.established(now - begin);
        }
    }

    fn answer(&mut self) -> Result<bool> {
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &self.window.close()).context("cannot write the counts of the storm")?;
        out.write_all(b"\n")?;
        out.flush()?;
        Ok(true)
    }
}
