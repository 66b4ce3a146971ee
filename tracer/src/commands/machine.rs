//! What the command line takes from this machine.

use std::fs;
use std::io;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::PortSet;

/// Offset of the machine's time zone from UTC now, in seconds: for the header of a capture.
pub fn utc_offset_s() -> i32 {
    TimeZone::system().to_offset(Timestamp::now()).seconds()
}

/// The ports that the machine's own sockets get.
pub fn ip_local_port_range() -> Result<PortSet> {
    const FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    let text = fs::read_to_string(FILE)
        .with_context(|| format!("--allow auto: {FILE} cannot be read; give the ports, such as --allow 32768-65535"))?;
    parse_range(&text)
        .with_context(|| format!("--allow auto: {FILE} has no range; give the ports, such as --allow 32768-65535"))
}

fn parse_range(text: &str) -> Option<PortSet> {
    let (low, high) = text.trim().split_once(char::is_whitespace)?;
    format!("{low}-{}", high.trim()).parse().ok()
}

/// Whether standard output wants colours: by `--color`, else by `NO_COLOR` and `CLICOLOR_FORCE`, and whether it is a terminal.
pub fn wants_colour() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// `--color`
pub fn set_colour(choice: clap::ColorChoice) {
    let choice = match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Columns of the terminal that standard output is.
pub fn page_width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
    // A terminal that does not know its size says 0.
    (columns > 0).then_some(columns.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_the_machines_own_sockets_is_read_as_the_kernel_writes_it() {
        assert_eq!(parse_range("32768\t60999\n"), Some(PortSet::range(32768, 60999)));
        assert_eq!(parse_range("32768\n"), None);
    }
}
