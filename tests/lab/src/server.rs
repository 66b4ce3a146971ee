//! The server: accepts, waits for the client to close, closes. A client that says anything is reset.
//!
//! The client closes first, so that TIME_WAIT is on its side and a reused port never meets it here.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

use super::net::PORTS;
use super::{netns, topology};

const BACKLOG: u32 = 4096;
/// No client of the lab keeps a connection longer.
const LONGEST_CONNECTION: Duration = Duration::from_secs(60);

/// A server that stops with this guard.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the server in a namespace and returns when it accepts connections.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(namespace: &Path) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let namespace: PathBuf = namespace.to_owned();
        let thread = thread::Builder::new()
            .name("lab-server".to_owned())
            .spawn(move || {
                if let Err(error) = serve(&namespace, &ready, stopped) {
                    // Fails only when nobody waits any more.
                    let _ = ready.send(Err(error));
                }
            })
            .context("the lab's server has no thread")?;
        let server = Self { stop: Some(stop), thread: Some(thread) };
        is_ready.recv().map_err(|_| anyhow!("the lab's server ended before it was ready"))??;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only when the server has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed; here only its end matters.
            let _ = thread.join();
        }
    }
}

fn serve(namespace: &Path, ready: &mpsc::Sender<Result<()>>, stopped: oneshot::Receiver<()>) -> Result<()> {
    netns::enter(namespace)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for port in PORTS {
            let listener = listen(port).with_context(|| format!("the lab's server cannot listen on port {port}"))?;
            tokio::spawn(accept(listener));
        }
        // Fails only when the one who waits is gone.
        let _ = ready.send(Ok(()));
        // Both a message and a dropped sender mean: stop.
        let _ = stopped.await;
        Ok(())
    })
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let (socket, any) = if topology::has_ipv6() {
        (TcpSocket::new_v6()?, std::net::Ipv6Addr::UNSPECIFIED.into())
    } else {
        (TcpSocket::new_v4()?, std::net::Ipv4Addr::UNSPECIFIED.into())
    };
    socket.set_reuseaddr(true)?;
    socket.bind(std::net::SocketAddr::new(any, port))?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(wait_for_end(stream))),
            // Out of descriptors or a connection that died in the queue: the next one may work.
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn wait_for_end(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    let read = tokio::time::timeout(LONGEST_CONNECTION, stream.read(&mut buffer)).await;
    // End of stream, an RST and the time limit all mean that it is over; closing is all there is to do.
    if let Ok(Ok(1..)) = read {
        // Fails only when the connection is gone already.
        let _ = stream.set_zero_linger();
    }
}
