//! Who used the ports on the two sides of a range: clients, programs, or classes of packets with ports of their own may fail for a reason of
//! their own.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::drawn::Drawn;
use super::pools::Pool;
use crate::model::Doubt;

/// Standard deviations beyond what chance has on average.
const MIN_DEVIATIONS: f64 = 2.0;
/// This share of the failures explains them: chance has up to half of those that have a class each.
const MOST_APART: f64 = 0.4;

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
    /// What else its packets are told apart by: their class, and a hash of their source address; 0 where unknown.
    pub(super) packets: [u8; 2],
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

/// How packets of each class fare; nothing is known of class 0.
#[derive(Clone, Copy, Debug)]
struct PacketClasses([PacketClass; 256]);

impl PacketClasses {
    fn count(&mut self, class: u8, is_outside: bool, answered: bool) {
        let class = &mut self.0[usize::from(class)];
        class.tried[usize::from(is_outside)] += 1;
        class.failed += u32::from(is_outside && !answered);
        class.is_comparable |= !is_outside && answered;
    }

    /// How many ports outside that fail are of classes without an answered port inside, beyond those of chance, which are many where each
    /// host of this network has a class of its own; 0 where chance may be all of it.
    fn failed_apart(&self) -> f64 {
        let known = &self.0[1..];
        let [inside, outside] = known.iter().fold([0, 0], |sum, of| [sum[0] + of.tried[0], sum[1] + of.tried[1]]);
        let share = f64::from(outside) / f64::from(inside + outside).max(1.0);
        let (mut apart, mut variance) = (0.0, 0.0);
        for class in known {
            let tried = class.tried[0] + class.tried[1];
            let all_outside = share.powi(i32::try_from(tried).unwrap_or(i32::MAX));
            variance += f64::from(tried).powi(2) * all_outside * (1.0 - all_outside);
            apart += if class.is_comparable { 0.0 } else { f64::from(class.failed) } - f64::from(tried) * all_outside;
        }
        if apart > MIN_DEVIATIONS * variance.sqrt() { apart } else { 0.0 }
    }
}

impl Users {
    pub(super) fn of(uses: impl Iterator<Item = PortUse>) -> Self {
        let (mut tries, mut pools) = ([[0; 2]; 256], [Pool::default(); 2]);
        let (mut failures, mut chosen, mut inside_used) = (0, 0, Pool::default());
        let mut of_client: HashMap<u8, ([Pool; 2], u32), FixedState> = HashMap::default();
        let mut of_packets = [PacketClasses([PacketClass::default(); 256]); 2];
        let mut of_rule: HashMap<(u16, u16), u32, FixedState> = HashMap::default();
        for PortUse { client, port, is_chosen, rule, packets, is_outside, answered } in uses {
            tries[usize::from(client)][usize::from(is_outside)] += 1;
            let is_failure = u32::from(is_outside && !answered);
            failures += is_failure;
            for (classes, class) in of_packets.iter_mut().zip(packets) {
                classes.count(class, is_outside, answered);
            }
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
        let programs_differ =
            are_most(chosen) && (inside.is_apart_from(outside) || are_most(uneven.map(|(_, failed)| failed).sum()));
        let other = match () {
            // Clients chose most of the ports outside that fail, and those on the two sides are of different pools.
            () if programs_differ => Some(Doubt::ProgramsDiffer),
            () if of_packets.iter().any(|classes| classes.failed_apart() > f64::from(failures) * MOST_APART) => {
                Some(Doubt::PacketsDiffer)
            }
            // NAT rules that name no port inside chose most of the ports outside that fail.
            () if are_most(of_others.map(|(_, failed)| failed).sum()) => Some(Doubt::RulesDiffer),
            () => None,
        };
        Self { clients_differ: !Drawn::of(tries.into_iter(), 0).are_drawn(), other }
    }
}
