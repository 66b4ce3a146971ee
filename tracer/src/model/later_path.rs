//! How later attempts of the same client to the same destination left this node.

use tracer_common::Flow;

use super::InterfaceName;

/// Since this attempt began, other attempts of its original source address to its original destination left by another path, and
/// none by this attempt's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaterPath {
    /// How many, since an attempt last took that path.
    pub attempts: u32,
    /// How many different paths they took; at most 4 are distinguished.
    pub paths: u32,
    /// The newest of them, after NAT; its source port is 0. `None` for one that was answered and not seen leaving by a watched
    /// interface.
    pub translated: Option<Flow>,
    /// The interface by which it left.
    pub interface: InterfaceName,
    /// One of those that left by the same path as the newest was answered.
    pub is_answered: bool,
    /// Both paths hold at the same time, by a rule that distinguishes connections or chooses among paths: an attempt took one of those
    /// paths before the newest one by this attempt's path began, or one that began later by this attempt's path was answered.
    pub is_concurrent: bool,
    /// An attempt by this attempt's path was answered.
    pub own_is_answered: bool,
}
