//! Who used the ports on the two sides of a range: clients, programs, or classes of packets with ports of their own may fail for a reason of
//! their own.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::drawn::Drawn;
use super::pools::Pool;
use crate::model::Doubt;

/// Where ports are drawn, a class of packets has none inside with a lower probability only if it has ports of its own.
const MAX_APART_P: f64 = 0.05;
/// Standard deviations beyond the average that chance does not explain.
const MIN_DEVIATIONS: f64 = 3.0;
/// The average is up to half of the failures, where those have a class each.
const MIN_BEYOND_SHARE: f64 = 0.4;

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

    /// Whether most ports outside that fail are of classes without an answered port inside, and chance does not explain it. Hosts of this
    /// network have a class each, so that many a class of few attempts has ports of one side by chance.
    fn explain(&self, failures: u32) -> bool {
        let known = &self.0[1..];
        let [inside, outside] = known.iter().fold([0, 0], |sum, of| [sum[0] + of.tried[0], sum[1] + of.tried[1]]);
        let share = f64::from(outside) / f64::from(inside + outside).max(1.0);
        // Those of classes that are large enough alone, and how many more than on average are of all of them.
        let (mut of_large, mut beyond, mut variance) = (0, 0.0, 0.0);
        for PacketClass { tried: [inside, outside], failed, is_comparable } in known {
            let tried = inside + outside;
            let all_outside = share.powi(i32::try_from(tried).unwrap_or(i32::MAX));
            let failed = if *is_comparable { 0 } else { *failed };
            of_large += if all_outside < MAX_APART_P { failed } else { 0 };
            beyond += f64::from(failed) - f64::from(tried) * all_outside;
            variance += f64::from(tried).powi(2) * all_outside * (1.0 - all_outside);
        }
        of_large * 2 > failures
            || beyond > MIN_DEVIATIONS * variance.sqrt() && beyond > f64::from(failures) * MIN_BEYOND_SHARE
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
            () if of_packets.iter().any(|classes| classes.explain(failures)) => Some(Doubt::PacketsDiffer),
            // NAT rules that name no port inside chose most of the ports outside that fail.
            () if are_most(of_others.map(|(_, failed)| failed).sum()) => Some(Doubt::RulesDiffer),
            () => None,
        };
        Self { clients_differ: !Drawn::of(tries.into_iter(), 0).are_drawn(), other }
    }
}
