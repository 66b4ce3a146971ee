//! Words as rule files and shells separate them.

/// One word, and whether it stood in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// Splits at spaces outside of double quotes; a backslash inside them takes the next character as it is.
pub(super) fn split(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let (mut inside, mut chars) = (false, line.chars());
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                inside = !inside;
                word.get_or_insert(Word { text: String::new(), quoted: true }).quoted = true;
            }
            '\\' if inside => push(&mut word, chars.next()),
            ' ' | '\t' if !inside => words.extend(word.take()),
            char => push(&mut word, Some(char)),
        }
    }
    words.extend(word);
    words
}

fn push(word: &mut Option<Word>, char: Option<char>) {
    word.get_or_insert(Word { text: String::new(), quoted: false }).text.extend(char);
}

/// A word that a shell takes as it is.
pub fn for_shell(word: &str) -> String {
    let is_safe = |char: char| char.is_ascii_alphanumeric() || "_@%+=:,./-".contains(char);
    if ["!", "!=", "{", "}"].contains(&word) || (!word.is_empty() && word.chars().all(is_safe)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_quotes_stay_together() {
        let texts = |line| split(line).into_iter().map(|word| word.text).collect::<Vec<_>>();
        assert_eq!(texts(r#"--comment "it\'s \"so\" -j X" -j Y"#), ["--comment", r#"it's "so" -j X"#, "-j", "Y"]);
        assert_eq!(texts(r#"  a  "" "open"#), ["a", "", "open"]);
        assert!(split(r#""-j""#)[0].quoted);
    }

    #[test]
    fn nothing_in_a_word_is_run_by_a_shell() {
        assert_eq!(for_shell("10.0.0.0/8"), "10.0.0.0/8");
        assert_eq!(for_shell("a;rm -rf $(x)'b"), r"'a;rm -rf $(x)'\''b'");
        assert_eq!(for_shell(""), "''");
    }
}
