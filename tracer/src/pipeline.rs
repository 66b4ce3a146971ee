//! The loop: source -> join -> owners -> causes -> outputs. The first file to read.
//!
//! `tail`, `record` and `replay` all do this. A source of updates reads events and has them joined, in this thread
//! (`source/joined.rs`) or ahead of it (`source/ahead.rs`): what is found out depends on nothing that is concluded from it.

#[cfg(test)]
mod agreement;
mod by_uplink;
mod judge;
mod judgements;
#[cfg(test)]
mod tests;
mod undecided;
mod watched;

pub use self::judge::Judge;

use crate::join::Update;
use crate::source::Source;
use crate::summary::Summary;

/// Updates in, findings out: reads the source to its end, or until as many findings were shown as were asked for.
pub async fn run(mut updates: impl Source<Item = (u32, Update)>, mut judge: Judge<'_>) -> anyhow::Result<Summary> {
    judge.start()?;
    let mut batch = Vec::new();
    while updates.next(&mut batch).await? {
        for (node, update) in &batch {
            judge.update(*node, update)?;
        }
        if judge.is_done() {
            updates.stop();
        }
        judge.flush()?;
    }
    judge.finish()
}
