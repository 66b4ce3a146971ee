//! A conclusion in a sentence, and whom it rests on in another.

use std::fmt::{self, Display, Formatter};

use super::conclusion::{
    Class, Conclusion, Edge, Passes, PassingDestinations, Refusals, Sides, SupportingDestination, Verdict,
};
use crate::model::plural;

/// Who drops the connections of other ports: a conntrack table does not distinguish them.
pub(crate) const DROPPED_BEFORE: &str = "a filter on the path drops the rest, or this node does where conntrack does not \
                                         see it (raw table, nft netdev or bridge chains, XDP, tc)";

impl Conclusion {
    /// The word for its verdict in JSON.
    #[must_use]
    pub fn verdict_name(&self) -> &'static str {
        match &self.verdict {
            Verdict::Class(class) if class.is_partial() => "partial",
            Verdict::Class(_) if self.doubt.is_some() => "doubtful",
            Verdict::Class(_) => "class",
            Verdict::OneDestination(_) => "one_destination",
            Verdict::NoClass { .. } => "no_class",
            Verdict::TooFew { .. } => "too_few",
        }
    }

    /// The word for its address family.
    #[must_use]
    pub const fn family_name(&self) -> &'static str {
        if self.is_ipv4 { "ipv4" } else { "ipv6" }
    }

    /// Whether it belongs into a summary: a class of ports shows.
    #[must_use]
    pub const fn says_something(&self) -> bool {
        self.refusals.is_some() || self.shown_class().is_some()
    }

    /// Whom a class rests on, one line for each.
    #[must_use]
    pub fn supporting(&self) -> &[SupportingDestination] {
        self.shown_class().map_or(&[], |class| &class.supporting)
    }
}

impl Display for Conclusion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(node) = self.uplink.as_ref().and_then(|uplink| uplink.node.as_ref()) {
            write!(f, "{}: ", node.escape_debug())?;
        }
        f.write_str(if self.is_ipv4 { "IPv4" } else { "IPv6" })?;
        if self.is_of_sockets {
            f.write_str(", sockets of this node")?;
        }
        if let Some(uplink) = &self.uplink {
            write!(f, " by {uplink}")?;
        }
        write!(f, "{}: ", self.period.words())?;
        match &self.verdict {
            Verdict::Class(class) if class.is_partial() => {
                counts(f, class)?;
                f.write_str(
                    ": ports on one side fail more often than on the other, but not always: one of several paths \
                     (routers, servers, source addresses) may drop them",
                )
            }
            Verdict::Class(class) => {
                counts(f, class)?;
                if let Some(doubt) = self.doubt {
                    write!(f, ": this shows no filter, because {}", doubt.words())?;
                    return self.rest(f);
                }
                write!(f, ": {} {}", self.passer(class), Ranges(&class.passes))?;
                likely(f, class)?;
                undecided(f, class)?;
                passing(f, class, self.destinations)?;
                if self.is_of_table { write!(f, "; {DROPPED_BEFORE}") } else { Ok(()) }
            }
            Verdict::OneDestination(class) => {
                counts(f, class)?;
                write!(f, ": it looks as if {} {}", self.passer(class), Ranges(&class.passes))?;
                likely(f, class)?;
                undecided(f, class)?;
                passing(f, class, self.destinations)?;
                f.write_str("; but most of the evidence comes from ")?;
                match class.supporting.first() {
                    Some(supporting) => write!(f, "{}", supporting.destination)?,
                    None => f.write_str("one destination")?,
                }
                f.write_str(
                    ", which may itself be the reason: attempts to other destinations are needed to conclude it",
                )
            }
            Verdict::NoClass { .. } if self.pattern.is_some() => {
                write!(f, "no single range explains {}", self.attempts())
            }
            Verdict::NoClass { visible_share } => {
                write!(f, "no port class found in {}", self.attempts())?;
                // Attempts that were given up may be just those of the class.
                if self.left_out.gave_up * 10 > self.used.total() {
                    return self.rest(f);
                }
                write!(
                    f,
                    "; a class with {:.1} % of the attempts, the same for all destinations, would have been found",
                    visible_share * 100.0
                )
            }
            Verdict::TooFew { more, suspected } => {
                let few =
                    if self.used.total() > 0 { "too few attempts to conclude anything" } else { "nothing to conclude" };
                write!(f, "{few}: {}", self.attempts())?;
                if self.pattern.is_some() {
                    return self.rest(f);
                }
                f.write_str("; ")?;
                match (suspected, self.destinations) {
                    (true, _) => write!(
                        f,
                        "so far only some of the ports fail, which a filter or an outage can explain: about {more} more attempts, at \
                         other times, would decide"
                    ),
                    (false, 0..2) => write!(
                        f,
                        "about {more} more attempts, to other destinations, would reveal a class that has half of the ports"
                    ),
                    // They would have to be spread evenly, and most destinations were tried less often.
                    (false, 2..) if more * 10 < self.used.total() => {
                        f.write_str("more attempts to each destination would reveal a class that has half of the ports")
                    }
                    (false, 2..) => {
                        write!(f, "about {more} more attempts would reveal a class that has half of the ports")
                    }
                }
            }
        }?;
        self.rest(f)
    }
}

impl Conclusion {
    /// What the ranges are known to be, and for which destinations.
    fn passer(&self, class: &Class) -> String {
        let some = format!("{} of {} destinations", class.supporting_count, self.destinations);
        match (self.is_of_table, class.passing.count) {
            (true, 0) => "return traffic reaches conntrack on".to_owned(),
            (true, 1..) => format!("return traffic of {some} reaches conntrack on"),
            (false, 0) => "the path passes".to_owned(),
            (false, 1..) => format!("the path to {some} passes"),
        }
    }

    fn rest(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(refusals) = &self.refusals {
            write!(f, "; {refusals}")?;
        }
        if let Some(pattern) = self.pattern {
            write!(f, "; the answered ports look like a port set of MAP-E or a carrier-grade NAT: {pattern}")?;
        }
        self.left_out(f)
    }

    fn attempts(&self) -> impl Display + use<> {
        let (total, unanswered, destinations) = (self.used.total(), self.used.unanswered, self.destinations);
        fmt::from_fn(move |f| {
            if total == 0 {
                return f.write_str("no attempt that counts was answered");
            }
            let (attempts, named) = (plural(total, "attempt"), plural(destinations as u64, "destination"));
            write!(f, "{attempts} to {named} that answered at least once, {unanswered} unanswered")
        })
    }

    fn left_out(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let left_out = self.left_out;
        if left_out.silent_destinations > 0 {
            let silent = plural(left_out.silent_destinations, "destination");
            write!(f, "; left out: {} to {silent} that never answered", plural(left_out.silent, "attempt"))?;
        }
        if left_out.changed_port > 0 {
            write!(f, "; left out: {} whose port changed", plural(left_out.changed_port, "attempt"))?;
        }
        if left_out.gave_up > 0 {
            let gave_up = plural(left_out.gave_up, "attempt");
            write!(f, "; left out: {gave_up} whose client gave up before an answer was due")?;
        }
        if left_out.refused > 0 {
            let refused = plural(left_out.refused, "attempt");
            write!(f, "; left out: {refused} that an RST answered, by destinations that accept others")?;
        }
        Ok(())
    }
}

impl Display for Refusals {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Class { split: ports, p_below, supporting_count: destinations, passing, .. } = &self.0;
        let Sides { inside, outside } = self.0.counted();
        let who = match (destinations, passing.count) {
            (0..2, _) => "the destination, or a firewall before it,",
            (2.., 0) => "a firewall on the path",
            (2.., 1..) => "a firewall on the path to some destinations",
        };
        write!(f, "{who} resets connections by their source port: ")?;
        write!(f, "RST for {} of {} from ports outside {ports}, ", outside.unanswered, outside.total())?;
        write!(f, "for {} of {} inside ", inside.unanswered, inside.total())?;
        write!(f, "({}, p < 1e-{p_below})", plural(*destinations as u64, "destination"))?;
        match passing.count {
            0 => Ok(()),
            count => write!(f, "; {} accept such ports", plural(count as u64, "other destination")),
        }
    }
}

impl Display for SupportingDestination {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (inside, outside) = (self.inside, self.outside);
        let (answered, unanswered) = (inside.answered, outside.unanswered);
        write!(f, "{}: unanswered {unanswered} of {} outside, ", self.destination, outside.total())?;
        write!(f, "answered {answered} of {} inside", inside.total())
    }
}

/// The ranges in words, each edge with its bracket.
struct Ranges<'a>(&'a [Passes]);

impl Display for Ranges<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            [_] => f.write_str("one range:")?,
            ranges => write!(f, "{} ranges:", ranges.len())?,
        }
        for (index, Passes { low, high }) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { " lowest open port " } else { "; lowest " })?;
            match low.from {
                0 => write!(f, "at most {}", low.to)?,
                _ => bracket(f, *low)?,
            }
            f.write_str(", highest ")?;
            match high.to {
                u16::MAX if high.from < high.to => write!(f, "at least {}", high.from)?,
                _ => bracket(f, *high)?,
            }
        }
        Ok(())
    }
}

fn bracket(f: &mut Formatter<'_>, Edge { from, to, .. }: Edge) -> fmt::Result {
    if from == to { write!(f, "{from}") } else { write!(f, "{from}-{to}") }
}

fn counts(f: &mut Formatter<'_>, class: &Class) -> fmt::Result {
    let (outside, inside) = sides(class);
    let counted = class.counted();
    write!(f, "unanswered {} of {} {outside}, ", counted.outside.unanswered, counted.outside.total())?;
    write!(f, "answered {} of {} {inside} ", counted.inside.answered, counted.inside.total())?;
    let destinations = plural(class.supporting_count as u64, "destination");
    if class.p_below == 0 {
        return write!(f, "({destinations})");
    }
    write!(f, "({destinations}, p < 1e-{})", class.p_below)
}

/// Names of the two sides.
fn sides(class: &Class) -> (String, String) {
    let split = &class.split;
    match class.passes[..] {
        [Passes { low, high }] if low.is_measured && !high.is_measured => {
            let lowest = split.ranges().next().map_or(low.best, |(lowest, _)| lowest);
            (format!("below {lowest}"), format!("from {lowest}"))
        }
        [Passes { low, high }] if high.is_measured && !low.is_measured => {
            let highest = split.ranges().next().map_or(high.best, |(_, highest)| highest);
            (format!("above {highest}"), format!("up to {highest}"))
        }
        _ => (format!("outside {split}"), "inside".to_owned()),
    }
}

fn likely(f: &mut Formatter<'_>, class: &Class) -> fmt::Result {
    class.likely.as_ref().map_or(Ok(()), |likely| write!(f, "; likely rule {likely}"))
}

fn undecided(f: &mut Formatter<'_>, class: &Class) -> fmt::Result {
    let undecided = &class.undecided;
    if undecided.is_empty() { Ok(()) } else { write!(f, "; too few attempts to tell for {undecided}") }
}

/// Destinations that the class is not about, and why.
fn passing(f: &mut Formatter<'_>, class: &Class, all: usize) -> fmt::Result {
    const MAX_NAMES: usize = 3;
    let PassingDestinations { count, outside, named, .. } = &class.passing;
    if *count == 0 {
        return Ok(());
    }
    let names: Vec<_> = named.iter().take(MAX_NAMES).map(|of| of.destination.to_string()).collect();
    let more = if *count > names.len() { ", ..." } else { "" };
    write!(f, "; {} ({}{more}) answered ", plural(*count as u64, "other destination"), names.join(", "))?;
    write!(f, "{} of {} attempts from other ports: ", outside.answered, outside.total())?;
    write!(f, "no such filter is on the path to {}", if *count == 1 { "it" } else { "them" })?;
    match all.saturating_sub(class.supporting_count + count) {
        0 => Ok(()),
        rest => write!(f, "; too few attempts to tell for {}", plural(rest as u64, "destination")),
    }
}
