//! How much of the traces was read, on a terminal.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::join::Update;
use crate::source::{Ahead, Source};

/// Updates of traces, with a bar that shows how much of the traces was read; hidden unless standard error is a terminal.
pub(super) struct WithProgress {
    bar: ProgressBar,
    pub(super) updates: Ahead<(u32, Update)>,
}

impl WithProgress {
    pub(super) fn new(files: &[PathBuf], updates: Ahead<(u32, Update)>) -> Self {
        Self { bar: bar(files), updates }
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Bytes read of all files.
fn bar(files: &[PathBuf]) -> ProgressBar {
    let sizes: Option<Vec<u64>> = files.iter().map(|file| fs::metadata(file).ok()).map(|of| Some(of?.len())).collect();
    let Some(sizes) = sizes else { return ProgressBar::no_length() };
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes} of {total_bytes}, {eta} left");
    ProgressBar::new(sizes.iter().sum()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Source for WithProgress {
    type Item = (u32, Update);

    async fn next(&mut self, batch: &mut Vec<(u32, Update)>) -> Result<bool> {
        self.bar.set_position(self.updates.position());
        self.updates.next(batch).await
    }

    fn stop(&mut self) {
        self.updates.stop();
    }
}
