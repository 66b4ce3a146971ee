//! Rules by which scenarios break the network, in tables apart from those of the masquerade.

use anyhow::Result;

use super::{command, netns};

/// Adds rules, one per line, to a new chain at this hook and priority in a namespace.
pub fn rule(namespace: &str, hook: &str, priority: i32, rules: &str) -> Result<()> {
    chains(namespace, hook, priority, rules, &[])
}

/// Adds rules, and further chains by name that the rules jump to.
pub fn chains(namespace: &str, hook: &str, priority: i32, rules: &str, more: &[(&str, &str)]) -> Result<()> {
    let table = format!("inet fault_{hook}_{}", priority.unsigned_abs());
    load(namespace, &table, &format!("hook {hook} priority {priority}"), rules, more)
}

/// Adds a rule for packets that leave through `eth0`, after all processing by IP; kernels before 5.16 refuse it.
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
