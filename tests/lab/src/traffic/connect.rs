//! Connections of the kernel's TCP, many at once on one thread.
//!
//! A socket belongs to the namespace that its thread is in when the socket is made. So the thread enters the namespace first, and uses
//! the socket from any namespace later.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep_until, timeout};

use super::info;
use super::truth::{Report, Truth};
use crate::netns;
use crate::plan::{Chain, Connection, Plan};
use crate::scenario::Close;

type Sender = mpsc::UnboundedSender<Result<Truth>>;

/// Makes all connections; `report` gets the truth about each when it ends.
pub(super) fn run(plan: &Plan, chains: Vec<Chain>, report: Report<'_>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let (sender, mut truths) = mpsc::unbounded_channel();
        spawn_local(start_all(plan.clone(), chains, sender));
        while let Some(truth) = truths.recv().await {
            report(&truth?)?;
        }
        Ok(())
    })
}

async fn start_all(plan: Plan, chains: Vec<Chain>, sender: Sender) {
    let places = Arc::new(Semaphore::new(plan.concurrency.max(1) as usize));
    let current = Rc::new(Current::default());
    let begin = tokio::time::Instant::now();
    for (chain, index) in chains.into_iter().zip(0_u32..) {
        sleep_until(begin + Duration::from_micros(plan.pace_us) * index).await;
        // Fails only when the semaphore is closed, which never happens.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (current, sender, give_up) = (Rc::clone(&current), sender.clone(), plan.give_up());
        spawn_local(async move {
            for connection in &chain.connections {
                // Fails only when the receiver ended after an error.
                let _ = sender.send(attempt(connection, &current, give_up).await);
            }
            drop(place);
        });
    }
}

/// The namespace that the thread is in.
#[derive(Default)]
struct Current(RefCell<Option<PathBuf>>);

impl Current {
    fn enter(&self, path: &PathBuf) -> Result<()> {
        let mut current = self.0.borrow_mut();
        if current.as_ref() != Some(path) {
            netns::enter(path)?;
            *current = Some(path.clone());
        }
        Ok(())
    }
}

async fn attempt(connection: &Connection, current: &Current, give_up: Duration) -> Result<Truth> {
    current.enter(&connection.netns)?;
    let begin = Instant::now();
    let (stream, src) =
        start(connection).with_context(|| format!("cannot begin a connection to {}", connection.dst))?;
    let mut truth = Truth::new(src, connection.dst, connection.step.drawn);
    // A socket becomes writable when it is established or has failed.
    match timeout(give_up, stream.writable()).await {
        Ok(writable) => match writable.and_then(|()| stream.take_error()) {
            Ok(None) => truth.ok = true,
            Ok(Some(error)) | Err(error) => truth.error = Some(error.to_string()),
        },
        Err(_) => truth.error = None,
    }
    truth.retransmits = info::retransmits(&stream);
    truth.isn = info::isn(&stream);
    truth.ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    if truth.ok && connection.step.close == Close::ResetByServer {
        wait_for_reset(stream, give_up).await;
    } else if truth.ok && connection.step.close == Close::Hold {
        // The connections that began last have given up by then.
        tokio::time::sleep(give_up * 2).await;
    }
    Ok(truth)
}

/// Asks the server for an RST and waits for it: only then is the source port free.
async fn wait_for_reset(mut stream: TcpStream, longest: Duration) {
    let asked = async {
        stream.write_all(b"reset").await?;
        stream.read_u8().await
    };
    // The RST is an error here; without an RST the next connection from the port fails and says why.
    let _ = timeout(longest, asked).await;
}

/// Begins a connection without waiting for it. The kernel chooses the source port now.
fn start(connection: &Connection) -> Result<(TcpStream, SocketAddr)> {
    let socket = open(connection)?;
    begin(&socket, connection.dst)?;
    let stream = StdStream::from(socket);
    let src = stream.local_addr().context("cannot read the source port")?;
    Ok((TcpStream::from_std(stream)?, src))
}

/// A socket in the namespace of this thread, bound to the connection's source port if it has one.
pub(super) fn open(connection: &Connection) -> Result<OwnedFd> {
    let family = if connection.dst.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket: OwnedFd = socket::socket(family, SockType::Stream, flags, None).context("cannot open a socket")?;
    if let Some(port) = connection.step.src_port {
        // Allows the port while an earlier connection from it is in TIME_WAIT.
        setsockopt(&socket, sockopt::ReuseAddr, &true).context("SO_REUSEADDR")?;
        let src = SockaddrStorage::from(SocketAddr::new(connection.src, port));
        socket::bind(socket.as_raw_fd(), &src).with_context(|| format!("cannot bind source port {port}"))?;
    }
    Ok(socket)
}

/// Sends the SYN.
pub(super) fn begin(socket: &OwnedFd, dst: SocketAddr) -> Result<()> {
    match socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(dst)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(errno) => Err(io::Error::from(errno)).context("connect"),
    }
}
