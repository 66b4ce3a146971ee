//! What scenarios break: rules of their own, in a table apart from those that masquerade.

use anyhow::Result;

use super::{command, netns};

/// Adds rules, one a line, to a chain of their own at this hook and priority in a namespace.
///
/// # Errors
/// When `nft` refuses them.
pub fn rule(namespace: &str, hook: &str, priority: i32, rules: &str) -> Result<()> {
    chains(namespace, hook, priority, rules, &[])
}

/// The same with more chains, by name, that the rules jump to.
///
/// # Errors
/// When `nft` refuses them.
pub fn chains(namespace: &str, hook: &str, priority: i32, rules: &str, more: &[(&str, &str)]) -> Result<()> {
    let table = format!("inet fault_{hook}_{}", priority.unsigned_abs());
    load(namespace, &table, &format!("hook {hook} priority {priority}"), rules, more)
}

/// Adds a rule to what leaves through `eth0`, behind everything that IP does.
///
/// # Errors
/// When `nft` or the kernel (before 5.16) refuses it.
pub fn egress_rule(namespace: &str, rule: &str) -> Result<()> {
    load(namespace, "netdev fault_egress", "hook egress device \"eth0\" priority 0", rule, &[])
}

fn load(namespace: &str, table: &str, hook: &str, rules: &str, more: &[(&str, &str)]) -> Result<()> {
    let chain = |name: &str, lines: &str| format!("chain {name} {{\n{lines}\n}}\n");
    let more: String = more.iter().map(|(name, rules)| chain(name, rules)).collect();
    let fault = chain("fault", &format!("type filter {hook}; policy accept;\n{rules}"));
    let text = format!("table {table} {{\n{more}{fault}}}\n");
    netns::within(namespace, || command::run("nft", &["-f", "-"], &text).map(drop))
}
