//! The colours, once: drawn into the pictures as they are by day, exchanged by the style sheet at night.
//!
//! Blue and vermilion are those of Okabe and Ito, distinguishable with every kind of colour blindness; position carries the same information.

use plotters::style::RGBColor;

/// A colour by day and by night.
pub(super) struct Tone {
    name: &'static str,
    day: u32,
    night: u32,
}

pub(super) const ANSWERED: Tone = Tone { name: "answered", day: 0x00_72_b2, night: 0x56_b4_e9 };
pub(super) const UNANSWERED: Tone = Tone { name: "unanswered", day: 0xd5_5e_00, night: 0xff_8a_4c };
pub(super) const OUTSIDE: Tone = Tone { name: "outside", day: 0xf6_ef_e6, night: 0x2b_24_1e };
pub(super) const GRID: Tone = Tone { name: "grid", day: 0xdd_e2_e8, night: 0x33_3b_45 };
pub(super) const AXIS: Tone = Tone { name: "axis", day: 0x8a_94_9f, night: 0x6b_76_82 };
pub(super) const LABEL: Tone = Tone { name: "label", day: 0x52_5c_66, night: 0xa9_b4_bf };

const ALL: [&Tone; 6] = [&ANSWERED, &UNANSWERED, &OUTSIDE, &GRID, &AXIS, &LABEL];

impl Tone {
    pub(super) const fn color(&self) -> RGBColor {
        let [_, red, green, blue] = self.day.to_be_bytes();
        RGBColor(red, green, blue)
    }
}

/// Variables of all tones, and rules that put them in place of the colours that are drawn.
pub(super) fn style() -> String {
    let variables = |of: fn(&Tone) -> u32| -> String {
        ALL.iter().map(|tone| format!("--{}:#{:06x};", tone.name, of(tone))).collect()
    };
    let rules: String = ALL
        .iter()
        .map(|Tone { name, day, .. }| {
            format!(
                "svg [fill=\"#{day:06X}\"]{{fill:var(--{name})}}svg [stroke=\"#{day:06X}\"]{{stroke:var(--{name})}}\n"
            )
        })
        .collect();
    format!(
        "\n:root{{{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n{rules}",
        variables(|tone| tone.day),
        variables(|tone| tone.night)
    )
}
