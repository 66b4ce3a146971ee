//! Programs that others have loaded: what they may do to packets that leave, by the names of their maps.

use std::collections::HashMap;

use anyhow::Context as _;
use aya::maps::loaded_maps;
use aya::programs::loaded_programs;

/// `BPF_PROG_TYPE_SCHED_CLS`
const SCHED_CLS: u32 = 3;

/// Every TC program of this machine, with the names of its maps; the kernel keeps 15 characters of a name.
pub fn classifiers() -> anyhow::Result<Vec<(String, Vec<String>)>> {
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
            found.push((program.name_as_str().unwrap_or_default().to_owned(), maps));
        }
    }
    Ok(found)
}
