//! The ports with which earlier SYNs of an attempt left, where NAT chose another one for a later SYN.

/// At most 4, the first ones; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarlierPorts([u16; 4]);

impl EarlierPorts {
    /// A SYN left with this port, and the next one with another.
    pub fn keep(&mut self, port: u16) {
        if !self.iter().any(|known| known == port)
            && let Some(free) = self.0.iter_mut().find(|known| **known == 0)
        {
            *free = port;
        }
    }

    /// The SYN with this port was answered after all.
    pub fn answered(&mut self, port: u16) {
        self.0.iter_mut().filter(|known| **known == port).for_each(|known| *known = 0);
    }

    /// The ports.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().filter(|port| *port != 0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ports_are_kept_without_those_that_were_answered() {
        let mut ports = EarlierPorts::default();
        assert!(ports.is_empty());
        [1200, 1300, 1200, 1400, 1500, 1600].into_iter().for_each(|port| ports.keep(port));
        assert_eq!(ports.iter().collect::<Vec<_>>(), [1200, 1300, 1400, 1500]);
        ports.answered(1300);
        assert_eq!(ports.iter().collect::<Vec<_>>(), [1200, 1400, 1500]);
    }
}
