//! Which programs TC runs on an interface, and where ours are among them.

use std::collections::BTreeSet;

use aya::programs::SchedClassifier;
use aya::programs::tc::TcAttachType;

use super::clsact;
use super::{refusal, tcx};

/// What begins like this is ours, of this run or of another one.
const OURS: &str = "wire_";

/// One direction of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChainPosition {
    /// Whether the program of this run is there.
    pub(super) has_ours: bool,
    /// Programs and filters of others that run before it, or anywhere where it is not there.
    pub(super) before: usize,
    /// Those that run after it.
    pub(super) after: usize,
}

impl ChainPosition {
    /// Programs of others.
    pub(super) const fn others(self) -> usize {
        self.before + self.after
    }

    /// Adds the next one to run.
    fn push(&mut self, is_this: bool, is_ours: bool) {
        match (is_this, is_ours, self.has_ours) {
            (true, ..) => self.has_ours = true,
            (false, true, _) => {}
            (false, false, false) => self.before += 1,
            (false, false, true) => self.after += 1,
        }
    }
}

/// The programs of TCX, then the filters of clsact, as the kernel runs them; in the namespace of this thread. `own` are the
/// programs of this run, by id, and the handle of its filters; `other_runs` are programs of ours that are known by name.
pub(super) fn read(
    name: &str,
    ifindex: u32,
    direction: TcAttachType,
    own: &[u32],
    handle: Option<u32>,
    other_runs: &mut BTreeSet<u32>,
) -> anyhow::Result<ChainPosition> {
    let mut chain = ChainPosition::default();
    match SchedClassifier::query_tcx(name, direction) {
        Ok((_, programs)) => {
            for program in programs {
                let is_ours = program.name_as_str().is_some_and(|name| name.starts_with(OURS));
                if is_ours {
                    other_runs.insert(program.id());
                }
                chain.push(own.contains(&program.id()), is_ours);
            }
        }
        // Names are shown to CAP_SYS_ADMIN only, which is given up after the start: those seen until then are remembered.
        Err(error) if refusal::is_forbidden(&error) => match tcx::programs(ifindex, direction) {
            Ok(ids) => ids.into_iter().for_each(|id| chain.push(own.contains(&id), other_runs.contains(&id))),
            // Ours is taken to be where it was put.
            Err(_) => chain.has_ours = true,
        },
        // The kernel has no TCX.
        Err(_) => {}
    }
    let is_ingress = matches!(direction, TcAttachType::Ingress);
    for filter in clsact::of_direction(ifindex, is_ingress)? {
        let is_ours = filter.is_ours();
        let is_this = is_ours && handle == Some(filter.handle());
        chain.push(is_this, is_ours);
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_others_are_counted_on_their_side() {
        let mut chain = ChainPosition::default();
        chain.push(false, false);
        chain.push(false, true);
        chain.push(true, true);
        chain.push(false, false);
        chain.push(false, false);
        assert_eq!(chain, ChainPosition { has_ours: true, before: 1, after: 2 });
        assert_eq!(chain.others(), 3);
    }
}
