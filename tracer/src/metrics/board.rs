//! Where the pipeline leaves the newest snapshot, and the exporter takes it. Neither waits for the other's work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::snapshot::Snapshot;

/// The newest snapshot, shared by pipeline and exporter.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    newest: Mutex<Option<(Instant, Arc<Snapshot>)>>,
    /// Somebody has asked for metrics since this was last looked at.
    is_wanted: AtomicBool,
}

impl Board {
    pub(super) fn store(&self, snapshot: Snapshot) {
        *self.newest() = Some((Instant::now(), Arc::new(snapshot)));
    }

    /// The newest snapshot and when it was stored; `None` until all hooks are attached.
    pub(super) fn load(&self) -> Option<(Instant, Arc<Snapshot>)> {
        self.0.is_wanted.store(true, Ordering::Relaxed);
        self.newest().clone()
    }

    /// Whether it was loaded since the last call.
    pub(super) fn take_wanted(&self) -> bool {
        self.0.is_wanted.swap(false, Ordering::Relaxed)
    }

    fn newest(&self) -> MutexGuard<'_, Option<(Instant, Arc<Snapshot>)>> {
        self.0.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
