//! Where metrics are served: an address and port, or a Unix socket. Never anything that was not named.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

const UNIX: &str = "unix:";

/// The value of `--metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `127.0.0.1:9435`
    Tcp(SocketAddr),
    /// `unix:/run/snatrace.sock`
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some(path) = text.strip_prefix(UNIX) {
            anyhow::ensure!(!path.is_empty(), "a path is missing: write unix:/run/snatrace.sock");
            return Ok(Self::Unix(path.into()));
        }
        let text = text.replacen("localhost:", "127.0.0.1:", 1);
        let address = text.parse().map_err(|_| {
            anyhow::anyhow!("not an address with a port: write 127.0.0.1:9435, [::1]:9435 or unix:/run/snatrace.sock")
        })?;
        Ok(Self::Tcp(address))
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_an_interface_or_a_file() {
        for (given, shown) in [
            ("127.0.0.1:9435", "127.0.0.1:9435"),
            ("localhost:9435", "127.0.0.1:9435"),
            ("[::1]:9435", "[::1]:9435"),
            ("unix:/run/x", "unix:/run/x"),
        ] {
            assert_eq!(given.parse::<Address>().ok().map(|address| address.to_string()).as_deref(), Some(shown));
        }
        for wrong in [":9435", "9435", "*:9435", "node7:9435", "127.0.0.1", "unix:"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
