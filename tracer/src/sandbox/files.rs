//! The files that this process may open (Landlock, from Linux 5.13).

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

/// Restrictions of this version are asked for; a kernel takes those that it knows.
const NEWEST: ABI = ABI::V6;
/// Time zones; random numbers, which a static binary reads from the device because it finds no function `getrandom`.
const ALWAYS: [&str; 5] = ["/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone", "/dev/random", "/dev/urandom"];

/// Allows this thread and those that it starts to read these files and to write below these directories: no other file, no TCP, no
/// signal to other processes.
pub(super) fn only(inputs: &[PathBuf], output_directories: &[&Path]) -> anyhow::Result<()> {
    let named = std::env::var_os("TZDIR");
    let always = ALWAYS.iter().map(Path::new).chain(named.as_ref().map(Path::new));
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for path in inputs.iter().map(PathBuf::as_path).chain(always) {
        rules = allow(rules, path, AccessFs::ReadFile | AccessFs::ReadDir)?;
    }
    for path in output_directories {
        rules = allow(rules, path, AccessFs::from_all(NEWEST) & !AccessFs::Execute)?;
    }
    anyhow::ensure!(rules.restrict_self()?.ruleset != RulesetStatus::NotEnforced, "this kernel has no Landlock");
    Ok(())
}

/// What cannot be found cannot be opened later either, and is reported then. A pipe of a shell has no path, and needs no rule.
fn allow(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> anyhow::Result<RulesetCreated> {
    let (Ok(of), Ok(file)) = (fs::canonicalize(path).and_then(fs::metadata), PathFd::new(path)) else {
        return Ok(rules);
    };
    let access = if of.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    Ok(rules.add_rule(PathBeneath::new(file, access))?)
}
