//! Whether enough could be seen: most of it needs root.

use super::{Check, CheckReport, Facts, Level};

pub(super) const CHECK: Check = Check { id: "privileges", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    vec![if facts.is_root {
        CHECK.report(Level::Ok, "root")
    } else {
        CHECK
            .report(Level::Warn, "not root: rules cannot be listed, and programs cannot be loaded")
            .detail("run with sudo to see everything")
    }]
}
