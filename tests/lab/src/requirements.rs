//! What the lab needs from this machine: root, and the programs that it calls.

use anyhow::{Result, bail};

use crate::command::run;
use crate::rule_set::Rules;

/// Checks that this machine has everything that the lab needs.
pub fn check(rules: Rules) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the lab needs root: it makes network namespaces; run it with sudo");
    }
    check_program("ip", "-V", "iproute2")?;
    check_program("nft", "-v", "nftables")?;
    if rules.uses_iptables() {
        check_program("iptables-restore", "-V", "iptables")?;
        check_program("ip6tables-restore", "-V", "iptables")?;
    }
    Ok(())
}

fn check_program(program: &str, version: &str, package: &str) -> Result<()> {
    match run(program, &[version], "") {
        Ok(_) => Ok(()),
        Err(error) => bail!("the lab needs `{program}`: {error:#}; install the package {package}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_program_is_named_with_its_package() {
        let error = check_program("snatrace-no-such-program", "-V", "the-package").unwrap_err().to_string();
        assert!(error.contains("snatrace-no-such-program") && error.contains("install the package the-package"));
    }
}
