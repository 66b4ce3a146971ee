//! Ends a capture that is blocked when a signal comes: by a pipe that nobody reads, a FIFO that nobody opens, a disk that hangs.
//!
//! A thread of its own waits for the same signals. The hooks are detached first, since a thread that waits for a disk keeps the
//! process, and with it the programs, alive.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, SigHandler, SigSet, Signal};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{Pid, gettid, write};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::signals::Signals;
use crate::bpf::TracerHandle;
use crate::sandbox::{self, Needs};

/// How long a capture has for its summary.
const GRACE: Duration = Duration::from_millis(800);
/// How often to look whether it is still blocked.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long removing files may take.
const MAX_CLEAN_UP: Duration = Duration::from_millis(100);
/// How long a capture has that is not blocked, but busy.
const MAX_BUSY: Duration = Duration::from_secs(10);

/// Watches over the calling thread from now on. The thread that does gives up its privileges once it is sent which it needs. Where
/// it ends the process, it cleans up by the function before, as long as that takes no time.
pub fn watch(tracer: TracerHandle, clean_up: impl FnOnce() + Send + 'static) -> anyhow::Result<oneshot::Sender<Needs>> {
    let watched = gettid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot wait for signals")?;
    // Before the thread runs, so that no signal is missed.
    let signals = {
        let _entered = runtime.enter();
        Signals::new()?
    };
    let (sender, needs) = oneshot::channel();
    let end = move || {
        let signal = runtime.block_on(blocked_at(signals, needs, &tracer, watched));
        tracer.end();
        say(&format!(
            "snatrace: ended by {signal} without a summary: what it writes to (standard output, standard error, a file) is blocked\n"
        ));
        within(MAX_CLEAN_UP, clean_up);
        end_by(signal);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(end).context("cannot start a thread")?;
    // The kernel would hand them to this thread first, and no handler runs in a thread that waits for a disk.
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().context("cannot take over signals")?;
    Ok(sender)
}

/// Waits for a signal, and then for another one, or for the thread to be blocked.
async fn blocked_at(
    mut signals: Signals,
    needs: oneshot::Receiver<Needs>,
    tracer: &TracerHandle,
    thread: Pid,
) -> Signal {
    let first = tokio::select! {
        first = signals.next() => first,
        needs = needs => {
            // Not sent by a capture that failed.
            let _ = needs.map(sandbox::reduce);
            signals.next().await
        }
    };
    let is_blocked = async {
        let busy_until = Instant::now() + MAX_BUSY;
        sleep(GRACE).await;
        while Instant::now() < busy_until && (tracer.is_in_use() || is_running(thread)) {
            sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        second = signals.next() => second,
        () = is_blocked => first,
    }
}

/// Runs it in another thread, which may be blocked by a disk.
fn within(limit: Duration, run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let run = move || {
        run();
        let _ = done.send(());
    };
    if thread::Builder::new().spawn(run).is_ok() {
        let _ = is_done.recv_timeout(limit);
    }
}

/// Whether a thread of this process has a processor, or waits for one.
fn is_running(thread: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('R'))
}

/// Says it on standard error, where that takes it at once. The lock of the standard library may be held by the blocked thread.
fn say(text: &str) {
    let stderr = io::stderr();
    let stderr = stderr.as_fd();
    let is_file = fstat(stderr).is_ok_and(|of| SFlag::from_bits_truncate(of.st_mode & libc::S_IFMT) == SFlag::S_IFREG);
    let mut ready = [PollFd::new(stderr, PollFlags::POLLOUT)];
    let is_ready = poll(&mut ready, PollTimeout::ZERO) == Ok(1);
    if is_ready && !is_file {
        let _ = write(stderr, text.as_bytes());
    }
}

/// Ends the process as the signal does where it is not taken over.
fn end_by(signal: Signal) {
    // SAFETY: no handler is installed.
    let _ = unsafe { signal::signal(signal, SigHandler::SigDfl) };
    let _ = signal::raise(signal);
    // The first process of a container is not ended by its own signals.
    // SAFETY: nothing is unwound or flushed, which is what is wanted: it may block.
    unsafe { libc::_exit(128 + signal as i32) }
}
