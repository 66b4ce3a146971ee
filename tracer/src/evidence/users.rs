//! Who used the ports on the two sides of a range: clients, programs, or classes of packets with ports of their own may fail for a reason of
//! their own.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::drawn::Drawn;
use super::pools::Pool;
use crate::model::Doubt;

/// Where ports are drawn, a class of packets has none inside with a lower probability only if it has ports of its own.
const MAX_APART_P: f64 = 0.05;

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
    /// Who else explains the failures: programs, packets or rules, in this order.
    pub(super) other: Option<Doubt>,
}

/// How packets of a class fare.
#[derive(Clone, Copy, Debug, Default)]
struct PacketClass {
    /// Inside and outside
    tried: [u32; 2],
    /// Outside
    failed: u32,
    /// A port inside was answered.
    is_comparable: bool,
}

impl Users {
    pub(super) fn of(uses: impl Iterator<Item = PortUse>) -> Self {
        let (mut tries, mut pools) = ([[0; 2]; 256], [Pool::default(); 2]);
        let (mut failures, mut chosen, mut inside_used) = (0, 0, Pool::default());
        let mut of_client: HashMap<u8, ([Pool; 2], u32), FixedState> = HashMap::default();
        let mut of_class = [PacketClass::default(); 256];
        let mut of_rule: HashMap<(u16, u16), u32, FixedState> = HashMap::default();
        for PortUse { client, port, is_chosen, rule, class, is_outside, answered } in uses {
            tries[usize::from(client)][usize::from(is_outside)] += 1;
            let is_failure = u32::from(is_outside && !answered);
            failures += is_failure;
            let class = &mut of_class[usize::from(class)];
            class.tried[usize::from(is_outside)] += 1;
            class.failed += is_failure;
            class.is_comparable |= !is_outside && answered;
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
        let tried = of_class.iter().fold([0; 2], |sum, class| [sum[0] + class.tried[0], sum[1] + class.tried[1]]);
        let share = f64::from(tried[1]) / f64::from(tried[0] + tried[1]).max(1.0);
        // Hosts of this network have a class each, so that a class of few attempts has ports of one side by chance.
        let is_apart = |class: &&PacketClass| {
            !class.is_comparable
                && share.powi(i32::try_from(class.tried[0] + class.tried[1]).unwrap_or(i32::MAX)) < MAX_APART_P
        };
        let of_other_packets = of_class[1..].iter().filter(is_apart).map(|class| class.failed);
        let programs_differ =
            are_most(chosen) && (inside.is_apart_from(outside) || are_most(uneven.map(|(_, failed)| failed).sum()));
        let other = match () {
            // Clients chose most of the ports outside that fail, and those on the two sides are of different pools.
            () if programs_differ => Some(Doubt::ProgramsDiffer),
            // Most of the ports outside that fail are of classes of packets that have no port inside which was answered.
            () if are_most(of_other_packets.sum()) => Some(Doubt::PacketsDiffer),
            // NAT rules that name no port inside chose most of the ports outside that fail.
            () if are_most(of_others.map(|(_, failed)| failed).sum()) => Some(Doubt::RulesDiffer),
            () => None,
        };
        Self { clients_differ: !Drawn::of(tries.into_iter(), 0).are_drawn(), other }
    }
}
