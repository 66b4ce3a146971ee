//! Whether enough could be seen: most of it needs root.

use super::{Check, CheckReport, Facts, Level};

pub(super) const CHECK: Check = Check { id: "privileges", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    vec![if facts.is_root {
        CheckReport::new(CHECK.id, Level::Ok, "root")
    } else {
        CheckReport::new(CHECK.id, Level::Warn, "not root: rules cannot be listed, and programs cannot be loaded")
            .detail("run with sudo to see everything")
    }]
}
