//! Who used the ports on the two sides of a range: clients, or programs, with ports of their own may fail for a reason of their own.

use super::drawn::Drawn;
use super::pools::Pool;

/// A connection from a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortUse {
    /// A hash of the client's address.
    pub(super) client: u8,
    pub(super) port: u16,
    /// The client chose the port.
    pub(super) is_chosen: bool,
    pub(super) is_outside: bool,
    pub(super) answered: bool,
}

/// How those on the two sides differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Users {
    /// Clients use ports on one side only.
    pub(super) clients_differ: bool,
    /// Clients chose most of the ports outside that fail, and those on the two sides are of different pools.
    pub(super) programs_differ: bool,
}

impl Users {
    pub(super) fn of(uses: impl Iterator<Item = PortUse>) -> Self {
        let (mut tries, mut pools) = ([[0; 2]; 256], [Pool::default(); 2]);
        let (mut failures, mut chosen) = (0, 0);
        for PortUse { client, port, is_chosen, is_outside, answered } in uses {
            tries[usize::from(client)][usize::from(is_outside)] += 1;
            let is_failure = u32::from(is_outside && !answered);
            failures += is_failure;
            if is_chosen {
                chosen += is_failure;
                pools[usize::from(is_outside)].insert(port);
            }
        }
        let [inside, outside] = pools;
        Self {
            clients_differ: !Drawn::of(tries.into_iter(), 0).are_drawn(),
            programs_differ: chosen * 2 > failures && inside.is_apart_from(outside),
        }
    }
}
