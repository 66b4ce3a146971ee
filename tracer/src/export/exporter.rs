//! Takes attempts and retransmits from the pipeline and hands each to the writer of its table and partition.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::columns::{self, AttemptRow};
use super::file::Target;
use super::partition::{self, Key, Partition};
use super::{ExportFormat, ExportTable, TableWriter};
use crate::model::{Capture, EndedAttempt, Finding};
use crate::outputs::Observer;
use crate::outputs::escape::Escaped;

/// Files that are written at once; below what a process may open (1024 by default).
const MAX_OPEN: usize = 400;
const MAX_WAITING: usize = 1 << 20;

/// What to export, and where to.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    pub format: &'static ExportFormat,
    /// The file of the attempts, or the directory of the partitions.
    pub out: PathBuf,
    /// By what files are divided; empty: one file a table.
    pub partition_by: Vec<Key>,
    /// Every attempt, not only flagged ones.
    pub all: bool,
    pub cluster: Option<Arc<str>>,
}

pub struct Exporter {
    options: ExportOptions,
    name: String,
    open: BTreeMap<(ExportTable, Partition), Open>,
    /// How many files a partition has had, where that is over.
    closed: BTreeMap<(ExportTable, Partition), u32>,
    /// Counts rows, so that the file that was used longest ago is known.
    rows: u64,
    waiting: usize,
    written: [u64; 2],
    files: u64,
}

struct Open {
    writer: Box<dyn TableWriter>,
    used: u64,
}

impl Exporter {
    /// Begins the files where they are known before the first row.
    pub fn new(options: ExportOptions, captures: &[Capture]) -> Result<Self> {
        let name = partition::name(captures);
        let (open, closed) = (BTreeMap::new(), BTreeMap::new());
        let mut exporter = Self { options, name, open, closed, rows: 0, waiting: 0, written: [0; 2], files: 0 };
        if !exporter.is_partitioned() {
            for table in [ExportTable::Attempts, ExportTable::Retransmits] {
                exporter.begin(table, &Partition::default())?;
            }
        }
        Ok(exporter)
    }

    /// Completes all files; how many rows there are of attempts and of retransmits, and in how many files.
    pub fn finish(mut self) -> Result<([u64; 2], u64)> {
        while let Some((_, open)) = self.open.pop_first() {
            open.writer.finish()?;
        }
        Ok((self.written, self.files))
    }

    const fn is_partitioned(&self) -> bool {
        !self.options.partition_by.is_empty()
    }

    /// Takes a row without `cluster`.
    fn row(&mut self, table: ExportTable, row: &AttemptRow<'_>) -> io::Result<()> {
        if !self.options.all && !row.judgement.flagged {
            return Ok(());
        }
        let cluster = self.options.cluster.clone();
        self.write(table, &AttemptRow { cluster: cluster.as_deref(), ..*row }).map_err(io::Error::other)
    }

    fn write(&mut self, table: ExportTable, row: &AttemptRow<'_>) -> Result<()> {
        let partition = Partition::of(&self.options.partition_by, row);
        let key = (table, partition);
        if !self.open.contains_key(&key) {
            if !self.is_partitioned() {
                // Standard output has one table.
                return Ok(());
            }
            self.close_over(&key)?;
            self.begin(table, &key.1)?;
        }
        let Some(open) = self.open.get_mut(&key) else { return Ok(()) };
        self.rows += 1;
        self.written[table as usize] += 1;
        open.used = self.rows;
        let before = open.writer.waiting();
        open.writer.write(row)?;
        self.waiting = (self.waiting + open.writer.waiting()).saturating_sub(before);
        if self.waiting > MAX_WAITING { self.write_most_waiting() } else { Ok(()) }
    }

    /// Closes files of hours that are over, and the one used longest ago where there are too many.
    fn close_over(&mut self, newest: &(ExportTable, Partition)) -> Result<()> {
        let over: Vec<_> =
            self.open.keys().filter(|key| key.0 == newest.0 && key.1.is_over(&newest.1)).cloned().collect();
        over.iter().try_for_each(|key| self.close(key))?;
        if self.open.len() < MAX_OPEN {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(key, _)| key.clone());
        oldest.map_or(Ok(()), |key| self.close(&key))
    }

    fn close(&mut self, key: &(ExportTable, Partition)) -> Result<()> {
        let Some(open) = self.open.remove(key) else { return Ok(()) };
        self.waiting = self.waiting.saturating_sub(open.writer.waiting());
        *self.closed.entry(key.clone()).or_default() += 1;
        open.writer.finish()
    }

    fn write_most_waiting(&mut self) -> Result<()> {
        let most = self.open.values_mut().max_by_key(|open| open.writer.waiting());
        let Some(open) = most else { return Ok(()) };
        self.waiting = self.waiting.saturating_sub(open.writer.waiting());
        open.writer.write_waiting()
    }

    fn begin(&mut self, table: ExportTable, partition: &Partition) -> Result<()> {
        let Some(path) = self.path(table, partition) else { return Ok(()) };
        if let Some(parent) = path.parent().filter(|_| self.is_partitioned()) {
            let name = parent.display().to_string();
            fs::create_dir_all(parent).with_context(|| format!("cannot create the directory {}", Escaped(&name)))?;
        }
        let left_out: Vec<&str> = self.options.partition_by.iter().map(|key| key.name()).collect();
        let writer = (self.options.format.open)(
            columns::of(table, &left_out),
            Target::create(&path, self.options.format.is_text)?,
        )?;
        self.open.insert((table, partition.clone()), Open { writer, used: self.rows });
        self.files += 1;
        Ok(())
    }

    fn path(&self, table: ExportTable, partition: &Partition) -> Option<PathBuf> {
        if !self.is_partitioned() {
            return table.path(&self.options.out);
        }
        let number = self.closed.get(&(table, partition.clone())).copied().unwrap_or_default();
        let name = format!("{}-{number}.{}", self.name, self.options.format.name);
        Some(partition.path(&self.options.out, table, &name))
    }
}

impl Observer for Exporter {
    fn retransmit(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let Finding { capture, attempt, owner, judgement, time_ns, ordinal, is_repeated, .. } = *finding;
        let row = AttemptRow { cluster: None, capture, attempt, owner, judgement, time_ns, ordinal, is_repeated };
        self.row(ExportTable::Retransmits, &row)
    }

    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        let EndedAttempt { capture, attempt, owner, judgement } = *ended;
        let (time_ns, ordinal, is_repeated) = (attempt.first_ns, attempt.retransmits, false);
        let row = AttemptRow { cluster: None, capture, attempt, owner, judgement, time_ns, ordinal, is_repeated };
        self.row(ExportTable::Attempts, &row)
    }
}
