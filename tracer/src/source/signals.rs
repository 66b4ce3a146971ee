//! The signals that end a capture.

use anyhow::Context as _;
use nix::libc;
use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

use crate::status;

/// Those that have arrived and were not looked at yet. Every holder of such a value sees each of them.
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    /// Unless it is ignored, as by nohup(1).
    hangup: Option<unix::Signal>,
}

impl Signals {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP.
    pub(super) fn new() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("cannot take over Ctrl-C")?;
        let terminate = signal(SignalKind::terminate()).context("cannot take over SIGTERM")?;
        let hangup = (!is_ignored(libc::SIGHUP)).then(|| signal(SignalKind::hangup())).transpose();
        Ok(Self { interrupt, terminate, hangup: hangup.context("cannot take over SIGHUP")? })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            () = arrival_of(self.hangup.as_mut()) => Signal::SIGHUP,
        }
    }
}

/// Whether whoever started this process wants it to ignore the signal.
fn is_ignored(signal: i32) -> bool {
    status::mask("SigIgn:").is_ok_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}

async fn arrival_of(signal: Option<&mut unix::Signal>) {
    let arrived = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if arrived.is_none() {
        std::future::pending::<()>().await;
    }
}
