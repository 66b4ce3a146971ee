//! Which hooks a capture would have here, and why not the others.

use super::{Check, CheckReport, Facts, Level};

pub(super) const CHECK: Check = Check { id: "hooks", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    let hooks = match &facts.hooks {
        Ok(hooks) => hooks,
        Err(why) => {
            return vec![CHECK.report(Level::Warn, format!("what can be captured here is not known: {why}"))];
        }
    };
    let is_on = |stem: &str| hooks.iter().any(|hook| hook.stem == stem && hook.off.is_none());
    let on: Vec<&str> = hooks.iter().filter(|hook| hook.off.is_none()).map(|hook| hook.stem.as_str()).collect();
    // Either hook sees the translated port.
    let level = match () {
        () if !is_on("nat_bind") && !is_on("wire") => Level::Warn,
        () if on.len() < hooks.len() => Level::Note,
        () => Level::Ok,
    };
    let names = if on.is_empty() { "none".to_owned() } else { on.join(", ") };
    let mut report = CHECK.report(level, format!("{} of {} hooks work here: {names}", on.len(), hooks.len()));
    let off = |why: &str, stem: &str| format!("without {stem}: {why}");
    report.details.extend(hooks.iter().filter_map(|hook| Some(off(hook.off.as_ref()?, &hook.stem))));
    vec![report]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HookState;

    fn level(off: &[&str]) -> Level {
        let hook = |stem: &str| HookState { stem: stem.to_owned(), off: off.contains(&stem).then(|| "x".to_owned()) };
        run(&Facts { hooks: Ok(["nat_bind", "wire", "sock_state"].map(hook).into()), ..Facts::default() })[0].level
    }

    #[test]
    fn one_source_of_translated_ports_is_enough() {
        assert_eq!(level(&[]), Level::Ok);
        assert_eq!(level(&["nat_bind"]), Level::Note);
        assert_eq!(level(&["wire"]), Level::Note);
        assert_eq!(level(&["wire", "nat_bind"]), Level::Warn);
    }
}
