//! How later attempts of the same client to the same destination left this node.

use tracer_common::Flow;

use super::InterfaceName;

/// Since this attempt began, other attempts of its original source address to its original destination left in another way, and
/// none in this attempt's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaterPath {
    /// How many, since an attempt last took this attempt's way.
    pub attempts: u32,
    /// How many different ways they took; at most 4 are distinguished.
    pub ways: u32,
    /// The newest of them, after NAT; its source port is 0. `None` for one that was answered and not seen leaving by a watched
    /// interface.
    pub translated: Option<Flow>,
    /// The interface by which it left.
    pub interface: InterfaceName,
    /// One of those with that way was answered.
    pub is_answered: bool,
    /// Both ways hold at the same time, by a rule that distinguishes connections or chooses among ways: an attempt took one of those
    /// ways before the newest one in this attempt's way began, or one that began later was answered in this attempt's way.
    pub is_concurrent: bool,
    /// An attempt in this attempt's way was answered.
    pub own_is_answered: bool,
}
