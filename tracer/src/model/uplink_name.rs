//! The name of an uplink in sentences and in JSON, where a conclusion is about one of several.

use std::fmt::{self, Display, Formatter};

use super::InterfaceName;

/// An uplink by its numbers; what need not be said to distinguish it is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UplinkName {
    /// Host name of the node, where several nodes have uplinks.
    pub node: Option<String>,
    /// The network namespace of the interface, where several have an interface of this number.
    pub netns: Option<u32>,
    /// The number of the interface.
    pub ifindex: u32,
    /// Its name, where that is known.
    pub name: InterfaceName,
}

impl Display for UplinkName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name.is_known() {
            true => write!(f, "{}", self.name.to_string().escape_debug())?,
            false => write!(f, "interface {}", self.ifindex)?,
        }
        self.netns.map_or(Ok(()), |netns| write!(f, " of network namespace {netns}"))
    }
}
