//! Settings of a member, as its TOML file has them.

use std::collections::BTreeMap;
use std::fmt;

/// Sections with their keys; values are TOML literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    top: BTreeMap<String, String>,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    tail: String,
}

impl Settings {
    /// Sets `path`, such as `storage.max_log_size`, to a text.
    pub fn text(&mut self, path: &str, value: &str) -> &mut Self {
        self.raw(path, format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
    }

    /// Sets `path` to a TOML literal: a number, `true`, an array.
    pub fn raw(&mut self, path: &str, literal: impl fmt::Display) -> &mut Self {
        let literal = literal.to_string();
        match path.rsplit_once('.') {
            Some((section, key)) => {
                self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), literal);
            }
            None => {
                self.top.insert(path.to_owned(), literal);
            }
        }
        self
    }

    /// Appends lines, such as an array of tables, after everything else.
    pub fn append(&mut self, lines: &str) -> &mut Self {
        self.tail.push_str(lines);
        self
    }

    /// What `other` sets wins over what is set here.
    pub fn merge(&mut self, other: &Self) {
        self.top.extend(other.top.clone());
        for (section, keys) in &other.sections {
            self.sections.entry(section.clone()).or_default().extend(keys.clone());
        }
        self.tail.push_str(&other.tail);
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.top {
            writeln!(f, "{key} = {value}")?;
        }
        for (section, keys) in &self.sections {
            writeln!(f, "\n[{section}]")?;
            for (key, value) in keys {
                writeln!(f, "{key} = {value}")?;
            }
        }
        if !self.tail.is_empty() {
            writeln!(f, "\n{}", self.tail)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_toml_and_later_ones_win() {
        let mut base = Settings::default();
        base.raw("id", 3).text("storage.data_dir", "/a \"b\"").raw("storage.threads", 2);
        let mut more = Settings::default();
        more.raw("storage.threads", 1).append("[[members]]\nid = 3");
        base.merge(&more);
        assert_eq!(
            base.to_string(),
            "id = 3\n\n[storage]\ndata_dir = \"/a \\\"b\\\"\"\nthreads = 1\n\n[[members]]\nid = 3\n"
        );
    }
}
