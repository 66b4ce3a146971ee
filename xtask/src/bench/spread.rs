//! Repeated measurements of one quantity: median with minimum and maximum.

use std::fmt::{self, Display};

use statrs::statistics::{Data, Max, Min, OrderStatistics};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// `None` where nothing was measured.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut data = Data::new(values.into_iter().filter(|value| value.is_finite()).collect::<Vec<_>>());
        (!data.is_empty()).then(|| Self { median: data.median(), min: data.min(), max: data.max() })
    }
}

impl Display for Spread {
    /// Honours the precision: `{:.1}`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = out.precision().unwrap_or(2);
        write!(out, "{:.digits$} ({:.digits$}-{:.digits$})", self.median, self.min, self.max)
    }
}

/// A spread, or a dash where nothing was measured.
pub fn shown(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(|| "-".to_owned(), |spread| format!("{spread:.digits$}"))
}
