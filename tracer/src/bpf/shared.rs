//! A running capture that two threads can end: the one that reads it, and another one while that one is blocked.

use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use anyhow::Context as _;

use super::{Tracer, TracerOptions};

type Shared = Arc<Mutex<Option<Tracer>>>;

/// A running capture. Dropping it detaches everything.
#[derive(Default)]
pub struct SharedTracer(Shared);

/// Another thread's hold on it.
pub struct TracerHandle(Shared);

impl SharedTracer {
    /// Loads and attaches all hooks that this kernel can run.
    pub fn start(&self, options: &TracerOptions) -> anyhow::Result<()> {
        let mut tracer = self.lock();
        *tracer = Some(Tracer::start(options)?);
        Ok(())
    }

    /// Uses it. Whatever may block, such as a message, comes afterwards.
    pub fn with<T>(&self, act: impl FnOnce(&mut Tracer) -> T) -> anyhow::Result<T> {
        self.lock().as_mut().map(act).context("the capture has ended")
    }

    /// A descriptor of its own of the ring buffer, readable when that is filling up.
    pub fn ring(&self) -> anyhow::Result<OwnedFd> {
        // SAFETY: the descriptor is open as long as the tracer is, which is borrowed.
        let copy = |tracer: &mut Tracer| unsafe { BorrowedFd::borrow_raw(tracer.as_raw_fd()) }.try_clone_to_owned();
        self.with(copy)?.context("cannot wait for the ring buffer")
    }

    /// Detaches everything, if that was not done before.
    pub fn end(&self) -> anyhow::Result<()> {
        // Locked until it is freed, so that nobody takes this for being blocked.
        let mut tracer = self.lock();
        let detached = tracer.as_mut().map_or(Ok(()), Tracer::detach);
        *tracer = None;
        detached
    }

    /// For another thread.
    pub fn handle(&self) -> TracerHandle {
        TracerHandle(Arc::clone(&self.0))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tracer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedTracer {
    /// For a capture that fails before its end.
    fn drop(&mut self) {
        // The next start removes what is left.
        let _ = self.end();
    }
}

impl TracerHandle {
    /// Whether it is being attached, read or detached right now.
    pub fn is_in_use(&self) -> bool {
        matches!(self.0.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Detaches everything, unless it is in use.
    pub fn end(&self) {
        if let Ok(mut tracer) = self.0.try_lock() {
            *tracer = None;
        }
    }
}
