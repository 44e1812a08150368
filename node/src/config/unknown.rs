//! Which keys there are, and which one was meant.

use std::sync::OnceLock;

use toml::{Table, Value};

use super::Config;

/// How alike two keys must be for one to be named as what was meant (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// The defaults as a table: it has every option, because options that need not be set have a default "empty".
pub(super) fn known() -> &'static Table {
    static KNOWN: OnceLock<Table> = OnceLock::new();
    KNOWN.get_or_init(|| {
        Table::try_from(Config::default()).expect("the configuration is a table with text keys")
    })
}

/// Refuses the first key that is not an option.
pub(super) fn refuse_unknown(table: &Table) -> Result<(), String> {
    for (section, content) in table {
        let Some(options) = known().get(section).and_then(Value::as_table) else {
            return Err(no_section(section, content));
        };
        let Some(content) = content.as_table() else {
            return Err(format!("`{section}` is a section: write [{section}] and its options below"));
        };
        for key in content.keys() {
            if !options.contains_key(key) {
                return Err(no_option(section, key));
            }
        }
    }
    Ok(())
}

/// The default of an option, whose type its values have.
pub(super) fn default_of(key: &str) -> Result<&'static Value, String> {
    let Some((section, option)) = key.split_once('.') else {
        return Err(format!("`{key}` is not the name of an option: write section.key, like log.level"));
    };
    let Some(options) = known().get(section).and_then(Value::as_table) else {
        return Err(no_section(section, &Value::Table(Table::new())));
    };
    // `encryption.endpoints.eu-central-1` is a key of a map.
    let (option, rest) = option.split_once('.').map_or((option, None), |(option, rest)| (option, Some(rest)));
    match (options.get(option), rest) {
        (None, _) => Err(no_option(section, option)),
        (Some(Value::Table(_)), Some(_)) => Ok(text()),
        (Some(_), Some(_)) => Err(format!("`{section}.{option}` has no keys below it")),
        (Some(value), None) => Ok(value),
    }
}

fn text() -> &'static Value {
    static TEXT: OnceLock<Value> = OnceLock::new();
    TEXT.get_or_init(|| Value::String(String::new()))
}

fn no_option(section: &str, key: &str) -> String {
    // The right name in another section is as likely a slip as a wrong letter.
    let elsewhere = known()
        .iter()
        .find(|(_, options)| options.as_table().is_some_and(|options| options.contains_key(key)));
    if let Some((other, _)) = elsewhere {
        return format!("`{section}.{key}` is not an option; did you mean `{other}.{key}`?");
    }
    let options = known().get(section).and_then(Value::as_table).into_iter().flat_map(Table::keys);
    match nearest(key, options) {
        Some(near) => format!("`{section}.{key}` is not an option; did you mean `{section}.{near}`?"),
        None => format!("`{section}.{key}` is not an option; config/cofferd.toml has them all"),
    }
}

fn no_section(section: &str, content: &Value) -> String {
    if !content.is_table()
        && let Some((owner, _)) =
            known().iter().find(|(_, options)| options.as_table().is_some_and(|o| o.contains_key(section)))
    {
        return format!("`{section}` stands outside of any section; did you mean `{owner}.{section}`?");
    }
    match nearest(section, known().keys()) {
        Some(near) => format!("`{section}` is not a section; did you mean `[{near}]`?"),
        None => {
            let all: Vec<_> = known().keys().map(String::as_str).collect();
            format!("`{section}` is not a section; there are {}", all.join(", "))
        }
    }
}

fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    words
        .map(|known| (strsim::jaro_winkler(word, known), known.as_str()))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}
