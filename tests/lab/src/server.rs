//! The server: accepts, waits for the client to close, closes. It resets the connection of a client that sends data.
//!
//! The client closes first, so TIME_WAIT is on its side, and a reused port never meets TIME_WAIT on the server.

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
const MAX_CONNECTION: Duration = Duration::from_secs(60);

/// A server that stops when this guard is dropped.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the server in a namespace and returns when it accepts connections.
    pub fn start(namespace: &Path) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let namespace: PathBuf = namespace.to_owned();
        let thread = thread::Builder::new()
            .name("lab-server".to_owned())
            .spawn(move || {
                if let Err(error) = serve(&namespace, &ready, stopped) {
                    // Fails only when `start` has returned.
                    let _ = ready.send(Err(error));
                }
            })
            .context("cannot start the thread of the lab's server")?;
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
            // A panic of the thread has been printed; only its end matters here.
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
        // Fails only when `start` has returned.
        let _ = ready.send(Ok(()));
        // The server stops on a message and when the sender is dropped.
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
            // Out of descriptors, or the connection ended in the queue: the next one may succeed.
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn wait_for_end(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    let read = tokio::time::timeout(MAX_CONNECTION, stream.read(&mut buffer)).await;
    // After the end of the stream, an RST or the time limit, only closing is left.
    if let Ok(Ok(1..)) = read {
        // Fails only when the connection has ended.
        let _ = stream.set_zero_linger();
    }
}
