//! Who used the ports on the two sides of a range: clients, programs, or classes of packets with ports of their own may fail for a reason of
//! their own.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

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
    /// The ports that its NAT rule names.
    pub(super) rule: Option<(u16, u16)>,
    /// The class of its packets; 0 where unknown.
    pub(super) class: u8,
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
    /// NAT rules that name no port inside chose most of the ports outside that fail.
    pub(super) rules_differ: bool,
    /// Classes of packets use ports on one side only, and most of the ports outside that fail are of classes of which no port inside was
    /// answered.
    pub(super) packets_differ: bool,
}

impl Users {
    pub(super) fn of(uses: impl Iterator<Item = PortUse>) -> Self {
        let (mut tries, mut pools) = ([[0; 2]; 256], [Pool::default(); 2]);
        let (mut failures, mut chosen, mut inside_used) = (0, 0, Pool::default());
        let mut of_client: HashMap<u8, ([Pool; 2], u32), FixedState> = HashMap::default();
        // By class: attempts on the two sides, failures outside, and whether a port inside was answered.
        let mut of_class = [([0; 2], 0, false); 256];
        let mut of_rule: HashMap<(u16, u16), u32, FixedState> = HashMap::default();
        for PortUse { client, port, is_chosen, rule, class, is_outside, answered } in uses {
            tries[usize::from(client)][usize::from(is_outside)] += 1;
            let is_failure = u32::from(is_outside && !answered);
            failures += is_failure;
            let (of_sides, failed, is_comparable) = &mut of_class[usize::from(class)];
            of_sides[usize::from(is_outside)] += 1;
            *failed += is_failure;
            *is_comparable |= !is_outside && answered;
            if !is_outside {
                inside_used.insert(port);
            }
            if is_chosen {
                chosen += is_failure;
                pools[usize::from(is_outside)].insert(port);
                let (of_both, failed) = of_client.entry(client).or_default();
                of_both[usize::from(is_outside)].insert(port);
                *failed += is_failure;
            } else if let Some(rule) = rule {
                *of_rule.entry(rule).or_default() += is_failure;
            }
        }
        let [inside, outside] = pools;
        let are_most = |count: u32| count * 2 > failures;
        let uneven = of_client.values().filter(|([inside, outside], _)| inside.is_uneven_with(*outside));
        let of_others = of_rule.iter().filter(|((lowest, highest), _)| !inside_used.has_any(*lowest..=*highest));
        let known = &of_class[1..];
        let of_other_packets = known.iter().filter(|(_, _, is_comparable)| !is_comparable).map(|(_, failed, _)| failed);
        // Hosts of this network each have a class of their own, and each class has ports of both sides then.
        let are_apart = !Drawn::of(known.iter().map(|(of_sides, ..)| *of_sides), 0).are_drawn();
        Self {
            packets_differ: are_apart && are_most(of_other_packets.sum()),
            clients_differ: !Drawn::of(tries.into_iter(), 0).are_drawn(),
            programs_differ: are_most(chosen)
                && (inside.is_apart_from(outside) || are_most(uneven.map(|(_, failed)| failed).sum())),
            rules_differ: are_most(of_others.map(|(_, failed)| failed).sum()),
        }
    }
}
