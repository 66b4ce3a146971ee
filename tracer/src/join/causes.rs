//! Names of causes as small numbers, so that an attempt keeps its cause in one byte.

#[derive(Debug, Default)]
pub(super) struct CauseNames(Vec<&'static str>);

impl CauseNames {
    /// The number of a name; 0 for none. Beyond 255 names a new one has none.
    pub(super) fn number(&mut self, name: Option<&'static str>) -> u8 {
        let Some(name) = name else { return 0 };
        let place = self.0.iter().position(|&known| known == name).unwrap_or(self.0.len());
        let Ok(number) = u8::try_from(place + 1) else { return 0 };
        if place == self.0.len() {
            self.0.push(name);
        }
        number
    }

    /// The name of a number.
    pub(super) fn name(&self, number: u8) -> Option<&'static str> {
        self.0.get(usize::from(number).checked_sub(1)?).copied()
    }
}
