//! The thread that serves metrics and writes them to a file.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::address::Address;
use super::board::Board;
use super::conntrack::ConntrackFiles;
use super::families::Export;
use super::observer::MetricsObserver;
use super::{http, textfile};
use crate::notice::notice;

/// Clients answered at once.
const MAX_CLIENTS: usize = 16;
/// How often the file is written: as often as node_exporter is usually scraped.
const WRITE_EVERY: Duration = Duration::from_secs(15);
/// After a failed accept, such as for want of file descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Read and write for owner and group.
const SOCKET_MODE: u32 = 0o660;

/// Where metrics go.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsOptions {
    /// Serve metrics for Prometheus on this address, such as 127.0.0.1:9435 or unix:/run/snatrace.sock, with /readyz and /healthz
    #[arg(long = "metrics", value_name = "ADDR", env = "SNATRACE_METRICS", hide_env_values = true, value_parser = str::parse::<Address>)]
    address: Option<Address>,
    /// Write metrics into this directory of node_exporter's textfile collector, every 15 seconds
    #[arg(long = "textfile", value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: Option<PathBuf>,
    /// Give at most N failing pods and containers metrics of their own; all others count as `other`
    #[arg(long = "metrics-sources", value_name = "N", default_value_t = 50)]
    max_sources: usize,
}

impl MetricsOptions {
    /// What a running exporter leaves in the file system.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let socket = match &self.address {
            Some(Address::Unix(path)) => Some(path.clone()),
            Some(Address::Tcp(_)) | None => None,
        };
        socket.into_iter().chain(self.directory.as_deref().map(textfile::path)).collect()
    }
}

/// A running exporter. Dropping it removes its socket and its file, which would be taken for news otherwise.
pub struct MetricsExporter {
    observer: MetricsObserver,
    leftovers: Vec<PathBuf>,
    serving: Option<Serving>,
}

/// The thread that is to come. Clients that connect before it wait in the kernel's queue.
pub struct Serving {
    runtime: Runtime,
    exports: Pin<Box<dyn Future<Output = ((), ())> + Send>>,
}

impl Serving {
    /// Starts it.
    pub fn begin(self) -> Result<()> {
        // Not waited for: it may be waiting for a disk or a client.
        let run = move || self.runtime.block_on(self.exports);
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(run);
        thread.map(drop).context("cannot start a thread")
    }
}

impl MetricsExporter {
    /// Starts to listen, and prepares to serve and to write, if either was asked for. `namespaces` are those whose NAT is captured, empty for snatrace's own.
    pub fn start(options: MetricsOptions, namespaces: &[PathBuf]) -> Result<Option<Self>> {
        if options.address.is_none() && options.directory.is_none() {
            return Ok(None);
        }
        let (board, conntrack) = (Board::default(), ConntrackFiles::open(namespaces)?);
        let observer = MetricsObserver::new(board.clone(), options.max_sources);
        let export = Arc::new(Export { board, conntrack });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the event loop of the metrics")?;
        let (leftovers, guard) = (options.leftovers(), runtime.enter());
        let bind = |address| Listener::bind(address).with_context(|| format!("cannot serve metrics on {address}"));
        let listener = options.address.as_ref().map(bind).transpose()?;
        drop(guard);
        if let Some(directory) = &options.directory {
            anyhow::ensure!(
                directory.is_dir(),
                "--textfile: {} is not a directory: name the one given to node_exporter with --collector.textfile.directory",
                directory.display()
            );
        }
        let exports = async move {
            let writes = write_regularly(options.directory.as_deref(), &export);
            let serves = serve(listener, &export);
            tokio::join!(writes, serves)
        };
        let serving = Some(Serving { runtime, exports: Box::pin(exports) });
        Ok(Some(Self { observer, leftovers, serving }))
    }

    /// What is to run once privileges are given up.
    pub const fn serving(&mut self) -> Option<Serving> {
        self.serving.take()
    }

    /// Whether it makes and removes files.
    pub const fn leaves_files(&self) -> bool {
        !self.leftovers.is_empty()
    }

    /// What feeds it from the pipeline.
    pub const fn observer(&mut self) -> &mut MetricsObserver {
        &mut self.observer
    }
}

impl Drop for MetricsExporter {
    fn drop(&mut self) {
        self.leftovers.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn bind(address: &Address) -> Result<Self> {
        Ok(match address {
            Address::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address).context("is another process using it?")?;
                listener.set_nonblocking(true)?;
                Self::Tcp(TcpListener::from_std(listener)?)
            }
            Address::Unix(path) => {
                remove_stale(path);
                let listener = UnixListener::bind(path).context("is another process using it?")?;
                fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
                Self::Unix(listener)
            }
        })
    }
}

/// Removes a socket that nobody listens on any more: what a killed process left.
fn remove_stale(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|of| of.file_type().is_socket());
    let is_refused = || UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_socket && is_refused() {
        let _ = fs::remove_file(path);
    }
}

async fn serve(listener: Option<Listener>, export: &Arc<Export>) {
    let Some(listener) = listener else { return };
    let clients = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        // Further clients wait in the kernel's queue.
        let Ok(place) = Arc::clone(&clients).acquire_owned().await else { return };
        let export = Arc::clone(export);
        let accepted = match &listener {
            Listener::Tcp(listener) => {
                listener.accept().await.map(|(stream, _)| tokio::spawn(http::serve(stream, export, place)))
            }
            Listener::Unix(listener) => {
                listener.accept().await.map(|(stream, _)| tokio::spawn(http::serve(stream, export, place)))
            }
        };
        if accepted.is_err() {
            sleep(RETRY_AFTER).await;
        }
    }
}

/// A disk that hangs holds up the answers to clients too, but not the capture.
async fn write_regularly(directory: Option<&Path>, export: &Export) {
    let Some(directory) = directory else { return };
    let mut has_failed = false;
    loop {
        if export.board.load().is_none() {
            sleep(RETRY_AFTER).await;
            continue;
        }
        let text = export.text(false);
        let written = text.and_then(|text| textfile::write(directory, &text).context("cannot write the file"));
        // Once for each series of failures.
        if let Some(error) = written.as_ref().err().filter(|_| !has_failed) {
            notice(format_args!("--textfile {}: {error:#}", directory.display()));
        }
        has_failed = written.is_err();
        sleep(WRITE_EVERY).await;
    }
}
