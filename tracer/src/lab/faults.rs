//! What scenarios break: rules of their own, in a table apart from those that masquerade.

use anyhow::Result;

use super::{command, netns};

/// Adds rules, one a line, to a chain of their own at this hook and priority in a namespace.
///
/// # Errors
/// When `nft` refuses them.
pub fn rule(namespace: &str, hook: &str, priority: i32, rules: &str) -> Result<()> {
    chain(
        namespace,
        &format!("fault_{hook}_{}", priority.unsigned_abs()),
        &format!("hook {hook} priority {priority}"),
        "inet",
        rules,
    )
}

/// Adds a rule to what leaves through `eth0`, behind everything that IP does.
///
/// # Errors
/// When `nft` or the kernel (before 5.16) refuses it.
pub fn egress_rule(namespace: &str, rule: &str) -> Result<()> {
    chain(namespace, "fault_egress", "hook egress device \"eth0\" priority 0", "netdev", rule)
}

fn chain(namespace: &str, table: &str, hook: &str, family: &str, rules: &str) -> Result<()> {
    let text =
        format!("table {family} {table} {{\nchain fault {{\ntype filter {hook}; policy accept;\n{rules}\n}}\n}}\n");
    netns::within(namespace, || command::run("nft", &["-f", "-"], &text).map(drop))
}
