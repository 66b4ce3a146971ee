//! Programs that others have loaded: what they may do to packets that leave, by the names of their maps.

use std::collections::HashMap;

use anyhow::Context as _;
use aya::maps::loaded_maps;
use aya::programs::loaded_programs;

/// `BPF_PROG_TYPE_SCHED_CLS`
const SCHED_CLS: u32 = 3;

/// A TC program, with the names of its maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classifier {
    /// As the kernel has it, at most 15 characters.
    pub name: String,
    /// Likewise.
    pub maps: Vec<String>,
}

/// Every TC program of this machine.
///
/// # Errors
/// When the kernel does not list them.
pub fn classifiers() -> anyhow::Result<Vec<Classifier>> {
    let maps = loaded_maps().filter_map(|map| {
        let map = map.ok()?;
        Some((map.id(), map.name_as_str()?.to_owned()))
    });
    let maps: HashMap<u32, String> = maps.collect();
    let mut found = Vec::new();
    for program in loaded_programs() {
        let program = program.context("cannot list the loaded programs")?;
        if program.program_type() as u32 == SCHED_CLS {
            let ids = program.map_ids().ok().flatten().unwrap_or_default();
            let maps = ids.iter().filter_map(|id| maps.get(id).cloned()).collect();
            found.push(Classifier { name: program.name_as_str().unwrap_or_default().to_owned(), maps });
        }
    }
    Ok(found)
}
