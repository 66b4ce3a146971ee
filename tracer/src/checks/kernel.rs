//! The kernel: old enough things are missing, and type information has to be there.

use super::{Check, CheckReport, Facts, Level};

pub(super) const CHECK: Check = Check { id: "kernel", run };

/// The oldest that is tested.
const OLDEST: (u32, u32) = (5, 10);

fn run(facts: &Facts) -> Vec<CheckReport> {
    let is_old = version(&facts.kernel).is_some_and(|version| version < OLDEST);
    vec![match &facts.btf {
        Err(why) => CHECK
            .report(Level::Warn, format!("Linux {} without type information: nothing can be captured", facts.kernel))
            .detail(format!("{why}: a kernel with CONFIG_DEBUG_INFO_BTF has it")),
        Ok(_) if is_old => {
            CHECK.report(Level::Warn, format!("Linux {} is older than any that is tested (5.10)", facts.kernel))
        }
        Ok(bytes) => CHECK.report(Level::Ok, format!("Linux {}, type information {} KiB", facts.kernel, bytes / 1024)),
    }]
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(kernel: &str) -> Level {
        run(&Facts { kernel: kernel.to_owned(), btf: Ok(1), ..Facts::default() })[0].level
    }

    #[test]
    fn a_kernel_older_than_the_tested_ones_is_a_warning() {
        assert_eq!(level("4.19.0-27-amd64"), Level::Warn);
        assert_eq!(level("5.9.16"), Level::Warn);
        assert_eq!(level("5.10.223"), Level::Ok);
        assert_eq!(level("7.0-rc1"), Level::Ok);
        assert_eq!(level("strange"), Level::Ok);
    }
}
