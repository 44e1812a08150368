//! The layers of a configuration: file, environment, flags; all made into one table before it is read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, absolute};

use toml::{Table, Value};

use super::ConfigError;
use super::unknown::{default_of, known, refuse_unknown};

/// Largest configuration file; the documented one has some 10 KiB.
const MAX_FILE: u64 = 1 << 20;

/// What begins the name of a variable.
const PREFIX: &str = "COFFER_";

/// The options that are paths.
const PATHS: [(&str, &str); 2] = [("storage", "data_dir"), ("encryption", "local_dir")];

/// Reads the file and refuses keys that are not options. Relative paths in it are from its own directory: a member that is
/// started from elsewhere must not find an empty data directory there and take itself for a new one.
pub(super) fn read(path: &Path) -> Result<Table, ConfigError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    read.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let refuse = |message: String| ConfigError::File { path: path.to_owned(), message };
    if text.len() as u64 > MAX_FILE {
        return Err(refuse(format!("it is larger than {MAX_FILE} bytes")));
    }
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| refuse(error.to_string()))?;
    refuse_unknown(&table).map_err(refuse)?;
    // The types are checked here, where the line is still known.
    let _: super::Config = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    resolve_paths(&mut table, path).map_err(refuse)?;
    Ok(table)
}

fn resolve_paths(table: &mut Table, file: &Path) -> Result<(), String> {
    for (section, key) in PATHS {
        let Some(Value::String(path)) = table.get_mut(section).and_then(|section| section.get_mut(key))
        else {
            continue;
        };
        if path.is_empty() || Path::new(path).is_absolute() {
            continue;
        }
        let resolved = absolute(file)
            .ok()
            .and_then(|file| file.parent()?.join(&*path).into_os_string().into_string().ok())
            .ok_or_else(|| {
                format!("`{section}.{key}`: the directory of this file cannot be told in UTF-8: write an absolute path")
            })?;
        *path = resolved;
    }
    Ok(())
}

/// Lays `COFFER_SECTION__KEY` variables over the table. Variables that belong to other programs are left alone.
pub(super) fn lay_environment(
    table: &mut Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let mut variables: Vec<_> = environment.into_iter().collect();
    variables.sort();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let lower = rest.to_ascii_lowercase();
        if let Some((section, key)) = lower.split_once("__") {
            set(table, &format!("{section}.{}", key.replace("__", ".")), &value, &name)?;
        } else if let Some((section, key)) = lower.split_once('_')
            && known().contains_key(section)
        {
            let wanted = format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase());
            let message = format!("between section and key stand two underscores: {wanted}");
            return Err(ConfigError::Setting { source_name: name, message });
        }
    }
    Ok(())
}

/// Sets `section.key` to `value`, read as the type that the option has.
pub(super) fn set(table: &mut Table, key: &str, value: &str, from: &str) -> Result<(), ConfigError> {
    let refuse = |message: String| ConfigError::Setting { source_name: from.to_owned(), message };
    let value = match default_of(key).map_err(refuse)? {
        Value::String(_) => Value::String(value.to_owned()),
        Value::Boolean(_) => Value::Boolean(
            value.parse().map_err(|_| refuse(format!("`{key}` is true or false, not `{}`", cut(value))))?,
        ),
        Value::Integer(_) => Value::Integer(
            value.parse().map_err(|_| refuse(format!("`{key}` is a whole number, not `{}`", cut(value))))?,
        ),
        _ => parse_value(value)
            .map_err(|why| refuse(format!("`{key}` is written as in TOML, like [\"a\", \"b\"]: {why}")))?,
    };
    // A setting alone can be checked by its type at once, so that the error names where it came from.
    let mut alone = Table::new();
    insert(&mut alone, key, value.clone()).map_err(refuse)?;
    let _: super::Config =
        alone.try_into().map_err(|error: toml::de::Error| refuse(format!("`{key}`: {}", error.message())))?;
    insert(table, key, value).map_err(refuse)
}

fn parse_value(text: &str) -> Result<Value, String> {
    let table: Table =
        format!("value = {text}").parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let mut values = table.into_iter();
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Ok(value),
        _ => Err("it is more than one value".to_owned()),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
            Ok(())
        }
        Some((section, rest)) => {
            let inner = table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
            match inner.as_table_mut() {
                Some(inner) => insert(inner, rest, value),
                None => Err(format!("`{section}` is not a section")),
            }
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
