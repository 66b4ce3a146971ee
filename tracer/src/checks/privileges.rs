//! Whether enough could be seen: most of it needs root.

use super::{Check, Facts, Level, Report};

pub(super) const CHECK: Check = Check { id: "privileges", run };

fn run(facts: &Facts) -> Vec<Report> {
    vec![if facts.is_root {
        Report::new(CHECK.id, Level::Ok, "root")
    } else {
        Report::new(CHECK.id, Level::Warn, "not root: rules cannot be listed, and programs cannot be loaded")
            .detail("with sudo everything is seen")
    }]
}
